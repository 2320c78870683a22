"""Time stretch: another tempo at the same pitch, by a phase vocoder.

The result has round(n_samples / rate) samples: the only deformation that changes the length.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taggram.lab.deformations._base import Deformation, State, Waveform
from taggram.lab.deformations._phase_vocoder import stretch


@dataclass(frozen=True)
class TimeStretch(Deformation):
    """Play at `rate` times the tempo.

    Parameters
    ----------
    max_octaves
        Rates are drawn log-uniformly from 2^−max_octaves to 2^max_octaves.
    """

    title = "Time stretch"
    unit = "× tempo"
    strengths = (2**-0.5, 2**-0.25, 2**0.25, 2**0.5)
    published = (2**-0.5, 2**0.5)
    identity = 1.0
    keeps_length = False

    max_octaves: float = 0.25

    def draw(self, rng: np.random.Generator) -> State:
        """Draw a rate."""
        return {"rate": float(2.0 ** rng.uniform(-self.max_octaves, self.max_octaves))}

    def fix(self, strength: float, rng: np.random.Generator) -> State:
        """Take the strength as the rate."""
        return {"rate": float(strength)}

    def _deform(self, waveform: Waveform, sample_rate: int, state: Mapping[str, Any]) -> NDArray[Any]:
        rate: float = state["rate"]
        return waveform.copy() if rate == 1.0 else stretch(waveform, rate)


DEFORMATION = TimeStretch
