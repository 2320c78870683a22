"""Gain: louder or softer; what exceeds full scale is clipped, as in a sound file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taggram.lab.deformations._base import Deformation, State, Waveform, decibels_to_factor


@dataclass(frozen=True)
class Gain(Deformation):
    """Change the level.

    Parameters
    ----------
    min_db, max_db
        Gains are drawn uniformly between these, in decibels.
    """

    title = "Gain"
    unit = "dB"
    strengths = (-40.0, -20.0, -10.0, 10.0, 20.0)
    identity = 0.0

    min_db: float = -12.0
    max_db: float = 3.0

    def draw(self, rng: np.random.Generator) -> State:
        """Draw a gain."""
        return {"gain_db": float(rng.uniform(self.min_db, self.max_db))}

    def fix(self, strength: float, rng: np.random.Generator) -> State:
        """Take the strength as the gain."""
        return {"gain_db": float(strength)}

    def _deform(self, waveform: Waveform, sample_rate: int, state: Mapping[str, Any]) -> NDArray[Any]:
        louder: NDArray[Any] = waveform * decibels_to_factor(state["gain_db"])
        return louder.clip(-1.0, 1.0)


DEFORMATION = Gain
