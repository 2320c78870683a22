"""Instruments: each is a function of pitch, duration, velocity and a random generator.

Conventions: pitch as MIDI number, duration in seconds until the key is let go or the bow stops, velocity
in (0, 1]. What comes back is longer than the note by its release, mono (n_samples,) or stereo
(2, n_samples), and peaks near the velocity.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from studio.sound import (
    SAMPLE_RATE,
    Sound,
    band_pass,
    envelope,
    frequency_of,
    harmonic_series,
    high_pass,
    low_pass,
    n_samples,
    noise,
    oscillator,
    subtractive,
    time_axis,
    vibrato,
    wave_table,
)

Instrument = Callable[[float, float, float, np.random.Generator], Sound]


def piano(pitch: float, duration: float, velocity: float, rng: np.random.Generator) -> Sound:
    """Grand piano: stretched partials that decay in two stages, beating strings, and the hammer's knock."""
    release = 0.25
    time = time_axis(duration + release)
    fundamental = frequency_of(pitch)
    stiffness = 0.00025 * 2 ** (max(pitch - 50, 0) / 10)
    number = np.arange(1, 41)
    frequency = fundamental * number * np.sqrt(1 + stiffness * number**2)
    number, frequency = number[frequency < 9000], frequency[frequency < 9000]

    brightness = 500 + 2800 * velocity**1.6
    strike = np.abs(np.sin(np.pi * number / 7.3)) + 0.08  # hammers strike at about a seventh of the string
    amplitude = strike * np.exp(-frequency / brightness) / number**0.7
    amplitude *= velocity / np.sum(amplitude)
    # Long in the bass, short in the treble; high partials die first.
    seconds = 3.4 * 2 ** (-(pitch - 45) / 16) / (1 + 0.09 * (number - 1))
    beat = rng.uniform(0.2, 0.9, len(number)) * fundamental / 400
    phase = rng.uniform(0, 1, len(number))

    sound = np.zeros(len(time))
    for a, f, tau, slow, start in zip(amplitude, frequency, seconds, beat, phase, strict=True):
        decay = 0.7 * np.exp(-time * 2.4 / tau) + 0.3 * np.exp(-time * 0.7 / tau)
        sound += (
            a * decay * (1 + 0.18 * np.cos(2 * np.pi * slow * time)) * np.sin(2 * np.pi * (f * time + start))
        )
    knock = low_pass(noise(0.06, rng), 400 + 1800 * velocity, order=3) * np.exp(-time_axis(0.06) / 0.012)
    sound[: len(knock)] += (0.16 * velocity * knock)[: len(sound)]
    return 1.5 * sound * envelope(duration, attack=0.003, release=release)


