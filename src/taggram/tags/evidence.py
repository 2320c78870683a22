"""Where a tag is heard: the strongest moments of one column of a taggram.

Conventions: times in seconds; a chunk at `chunk_times[i]` hears `chunk_duration` seconds from there on.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from taggram.errors import ShapeError

LEAST_DURATION = 3.0
"""Seconds that a moment lasts at least, so that one can hear it."""
GAP, GAP_SHARE = 10.0, 0.1
"""Seconds between two moments, or the share of a sound that is shorter: neighbours are one passage."""


class Moment(NamedTuple):
    """A part of a sound: start and end in seconds, and its score in [0, 1]."""

    start: float
    end: float
    score: float


def find_moments(
    scores: NDArray[np.floating],
    chunk_times: NDArray[np.floating],
    *,
    chunk_duration: float,
    duration: float,
    n: int = 3,
    gap: float | None = None,
) -> tuple[Moment, ...]:
    """Return the strongest moments, strongest first, each from another passage.

    Parameters
    ----------
    scores : shape (n_chunks,), in [0, 1]
        Of one tag.
    chunk_times : shape (n_chunks,)
        Starts of the chunks.
    chunk_duration, duration
        Of a chunk and of the whole sound, in seconds.
    n
        At most this many.
    gap
        Least seconds between two moments; None is `GAP`, or less in a short sound. 0 lets them adjoin.

    Raises
    ------
    ShapeError
        If there is not one time for each score.

    Examples
    --------
    >>> scores, times = np.array([0.1, 0.9, 0.5, 0.3]), np.array([0, 3, 6, 9])
    >>> find_moments(scores, times, chunk_duration=3, duration=12.0, n=2)
    (Moment(start=3.0, end=6.0, score=0.9), Moment(start=9.0, end=12.0, score=0.3))
    >>> find_moments(scores, times, chunk_duration=3, duration=12.0, n=2, gap=0)
    (Moment(start=3.0, end=6.0, score=0.9), Moment(start=6.0, end=9.0, score=0.5))
    """
    if scores.shape != chunk_times.shape or scores.ndim != 1:
        raise ShapeError(f"one time is needed for each score, got {chunk_times.shape} and {scores.shape}")
    length = max(chunk_duration, LEAST_DURATION)
    apart = min(GAP, GAP_SHARE * duration) if gap is None else gap
    found: list[Moment] = []
    for chunk in np.argsort(-scores, kind="stable").tolist():
        start = max(0.0, min(float(chunk_times[chunk]), duration - length))
        end = min(duration, start + length)
        # A hair of overlap comes from rounding, and from the last chunk, which is aligned with the end.
        if all(end + apart <= other.start + 1e-6 or start >= other.end + apart - 1e-6 for other in found):
            found.append(Moment(start, end, float(scores[chunk])))
        if len(found) == n:
            break
    return tuple(found)
