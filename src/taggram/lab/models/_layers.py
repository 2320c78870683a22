"""Blocks that several architectures share.

Shapes are (batch, channels, n_mels, n_frames) for two-dimensional blocks and (batch, channels, time)
for one-dimensional ones; pool sizes are (frequency, time).
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from taggram.lab.features._mel_filters import MelFilters, compute_mel_filters
from taggram.lab.models._base import power_to_db
from taggram.modelfile.specification import PowerSpectrogram

Pool = int | tuple[int, int]

#: What the spectrogram models of the sota-music-tagging-models family hear, at 16 kHz.
SOTA_POWER_SPECTROGRAM = PowerSpectrogram(n_fft=512, hop_length=256)


class DecibelMel(nn.Module):
    """Power spectrogram (batch, n_frames, n_bins) → normalised log-mel (batch, 1, n_mels, n_frames).

    Decibels, 10·log10(max(mel, 1e-10)), times `gain`; one batch norm for the whole spectrogram.
    """

    def __init__(self, filters: NDArray[np.float32], *, gain: float = 1.0) -> None:
        super().__init__()
        self.gain = gain
        self.mel = MelFilters(filters)
        self.norm = nn.BatchNorm2d(1)

    def forward(self, power: Tensor) -> Tensor:
        """Compute the normalised log-mel spectrogram."""
        log_mel = self.gain * power_to_db(self.mel(power))
        normalised: Tensor = self.norm(log_mel.transpose(1, 2).unsqueeze(1))
        return normalised


def sota_log_mel(n_mels: int) -> DecibelMel:
    """Return the input layer of the sota-music-tagging-models family: HTK mel up to 8 kHz, in decibels."""
    filters = compute_mel_filters(sample_rate=16_000, n_fft=512, n_mels=n_mels, scale="htk", unit_area=False)
    return DecibelMel(filters)


class ConvBlock2d(nn.Module):
    """3 × 3 convolution → batch norm → ReLU → max pooling."""

    def __init__(self, in_channels: int, out_channels: int, pool: Pool = 2) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(out_channels)
        self.pool = nn.MaxPool2d(pool)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the pooled maps."""
        pooled: Tensor = self.pool(torch.relu(self.norm(self.conv(maps))))
        return pooled


class ConvBlock1d(nn.Module):
    """Convolution → batch norm → ReLU → max pooling (a pool of 1 is none)."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, pool: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv1d(in_channels, out_channels, kernel, stride=stride, padding=kernel // 2)
        self.norm = nn.BatchNorm1d(out_channels)
        self.pool = nn.MaxPool1d(pool) if pool > 1 else nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        """Return the pooled maps."""
        pooled: Tensor = self.pool(torch.relu(self.norm(self.conv(maps))))
        return pooled


class ResidualBlock2d(nn.Module):
    """Two 3 × 3 convolutions beside a convolutional shortcut; the stride shrinks the maps."""

    def __init__(self, in_channels: int, out_channels: int, stride: Pool = 2) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, 3, padding=1),
            nn.BatchNorm2d(out_channels),
        )
        self.shortcut = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1),
            nn.BatchNorm2d(out_channels),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Return the rectified sum of both paths."""
        return torch.relu(self.shortcut(maps) + self.main(maps))


class DenseBlock(nn.Module):
    """Linear → batch norm → ReLU → dropout: the hidden layer in front of the head."""

    def __init__(self, in_features: int, out_features: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.norm = nn.BatchNorm1d(out_features)
        self.dropout = nn.Dropout(dropout)

    def forward(self, vectors: Tensor) -> Tensor:
        """Map (batch, in_features) to (batch, out_features)."""
        hidden: Tensor = self.dropout(torch.relu(self.norm(self.linear(vectors))))
        return hidden