def pluck(
    pitch: float,
    duration: float,
    velocity: float,
    rng: np.random.Generator,
    *,
    hardness: float = 5000.0,
    brightness: float = 0.55,
    ring: float = 3.0,
    position: float = 0.18,
    release: float = 0.12,
) -> Sound:
    """Plucked string: a pluck's shape that circulates through a gentle low-pass filter.

    The loop is that of Karplus and Strong (1983). They start with noise; here it is the ideal pluck, a
    harmonic k having sin(πk·position) / k, with a little noise: every note then has the same colour, as
    on a real string.

    Parameters
    ----------
    hardness
        Of the finger or pick: Hz up to which it excites harmonics.
    brightness
        0 is a felt-damped string, 1 a steel one.
    ring
        Seconds until the fundamental has lost 60 dB.
    position
        Where the string is plucked, as a share of its length.
    """
    frequency = frequency_of(pitch)
    blur = 0.5 - 0.38 * brightness  # weight of the older of the two samples; also its delay in samples
    period = max(2, int(SAMPLE_RATE / frequency - blur))
    played = SAMPLE_RATE / (period + blur)
    loss = 10 ** (-3 / (ring * played))

    harmonic = np.arange(1, period // 2 + 1)
    reach = hardness * (0.4 + 0.75 * velocity)
    amplitude = np.sin(np.pi * harmonic * position) / harmonic / np.sqrt(1 + (harmonic * played / reach) ** 4)
    uneven = 0.2 * (rng.standard_normal(len(harmonic)) + 1j * rng.standard_normal(len(harmonic)))
    burst = np.fft.irfft(np.concatenate([[0], amplitude * (1j + uneven)]), period)
    burst /= 3 * np.sqrt(np.mean(burst**2))

    # One period is computed at once: every sample depends on the two samples one period earlier.
    ratio = frequency / played
    count = int(n_samples(duration + release) * ratio) + period + 3
    n_periods = -(-count // period) + 1
    string = np.zeros(1 + period * n_periods)
    string[1 : period + 1] = burst
    for block in range(1, n_periods):
        start = 1 + block * period
        older = string[start - period - 1 : start]
        string[start : start + period] = loss * ((1 - blur) * older[1:] + blur * older[:-1])
    # The period is a whole number of samples: read it at the exact speed.
    sound = np.interp(np.arange(n_samples(duration + release)) * ratio, np.arange(len(string)), string)
    plucked: Sound = velocity * sound * envelope(duration, attack=0.002, release=release)
    return plucked


acoustic_guitar: Instrument = partial(pluck, hardness=5000, brightness=0.6, ring=3.0, position=0.2)
electric_guitar: Instrument = partial(
    pluck, hardness=4500, brightness=0.75, ring=5.0, position=0.13, release=0.05
)
double_bass: Instrument = partial(pluck, hardness=1500, brightness=0.25, ring=1.8, position=0.3, release=0.08)
bass_guitar: Instrument = partial(
    pluck, hardness=2000, brightness=0.42, ring=3.0, position=0.15, release=0.06
)
harp: Instrument = partial(pluck, hardness=3500, brightness=0.3, ring=4.0, position=0.35, release=1.2)


def _body(frequency: Sound, resonances: tuple[tuple[float, float, float], ...], floor: float) -> Sound:
    """Return the gain at each frequency of resonances given as (Hz, relative width, gain)."""
    gain = np.full(frequency.shape, floor)
    for centre, width, height in resonances:
        gain += height / (1 + (np.log2(frequency / centre) / width) ** 2)
    return gain


_VIOLIN_BODY = ((280, 0.25, 0.9), (460, 0.3, 1.0), (1000, 0.5, 0.5), (2500, 0.6, 0.9), (3400, 0.4, 0.4))
_VOWEL_OH = ((450, 0.16, 1.0), (800, 0.15, 0.45), (2600, 0.12, 0.06), (3300, 0.12, 0.05))


def _sustained(
    pitch: float,
    duration: float,
    velocity: float,
    rng: np.random.Generator,
    *,
    n_players: int,
    attack: float,
    release: float,
    detune: float,
    vibrato_cents: float,
    resonances: tuple[tuple[float, float, float], ...],
    tilt: float,
    air: float,
) -> Sound:
    """Play one pitch by several players or singers with a resonant body each, from left to right."""
    time = time_axis(duration + release)
    frequency = frequency_of(pitch)
    series = harmonic_series("saw", frequency)
    harmonics = frequency * np.arange(1.0, len(series) + 1)
    darkness = np.exp(-harmonics / (2200 + 5200 * velocity)) * (harmonics / frequency) ** -tilt
    amplitudes = series * _body(harmonics, resonances, 0.12) * darkness
    table = wave_table(amplitudes / np.sqrt(np.sum(amplitudes**2)))
    sound = np.zeros((2, len(time)))
    for player in range(n_players):
        place = 0.5 if n_players == 1 else player / (n_players - 1)
        drift = np.cumsum(rng.standard_normal(len(time) // 2048 + 2)) * 0.8
        wander = np.interp(np.arange(len(time)) / 2048, np.arange(len(drift)), drift)
        factor = 2 ** ((detune * rng.standard_normal() + wander) / 1200)
        factor = factor * vibrato(
            time,
            rate=rng.uniform(4.9, 6.1),
            cents=vibrato_cents * rng.uniform(0.7, 1.2),
            delay=rng.uniform(0.1, 0.35),
            phase=rng.uniform(),
        )
        tone = oscillator(frequency * factor, len(time), table, phase=rng.uniform())
        shaped = tone * envelope(duration, attack=attack * rng.uniform(0.8, 1.3), release=release)
        sound += np.stack([np.cos(np.pi / 2 * place) * shaped, np.sin(np.pi / 2 * place) * shaped])
    breath = high_pass(noise(duration + release, rng), 2500, order=1) * envelope(
        duration, attack=attack, release=release
    )
    mixed: Sound = velocity * (sound / np.sqrt(n_players) * 0.45 + air * breath)
    return mixed


strings: Instrument = partial(
    _sustained,
    n_players=7,
    attack=0.22,
    release=0.45,
    detune=6,
    vibrato_cents=13,
    resonances=_VIOLIN_BODY,
    tilt=0.0,
    air=0.004,
)
humming_choir: Instrument = partial(
    _sustained,
    n_players=8,
    attack=0.5,
    release=0.9,
    detune=8,
    vibrato_cents=18,
    resonances=_VOWEL_OH,
    tilt=0.3,
    air=0.004,
)


def flute(pitch: float, duration: float, velocity: float, rng: np.random.Generator) -> Sound:
    """Flute: few harmonics, a breath around the note, vibrato in loudness and pitch, a soft chiff."""
    release = 0.12
    time = time_axis(duration + release)
    frequency = frequency_of(pitch)
    table = wave_table(np.array([1.0, 0.42 * velocity, 0.22 * velocity, 0.06, 0.03, 0.012]))
    rate, phase = rng.uniform(4.7, 5.3), rng.uniform()
    factor = vibrato(time, rate=rate, cents=11, delay=0.15, phase=phase)
    loudness = 1 + 0.12 * np.clip((time - 0.15) / 0.4, 0, 1) * np.sin(2 * np.pi * (rate * time + phase))
    tone = oscillator(frequency * factor, len(time), table) * loudness
    air = noise(duration + release, rng)
    breath = 0.5 * band_pass(air, frequency, width=0.25) + 0.06 * band_pass(air, 3 * frequency, width=1.0)
    chiff = 1 + 3 * np.exp(-time / 0.035)
    return 0.55 * velocity * (tone + 0.35 * chiff * breath) * envelope(duration, attack=0.06, release=release)


def super_saw(
    pitch: float,
    duration: float,
    velocity: float,
    rng: np.random.Generator,
    *,
    cutoff: tuple[float, float] = (5000.0, 2500.0),
    decay: float = 0.4,
    attack: float = 0.01,
    release: float = 0.25,
    n_voices: int = 7,
    detune: float = 11.0,
) -> Sound:
    """Play detuned saws from left to right through a filter that goes from one cutoff to the other (Hz)."""
    time = time_axis(duration + release)
    frequency = frequency_of(pitch)
    first, last = cutoff
    sweep = last + (first - last) * np.exp(-time / decay)
    sound = np.zeros((2, len(time)))
    for voice in range(n_voices):
        place = voice / max(1, n_voices - 1)
        cents = detune * (2 * place - 1) + rng.uniform(-2, 2)
        wave = subtractive(frequency * 2 ** (cents / 1200), sweep, phase=rng.uniform())
        left = (0.15 + 0.7 * ((voice * 3) % n_voices) / n_voices) * np.pi / 2
        sound += np.stack([np.cos(left) * wave, np.sin(left) * wave])
    shape = envelope(duration, attack=attack, release=release)
    mixed: Sound = velocity * sound / np.sqrt(n_voices) * shape * 0.8
    return mixed


def pad(pitch: float, duration: float, velocity: float, rng: np.random.Generator) -> Sound:
    """Warm pad: many saws behind a dark filter that opens and closes once over the note."""
    release = 2.5
    time = time_axis(duration + release)
    frequency = frequency_of(pitch)
    opening = np.sin(np.pi * np.clip(time / (duration + release), 0, 1))
    cutoff = 260 + (900 + 900 * velocity) * opening
    shape = envelope(duration, attack=1.6, release=release)
    sides = []
    for _ in range(2):
        waves = [
            subtractive(
                frequency * 2 ** (cents / 1200) * vibrato(time, rate=rng.uniform(0.1, 0.3), cents=4),
                cutoff,
                phase=rng.uniform(),
            )
            for cents in rng.uniform(-9, 9, 3)
        ]
        sides.append(sum(waves) * shape)
    return velocity * 0.35 * np.stack(sides)


def synth_bass(
    pitch: float,
    duration: float,
    velocity: float,
    rng: np.random.Generator,
    *,
    cutoff: float = 900.0,
    resonance: float = 1.4,
    decay: float = 0.12,
    kind: str = "saw",
) -> Sound:
    """Analogue bass: one wave and its sub-octave, with a filter that snaps shut."""
    del rng
    release = 0.04
    time = time_axis(duration + release)
    frequency = frequency_of(pitch)
    sweep = 120 + cutoff * (0.4 + 0.6 * velocity) * np.exp(-time / decay)
    wave = subtractive(frequency, sweep, kind=kind, resonance=resonance)
    sub = 0.5 * np.sin(2 * np.pi * frequency * time)
    return velocity * 0.8 * (wave + sub) * envelope(duration, attack=0.004, release=release)


def acid(pitch: float, duration: float, velocity: float, rng: np.random.Generator) -> Sound:
    """Squelching line: a whistling filter that velocity opens."""
    del rng
    release = 0.03
    time = time_axis(duration + release)
    cutoff = 250 + (400 + 3600 * velocity**2) * np.exp(-time / 0.11)
    wave = subtractive(frequency_of(pitch), cutoff, resonance=5.0)
    return 0.5 * (0.5 + 0.5 * velocity) * wave * envelope(duration, attack=0.003, release=release)


def chip(
    pitch: float, duration: float, velocity: float, rng: np.random.Generator, *, kind: str = "pulse0.25"
) -> Sound:
    """One voice of an early game console: a plain pulse or triangle in sixteen steps of loudness."""
    del rng
    release = 0.01
    time = time_axis(duration + release)
    frequency = frequency_of(pitch) * vibrato(time, rate=6, cents=16, delay=0.25)
    table = wave_table(harmonic_series(kind, frequency_of(pitch)))
    loudness = np.round(15 * velocity * (0.55 + 0.45 * np.exp(-time / 0.15))) / 15
    return (
        0.7
        * oscillator(frequency, len(time), table)
        * loudness
        * envelope(duration, attack=0.002, release=release)
    )


def bell(pitch: float, duration: float, velocity: float, rng: np.random.Generator) -> Sound:
    """Glass bell by frequency modulation at an inharmonic ratio."""
    release = 2.5
    time = time_axis(duration + release)
    turn = 2 * np.pi * frequency_of(pitch) * time
    tone = np.sin(turn + 1.4 * np.exp(-time / 0.6) * np.sin(3.53 * turn + rng.uniform(0, 1)))
    return 0.5 * velocity * tone * np.exp(-time / 1.1) * envelope(duration, attack=0.004, release=release)
