"""Tell whether two recordings are the same performance, in another encoding or master.

Embeddings alone cannot tell: two songs of one band may lie nearer to each other than a song and its own
copy at a low bit rate. How the tags rise and fall over time can: the correlation of two taggrams, each tag
less its mean over time, was at least 0.87 between clips of 4Q and copies at 48 to 96 kbit/s, and at most
0.70 between a clip and its nearest neighbour. A copy that begins later or is cut is not recognised.
"""

import numpy as np

from taggram.library.tracks import Analysis

MIN_CORRELATION = 0.8
MAX_DIFFERENCE = 2.0
"""Seconds by which the durations may differ."""
MIN_CHUNKS = 4
_SMALLEST_DEVIATION = 0.01  # of a tag's square root over time; less is noise


def is_near_duplicate(first: Analysis, second: Analysis) -> bool:
    """Return whether two analyses by one model are of the same performance.

    Recordings of fewer than `MIN_CHUNKS` chunks are too short to tell and count as different.
    """
    if first.duration is None or second.duration is None:
        return False
    if abs(first.duration - second.duration) > MAX_DIFFERENCE:
        return False
    return correlation(first, second) >= MIN_CORRELATION


def correlation(first: Analysis, second: Analysis) -> float:
    """Return how alike the tags rise and fall over time, in [−1, 1]; 0 if that cannot be told."""
    n_chunks = min(len(first.taggram), len(second.taggram))
    if n_chunks < MIN_CHUNKS:
        return 0.0
    a, b = (np.sqrt(analysis.taggram[:n_chunks]) for analysis in (first, second))
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    deviation = np.maximum(np.sqrt((np.square(a) + np.square(b)).mean(axis=0) / 2), _SMALLEST_DEVIATION)
    a, b = a / deviation, b / deviation
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    return float(np.sum(a * b) / lengths) if lengths > 0 else 0.0
