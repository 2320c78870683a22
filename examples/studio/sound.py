"""The raw material of sound: oscillators, envelopes, noise, and filters.

Conventions: sound is float64 at `SAMPLE_RATE`; mono is (n_samples,), stereo (2, n_samples). Filters are
textbook analogue responses multiplied onto the spectrum, so they are causal and need no loop over samples.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 44_100
_TABLE_LENGTH = 2048

Sound = NDArray[np.float64]
Response = Callable[[NDArray[Any]], NDArray[Any]]


def frequency_of(pitch: float) -> float:
    """Return the frequency in Hz of a MIDI number, equal temperament."""
    return float(440 * 2 ** ((pitch - 69) / 12))


def n_samples(seconds: float) -> int:
    """Return a duration in samples, at least one."""
    return max(1, round(seconds * SAMPLE_RATE))


def time_axis(seconds: float) -> Sound:
    """Return the time in seconds of every sample."""
    return np.arange(n_samples(seconds)) / SAMPLE_RATE


def envelope(
    duration: float,
    *,
    attack: float,
    release: float,
    decay: float = 0.0,
    sustain: float = 1.0,
) -> Sound:
    """Return an envelope: up in `attack` s, down towards `sustain`, out from `duration` on.

    `decay` is the time constant of the way down, `release` how long the fade after `duration` lasts.
    """
    time = time_axis(duration + release)
    rise = np.sin(np.pi / 2 * np.clip(time / attack, 0, 1)) ** 2
    body = sustain + (1 - sustain) * np.exp(-np.maximum(time - attack, 0) / decay) if decay else 1.0
    fall = np.cos(np.pi / 2 * np.clip((time - duration) / release, 0, 1)) ** 2
    result: Sound = rise * body * fall
    return result


def vibrato(time: Sound, *, rate: float, cents: float, delay: float = 0.0, phase: float = 0.0) -> Sound:
    """Return frequency factors of a vibrato that grows from `delay` s on."""
    depth = cents * np.clip((time - delay) / 0.4, 0, 1)
    result: Sound = 2 ** (depth * np.sin(2 * np.pi * (rate * time + phase)) / 1200)
    return result


def wave_table(amplitudes: Sound) -> Sound:
    """Return one cycle with the given amplitudes of harmonic 1, 2, …; the last axis is one table."""
    spectrum = np.zeros((*amplitudes.shape[:-1], _TABLE_LENGTH // 2 + 1), complex)
    count = min(amplitudes.shape[-1], _TABLE_LENGTH // 2)
    spectrum[..., 1 : count + 1] = -0.5j * _TABLE_LENGTH * amplitudes[..., :count]
    table: Sound = np.fft.irfft(spectrum, _TABLE_LENGTH)
    return table


def read_table(table: Sound, cycles: Sound) -> Sound:
    """Read a one-cycle table, shape (length,), at positions in cycles, linearly interpolated."""
    position = (cycles % 1.0) * table.shape[-1]
    left = position.astype(np.int64)
    part = position - left
    left %= table.shape[-1]
    right = (left + 1) % table.shape[-1]
    result: Sound = table[left] * (1 - part) + table[right] * part
    return result


def oscillator(frequency: float | Sound, count: int, table: Sound, *, phase: float = 0.0) -> Sound:
    """Play a one-cycle table at a frequency in Hz, constant or for every sample."""
    steps = np.broadcast_to(np.asarray(frequency, float) / SAMPLE_RATE, (count,))
    return read_table(table, phase + np.cumsum(steps) - steps[0])


@cache
def _harmonic_series(kind: str, count: int) -> Sound:
    harmonics = np.arange(1, count + 1)
    if kind == "saw":
        return 0.6 / harmonics
    if kind == "square":
        return np.where(harmonics % 2 == 1, 0.8 / harmonics, 0.0)
    if kind == "triangle":
        return np.where(harmonics % 2 == 1, 0.8 * (-1.0) ** (harmonics // 2) / harmonics**2, 0.0)
    width = float(kind.removeprefix("pulse"))  # "pulse0.25"
    result: Sound = 0.8 * np.sin(np.pi * harmonics * width) / harmonics
    return result


def harmonic_series(kind: str, frequency: float) -> Sound:
    """Return the harmonics of a saw, square, triangle or "pulse0.25", as far as the sampling rate allows."""
    return _harmonic_series(kind, max(1, int(18_000 / frequency)))


def subtractive(
    frequency: float | Sound,
    cutoff: Sound,
    *,
    kind: str = "saw",
    resonance: float = 0.8,
    phase: float = 0.0,
) -> Sound:
    """Play a wave through a resonant low-pass filter of four poles whose cutoff moves.

    The filter acts on the harmonics: one-cycle tables for 24 cutoffs are made once and blended.

    Parameters
    ----------
    frequency : Hz
    cutoff : shape (n_samples,), Hz
    resonance
        0.7 is flat, 4 whistles.
    """
    base = float(np.mean(frequency))
    series = harmonic_series(kind, base)
    low, high = max(20.0, float(cutoff.min())), max(40.0, float(cutoff.max()))
    cutoffs = np.geomspace(low, max(high, low * 1.01), 24)
    ratio = base * np.arange(1, len(series) + 1) / cutoffs[:, None]
    response = 1 / np.sqrt((1 - ratio**2) ** 2 + (ratio / resonance) ** 2) / np.sqrt(1 + ratio**2)
    tables = wave_table(series * response)
    place = np.interp(np.log(cutoff), np.log(cutoffs), np.arange(24.0))
    lower = np.minimum(place.astype(np.int64), 22)
    blend = place - lower
    steps = np.broadcast_to(np.asarray(frequency, float) / SAMPLE_RATE, cutoff.shape)
    position = ((phase + np.cumsum(steps)) % 1.0 * _TABLE_LENGTH).astype(np.int64) % _TABLE_LENGTH
    result: Sound = tables[lower, position] * (1 - blend) + tables[lower + 1, position] * blend
    return result


def apply_filter(sound: Sound, response: Response) -> Sound:
    """Multiply the spectrum by a response, a function of s = j·frequency in Hz."""
    count = sound.shape[-1]
    padded = _fast_length(count + SAMPLE_RATE // 4)
    points = 1j * np.fft.rfftfreq(padded, 1 / SAMPLE_RATE)
    result: Sound = np.fft.irfft(np.fft.rfft(sound, padded) * response(points), padded)[..., :count]
    return result


def low_pass(sound: Sound, frequency: float, *, order: int = 2) -> Sound:
    """Keep what lies below `frequency`; `order` poles."""
    return apply_filter(sound, lambda s: (1 + s / frequency) ** -order)


def high_pass(sound: Sound, frequency: float, *, order: int = 2) -> Sound:
    """Keep what lies above `frequency`; `order` poles."""
    return apply_filter(sound, lambda s: (s / (s + frequency)) ** order)


def band_pass(sound: Sound, frequency: float, *, width: float) -> Sound:
    """Keep a band of `width` octaves or so around `frequency`."""
    return apply_filter(
        sound, lambda s: (s * frequency * width) / (s**2 + s * frequency * width + frequency**2)
    )


def peak(sound: Sound, frequency: float, gain_db: float, *, width: float = 1.0) -> Sound:
    """Raise or lower a band around `frequency`."""
    gain = 10 ** (gain_db / 20)

    def response(s: NDArray[Any]) -> NDArray[Any]:
        band = s * frequency * width
        result: NDArray[Any] = (s**2 + gain * band + frequency**2) / (s**2 + band + frequency**2)
        return result

    return apply_filter(sound, response)


def noise(seconds: float, rng: np.random.Generator) -> Sound:
    """Return white noise."""
    return rng.standard_normal(n_samples(seconds))


def convolve(sound: Sound, impulse: Sound) -> Sound:
    """Convolve along time; the result is longer by the impulse response."""
    count = sound.shape[-1] + impulse.shape[-1] - 1
    padded = _fast_length(count)
    product = np.fft.rfft(sound, padded) * np.fft.rfft(impulse, padded)
    result: Sound = np.fft.irfft(product, padded)[..., :count]
    return result


def _fast_length(count: int) -> int:
    """Return a length not below `count` that the Fourier transform likes: 2^a, 3·2^a or 5·2^a."""
    return min(factor << max(0, (-(-count // factor) - 1).bit_length()) for factor in (1, 3, 5))
