"""Log-mel spectrogram: (batch, n_mels, n_frames).

Three logarithms are in use, and they are not interchangeable:

- "ln1p" (default): ln(1 + 10000·power), as in the tutorial; 0 on silence, at home in a network;
- "decibel": 10·log10(max(power, 1e-10)), reference 1, not clipped relative to the maximum, so that a
  frame does not depend on other frames;
- "ln": ln(power + 1e-5).

The mel scale is Slaney's with triangles of unit area by default, as in librosa; up to half the sample
rate.
"""

from typing import Literal

import torch
from torch import Tensor

from taggram.lab.features._base import SpectralFeature, power_to_decibel
from taggram.lab.features._mel_filters import MelFilters, MelScale, compute_mel_filters

Logarithm = Literal["ln1p", "decibel", "ln"]

_COMPRESSION = 10_000.0
_OFFSET = 1e-5


class LogMel(SpectralFeature):
    """Log-mel spectrogram.

    Parameters
    ----------
    sample_rate
        Hz.
    n_mels
        Number of bands.
    n_fft, hop_length
        Samples of a frame and between frames.
    fmin, fmax
        Hz; `fmax` None is half the sample rate.
    scale, unit_area
        The mel scale, and whether triangles have area 1 instead of height 1.
    logarithm
        Which of the three.
    """

    def __init__(
        self,
        *,
        sample_rate: int = 22_050,
        n_mels: int = 128,
        n_fft: int = 2048,
        hop_length: int = 512,
        fmin: float = 0.0,
        fmax: float | None = None,
        scale: MelScale = "slaney",
        unit_area: bool = True,
        logarithm: Logarithm = "ln1p",
    ) -> None:
        super().__init__(sample_rate=sample_rate, n_fft=n_fft, hop_length=hop_length, n_features=n_mels)
        filters = compute_mel_filters(
            sample_rate=sample_rate,
            n_fft=n_fft,
            n_mels=n_mels,
            scale=scale,
            unit_area=unit_area,
            fmin=fmin,
            fmax=fmax,
        )
        self.mel = MelFilters(filters)
        self.logarithm = logarithm

    def transform(self, inputs: Tensor) -> Tensor:
        """Map a power spectrogram to the log-mel spectrogram."""
        mel: Tensor = self.mel(inputs).transpose(1, 2)
        if self.logarithm == "decibel":
            return power_to_decibel(mel)
        if self.logarithm == "ln":
            return torch.log(mel + _OFFSET)
        return torch.log1p(_COMPRESSION * mel)


FEATURE = LogMel
