"""One figure per tag, some of which may be undefined; and the checks that all metrics share."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from taggram.errors import ShapeError

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
_Numbers = NDArray[np.floating | np.integer]


@dataclass(frozen=True, eq=False)
class TagMetric:
    """One figure per tag or class.

    Attributes
    ----------
    values : shape (n_tags,)
        NaN where the figure is undefined. Read it together with `is_defined`.
    """

    values: Floats = field(repr=False)

    @property
    def is_defined(self) -> Bools:
        """Which tags have a figure: shape (n_tags,)."""
        return ~np.isnan(self.values)

    @property
    def macro(self) -> float | None:
        """Mean over the tags that have a figure; None if no tag has one."""
        defined = self.values[self.is_defined]
        return float(defined.mean()) if len(defined) else None

    def at(self, tag: int) -> float | None:
        """Return the figure of one tag; None if it is undefined."""
        value = float(self.values[tag])
        return None if np.isnan(value) else value


def check_scores(y_true: Bools, y_score: NDArray[np.floating]) -> tuple[Bools, Floats]:
    """Return annotations and scores as bool and float64 arrays of one shape (n_clips, n_tags).

    Raises
    ------
    ShapeError
        If the shapes differ, an array is empty, annotations are not true or false, or a score is no number.
    """
    y_true, y_score = np.asarray(y_true), np.asarray(y_score)
    if y_true.ndim != 2 or y_true.shape != y_score.shape or not y_true.size:
        raise ShapeError(
            "y_true and y_score must both have shape (n_clips, n_tags) and hold something, "
            f"got {y_true.shape} and {y_score.shape}"
        )
    if not np.isfinite(y_score).all():
        row, column = np.argwhere(~np.isfinite(y_score))[0]
        raise ShapeError(
            f"y_score holds {y_score[row, column]} for clip {row}, tag {column}: "
            "leave out clips that could not be scored"
        )
    return check_bools(y_true, "y_true"), y_score.astype(np.float64)


def check_bools(values: NDArray[np.generic], name: str) -> Bools:
    """Return an array of true and false as bool; 0 and 1 are taken, anything else is refused."""
    if values.dtype == np.bool_:
        return values  # type: ignore[return-value]
    if not np.isin(values, (0, 1)).all():
        raise ShapeError(f"{name} must hold true and false, got values such as {np.unique(values)[:5]}")
    return values.astype(np.bool_)


def both_present(y_true: Bools) -> Bools:
    """Return which columns of (n_clips, n_tags) hold both true and false."""
    return np.asarray(y_true.any(axis=0) & ~y_true.all(axis=0))


def divide(numerator: _Numbers, denominator: _Numbers) -> Floats:
    """Return the quotient, NaN where the denominator is 0."""
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    quotient = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient
