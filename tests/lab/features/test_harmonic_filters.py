"""Harmonic filters peak at the harmonics, follow their learned bandwidth, and can learn it."""

import pytest
import torch

from taggram.lab.features._harmonic_filters import HarmonicFilters
from taggram.lab.features._power_spectrogram import PowerSpectrogramLayer
from taggram.modelfile.specification import PowerSpectrogram


def bank(n_fft: int = 4096) -> HarmonicFilters:
    return HarmonicFilters(sample_rate=16_000, n_fft=n_fft, n_harmonics=6, n_notes=128)


@pytest.mark.parametrize("harmonic", [1, 2, 3])
def test_a_tone_is_strongest_where_it_is_that_harmonic(harmonic: int) -> None:
    a4 = 2 * (69 - 24)  # half-semitone steps above C1
    tone = torch.sin(2 * torch.pi * 440.0 * harmonic * torch.arange(16_000) / 16_000)
    power = PowerSpectrogramLayer(PowerSpectrogram(n_fft=4096, hop_length=2048))(tone[None])
    bands = bank()(power)
    assert bands.shape == (1, 6, 128, power.shape[1])
    strongest = bands[0, harmonic - 1, :, 3].argmax().item()
    assert abs(strongest - a4) <= 1


def test_filters_have_the_stated_bandwidth() -> None:
    filters = bank(n_fft=1 << 15)
    with torch.no_grad():
        filters.quality.fill_(2.0)
        column = filters.filters()[:, 100]
    centre = filters.centres[100].item()
    spacing = 16_000 / (1 << 15)
    bandwidth = (0.1079 * centre + 24.7) / 2.0
    assert column.max() == pytest.approx(1.0, abs=0.02)
    assert column.count_nonzero() * spacing == pytest.approx(bandwidth, abs=2 * spacing)


def test_bandwidth_is_learned() -> None:
    filters = bank(n_fft=512)
    filters(torch.rand(1, 4, 257)).log1p().sum().backward()
    assert filters.quality.grad is not None
    assert filters.quality.grad.abs().item() > 0
