"""The studio of the example clips: notes mean what they say, and instruments play in tune."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from studio import instruments, percussion
from studio.effects import compress, duck, echo, limit, make_room, sweep_low_pass
from studio.instruments import Instrument
from studio.mixing import Mix, master, play
from studio.score import (
    Clock,
    Note,
    bass_pitch,
    chord_pitches,
    humanise,
    melody,
    parse_pitch,
    repeat,
    shift,
    steps,
)
from studio.sound import (
    SAMPLE_RATE,
    Sound,
    convolve,
    frequency_of,
    high_pass,
    low_pass,
    noise,
    peak,
    time_axis,
)

PITCHED: dict[str, Instrument] = {
    name: getattr(instruments, name)
    for name in (
        *("piano", "acoustic_guitar", "electric_guitar", "double_bass", "bass_guitar", "harp", "strings"),
        *("humming_choir", "flute", "super_saw", "pad", "synth_bass", "acid", "chip", "bell"),
    )
}
DRUMS: dict[str, Instrument] = {
    name: getattr(percussion, name)
    for name in (
        *("kick", "club_kick", "snare", "brush", "clap", "hat", "open_hat", "ride", "crash", "tom"),
        "chip_noise",
    )
}


def spectrum_peak(sound: Sound, low: float, high: float) -> float:
    """Return the frequency of the strongest spectral line between two frequencies."""
    mono = np.atleast_2d(sound).mean(axis=0)
    size = 1 << 20
    spectrum = np.abs(np.fft.rfft(mono * np.hanning(len(mono)), size))
    frequency = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    inside = (frequency >= low) & (frequency <= high)
    return float(frequency[inside][spectrum[inside].argmax()])


def test_melody_notation() -> None:
    assert melody("C4/1.5 D#4/.5 | - E4+G4/2", start=4, velocity=0.5) == [
        Note(4, 1.5, 60, 0.5),
        Note(5.5, 0.5, 63, 0.5),
        Note(6.5, 2, 64, 0.5),
        Note(6.5, 2, 67, 0.5),
    ]


def test_pitches_and_chords() -> None:
    assert [parse_pitch(name) for name in ("C-1", "A4", "Bb3", "F#5")] == [0, 69, 58, 78]
    assert frequency_of(81) == pytest.approx(880)
    assert chord_pitches("Am7", low=57) == [57, 60, 64, 67]
    assert chord_pitches("D/F#", low=60) == [62, 66, 69]
    assert bass_pitch("D/F#", low=36) == 42
    assert chord_pitches("Bbmaj7", low=50) == [50, 53, 57, 58]


def test_steps_repeat_and_shift() -> None:
    pattern = steps("x.o-", step=0.5)
    assert [(note.start, note.velocity) for note in pattern] == [(0, 1.0), (1, 0.65), (1.5, 0.35)]
    assert [note.start for note in shift(repeat(pattern[:1], every=2, times=3), 1)] == [1, 3, 5]


def test_clock() -> None:
    assert Clock(120).seconds(3) == 1.5
    swinging = Clock(60, swing=1 / 6)
    assert swinging.seconds(1) == 1
    assert swinging.seconds(0.5) == pytest.approx(2 / 3)
    # From 60 to 120 beats per minute over 8 beats: the integral of 60 / (60 + 7.5 b) is 8 ln 2.
    assert Clock(((0, 60), (8, 120))).seconds(8) == pytest.approx(8 * np.log(2), rel=1e-3)


def test_humanise_keeps_order_of_magnitude(rng: np.random.Generator) -> None:
    notes = [Note(float(beat), 1, 60, 0.8) for beat in range(100)]
    played = humanise(notes, rng, time=0.01)
    off = np.array([a.start - b.start for a, b in zip(played, notes, strict=True)])
    assert 0 < np.abs(off).max() < 0.06
    assert all(0 < note.velocity <= 1 for note in played)


@pytest.mark.parametrize("name", PITCHED)
@pytest.mark.parametrize("pitch", [45.0, 64.0, 76.0])
def test_instruments_play_in_tune(name: str, pitch: float, rng: np.random.Generator) -> None:
    sound = PITCHED[name](pitch, 1.5, 0.8, rng)
    wanted = frequency_of(pitch)
    found = spectrum_peak(sound, wanted * 0.8, wanted * 1.25)
    # Vibrato, detuned voices and modulation move the strongest line a little.
    assert abs(1200 * np.log2(found / wanted)) < 25


@pytest.mark.parametrize("name", [*PITCHED, *DRUMS])
def test_instruments_are_sound(name: str, rng: np.random.Generator) -> None:
    instrument = (PITCHED | DRUMS)[name]
    loud, soft = instrument(60, 0.4, 0.9, rng), instrument(60, 0.4, 0.3, rng)
    assert loud.shape[-1] == soft.shape[-1]
    assert loud.ndim == 1 or loud.shape[0] == 2
    assert np.isfinite(loud).all()
    assert 0.05 < np.abs(loud).max() < 3
    softer = 1.0 if name == "acid" else 0.6  # of that one, velocity opens the filter
    assert np.mean(soft**2) < softer * np.mean(loud**2)
    assert abs(loud.mean()) < 0.05


@pytest.mark.parametrize("name", ["piano", "strings", "flute", "snare", "ride"])
def test_same_seed_same_sound(name: str) -> None:
    instrument = (PITCHED | DRUMS)[name]
    first, again, other = (instrument(60, 0.3, 0.7, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def gain_db(process: Callable[[Sound], Sound], frequency: float) -> float:
    tone = np.sin(2 * np.pi * frequency * time_axis(1.0))
    middle = slice(SAMPLE_RATE // 4, 3 * SAMPLE_RATE // 4)
    return float(20 * np.log10(np.std(process(tone)[middle]) / np.std(tone[middle])))


@pytest.mark.parametrize(
    ("process", "frequency", "expected"),
    [
        (partial(low_pass, frequency=1000, order=1), 1000, -3.01),
        (partial(low_pass, frequency=1000, order=2), 1000, -6.02),
        (partial(low_pass, frequency=1000, order=1), 50, 0.0),
        (partial(high_pass, frequency=1000, order=1), 1000, -3.01),
        (partial(high_pass, frequency=1000, order=1), 10, -40.0),
        (partial(peak, frequency=1000, gain_db=6), 1000, 6.0),
        (partial(peak, frequency=1000, gain_db=-6), 1000, -6.0),
    ],
)
def test_filters_have_their_textbook_gain(
    process: Callable[[Sound], Sound], frequency: float, expected: float
) -> None:
    assert gain_db(process, frequency) == pytest.approx(expected, abs=0.15)


def test_convolution_equals_the_sum(rng: np.random.Generator) -> None:
    signal, impulse = rng.standard_normal(1000), rng.standard_normal(37)
    np.testing.assert_allclose(convolve(signal, impulse), np.convolve(signal, impulse), atol=1e-10)


def test_limiter_holds_the_ceiling_and_leaves_the_rest(rng: np.random.Generator) -> None:
    sound = 0.2 * rng.standard_normal((2, SAMPLE_RATE))
    sound[:, 20_000:20_050] *= 20
    limited = limit(sound, ceiling_db=-3)
    assert np.abs(limited).max() <= 10 ** (-3 / 20) + 1e-12
    # Away from the burst nothing that was below the ceiling changes.
    quiet = np.abs(sound).max(axis=0)[:15_000].reshape(-1, 1000).max(axis=1) < 0.7
    assert quiet.any()
    np.testing.assert_allclose(limit(0.5 * sound[:, :15_000], ceiling_db=0), 0.5 * sound[:, :15_000])


def test_compressor_reduces_the_range(rng: np.random.Generator) -> None:
    sound = rng.standard_normal((2, 2 * SAMPLE_RATE)) * 0.02
    sound[:, SAMPLE_RATE:] *= 10
    pressed = compress(sound, threshold_db=-30, ratio=4)

    def step_db(s: Sound) -> float:
        return float(20 * np.log10(s[:, SAMPLE_RATE + 9000 :].std() / s[:, : SAMPLE_RATE - 9000].std()))

    assert step_db(sound) == pytest.approx(20, abs=0.5)
    assert 4 < step_db(pressed) < 14


def test_sweeping_filter_closes(rng: np.random.Generator) -> None:
    hiss = np.stack([noise(2.0, rng), noise(2.0, rng)])
    np.testing.assert_allclose(sweep_low_pass(hiss, np.full(4, 1e6)), hiss, atol=1e-3)
    swept = sweep_low_pass(hiss, np.geomspace(200, 20_000, 30))
    assert swept[:, :20_000].std() < 0.4 * swept[:, -20_000:].std()


def test_ducking_follows_the_kick() -> None:
    ducked = duck(np.ones((2, SAMPLE_RATE)), [0.5], depth=0.75)
    assert ducked[0, : SAMPLE_RATE // 2 - 1].min() == 1
    assert ducked[0, SAMPLE_RATE // 2 + 1] == pytest.approx(0.25, abs=0.01)


def test_echo_repeats() -> None:
    click = np.zeros((2, 100))
    click[0, 0] = 1
    repeated = echo(click, delay=0.1, feedback=0.5, repeats=2)
    step = round(0.1 * SAMPLE_RATE)
    assert np.abs(repeated[1, step : step + 50]).max() > 0.1  # the first repeat is on the other side
    assert np.abs(repeated[0, step : step + 50]).max() == 0


def test_players_and_desk(rng: np.random.Generator) -> None:
    notes = [Note(0, 1, 60), Note(2, 1, 64)]
    track = play(notes, instruments.chip, Clock(60), rng, pan=-1)
    assert np.abs(track[1]).max() < 1e-12 < np.abs(track[0]).max()
    silence = track[0, round(1.1 * SAMPLE_RATE) : round(1.9 * SAMPLE_RATE)]
    assert np.abs(silence).max() == 0

    mix = Mix(4.0, make_room(0.5, rng))
    mix.add(track, room=0.3, start=0.5)
    recording = mix.mixdown()
    assert recording.shape == (2, 4 * SAMPLE_RATE)
    assert np.abs(recording[:, : SAMPLE_RATE // 2 - 10]).max() < 1e-9
    finished = master(recording, level_db=-18)
    assert np.abs(finished).max() <= 10 ** (-1.5 / 20) + 1e-9
    assert abs(finished[:, -1]).max() < 1e-6
