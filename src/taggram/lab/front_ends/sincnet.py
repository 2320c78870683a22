"""SincNet: band-pass filters on the waveform of which only the two band edges are learned.

A filter is the difference of two windowed sinc functions. Its magnitude enters the network: |filtered|,
then max pooling.

References
----------
Ravanelli, Bengio, "Speaker recognition from raw waveform with SincNet", SLT 2018.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn

from taggram.lab.features._mel_filters import hz_to_mel, mel_to_hz
from taggram.lab.front_ends._layers import Normalised, Shape, need_one_row

_MIN_HZ = 50.0  # of the lower edge, and of the bandwidth
_FIRST_HZ = 30.0  # where the first filter begins before training, above the minimum


class SincNet(Normalised):
    """Learned band-pass filters.

    Parameters
    ----------
    shape
        (1, n_samples).
    sample_rate
        Hz.
    n_filters, length, stride
        Number of filters, their odd length and their distance in samples.
    pool
        Steps that are pooled into one.
    """

    def __init__(
        self,
        shape: Shape,
        *,
        sample_rate: int = 22_050,
        n_filters: int = 80,
        length: int = 251,
        stride: int = 1,
        pool: int = 3,
    ) -> None:
        need_one_row("sincnet", shape)
        filters = nn.Sequential(SincFilters(sample_rate, n_filters, length, stride), nn.MaxPool1d(pool))
        super().__init__(shape, filters)


class SincFilters(nn.Module):
    """Magnitudes of band-pass filtered waveforms: (batch, 1, n_samples) → (batch, n_filters, n_steps).

    Attributes
    ----------
    low, band
        Learned: lower edges and bandwidths in Hz, shape (n_filters, 1). The edges in use lie 50 Hz above
        |low|, the bandwidths 50 Hz above |band|, and both below
        half the sample rate, so that no filter closes.
    """

    half_times: Tensor
    half_window: Tensor

    def __init__(self, sample_rate: int, n_filters: int, length: int, stride: int) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.stride = stride
        highest = sample_rate / 2 - 2 * _MIN_HZ
        mels = np.linspace(hz_to_mel(_FIRST_HZ, "htk"), hz_to_mel(highest, "htk"), n_filters + 1)
        edges = torch.from_numpy(mel_to_hz(mels, "htk")).float()
        self.low = nn.Parameter(edges[:-1, None].clone())
        self.band = nn.Parameter(edges.diff()[:, None].clone())
        half = length // 2
        # The left half of a Hamming window in the published sampling, which is not quite symmetric about
        # the centre: `half` points from 0 to length / 2 − 1.
        places = torch.linspace(0, length / 2 - 1, half)
        window = 0.54 - 0.46 * torch.cos(2 * math.pi * places / length)
        times = 2 * math.pi * torch.arange(-half, 0) / sample_rate
        self.register_buffer("half_window", window, persistent=False)
        self.register_buffer("half_times", times, persistent=False)

    def edges(self) -> tuple[Tensor, Tensor]:
        """Return the lower and upper band edges in Hz, each of shape (n_filters, 1)."""
        highest = self.sample_rate / 2
        low = (_MIN_HZ + self.low.abs()).clamp(max=highest - _MIN_HZ)
        high = (low + _MIN_HZ + self.band.abs()).clamp(max=highest)
        return low, high

    def kernels(self) -> Tensor:
        """Return the filters, symmetric in time, 1 in the middle: shape (n_filters, 1, length)."""
        low, high = self.edges()
        band = high - low
        sinc = torch.sin(high * self.half_times) - torch.sin(low * self.half_times)
        left = sinc / (self.half_times / 2) * self.half_window / (2 * band)
        middle = torch.ones_like(band)
        return torch.cat([left, middle, left.flip(1)], dim=1).unsqueeze(1)

    def forward(self, waveform: Tensor) -> Tensor:
        """Filter and rectify."""
        return nn.functional.conv1d(waveform, self.kernels(), stride=self.stride).abs()


FRONT_END = SincNet
