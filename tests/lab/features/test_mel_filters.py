"""The mel filter bank agrees with librosa, and its triangles are where they should be."""

from typing import Literal

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from taggram.lab.features._mel_filters import MelFilters, compute_mel_filters, hz_to_mel, mel_to_hz

Scale = Literal["htk", "slaney"]


@pytest.mark.parametrize("scale", ["htk", "slaney"])
@pytest.mark.parametrize("unit_area", [True, False])
@pytest.mark.parametrize(("sample_rate", "n_mels"), [(16_000, 96), (12_000, 96), (22_050, 40)])
def test_agrees_with_librosa(scale: Scale, unit_area: bool, sample_rate: int, n_mels: int) -> None:
    ours = compute_mel_filters(
        sample_rate=sample_rate, n_fft=512, n_mels=n_mels, scale=scale, unit_area=unit_area, fmin=20.0
    )
    expected = librosa.filters.mel(
        sr=sample_rate,
        n_fft=512,
        n_mels=n_mels,
        fmin=20.0,
        htk=scale == "htk",
        norm="slaney" if unit_area else None,
    )
    assert ours.max() > 0.01
    np.testing.assert_allclose(ours, expected.T, atol=1e-6 * ours.max())


@given(frequency=st.floats(0, 20_000), scale=st.sampled_from(["htk", "slaney"]))
def test_mel_round_trip(frequency: float, scale: Scale) -> None:
    back = mel_to_hz(np.array([hz_to_mel(frequency, scale)]), scale)
    np.testing.assert_allclose(back, frequency, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("scale", ["htk", "slaney"])
def test_every_filter_peaks_at_its_centre(scale: Scale) -> None:
    n_mels, n_fft, sample_rate = 20, 4096, 16_000
    filters = compute_mel_filters(
        sample_rate=sample_rate, n_fft=n_fft, n_mels=n_mels, scale=scale, unit_area=False
    )
    centres = mel_to_hz(np.linspace(0, hz_to_mel(sample_rate / 2, scale), n_mels + 2), scale)[1:-1]
    peaks = filters.argmax(axis=0) * sample_rate / n_fft
    np.testing.assert_allclose(peaks, centres, atol=sample_rate / n_fft)


def test_a_band_between_two_bins_stays_silent() -> None:
    filters = compute_mel_filters(sample_rate=16_000, n_fft=512, n_mels=128, scale="htk", unit_area=False)
    assert filters[:, 0].max() == 0
    assert filters[:, 1:].max(axis=0).min() > 0


def test_module_sums_power_and_saves_its_matrix() -> None:
    matrix = compute_mel_filters(sample_rate=16_000, n_fft=512, n_mels=96, scale="htk", unit_area=False)
    module = MelFilters(matrix)
    power = torch.rand(2, 3, 257)
    np.testing.assert_allclose(module(power), power.numpy() @ matrix, rtol=1e-5)
    assert list(module.state_dict()) == ["filters"]
