"""Dynamic range compression, as the `compand` effect of sox does it, with the presets of the study.

A leaky detector follows |waveform| with an attack and a decay time; its level in decibels is looked up
in a curve of straight lines, and the difference of output and input level is the gain. The gain is
applied to the waveform `delay` seconds earlier, so the detector hears what comes. At the end, the last
gain is held. The detector starts at full scale. The result is clipped to ±1: the published study went
through 16-bit files (the rounding to 16 bit, −96 dB, is left out).

References
----------
sox(1), "compand"; presets of Won et al., SMC 2020, first collected for muda (McFee et al., ISMIR 2015).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taggram.errors import UnknownNameError
from taggram.lab.deformations._base import Deformation, State, Waveform


@dataclass(frozen=True)
class Preset:
    """One setting of the compressor.

    Attributes
    ----------
    attack, decay, delay
        Seconds.
    curve
        Level in → level out in decibels, at increasing inputs; (0, 0) is implied if 0 is not given.
    gain_db
        Added to every output level.
    """

    attack: float
    decay: float
    curve: tuple[tuple[float, float], ...]
    gain_db: float = 0.0
    delay: float = 0.0


def _standard(*middle: tuple[float, float], top: float = -20.0) -> Preset:
    curve = ((-90.0, -90.0), *middle, (-21.0, -21.0), (0.0, top))
    return Preset(attack=0.1, decay=0.3, curve=curve, delay=0.1)


PRESETS = {
    "radio": Preset(0.01, 1.0, ((-90.0, -90.0), (-70.0, -70.0), (-60.0, -20.0), (0.0, 0.0)), gain_db=-5.0),
    "film_standard": _standard((-70, -64), (-43, -37), (-31, -31)),
    "film_light": _standard((-70, -64), (-53, -47), (-41, -41)),
    "music_standard": _standard((-70, -58), (-55, -43), (-31, -31)),
    "music_light": _standard((-70, -58), (-65, -53), (-41, -41), top=-11.0),
    "speech": _standard((-70, -55), (-50, -35), (-31, -31)),
}


@dataclass(frozen=True)
class DynamicRangeCompression(Deformation):
    """Compress by one of `PRESETS`.

    Parameters
    ----------
    presets
        The names that `draw` chooses from.
    """

    title = "Dynamic range compression"
    unit = ""
    strengths = ("music_light", "music_standard", "speech", "radio")
    published = ("music_standard", "speech")

    presets: tuple[str, ...] = tuple(PRESETS)

    def draw(self, rng: np.random.Generator) -> State:
        """Draw a preset."""
        return {"preset": self.presets[int(rng.integers(len(self.presets)))]}

    def fix(self, strength: str, rng: np.random.Generator) -> State:
        """Take the strength as the name of the preset.

        Raises
        ------
        UnknownNameError
            If there is no such preset.
        """
        if strength not in PRESETS:
            raise UnknownNameError("preset", str(strength), PRESETS)
        return {"preset": strength}

    def _deform(self, waveform: Waveform, sample_rate: int, state: Mapping[str, Any]) -> NDArray[Any]:
        return compress(waveform, sample_rate, PRESETS[state["preset"]])


def compress(waveform: Waveform, sample_rate: int, preset: Preset) -> Waveform:
    """Compress a waveform of shape (n_samples,); the result is clipped to [−1, 1]."""
    level = _follow(np.abs(waveform), _rate(preset.attack, sample_rate), _rate(preset.decay, sample_rate))
    n_delay = int(preset.delay * sample_rate)
    ahead = np.minimum(np.arange(n_delay, n_delay + len(level)), len(level) - 1)
    gain_db = compute_gain_db(20.0 * np.log10(np.maximum(level[ahead], 1e-10)), preset)
    return np.clip(waveform * 10.0 ** (gain_db / 20.0), -1.0, 1.0).astype(np.float32)


def compute_gain_db(level_db: NDArray[np.float64], preset: Preset) -> NDArray[np.float64]:
    """Return the gain in decibels at detector levels; below the curve's first point it is constant."""
    points = preset.curve if preset.curve[-1][0] == 0.0 else (*preset.curve, (0.0, 0.0))
    levels, outputs = np.array(points).T
    gain_db: NDArray[np.float64] = np.interp(level_db, levels, outputs - levels + preset.gain_db)
    return gain_db


def _follow(magnitude: NDArray[np.float32], attack: float, decay: float) -> NDArray[np.float64]:
    """Follow a magnitude from full scale on: rise by `attack`, fall by `decay` of the difference."""
    if attack < decay:
        raise ValueError("a compressor's attack must not be slower than its decay")
    keep_rising, keep_falling = 1.0 - attack, 1.0 - decay

    # Where the magnitude is larger, the larger of the two coefficients gives the larger result; where
    # it is smaller, the smaller one does. So the maximum chooses between attack and decay.
    def step(level: float, sample: float) -> float:
        return max(keep_rising * level + attack * sample, keep_falling * level + decay * sample)

    levels = accumulate(magnitude.astype(np.float64).tolist(), step, initial=1.0)
    return np.fromiter(levels, np.float64, len(magnitude) + 1)[1:]


def _rate(duration: float, sample_rate: int) -> float:
    """Return the share of the difference that a detector closes in one sample."""
    return float(1.0 - np.exp(-1.0 / (duration * sample_rate))) if duration * sample_rate > 1.0 else 1.0


DEFORMATION = DynamicRangeCompression
