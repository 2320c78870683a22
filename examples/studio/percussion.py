"""Drums and cymbals: sine sweeps, ringing skins, and noise.

They have the signature of instruments; pitch is unused except by `tom`, and duration never counts.
"""

import numpy as np

from studio.sound import Sound, band_pass, high_pass, low_pass, noise, time_axis


def _sweep(time: Sound, start: float, end: float, fall: float) -> Sound:
    """Return a sine that falls from one frequency to another with time constant `fall`."""
    turns = end * time + (start - end) * fall * (1 - np.exp(-time / fall))
    return np.sin(2 * np.pi * turns)


def kick(pitch: float, duration: float, velocity: float, rng: np.random.Generator) -> Sound:
    """Acoustic bass drum: a short sweep and the beater's thud."""
    del pitch, duration
    time = time_axis(0.3)
    body = _sweep(time, 110, 58, 0.02) * np.exp(-time / 0.09)
    thud = band_pass(noise(0.3, rng), 1800, width=1.0) * np.exp(-time / 0.008)
    return velocity * (body + 0.2 * thud) * np.minimum(1, time / 0.002)


def club_kick(pitch: float, duration: float, velocity: float, rng: np.random.Generator) -> Sound:
    """Drum-machine kick: a long deep sweep, driven."""
    del pitch, duration
    time = time_axis(0.42)
    body = _sweep(time, 260, 47, 0.028) * np.exp(-time / 0.17)
    click = high_pass(noise(0.42, rng), 2000) * np.exp(-time / 0.003)
    return velocity * np.tanh(2.2 * body + 0.25 * click) * np.clip((0.42 - time) / 0.03, 0, 1)


def snare(pitch: float, duration: float, velocity: float, rng: np.random.Generator) -> Sound:
    """Snare drum: two modes of the skin and the rattle of the wires."""
    del pitch, duration
    time = time_axis(0.35)
    skin = _sweep(time, 240, 180, 0.015) * np.exp(-time / 0.08)
    skin += 0.6 * np.sin(2 * np.pi * 331 * time) * np.exp(-time / 0.05)
    wires = low_pass(high_pass(noise(0.35, rng), 700, order=1), 4500) * np.exp(-time / 0.09)
    return velocity * (0.6 * skin + 0.5 * wires)


def brush(pitch: float, duration: float, velocity: float, rng: np.random.Generator) -> Sound:
    """Brush on a snare drum: a soft swish."""
    del pitch, duration
    time = time_axis(0.3)
    swish = band_pass(noise(0.3, rng), 3800, width=1.4)
    sound: Sound = velocity * 0.5 * swish * (np.minimum(1, time / 0.02) * np.exp(-time / 0.06))
    return sound


def clap(pitch: float, duration: float, velocity: float, rng: np.random.Generator) -> Sound:
    """Clap of a drum machine: four bursts in a row."""
    del pitch, duration
    time = time_axis(0.3)
    bursts = sum(np.exp(-(time - start) / 0.006) * (time >= start) for start in (0.0, 0.011, 0.022))
    tail = np.exp(-(time - 0.03) / 0.07) * (time >= 0.03)
    sound: Sound = velocity * 0.8 * band_pass(noise(0.3, rng), 1500, width=0.9) * (bursts + tail)
    return sound


def _cymbal(seconds: float, rng: np.random.Generator, *, low: float, metal: float) -> Sound:
    """Return noise above `low` Hz with a cluster of inharmonic partials in it."""
    time = time_axis(seconds)
    partials = np.zeros(len(time))
    for frequency in rng.uniform(low * 0.6, 9500, 14):
        partials += np.sign(np.sin(2 * np.pi * frequency * time + rng.uniform(0, 6)))
    return high_pass(noise(seconds, rng) + metal * partials, low, order=3)


def hat(pitch: float, duration: float, velocity: float, rng: np.random.Generator) -> Sound:
    """Closed hi-hat."""
    del pitch, duration
    return velocity * 0.4 * _cymbal(0.09, rng, low=7000, metal=0.2) * np.exp(-time_axis(0.09) / 0.022)


def open_hat(pitch: float, duration: float, velocity: float, rng: np.random.Generator) -> Sound:
    """Open hi-hat."""
    del pitch, duration
    fade = np.exp(-time_axis(0.4) / 0.11) * np.clip((0.4 - time_axis(0.4)) / 0.05, 0, 1)
    sound: Sound = velocity * 0.4 * _cymbal(0.4, rng, low=6500, metal=0.2) * fade
    return sound


def ride(pitch: float, duration: float, velocity: float, rng: np.random.Generator) -> Sound:
    """Ride cymbal: a ping and a long shimmer."""
    del pitch, duration
    time = time_axis(1.2)
    shimmer = _cymbal(1.2, rng, low=4200, metal=0.15) * (
        0.18 * np.exp(-time / 0.35) + 0.35 * np.exp(-time / 0.02)
    )
    ping = sum(np.sin(2 * np.pi * frequency * time) for frequency in (2617, 3541, 4211, 5339))
    return velocity * 0.5 * (shimmer + 0.07 * ping * np.exp(-time / 0.12))


def crash(pitch: float, duration: float, velocity: float, rng: np.random.Generator) -> Sound:
    """Crash cymbal."""
    del pitch, duration
    time = time_axis(2.4)
    return velocity * 0.35 * _cymbal(2.4, rng, low=3200, metal=0.12) * np.exp(-time / 0.55)


def tom(pitch: float, duration: float, velocity: float, rng: np.random.Generator) -> Sound:
    """Tom: a falling skin at the given pitch."""
    del duration
    time = time_axis(0.5)
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    skin = _sweep(time, frequency * 1.5, frequency, 0.05) * np.exp(-time / 0.16)
    stick = band_pass(noise(0.5, rng), 2500, width=1.5) * np.exp(-time / 0.008)
    return velocity * (0.9 * skin + 0.2 * stick)


def chip_noise(pitch: float, duration: float, velocity: float, rng: np.random.Generator) -> Sound:
    """Noise channel of an early game console: held random values; higher pitches sound shorter."""
    del duration
    hold = max(2, int(40 - pitch / 3))
    seconds = 0.12 if pitch < 70 else 0.05
    time = time_axis(seconds)
    values = rng.choice([-1.0, 1.0], len(time) // hold + 1)
    return velocity * 0.45 * np.repeat(values, hold)[: len(time)] * np.exp(-time / (seconds / 3))
