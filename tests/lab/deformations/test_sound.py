"""Noise, gain, equalisation, low sample rate, mp3 and mixing do what they say, in numbers."""

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import freqz_sos

from taggram.lab.deformations.equalisation import Equalisation, compute_biquad
from taggram.lab.deformations.gain import Gain
from taggram.lab.deformations.low_sample_rate import LowSampleRate
from taggram.lab.deformations.mixing import Mixing, mix_tags
from taggram.lab.deformations.mp3 import Mp3
from taggram.lab.deformations.white_noise import WhiteNoise

SAMPLE_RATE = 16_000


def noise(rng: np.random.Generator, n_samples: int = 2 * SAMPLE_RATE) -> np.ndarray:
    return (0.1 * rng.standard_normal(n_samples)).astype(np.float32)


def power_between(waveform: np.ndarray, low: float, high: float) -> float:
    """Return the power of a waveform between two frequencies in Hz."""
    spectrum = np.abs(np.fft.rfft(waveform.astype(np.float64))) ** 2
    frequencies = np.fft.rfftfreq(len(waveform), 1 / SAMPLE_RATE)
    return float(spectrum[(frequencies >= low) & (frequencies < high)].sum())


@pytest.mark.parametrize("share", WhiteNoise.published)
def test_noise_follows_the_published_formula(rng: np.random.Generator, share: float) -> None:
    waveform = noise(rng)
    state = WhiteNoise().fix(share, rng)
    added = WhiteNoise().apply(waveform, SAMPLE_RATE, state) - (1 - share) * waveform
    assert np.abs(added).max() == pytest.approx(share * waveform.max(), rel=1e-4)
    # White: equal power in equal bands; 1/sqrt(7998) of chance per band, times four.
    bands = [power_between(added, low, low + 2000) for low in range(0, 8000, 2000)]
    assert np.ptp(bands) / np.mean(bands) < 0.1
    assert abs(np.corrcoef(added, waveform)[0, 1]) < 0.03


def test_noise_has_the_expected_ratio_to_the_signal(rng: np.random.Generator) -> None:
    times = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
    waveform = np.sin(2 * np.pi * 440 * times).astype(np.float32)
    state = WhiteNoise().fix(0.1, rng)
    added = WhiteNoise().apply(waveform, SAMPLE_RATE, state) - np.float32(0.9) * waveform
    ratio_db = 10 * np.log10(np.mean((0.9 * waveform) ** 2) / np.mean(added**2))
    # The largest of 64,000 Gaussian samples lies at about 4.3 standard deviations.
    assert ratio_db == pytest.approx(20 * np.log10(0.9 * 2**-0.5 / (0.1 / 4.3)), abs=1.0)


def test_noise_differs_from_draw_to_draw(rng: np.random.Generator) -> None:
    waveform = noise(rng)
    first, second = (WhiteNoise().apply(waveform, SAMPLE_RATE, WhiteNoise().fix(0.4, rng)) for _ in range(2))
    assert np.abs(first - second).max() > 0.01


def test_gain_scales_and_clips(rng: np.random.Generator) -> None:
    waveform = noise(rng)
    np.testing.assert_allclose(
        Gain().apply(waveform, SAMPLE_RATE, {"gain_db": -20.0}), waveform / 10, rtol=1e-6
    )
    loud = Gain().apply(waveform, SAMPLE_RATE, {"gain_db": 40.0})
    assert np.abs(loud).max() == 1.0


@settings(max_examples=50)
@given(st.sampled_from(["low_shelf", "high_shelf", "peak"]), st.floats(100, 3000), st.floats(-20, 20))
def test_filters_reach_their_gain_and_leave_the_rest(
    kind: Literal["low_shelf", "high_shelf", "peak"], frequency: float, gain_db: float
) -> None:
    biquad = compute_biquad(kind, frequency, gain_db, 2**-0.5, sample_rate=SAMPLE_RATE)
    assert np.abs(np.roots(biquad[3:])).max() < 1  # stable
    _, response = freqz_sos(biquad[None], worN=[1e-6, frequency, 7999.9], fs=SAMPLE_RATE)
    low, centre, high = 20 * np.log10(np.abs(response))
    expected = {
        "low_shelf": (gain_db, gain_db / 2, 0.0),
        "high_shelf": (0.0, gain_db / 2, gain_db),
        "peak": (0.0, gain_db, 0.0),
    }[kind]
    np.testing.assert_allclose((low, centre, high), expected, atol=0.01)


