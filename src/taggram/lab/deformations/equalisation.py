"""Equalisation: a low shelf, two peaks and a high shelf, as second-order filters in a row.

Filters follow the Audio EQ Cookbook; a band at or above 0.45 of the sample rate is left out. The
strength of the study is a tilt: low shelf up and high shelf down by so many decibels (negative: the
other way round).

References
----------
Bristow-Johnson, "Cookbook formulae for audio equalizer biquad filter coefficients", 1994; W3C Note 2021.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.signal import sosfilt

from taggram.lab.deformations._base import Deformation, State, Waveform

Kind = Literal["low_shelf", "peak", "high_shelf"]

_HIGHEST_SHARE = 0.45  # of the sample rate: above, the bilinear transform squeezes a band to nothing


@dataclass(frozen=True)
class Equalisation(Deformation):
    """Colour the sound.

    Parameters
    ----------
    max_db
        The gain of each of the four bands is drawn uniformly from −max_db to max_db.
    """

    title = "Equalisation"
    unit = "dB tilt"
    strengths = (-12.0, -6.0, 6.0, 12.0)
    identity = 0.0

    max_db: float = 6.0

    def draw(self, rng: np.random.Generator) -> State:
        """Draw two shelves and two peaks."""
        low, first, second, high = rng.uniform(-self.max_db, self.max_db, 4)
        return {
            "bands": [
                _band("low_shelf", _log_uniform(rng, 80, 300), low),
                _band("peak", _log_uniform(rng, 300, 1000), first, rng.uniform(0.5, 2.0)),
                _band("peak", _log_uniform(rng, 1000, 4000), second, rng.uniform(0.5, 2.0)),
                _band("high_shelf", _log_uniform(rng, 3000, 6000), high),
            ]
        }

    def fix(self, strength: float, rng: np.random.Generator) -> State:
        """Tilt by the strength: shelves at 250 and 4000 Hz."""
        return {"bands": [_band("low_shelf", 250.0, strength), _band("high_shelf", 4000.0, -strength)]}

    def _deform(self, waveform: Waveform, sample_rate: int, state: Mapping[str, Any]) -> NDArray[Any]:
        filters = [
            compute_biquad(**band, sample_rate=sample_rate)
            for band in state["bands"]
            if band["gain_db"] != 0.0 and band["frequency"] < _HIGHEST_SHARE * sample_rate
        ]
        equalised: NDArray[Any] = sosfilt(np.array(filters), waveform) if filters else waveform.copy()
        return equalised


def compute_biquad(
    kind: Kind, frequency: float, gain_db: float, quality: float, *, sample_rate: int
) -> NDArray[np.float64]:
    """Compute one second-order filter.

    Parameters
    ----------
    kind, frequency, gain_db, quality
        Shape; corner or centre in Hz; gain in decibels; Q, dimensionless.
    sample_rate
        Hz.

    Returns
    -------
    shape (6,): b0, b1, b2, 1, a1, a2
    """
    amplitude = 10.0 ** (gain_db / 40.0)
    angle = 2.0 * np.pi * frequency / sample_rate
    cosine, alpha = np.cos(angle), np.sin(angle) / (2.0 * quality)
    if kind == "peak":
        numerator = [1 + alpha * amplitude, -2 * cosine, 1 - alpha * amplitude]
        denominator = [1 + alpha / amplitude, -2 * cosine, 1 - alpha / amplitude]
    else:
        # The high shelf is the low shelf mirrored at a quarter of the sample rate.
        sign = 1.0 if kind == "low_shelf" else -1.0
        more, less = amplitude + 1, amplitude - 1
        slope = 2.0 * np.sqrt(amplitude) * alpha
        numerator = [
            amplitude * (more - sign * less * cosine + slope),
            2 * sign * amplitude * (less - sign * more * cosine),
            amplitude * (more - sign * less * cosine - slope),
        ]
        denominator = [
            more + sign * less * cosine + slope,
            -2 * sign * (less + sign * more * cosine),
            more + sign * less * cosine - slope,
        ]
    coefficients: NDArray[np.float64] = np.array(numerator + denominator) / denominator[0]
    return coefficients


def _band(kind: Kind, frequency: float, gain_db: float, quality: float = 2**-0.5) -> dict[str, Any]:
    return {
        "kind": kind,
        "frequency": float(frequency),
        "gain_db": float(gain_db),
        "quality": float(quality),
    }


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


DEFORMATION = Equalisation
