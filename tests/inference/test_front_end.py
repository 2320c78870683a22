"""The power spectrogram beside the graph agrees with independent implementations."""

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from taggram.inference.front_end import power_spectrogram
from taggram.lab.features._power_spectrogram import PowerSpectrogramLayer
from taggram.modelfile.specification import PowerSpectrogram

SPEC = PowerSpectrogram(n_fft=512, hop_length=256)


@pytest.mark.parametrize("window", ["hann_periodic", "hann_symmetric"])
@pytest.mark.parametrize("pad_mode", ["reflect", "zeros"])
def test_agrees_with_librosa(rng: np.random.Generator, window: str, pad_mode: str) -> None:
    waveform = rng.standard_normal((2, 5000)).astype(np.float32)
    spec = PowerSpectrogram.model_validate(
        {"n_fft": 512, "hop_length": 160, "window": window, "pad_mode": pad_mode}
    )
    expected = librosa.stft(
        waveform.astype(np.float64),
        n_fft=512,
        hop_length=160,
        window=np.hanning(512) if window == "hann_symmetric" else "hann",
        pad_mode="reflect" if pad_mode == "reflect" else "constant",
    )
    # float32 FFTs differ from float64 ones by about 1e-6 of the largest value
    np.testing.assert_allclose(
        power_spectrogram(waveform, spec), np.abs(expected.transpose(0, 2, 1)) ** 2, rtol=1e-4, atol=2e-3
    )


def test_agrees_with_the_torch_module(rng: np.random.Generator) -> None:
    waveform = rng.standard_normal((3, 4801)).astype(np.float32)
    with torch.no_grad():
        expected = PowerSpectrogramLayer(SPEC)(torch.from_numpy(waveform)).numpy()
    found = power_spectrogram(waveform, SPEC)
    assert found.shape == expected.shape == (3, SPEC.n_frames(4801), SPEC.n_bins)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-3)


@settings(max_examples=30)
@given(st.integers(257, 3000))
def test_number_of_frames(n_samples: int) -> None:
    power = power_spectrogram(np.ones((1, n_samples), np.float32), SPEC)
    assert power.shape[1] == SPEC.n_frames(n_samples)


def test_a_tone_peaks_in_its_bin() -> None:
    times = np.arange(16_000, dtype=np.float32) / 16_000
    power = power_spectrogram(np.sin(2 * np.pi * 2000 * times)[None].astype(np.float32), SPEC)
    assert (power[0, 2:-2].argmax(axis=1) == 2000 * 512 // 16_000).all()


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_silence_and_full_scale_are_finite(level: float) -> None:
    assert np.isfinite(power_spectrogram(np.full((1, 4000), level, np.float32), SPEC)).all()
