"""What one piece of the examples is."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from studio.sound import Sound


@dataclass(frozen=True)
class Piece:
    """One piece.

    Attributes
    ----------
    file
        Name of the clip; its ending chooses the format.
    title, genre
        As written into the clip.
    kbps
        Bit rate of the clip in kbit/s.
    seed
        Of the random generator that the players get: the same clip every time.
    compose
        Random generator → finished recording, (2, n_samples).
    """

    file: str
    title: str
    genre: str
    kbps: int
    seed: int
    compose: Callable[[np.random.Generator], Sound]
