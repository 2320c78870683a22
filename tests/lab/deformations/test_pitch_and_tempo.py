"""Pitch shift and time stretch: the numbers of librosa, and what they say they do."""

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taggram.lab.deformations.pitch_shift import PitchShift
from taggram.lab.deformations.time_stretch import TimeStretch

SAMPLE_RATE = 16_000

# librosa works in float64 here, ours in float32 but for the phases: rounding of spectra and angles
# (about 1e-7 of each) adds up over overlapping frames.
TOLERANCE = 1e-3


def sound(rng: np.random.Generator, duration: float) -> np.ndarray:
    """A gliding tone and noise, 0.1 loud."""
    times = np.arange(round(duration * SAMPLE_RATE)) / SAMPLE_RATE
    glide = np.sin(2 * np.pi * (200 * times + 90 * times**2))
    return (0.1 * glide + 0.03 * rng.standard_normal(len(times))).astype(np.float32)


def tone(frequency: float) -> np.ndarray:
    times = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    return (0.5 * np.sin(2 * np.pi * frequency * times)).astype(np.float32)


def frequency_of(waveform: np.ndarray) -> float:
    """Return the frequency of a tone in Hz, by a parabola through its peak in the spectrum."""
    middle = waveform[len(waveform) // 8 : -len(waveform) // 8]
    spectrum = np.log(np.abs(np.fft.rfft(middle * np.hanning(len(middle)))) + 1e-12)
    peak = int(spectrum.argmax())
    left, centre, right = spectrum[peak - 1 : peak + 2]
    return float((peak + 0.5 * (left - right) / (left - 2 * centre + right)) * SAMPLE_RATE / len(middle))


# Long enough for several blocks of frames.
@pytest.mark.parametrize("duration", [0.2, 20.3])
@pytest.mark.parametrize("rate", [2**-0.5, 0.9, 1.5, 2**0.5])
def test_time_stretch_agrees_with_librosa(rng: np.random.Generator, rate: float, duration: float) -> None:
    waveform = sound(rng, duration)
    expected = librosa.effects.time_stretch(waveform.astype(np.float64), rate=rate)
    found = TimeStretch().apply(waveform, SAMPLE_RATE, {"rate": rate})
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)


@pytest.mark.parametrize("semitones", [-2.0, -1.0, 0.5, 1.0])
def test_pitch_shift_agrees_with_librosa(rng: np.random.Generator, semitones: float) -> None:
    waveform = sound(rng, 4.0)
    expected = librosa.effects.pitch_shift(waveform.astype(np.float64), sr=SAMPLE_RATE, n_steps=semitones)
    found = PitchShift().apply(waveform, SAMPLE_RATE, {"semitones": semitones})
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)


@settings(max_examples=15)
@given(st.floats(150, 2000), st.floats(-3, 3))
def test_pitch_shift_moves_a_tone_by_so_many_cents(frequency: float, semitones: float) -> None:
    shifted = PitchShift().apply(tone(frequency), SAMPLE_RATE, {"semitones": semitones})
    cents = 1200 * np.log2(frequency_of(shifted) / frequency)
    assert cents == pytest.approx(100 * semitones, abs=5)


@settings(max_examples=15)
@given(st.floats(150, 2000), st.floats(0.5, 2.0))
def test_time_stretch_keeps_the_pitch_and_changes_the_duration(frequency: float, rate: float) -> None:
    stretched = TimeStretch().apply(tone(frequency), SAMPLE_RATE, {"rate": rate})
    assert len(stretched) == round(2 * SAMPLE_RATE / rate)
    assert 1200 * np.log2(frequency_of(stretched) / frequency) == pytest.approx(0, abs=5)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan")])
def test_a_rate_must_be_positive(rate: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        TimeStretch().apply(tone(440), SAMPLE_RATE, {"rate": rate})
