"""Sounds that are no music, made from numbers, so that a model learns to say nothing about them.

The published models were never shown silence or noise and name genres for it. The student is taught
low scores for every tag instead. Kinds that it is not taught (`UNSEEN`) show what that is worth.

Conventions: waveforms float32 (n_samples,) at 16 kHz, in [−1, 1].
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from taggram.lab.training.corpus import SAMPLE_RATE

Waveform = NDArray[np.float32]
Maker = Callable[[np.random.Generator, int], NDArray[np.float64]]
"""Makes so many samples of one kind of sound, at any level."""


def draw_non_music(rng: np.random.Generator, duration: float, maker: Maker | None = None) -> Waveform:
    """Draw one sound of `duration` seconds, of the kinds that are taught if no maker is named.

    Level, colour, pitch and movement are random; one sound in eight is digital silence or nearly so.
    """
    n_samples = round(duration * SAMPLE_RATE)
    if maker is None:
        maker = list(TAUGHT.values())[int(rng.integers(len(TAUGHT)))]
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


def _speech(rng: np.random.Generator, n_samples: int) -> NDArray[np.float64]:
    """What a voice does when it speaks: gliding pitch, changing formants, hisses and pauses."""
    n_frames = n_samples // _FRAME + 2
    voiced, hissed = np.zeros(n_frames), np.zeros(n_frames)
    formants = np.zeros((n_frames, 3))
    start = 0
    while start < n_frames:
        stop = start + int(rng.integers(6, 22))
        kind = rng.choice(3, p=(0.65, 0.2, 0.15))
        voiced[start:stop] = (kind == 0) * rng.uniform(0.4, 1)
        hissed[start:stop] = (kind == 1) * rng.uniform(0.02, 0.2)
        formants[start:stop] = rng.uniform((280, 800, 2200), (800, 2200, 3200))
        start = stop
    smooth = np.hanning(7) / np.hanning(7).sum()
    voiced, hissed = (np.convolve(values, smooth, "same") for values in (voiced, hissed))
    formants = np.stack([np.convolve(column, smooth, "same") for column in formants.T], axis=1)
    turns = rng.normal(0, 0.12, n_frames // 30 + 2)
    pitch = rng.uniform(85, 260) * np.exp(np.interp(np.arange(n_frames) / 30, np.arange(len(turns)), turns))
    sound = _voice(pitch, formants, voiced, n_samples)
    hiss = np.diff(rng.standard_normal(n_samples + 1))
    return sound + hiss * _at_samples(hissed, n_samples)


_FRAME = SAMPLE_RATE // 100
"""Samples between two settings of the speaking voice."""


def _voice(
    pitch: NDArray[np.float64], formants: NDArray[np.float64], level: NDArray[np.float64], n_samples: int
) -> NDArray[np.float64]:
    """Overtones under three resonances; one row or value per frame."""
    phase = 2 * np.pi * np.cumsum(_at_samples(pitch, n_samples)) / SAMPLE_RATE
    sound = np.zeros(n_samples)
    for number in range(1, int(4000 / pitch.mean())):
        distance = (number * pitch[:, None] - formants) / (60 + 0.06 * formants)
        strength = level * (1 / (1 + distance**2)).sum(axis=1) / number**0.5
        sound += np.sin(number * phase) * _at_samples(strength, n_samples)
    return sound


def _at_samples(frames: NDArray[np.float64], n_samples: int) -> NDArray[np.float64]:
    return np.interp(np.arange(n_samples) / _FRAME, np.arange(len(frames)), frames)


def _drum_hit(rng: np.random.Generator, n_samples: int) -> NDArray[np.float64]:
    """One drum, struck once or hardly more often, and silence."""
    sound = np.zeros(n_samples)
    times = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    pitch = np.exp(rng.uniform(np.log(45), np.log(300)))
    skin = np.sin(2 * np.pi * pitch * (times + 0.03 * (1 - np.exp(-times * 30))))
    skin *= np.exp(-times * rng.uniform(4, 25))
    rattle = rng.standard_normal(SAMPLE_RATE) * np.exp(-times * rng.uniform(5, 60))
    hit = skin * rng.uniform() + np.diff(rattle, prepend=0.0) * rng.uniform()
    for start in rng.integers(n_samples, size=max(1, int(rng.poisson(0.15 * n_samples / SAMPLE_RATE)))):
        length = min(SAMPLE_RATE, n_samples - start)
        sound[start : start + length] += hit[:length]
    return sound


def _beeps(rng: np.random.Generator, n_samples: int) -> NDArray[np.float64]:
    """An alarm: one or two square tones, on and off at a steady rate."""
    times = np.arange(n_samples) / SAMPLE_RATE
    tones = sum(
        np.sign(np.sin(2 * np.pi * rng.uniform(300, 3000) * times)) for _ in range(rng.integers(1, 3))
    )
    return np.asarray(tones * ((times * rng.uniform(0.5, 5)) % 1 < rng.uniform(0.2, 0.8)))


def _chirps(rng: np.random.Generator, n_samples: int) -> NDArray[np.float64]:
    """A bird: short high glides with pauses of any length."""
    sound = np.zeros(n_samples)
    for start in rng.integers(n_samples, size=max(2, int(rng.poisson(3 * n_samples / SAMPLE_RATE)))):
        length = min(int(rng.uniform(0.03, 0.25) * SAMPLE_RATE), n_samples - start)
        glide = np.interp(np.linspace(0, 1, length), (0, 1), rng.uniform(1500, 7000, 2))
        sound[start : start + length] += np.sin(2 * np.pi * np.cumsum(glide) / SAMPLE_RATE) * np.hanning(
            length
        )
    return sound


def _engine(rng: np.random.Generator, n_samples: int) -> NDArray[np.float64]:
    """A motor: strokes at a rate that wavers, each a short burst of low noise."""
    rate = rng.uniform(8, 60) * np.exp(
        np.interp(np.linspace(0, 5, n_samples), np.arange(6), rng.normal(0, 0.1, 6))
    )
    strokes = np.exp(-8 * (np.cumsum(rate) / SAMPLE_RATE % 1))
    return np.asarray(strokes * _noise(rng, n_samples))


def _sine(frequency: float, n_samples: int) -> NDArray[np.float64]:
    return np.asarray(np.sin(2 * np.pi * frequency / SAMPLE_RATE * np.arange(n_samples)))


TAUGHT: Mapping[str, Maker] = {
    "noise": _noise,
    "gusts": _gusts,
    "tone": _tone,
    "hum": _hum,
    "sweep": _sweep,
    "clicks": _clicks,
    "speech-like": _speech,
    "drum hit": _drum_hit,
}
"""Kinds of which the student learns to say nothing."""

UNSEEN: Mapping[str, Maker] = {"beeps": _beeps, "chirps": _chirps, "engine": _engine}
"""Kinds that it is not taught."""
