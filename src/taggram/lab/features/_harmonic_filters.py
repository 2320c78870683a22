"""Harmonic filter bank with a learned bandwidth: one spectrogram for every harmonic of the same notes.

Triangles in Hz around h·f0 for f0 in half-semitone steps from C1 and h = 1, …, n_harmonics. Their
bandwidth follows the ear's, (0.1079·frequency + 24.7) / Q in Hz, with one learned Q.

References
----------
Won, Chun, Nieto, Serra, "Data-driven harmonic filters for audio representation learning", ICASSP 2020.
"""

import torch
from torch import Tensor, nn

_LOWEST_NOTE = 24  # C1 in MIDI numbers
_STEPS_PER_SEMITONE = 2


class HarmonicFilters(nn.Module):
    """Power spectrogram (batch, n_frames, n_bins) → (batch, n_harmonics, n_notes, n_frames)."""

    frequencies: Tensor
    centres: Tensor

    def __init__(self, *, sample_rate: int, n_fft: int, n_harmonics: int, n_notes: int) -> None:
        super().__init__()
        self.n_harmonics = n_harmonics
        self.quality = nn.Parameter(torch.ones(1))
        notes = _LOWEST_NOTE + torch.arange(n_notes, dtype=torch.float64) / _STEPS_PER_SEMITONE
        fundamentals = 440.0 * 2.0 ** ((notes - 69.0) / 12.0)
        harmonics = torch.arange(1, n_harmonics + 1, dtype=torch.float64)
        centres = (harmonics[:, None] * fundamentals).flatten().float()  # harmonic by harmonic
        self.register_buffer("centres", centres, persistent=False)
        self.register_buffer(
            "frequencies", torch.linspace(0.0, sample_rate / 2, n_fft // 2 + 1), persistent=False
        )

    def filters(self) -> Tensor:
        """Return the filter bank of the present bandwidth, shape (n_bins, n_harmonics * n_notes)."""
        bandwidth = (0.1079 * self.centres + 24.7) / self.quality
        distance = (self.frequencies[:, None] - self.centres).abs()
        return torch.relu(1.0 - 2.0 * distance / bandwidth)

    def forward(self, power: Tensor) -> Tensor:
        """Sum the power in each band."""
        bands = power @ self.filters()
        n_frames, n_notes = bands.shape[1], bands.shape[2] // self.n_harmonics
        return bands.reshape(-1, n_frames, self.n_harmonics, n_notes).permute(0, 2, 3, 1)
