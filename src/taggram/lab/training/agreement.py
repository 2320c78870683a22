"""How far a student says what its teachers say: arrays in, numbers out.

Conventions: `reference` and `scores` hold one row per clip and one column per tag. Per-chunk arrays
come as one (n_chunks, n_tags) array per song. A figure is a mean over tags; a tag without any variation
in the reference has no figure and is left out (NaN in the per-tag result).
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Scores = NDArray[np.floating]


def spearman_per_tag(reference: Scores, scores: Scores) -> NDArray[np.float64]:
    """Return Spearman's rank correlation of every column, shape (n_tags,); ties share their mean rank."""
    return _correlate(rankdata(reference, axis=0), rankdata(scores, axis=0))


def top_decile_auc_per_tag(reference: Scores, scores: Scores) -> NDArray[np.float64]:
    """Return ROC-AUC per tag of finding the tenth of the clips that the reference scores highest.

    Shape (n_tags,). The tenth is rounded up, so there is at least one positive clip.
    """
    n_clips = len(reference)
    n_top = -(-n_clips // 10)
    return roc_auc_per_column(rankdata(reference, axis=0, method="ordinal") > n_clips - n_top, scores)


def roc_auc_per_column(y_true: NDArray[np.bool_], y_score: Scores) -> NDArray[np.float64]:
    """Return ROC-AUC of every column, from rank sums; every column holds both kinds of rows."""
    n_positive = y_true.sum(axis=0)
    rank_sums = np.where(y_true, rankdata(y_score, axis=0), 0).sum(axis=0)
    n_pairs = n_positive * (len(y_true) - n_positive)
    return np.asarray((rank_sums - n_positive * (n_positive + 1) / 2) / n_pairs)


def within_song_correlation_per_tag(
    reference: Sequence[Scores], scores: Sequence[Scores]
) -> NDArray[np.float64]:
    """Return Pearson's correlation over time, shape (n_tags,).

    Every song's own mean is taken off first; the chunks of all songs are then correlated together, so
    a song counts by how much its tag changes and not by which tags it has.
    """
    return _correlate(_centred(reference), _centred(scores))


def _centred(songs: Sequence[Scores]) -> NDArray[np.float64]:
    return np.concatenate([song - song.mean(axis=0, dtype=np.float64) for song in songs])


def _correlate(first: Scores, second: Scores) -> NDArray[np.float64]:
    first = first - first.mean(axis=0, dtype=np.float64)
    second = second - second.mean(axis=0, dtype=np.float64)
    spread = np.sqrt((first**2).sum(axis=0) * (second**2).sum(axis=0))
    product = (first * second).sum(axis=0)
    return np.asarray(np.divide(product, spread, out=np.full(len(product), np.nan), where=spread > 0))


def bootstrap_interval(
    figure: Callable[[NDArray[np.intp]], float],
    n_clips: int,
    *,
    rng: np.random.Generator,
    n_draws: int = 1000,
    coverage: float = 0.95,
) -> tuple[float, float]:
    """Return the percentile interval of a figure when clips are drawn anew with replacement.

    Parameters
    ----------
    figure
        Computes the figure from row numbers, shape (n_clips,).
    """
    draws = [figure(rng.integers(n_clips, size=n_clips)) for _ in range(n_draws)]
    low, high = np.nanquantile(draws, [(1 - coverage) / 2, (1 + coverage) / 2])
    return float(low), float(high)