def test_a_tilt_lifts_the_bass_and_lowers_the_treble(rng: np.random.Generator) -> None:
    waveform = noise(rng)
    tilted = Equalisation().apply(waveform, SAMPLE_RATE, Equalisation().fix(6.0, rng))
    for low, high, gain_db in ((0, 80, 6.0), (6500, 8000, -6.0)):
        change = 10 * np.log10(power_between(tilted, low, high) / power_between(waveform, low, high))
        assert change == pytest.approx(gain_db, abs=0.5)


def test_bands_that_do_not_fit_the_sample_rate_are_left_out(rng: np.random.Generator) -> None:
    waveform = noise(rng)
    state = {"bands": [{"kind": "peak", "frequency": 7900.0, "gain_db": 12.0, "quality": 1.0}]}
    np.testing.assert_array_equal(Equalisation().apply(waveform, SAMPLE_RATE, state), waveform)


def test_a_low_sample_rate_removes_the_treble_and_keeps_the_rest(rng: np.random.Generator) -> None:
    waveform = noise(rng)
    low = LowSampleRate().apply(waveform, SAMPLE_RATE, {"sample_rate": 8000.0})
    assert power_between(low, 4200, 8000) < 1e-5 * power_between(waveform, 4200, 8000)
    assert power_between(low, 0, 3000) == pytest.approx(power_between(waveform, 0, 3000), rel=0.01)
    spared = LowSampleRate().apply(waveform, SAMPLE_RATE, {"sample_rate": 16_000.0})
    np.testing.assert_array_equal(spared, waveform)


@pytest.mark.parametrize("sample_rate", [16_000, 22_050, 30_000, 48_000])
def test_mp3_keeps_the_place_of_every_sample(rng: np.random.Generator, sample_rate: int) -> None:
    times = np.arange(2 * sample_rate) / sample_rate
    chirp = 0.5 * np.sin(2 * np.pi * (300 * times + 600 * times**2))
    waveform = chirp.astype(np.float32)
    coded = Mp3().apply(waveform, sample_rate, {"bit_rate": 64})
    correlation = [float(np.dot(coded[50:-50], np.roll(waveform, lag)[50:-50])) for lag in range(-40, 41)]
    assert int(np.argmax(correlation)) == 40  # no lag
    assert np.mean((coded - waveform) ** 2) < 0.01 * np.mean(waveform**2)


def test_fewer_bits_are_further_from_the_sound(rng: np.random.Generator) -> None:
    waveform = noise(rng)
    errors = [
        float(np.mean((Mp3().apply(waveform, SAMPLE_RATE, {"bit_rate": rate}) - waveform) ** 2))
        for rate in (16, 32, 64, 128)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 4 * errors[-1]


def test_mixing_sets_the_level_of_the_partner(rng: np.random.Generator) -> None:
    waveform, partner = noise(rng), noise(rng) * np.float32(0.01)
    mixed = Mixing().apply(waveform, SAMPLE_RATE, {"gain_db": -6.0}, partner=partner)
    added = mixed - waveform
    assert 10 * np.log10(np.mean(added**2) / np.mean(waveform**2)) == pytest.approx(-6, abs=0.05)
    assert np.corrcoef(added, partner)[0, 1] == pytest.approx(1, abs=1e-3)


def test_mixing_repeats_a_short_partner_and_stays_within_full_scale(rng: np.random.Generator) -> None:
    waveform = np.clip(8 * noise(rng), -1, 1)
    mixed = Mixing().apply(waveform, SAMPLE_RATE, {"gain_db": 0.0}, partner=waveform[:1000])
    assert mixed.shape == waveform.shape
    assert np.abs(mixed).max() <= 1.0


def test_a_mixture_has_the_tags_of_both() -> None:
    np.testing.assert_array_equal(
        mix_tags(np.array([True, False, False]), np.array([True, True, False])), [True, True, False]
    )
