"""Altered copies of training clips: what the teachers say about them enlarges the training set.

A variation is a change that the teachers hear too: they score the altered sound itself, so nothing is
assumed about what a change does to a tag. Drawing parameters is apart from applying them.

Conventions: waveforms float32 (n_samples,) at 16 kHz, nominally in [−1, 1].
"""

from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from taggram.lab.deformations.mp3 import Mp3
from taggram.lab.deformations.pitch_shift import PitchShift
from taggram.lab.deformations.time_stretch import TimeStretch
from taggram.lab.training.corpus import SAMPLE_RATE

Waveform = NDArray[np.float32]

N_EQUALISER_POINTS = 7
MAX_OCTAVES = 0.3
"""Largest change of speed, of tempo or of pitch; an octave of tempo is twice as fast."""


@dataclass(frozen=True)
class Variation:
    """One drawn set of changes, applied in the order of the fields.

    Attributes
    ----------
    position
        Where the excerpt begins, as a share of what can be left out, in [0, 1].
    duration
        Length of the excerpt before the change of speed or tempo, in seconds.
    speed
        Factor on tempo and pitch together, as of a tape.
    tempo
        Factor on the tempo alone.
    semitones
        Change of the pitch alone.
    equaliser_db
        Gain at points spaced evenly in log-frequency from 50 Hz to 8 kHz.
    partner
        Index of a second clip that sounds at the same time, or None.
    partner_gain_db
        Its level relative to the first, both taken at equal power.
    noise_db
        Level of added white noise relative to the sound, or None.
    gain_db
        Change of level of all of it.
    bit_rate
        Of the mp3 file that the sound goes through at the end, in kbit/s, or None.
    """

    position: float
    duration: float
    speed: float
    tempo: float
    semitones: float
    equaliser_db: tuple[float, ...]
    partner: int | None
    partner_gain_db: float
    noise_db: float | None
    gain_db: float
    bit_rate: int | None


def draw_variation(rng: np.random.Generator, n_clips: int) -> Variation:
    """Draw a variation; `n_clips` is the number of clips that a partner is chosen from."""
    # One of the three: a recording is seldom changed in several of them, and the vocoder leaves its traces.
    octaves = [0.0, 0.0, 0.0]
    octaves[rng.integers(3)] = rng.uniform(-MAX_OCTAVES, MAX_OCTAVES)
    return Variation(
        position=rng.uniform(),
        duration=30.0,
        speed=2 ** octaves[0],
        tempo=2 ** octaves[1],
        semitones=12 * octaves[2],
        equaliser_db=tuple(rng.normal(0, 4, N_EQUALISER_POINTS)),
        partner=int(rng.integers(n_clips)) if rng.uniform() < 0.35 else None,
        partner_gain_db=rng.uniform(-12, 0),
        noise_db=rng.uniform(-50, -10) if rng.uniform() < 0.2 else None,
        gain_db=rng.uniform(-12, 3),
        bit_rate=Mp3().draw(rng)["bit_rate"] if rng.uniform() < 0.3 else None,
    )


def apply_variation(
    waveform: Waveform, variation: Variation, partner: Waveform | None, rng: np.random.Generator
) -> Waveform:
    """Return the altered waveform; `rng` draws the samples of the noise."""
    sound = _excerpt(waveform, variation.position, variation.duration)
    sound = soxr.resample(sound, SAMPLE_RATE * variation.speed, SAMPLE_RATE).astype(np.float32)
    sound = TimeStretch().apply(sound, SAMPLE_RATE, {"rate": variation.tempo})
    sound = PitchShift().apply(sound, SAMPLE_RATE, {"semitones": variation.semitones})
    sound = _equalise(sound, np.array(variation.equaliser_db))
    level = _rms(sound)
    if partner is not None:
        other = np.resize(_excerpt(partner, variation.position, variation.duration), len(sound))
        sound = sound + other * (level / _rms(other) * _factor(variation.partner_gain_db))
    if variation.noise_db is not None:
        noise = rng.standard_normal(len(sound), dtype=np.float32)
        sound = sound + noise * (level * _factor(variation.noise_db))
    sound = np.asarray(np.clip(sound * _factor(variation.gain_db), -1, 1), np.float32)
    if variation.bit_rate is not None:
        sound = Mp3().apply(sound, SAMPLE_RATE, {"bit_rate": variation.bit_rate})
    return sound


def _excerpt(waveform: Waveform, position: float, duration: float) -> Waveform:
    length = min(len(waveform), round(duration * SAMPLE_RATE))
    start = round(position * (len(waveform) - length))
    excerpt: Waveform = waveform[start : start + length]
    return excerpt


def _equalise(waveform: Waveform, gains_db: NDArray[np.float64]) -> Waveform:
    spectrum = np.fft.rfft(waveform)
    frequencies = np.linspace(0, SAMPLE_RATE / 2, len(spectrum))
    points = np.geomspace(50, SAMPLE_RATE / 2, len(gains_db))
    curve_db = np.interp(np.log(np.maximum(frequencies, 1)), np.log(points), gains_db)
    return np.asarray(np.fft.irfft(spectrum * 10 ** (curve_db / 20), len(waveform)), np.float32)


def _rms(waveform: Waveform) -> float:
    return float(np.sqrt(np.mean(np.square(waveform)))) + 1e-6


def _factor(gain_db: float) -> float:
    return float(10 ** (gain_db / 20))
