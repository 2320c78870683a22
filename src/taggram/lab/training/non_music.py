"""Sounds that are no music, made from numbers, so that a model learns to say nothing about them.

The published models were never shown silence or noise and name genres for it. The student is taught
low scores for every tag instead.

Conventions: waveforms float32 (n_samples,) at 16 kHz, in [−1, 1].
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from taggram.lab.training.corpus import SAMPLE_RATE

Waveform = NDArray[np.float32]
_Maker = Callable[[np.random.Generator, int], NDArray[np.float64]]


def draw_non_music(rng: np.random.Generator, duration: float) -> Waveform:
    """Draw one sound of `duration` seconds: noise of some colour, steady tones, clicks, hum or silence.

    Level, colour, pitch and movement are random; one sound in eight is digital silence or nearly so.
    """
    n_samples = round(duration * SAMPLE_RATE)
    maker = _MAKERS[int(rng.integers(len(_MAKERS)))]
    sound = maker(rng, n_samples)
    peak_db = rng.uniform(-100, -60) if rng.uniform() < 0.125 else rng.uniform(-50, 0)
    sound = sound * (10 ** (peak_db / 20) / max(np.abs(sound).max(), 1e-9))
    return np.asarray(sound, np.float32)


def _noise(rng: np.random.Generator, n_samples: int) -> NDArray[np.float64]:
    """Noise whose power falls by 0 (white) to 9 dB an octave."""
    spectrum = np.fft.rfft(rng.standard_normal(n_samples))
    frequencies = np.maximum(np.fft.rfftfreq(n_samples, 1 / SAMPLE_RATE), 20)
    return np.fft.irfft(spectrum * frequencies ** -rng.uniform(0, 1.5), n_samples)


def _gusts(rng: np.random.Generator, n_samples: int) -> NDArray[np.float64]:
    """Coloured noise that swells and fades like wind or surf, at no steady rate."""
    points = np.linspace(0, n_samples, max(4, int(n_samples / SAMPLE_RATE * rng.uniform(0.2, 3))))
    envelope_db = np.interp(np.arange(n_samples), points, rng.uniform(-30, 0, len(points)))
    return _noise(rng, n_samples) * 10 ** (envelope_db / 20)


def _tone(rng: np.random.Generator, n_samples: int) -> NDArray[np.float64]:
    """One steady sine."""
    return _sine(np.exp(rng.uniform(np.log(40), np.log(7500))), n_samples)


def _hum(rng: np.random.Generator, n_samples: int) -> NDArray[np.float64]:
    """Mains hum with its harmonics in some noise."""
    fundamental = rng.choice([50.0, 60.0])
    harmonics = sum(
        rng.uniform() / k * _sine(fundamental * k, n_samples) for k in range(1, int(rng.integers(2, 20)))
    )
    return np.asarray(harmonics + rng.uniform(0, 0.3) * rng.standard_normal(n_samples))


def _sweep(rng: np.random.Generator, n_samples: int) -> NDArray[np.float64]:
    """A sine that glides slowly, as a siren or a test signal does."""
    frequency = np.exp(
        np.interp(np.linspace(0, 1, n_samples), [0, 0.5, 1], rng.uniform(np.log(60), np.log(6000), 3))
    )
    return np.sin(2 * np.pi * np.cumsum(frequency) / SAMPLE_RATE)


def _clicks(rng: np.random.Generator, n_samples: int) -> NDArray[np.float64]:
    """Single knocks at random moments, each dying away within a tenth of a second."""
    impulses = np.zeros(n_samples)
    places = rng.integers(n_samples, size=max(1, int(rng.poisson(n_samples / SAMPLE_RATE))))
    impulses[places] = rng.uniform(0.2, 1, len(places))
    decay = np.exp(-np.arange(SAMPLE_RATE // 10) / (SAMPLE_RATE * rng.uniform(0.0005, 0.03)))
    return np.asarray(np.convolve(impulses, decay * rng.standard_normal(len(decay)))[:n_samples])


def _sine(frequency: float, n_samples: int) -> NDArray[np.float64]:
    return np.asarray(np.sin(2 * np.pi * frequency / SAMPLE_RATE * np.arange(n_samples)))


_MAKERS: tuple[_Maker, ...] = (_noise, _noise, _gusts, _tone, _hum, _sweep, _clicks)
