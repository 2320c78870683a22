"""Mel filter bank: triangles over the power spectrogram, as a matrix and as a torch module.

`compute_mel_filters` returns the matrix, shape (n_bins, n_mels); `MelFilters` applies it to a power
spectrogram (batch, n_frames, n_bins) and gives mel power (batch, n_frames, n_mels).

The triangles are drawn in Hz between n_mels + 2 points that are equally spaced in mel. With many
bands and few bins the lowest triangles can fall between two bins and stay empty: such a band is
constant, as in the published models, and is kept.

References
----------
HTK scale: O'Shaughnessy, "Speech communication", 1987. Slaney scale: Slaney, "Auditory Toolbox", 1998.
"""

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

MelScale = Literal["htk", "slaney"]

# The Slaney scale is linear (200/3 Hz a mel) below 1 kHz = 15 mel, then logarithmic.
_BREAK_HZ = 1000.0
_HZ_PER_MEL = 200.0 / 3.0
_BREAK_MEL = _BREAK_HZ / _HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0


def hz_to_mel(frequency: float, scale: MelScale) -> float:
    """Convert a frequency in Hz to mel."""
    if scale == "htk":
        return float(2595.0 * np.log10(1.0 + frequency / 700.0))
    if frequency < _BREAK_HZ:
        return frequency / _HZ_PER_MEL
    return float(_BREAK_MEL + np.log(frequency / _BREAK_HZ) / _LOG_STEP)


def mel_to_hz(mel: NDArray[np.float64], scale: MelScale) -> NDArray[np.float64]:
    """Convert mel to frequencies in Hz."""
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    return np.where(mel < _BREAK_MEL, mel * _HZ_PER_MEL, _BREAK_HZ * np.exp((mel - _BREAK_MEL) * _LOG_STEP))


def compute_mel_filters(
    *,
    sample_rate: int,
    n_fft: int,
    n_mels: int,
    scale: MelScale,
    unit_area: bool,
    fmin: float = 0.0,
    fmax: float | None = None,
) -> NDArray[np.float32]:
    """Compute the mel filter bank.

    Parameters
    ----------
    sample_rate, fmin, fmax
        Hz; `fmax` None is half the sample rate.
    n_fft
        Samples of one frame; n_bins = n_fft // 2 + 1.
    n_mels
        Number of bands.
    scale
        Which mel scale spaces the bands.
    unit_area
        Scale each triangle to area 1 (Slaney) instead of height 1.

    Returns
    -------
    shape (n_bins, n_mels), non-negative
    """
    fmax = sample_rate / 2 if fmax is None else fmax
    edges = mel_to_hz(np.linspace(hz_to_mel(fmin, scale), hz_to_mel(fmax, scale), n_mels + 2), scale)
    frequencies = np.linspace(0.0, sample_rate / 2, n_fft // 2 + 1)[:, None]
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    rising = (frequencies - lower) / (centre - lower)
    falling = (upper - frequencies) / (upper - centre)
    filters = np.maximum(0.0, np.minimum(rising, falling))
    if unit_area:
        filters *= 2.0 / (upper - lower)
    return filters.astype(np.float32)


class MelFilters(nn.Module):
    """Power spectrogram (batch, n_frames, n_bins) → mel power (batch, n_frames, n_mels).

    The matrix is a buffer that is saved with the weights: published checkpoints bring their own, which
    differs from a recomputed one in the last bits.
    """

    filters: Tensor

    def __init__(self, filters: NDArray[np.float32]) -> None:
        super().__init__()
        self.register_buffer("filters", torch.from_numpy(filters))

    def forward(self, power: Tensor) -> Tensor:
        """Sum the power in each band."""
        return power @ self.filters
