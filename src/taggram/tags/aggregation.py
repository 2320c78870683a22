"""From a taggram to one score per tag."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from taggram.errors import ShapeError, UnknownNameError

Aggregation = Literal["mean", "max", "median"]


def aggregate_taggram(taggram: NDArray[np.float32], *, method: Aggregation = "mean") -> NDArray[np.float32]:
    """Reduce a taggram to one score per tag.

    Parameters
    ----------
    taggram : shape (n_chunks, n_tags), in [0, 1]
        Scores of consecutive chunks, at least one.
    method
        "mean" is the usual evaluation protocol; "max" favours tags heard once, "median" tags that
        hold for most of the time.

    Returns
    -------
    shape (n_tags,), in [0, 1]

    Raises
    ------
    ShapeError
        If `taggram` is not two-dimensional or holds no chunk.

    References
    ----------
    Won et al., "Evaluation of CNN-based automatic music tagging models", SMC 2020.

    Examples
    --------
    >>> aggregate_taggram(np.array([[0.25, 0.75], [0.5, 0.25]], np.float32))
    array([0.375, 0.5  ], dtype=float32)
    """
    if method not in get_args(Aggregation):
        raise UnknownNameError("aggregation", method, get_args(Aggregation))
    if taggram.ndim != 2 or not len(taggram):
        raise ShapeError(
            f"a taggram has shape (n_chunks, n_tags) with at least one chunk, got {taggram.shape}"
        )
    scores: NDArray[np.float32] = getattr(np, method)(taggram, axis=0)
    return scores
