"""What musicnn's two originals have in common: the features they hear and TensorFlow's batch norm.

Features: Slaney mel power with unit-area triangles, 96 bands at 16 kHz, rounded to float16 as their
training data was, then log10(1 + 10000·mel). The layout is TensorFlow's: (batch, 1, n_frames, n_mels).
"""

import torch
from torch import Tensor, nn

from taggram.lab.features._mel_filters import MelFilters, compute_mel_filters
from taggram.modelfile.specification import PowerSpectrogram

PONS_POWER_SPECTROGRAM = PowerSpectrogram(n_fft=512, hop_length=256)
#: The shortest chunk that has the 187 frames of one patch: 1 + 47616 // 256.
PONS_CHUNK_LENGTH = 186 * 256
PONS_PAPER = (
    "Pons, Serra, musicnn: pre-trained convolutional neural networks for music audio tagging, ISMIR 2019"
)

# TensorFlow's defaults: epsilon 1e-3, and momentum 0.99, which PyTorch counts from the other side.
EPSILON = 1e-3
MOMENTUM = 0.01

_LARGEST_HALF = 65504.0


def batch_norm_1d(n_channels: int) -> nn.BatchNorm1d:
    """Return a batch norm over vectors or curves with TensorFlow's constants."""
    return nn.BatchNorm1d(n_channels, eps=EPSILON, momentum=MOMENTUM)


def batch_norm_2d(n_channels: int) -> nn.BatchNorm2d:
    """Return a batch norm over maps with TensorFlow's constants."""
    return nn.BatchNorm2d(n_channels, eps=EPSILON, momentum=MOMENTUM)


class PonsLogMel(nn.Module):
    """Power spectrogram (batch, n_frames, n_bins) → normalised log-mel (batch, 1, n_frames, n_mels)."""

    def __init__(self) -> None:
        super().__init__()
        self.mel = MelFilters(
            compute_mel_filters(sample_rate=16_000, n_fft=512, n_mels=96, scale="slaney", unit_area=True)
        )
        self.norm = batch_norm_2d(1)

    def forward(self, power: Tensor) -> Tensor:
        """Compute the normalised log-mel spectrogram."""
        # Only the value is rounded: the product with 10000 overflows in half precision. Beyond the range of
        # half precision, where the original gives infinity, the value stays finite.
        mel = torch.clamp(self.mel(power), max=_LARGEST_HALF).half().float()
        normalised: Tensor = self.norm(torch.log10(10_000.0 * mel + 1.0).unsqueeze(1))
        return normalised
