"""Low sample rate: down and up again, so that what lies above half of the low rate is gone.

A rate at or above that of the waveform changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from taggram.lab.deformations._base import Deformation, State, Waveform


@dataclass(frozen=True)
class LowSampleRate(Deformation):
    """Pass the waveform through a low sample rate.

    Parameters
    ----------
    min_rate, max_rate
        Rates are drawn log-uniformly between these, in Hz.
    """

    title = "Low sample rate"
    unit = "Hz"
    strengths = (4000.0, 8000.0, 11_025.0)

    min_rate: float = 8000.0
    max_rate: float = 16_000.0

    def draw(self, rng: np.random.Generator) -> State:
        """Draw a sample rate."""
        return {"sample_rate": float(np.exp(rng.uniform(np.log(self.min_rate), np.log(self.max_rate))))}

    def fix(self, strength: float, rng: np.random.Generator) -> State:
        """Take the strength as the sample rate."""
        return {"sample_rate": float(strength)}

    def _deform(self, waveform: Waveform, sample_rate: int, state: Mapping[str, Any]) -> NDArray[Any]:
        low_rate: float = state["sample_rate"]
        if low_rate >= sample_rate:
            return waveform.copy()
        low = soxr.resample(waveform, sample_rate, low_rate)
        back = soxr.resample(low, low_rate, sample_rate)
        return np.pad(back[: len(waveform)], (0, max(0, len(waveform) - len(back))))


DEFORMATION = LowSampleRate
