"""Effects: rooms, echo, chorus, distortion, sweeping filters, ducking, compression and limiting.

Conventions: stereo is (2, n_samples); gains in dB say so in their name.
"""

import numpy as np

from studio.sound import (
    SAMPLE_RATE,
    Sound,
    high_pass,
    low_pass,
    n_samples,
    peak,
    time_axis,
)


def make_room(
    seconds: float, rng: np.random.Generator, *, damping: float = 4000.0, predelay: float = 0.02
) -> Sound:
    """Return the stereo impulse response of a room.

    Two halves of decaying noise: the low one fades over `seconds` (60 dB), the part above `damping` Hz
    in 40 % of that; a few early reflections come first.
    """
    time = time_axis(seconds)
    tail = rng.standard_normal((2, len(time)))
    low = low_pass(tail, damping, order=1) * np.exp(-6.9 * time / seconds)
    high = high_pass(tail, damping, order=1) * np.exp(-6.9 * time / (0.4 * seconds))
    response = (low + high) * np.minimum(1, time / 0.012)
    response /= np.sqrt(np.sum(response**2, axis=1, keepdims=True))
    for moment in rng.uniform(0.006, 0.05, 8):
        response[rng.integers(2), n_samples(moment)] += rng.uniform(0.1, 0.3) * rng.choice([-1, 1])
    return np.pad(high_pass(response, 120, order=1), ((0, 0), (n_samples(predelay), 0)))


def echo(sound: Sound, *, delay: float, feedback: float = 0.45, repeats: int = 5) -> Sound:
    """Add repeats that jump between left and right and grow darker."""
    step = n_samples(delay)
    result = np.pad(sound, ((0, 0), (0, step * repeats)))
    repeated = sound
    for turn in range(1, repeats + 1):
        repeated = low_pass(repeated[::-1], 4500, order=1) * feedback
        result[:, turn * step : turn * step + repeated.shape[1]] += repeated
    return result


def chorus(sound: Sound, *, depth: float = 0.0022, rate: float = 0.7) -> Sound:
    """Thicken by copies whose delay, up to `depth` s, swings differently left and right."""
    index = np.arange(sound.shape[1])
    sides = []
    for side, phase in zip(sound, (0.0, 0.33), strict=True):
        swing = 0.5 + 0.5 * np.sin(2 * np.pi * (rate * index / SAMPLE_RATE + phase))
        sides.append(0.7 * side + 0.6 * np.interp(index - SAMPLE_RATE * (0.004 + depth * swing), index, side))
    return np.stack(sides)


def amplifier(sound: Sound, *, drive: float, cabinet: float = 4200.0) -> Sound:
    """Distort as a guitar amplifier does: two soft clipping stages and the roll-off of a loudspeaker."""
    tight = high_pass(sound, 110, order=1)
    first = np.tanh(drive * peak(tight, 900, 5))
    second = np.tanh(1.8 * high_pass(first + 0.15, 60, order=1))
    spoken = low_pass(high_pass(second, 75), cabinet, order=4)
    return peak(peak(spoken, 2300, 4, width=0.8), 420, -3)


def sweep_low_pass(sound: Sound, cutoff: Sound) -> Sound:
    """Low-pass with a cutoff in Hz that moves, given at even distances over the whole sound."""
    size, hop = 4096, 1024
    window = np.hanning(size + 1)[:-1]
    count = sound.shape[-1]
    padded = np.pad(sound, ((0, 0), (size, size)))
    result = np.zeros_like(padded)
    frequency = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    starts = range(0, padded.shape[1] - size + 1, hop)
    places = np.interp(np.array(starts) - size / 2, np.linspace(0, count, len(cutoff)), cutoff)
    for start, edge in zip(starts, places, strict=True):
        block = np.fft.rfft(padded[:, start : start + size] * window)
        block /= np.sqrt(1 + (frequency / edge) ** 6)
        result[:, start : start + size] += np.fft.irfft(block, size) * window
    return result[:, size : size + count] / 1.5  # squared windows at a quarter of their size sum to 3/2


def duck(sound: Sound, moments: list[float], *, depth: float = 0.75, recovery: float = 0.2) -> Sound:
    """Press the sound down at every moment (s), as a compressor keyed by the kick does."""
    time = np.arange(sound.shape[-1]) / SAMPLE_RATE
    if not moments:
        return sound
    last = np.searchsorted(moments, time, side="right") - 1
    since = np.where(last >= 0, time - np.array(moments)[np.maximum(last, 0)], np.inf)
    return sound * (1 - depth * np.exp(-((since / recovery) ** 2)))


def compress(sound: Sound, *, threshold_db: float = -18.0, ratio: float = 2.5) -> Sound:
    """Reduce loud stretches: level over 50 ms, the same gain left and right."""
    block = n_samples(0.01)
    power = _block_values(np.mean(sound**2, axis=0), block, np.mean)
    smooth = np.convolve(
        np.pad(power, 3, mode="edge"), np.hanning(9)[1:-1] / np.hanning(9).sum(), mode="valid"
    )
    level_db = 10 * np.log10(smooth + 1e-10)
    gain_db = -np.maximum(0, level_db - threshold_db) * (1 - 1 / ratio)
    return sound * _spread(10 ** (gain_db / 20), block, sound.shape[1])


def limit(sound: Sound, *, ceiling_db: float = -1.5) -> Sound:
    """Keep every sample below the ceiling by turning down a few milliseconds before it is reached."""
    ceiling = 10 ** (ceiling_db / 20)
    block = 64
    loudest = _block_values(np.abs(sound).max(axis=0), block, np.max)
    reach = 6  # blocks to either side: 9 ms
    widest = np.lib.stride_tricks.sliding_window_view(np.pad(loudest, 2 * reach), 4 * reach + 1).max(axis=1)
    gain = np.minimum(1, ceiling / np.maximum(widest, 1e-9))
    weights = np.hanning(2 * reach + 3)[1:-1]
    smooth = np.convolve(np.pad(gain, reach, mode="edge"), weights / weights.sum(), mode="valid")
    return np.clip(sound * _spread(smooth, block, sound.shape[1]), -ceiling, ceiling)


def _block_values(values: Sound, block: int, reduce: object) -> Sound:
    assert callable(reduce)
    padded = np.pad(values, (0, -len(values) % block))
    result: Sound = reduce(padded.reshape(-1, block), axis=1)
    return result


def _spread(gains: Sound, block: int, count: int) -> Sound:
    return np.interp(np.arange(count), (np.arange(len(gains)) + 0.5) * block, gains)
