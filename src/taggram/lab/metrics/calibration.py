"""Calibration: whether a clip with score 0.7 has the tag seven times out of ten.

Conventions: scores in [0, 1]; all (clip, tag) pairs are pooled; bins are of equal width, the last one
closed on both sides.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taggram.errors import ShapeError
from taggram.lab.metrics._tag_metric import Bools, Floats, check_scores, divide


@dataclass(frozen=True, eq=False)
class Reliability:
    """Scores and truth, bin by bin.

    Attributes
    ----------
    edges : shape (n_bins + 1,)
    counts : shape (n_bins,)
        Pairs in the bin.
    mean_score, share_true : shape (n_bins,)
        NaN in an empty bin.
    """

    edges: Floats
    counts: NDArray[np.int64]
    mean_score: Floats
    share_true: Floats

    @property
    def expected_calibration_error(self) -> float:
        """Mean distance between score and truth, every bin weighted by its pairs (ECE)."""
        filled = self.counts > 0
        gaps = np.abs(self.mean_score[filled] - self.share_true[filled])
        return float(np.average(gaps, weights=self.counts[filled]))


def reliability(y_true: Bools, y_score: Floats, *, n_bins: int = 15) -> Reliability:
    """Sort pairs of clip and tag into bins of equal width by their score.

    References
    ----------
    Guo et al., "On calibration of modern neural networks", ICML 2017.
    """
    y_true, y_score = check_scores(y_true, y_score)
    if y_score.min() < 0 or y_score.max() > 1:
        raise ShapeError(
            f"calibration needs scores in [0, 1], got {y_score.min():.3g} to {y_score.max():.3g}: "
            "apply the sigmoid to logits first"
        )
    bins = np.minimum((y_score.ravel() * n_bins).astype(np.int64), n_bins - 1)
    counts = np.bincount(bins, minlength=n_bins)
    return Reliability(
        edges=np.linspace(0, 1, n_bins + 1),
        counts=counts,
        mean_score=divide(np.bincount(bins, y_score.ravel(), n_bins), counts),
        share_true=divide(np.bincount(bins, y_true.ravel().astype(float), n_bins), counts),
    )
