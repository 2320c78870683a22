"""Altered clips and sounds that are no music."""

from dataclasses import replace

import numpy as np
import pytest

from taggram.lab.training.corpus import SAMPLE_RATE
from taggram.lab.training.non_music import TAUGHT, UNSEEN, Maker, draw_non_music
from taggram.lab.training.variations import Variation, apply_variation, draw_variation

NOTHING = Variation(
    position=0,
    duration=30,
    speed=1,
    tempo=1,
    semitones=0,
    equaliser_db=(0,) * 7,
    partner=None,
    partner_gain_db=0,
    noise_db=None,
    gain_db=0,
    bit_rate=None,
)


def tone(frequency: float, duration: float = 4.0) -> np.ndarray:
    times = np.arange(round(duration * SAMPLE_RATE)) / SAMPLE_RATE
    return (0.25 * np.sin(2 * np.pi * frequency * times)).astype(np.float32)


def peak_frequency(waveform: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform))))
    return float(np.argmax(spectrum) * SAMPLE_RATE / len(waveform))


def test_no_change_leaves_the_sound_as_it_is(rng: np.random.Generator) -> None:
    np.testing.assert_allclose(apply_variation(tone(440), NOTHING, None, rng), tone(440), atol=1e-4)


def test_speed_changes_tempo_and_pitch(rng: np.random.Generator) -> None:
    faster = apply_variation(tone(440), replace(NOTHING, speed=1.25), None, rng)
    assert len(faster) == pytest.approx(4 * SAMPLE_RATE / 1.25, abs=2)
    assert peak_frequency(faster) == pytest.approx(550, abs=1)


def test_tempo_and_pitch_change_alone(rng: np.random.Generator) -> None:
    faster = apply_variation(tone(440), replace(NOTHING, tempo=1.25), None, rng)
    assert len(faster) == pytest.approx(4 * SAMPLE_RATE / 1.25, abs=2)
    assert peak_frequency(faster) == pytest.approx(440, abs=1)
    higher = apply_variation(tone(440), replace(NOTHING, semitones=3.0), None, rng)
    assert len(higher) == 4 * SAMPLE_RATE
    assert peak_frequency(higher) == pytest.approx(440 * 2 ** (3 / 12), abs=1)


def test_mp3_takes_the_highest_frequencies_and_little_else(rng: np.random.Generator) -> None:
    noise = (0.1 * rng.standard_normal(4 * SAMPLE_RATE)).astype(np.float32)
    coded = apply_variation(noise, replace(NOTHING, bit_rate=16), None, rng)
    power, power_coded = (np.abs(np.fft.rfft(sound)) ** 2 for sound in (noise, coded))
    tenth = len(power) // 10
    assert power_coded[-tenth:].sum() < 0.1 * power[-tenth:].sum()
    assert power_coded[:tenth].sum() == pytest.approx(power[:tenth].sum(), rel=0.3)


def test_equaliser_and_gain_are_in_decibels(rng: np.random.Generator) -> None:
    louder = apply_variation(tone(440), replace(NOTHING, equaliser_db=(6.0,) * 7), None, rng)
    softer = apply_variation(tone(440), replace(NOTHING, gain_db=-6.0), None, rng)
    assert np.std(louder) / np.std(softer) == pytest.approx(10 ** (12 / 20), rel=1e-3)


def test_partner_and_noise_have_the_stated_levels(rng: np.random.Generator) -> None:
    mixed = apply_variation(tone(440), replace(NOTHING, partner=0, partner_gain_db=-6.0), tone(1000), rng)
    added = mixed - tone(440)
    assert peak_frequency(added) == pytest.approx(1000, abs=1)
    assert np.std(added) / np.std(tone(440)) == pytest.approx(10 ** (-6 / 20), rel=1e-2)
    noisy = apply_variation(tone(440), replace(NOTHING, noise_db=-20.0), None, rng)
    assert np.std(noisy - tone(440)) / np.std(tone(440)) == pytest.approx(0.1, rel=0.05)


def test_excerpt_lies_where_it_was_drawn(rng: np.random.Generator) -> None:
    ramp = np.linspace(0, 0.9, 60 * SAMPLE_RATE, dtype=np.float32)
    end = apply_variation(ramp, replace(NOTHING, position=1.0, equaliser_db=(0,) * 7), None, rng)
    assert len(end) == 30 * SAMPLE_RATE
    np.testing.assert_allclose(end, ramp[-30 * SAMPLE_RATE :], atol=1e-3)


def test_variations_are_drawn_from_the_generator_alone() -> None:
    first, again, other = (draw_variation(np.random.default_rng(seed), 10) for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_non_music_is_finite_in_range_and_of_the_stated_length() -> None:
    sounds = [draw_non_music(np.random.default_rng(seed), 3.0) for seed in range(40)]
    assert all(len(sound) == 3 * SAMPLE_RATE and sound.dtype == np.float32 for sound in sounds)
    assert all(np.isfinite(sound).all() and np.abs(sound).max() <= 1 for sound in sounds)
    peaks = [np.abs(sound).max() for sound in sounds]
    assert min(peaks) < 1e-3 < 0.1 < max(peaks)


@pytest.mark.parametrize("maker", [*TAUGHT.values(), *UNSEEN.values()], ids=[*TAUGHT, *UNSEEN])
def test_every_kind_of_sound_sounds_and_is_drawn_from_the_generator_alone(maker: Maker) -> None:
    first, again, other = (maker(np.random.default_rng(seed), 2 * SAMPLE_RATE) for seed in (1, 1, 2))
    assert len(first) == 2 * SAMPLE_RATE
    assert np.isfinite(first).all()
    assert first.std() > 0
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_speech_like_sound_has_pauses_and_a_moving_pitch() -> None:
    sound = TAUGHT["speech-like"](np.random.default_rng(3), 10 * SAMPLE_RATE)
    level = sound.reshape(-1, SAMPLE_RATE // 50).std(axis=1)
    assert np.quantile(level, 0.05) < 0.1 * np.quantile(level, 0.9)
    spectra = np.abs(np.fft.rfft(sound.reshape(-1, SAMPLE_RATE // 2) * np.hanning(SAMPLE_RATE // 2)))
    lowest = spectra[:, :200].argmax(axis=1) * 2  # Hz
    assert np.ptp(lowest) > 20
