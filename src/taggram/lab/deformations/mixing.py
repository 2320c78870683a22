"""Mixing: a second piece sounds at the same time. For augmentation only: the tags change with it.

The partner is brought to the power of the waveform, then to its drawn gain; a shorter one is repeated.
The sum is scaled down where it exceeds full scale. The tags of the sum are those of both, see
`mix_tags`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taggram.lab.deformations._base import Deformation, State, Waveform, decibels_to_factor


@dataclass(frozen=True)
class Mixing(Deformation):
    """Add a second waveform.

    Parameters
    ----------
    min_db, max_db
        The level of the partner relative to the waveform is drawn uniformly between these, in decibels.
    """

    title = "Mixing"
    unit = "dB"
    strengths = ()
    needs_partner = True

    min_db: float = -12.0
    max_db: float = 0.0

    def draw(self, rng: np.random.Generator) -> State:
        """Draw the level of the partner, and which one: a place in [0, 1) of what the caller has."""
        return {"gain_db": float(rng.uniform(self.min_db, self.max_db)), "partner": float(rng.uniform())}

    def fix(self, strength: float, rng: np.random.Generator) -> State:
        """Take the strength as the level and draw the partner."""
        return {"gain_db": float(strength), "partner": float(rng.uniform())}

    def _mix(self, waveform: Waveform, partner: Waveform, state: Mapping[str, Any]) -> NDArray[Any]:
        power, partner_power = (
            float(np.mean(np.square(sound))) if len(sound) else 0.0 for sound in (waveform, partner)
        )
        if not (power and partner_power):
            return waveform.copy()
        level = np.sqrt(power / partner_power) * decibels_to_factor(state["gain_db"])
        mixed = waveform + level * np.resize(partner, len(waveform))
        scaled: NDArray[Any] = mixed / max(1.0, float(np.abs(mixed).max()))
        return scaled


def mix_tags(tags: NDArray[Any], partner_tags: NDArray[Any]) -> NDArray[Any]:
    """Return the tags of a mixture: those that either piece has, shape (n_tags,)."""
    union: NDArray[Any] = np.maximum(tags, partner_tags)
    return union


DEFORMATION = Mixing
