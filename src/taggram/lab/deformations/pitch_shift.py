"""Pitch shift: another pitch at the same tempo, by a phase vocoder and resampling.

As in `librosa.effects.pitch_shift`: stretch by 2^(−semitones/12), then play faster by resampling.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from taggram.lab.deformations._base import Deformation, State, Waveform
from taggram.lab.deformations._phase_vocoder import stretch


@dataclass(frozen=True)
class PitchShift(Deformation):
    """Shift the pitch by a number of semitones.

    Parameters
    ----------
    max_semitones
        Shifts are drawn uniformly from −max_semitones to max_semitones.
    """

    title = "Pitch shift"
    unit = "semitones"
    strengths = (-2.0, -1.0, 1.0, 2.0)
    published = (-1.0, 1.0)
    identity = 0.0

    max_semitones: float = 1.0

    def draw(self, rng: np.random.Generator) -> State:
        """Draw a shift."""
        return {"semitones": float(rng.uniform(-self.max_semitones, self.max_semitones))}

    def fix(self, strength: float, rng: np.random.Generator) -> State:
        """Take the strength as the shift."""
        return {"semitones": float(strength)}

    def _deform(self, waveform: Waveform, sample_rate: int, state: Mapping[str, Any]) -> NDArray[Any]:
        semitones: float = state["semitones"]
        if semitones == 0.0:
            return waveform.copy()
        rate = 2.0 ** (-semitones / 12.0)
        stretched = stretch(waveform, rate)
        shifted = soxr.resample(stretched, sample_rate / rate, sample_rate)
        return np.pad(shifted[: len(waveform)], (0, max(0, len(waveform) - len(shifted))))


DEFORMATION = PitchShift
