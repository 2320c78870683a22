"""Lean CNN: the small network behind the shipped default model, made for speed on one CPU core.

Four strided convolutions take the log-mel spectrogram of 3 s from 96 bands × 188 frames to 6 × 12;
cheap separable residual blocks follow where the maps are small. All bands of a frame are then joined
into one vector, and the frames are pooled by mean and maximum. Dense 3 × 3 convolutions stand at the
large maps because ONNX Runtime runs them at several times the rate of depthwise ones.

Conventions: log-mel (batch, n_frames, n_mels) is ln(mel power + 1e-5), then standardised per band
with constants of the training data; maps are (batch, channels, n_mels, n_frames).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from taggram.lab.features._mel_filters import MelFilters, compute_mel_filters
from taggram.lab.models._base import Architecture, TaggingModel
from taggram.modelfile.specification import PowerSpectrogram

HOP_LENGTH = 256
N_MELS = 96
LOG_OFFSET = 1e-5


def _convolution(n_in: int, n_out: int, size: int, *, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, size, stride, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(),
    )


class SeparableBlock(nn.Module):
    """Residual block: 3 × 3 per channel, then 1 × 1 across channels."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.depthwise = _convolution(n_channels, n_channels, 3, groups=n_channels)
        self.pointwise = nn.Conv2d(n_channels, n_channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(n_channels)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (batch, n_channels, n_mels, n_frames) to the same shape."""
        return functional.relu(maps + self.norm(self.pointwise(self.depthwise(maps))))


class LeanCNN(TaggingModel):
    """The default model's architecture: 0.8 million parameters, about 140 MFLOP for 3 s."""

    architecture = Architecture(
        name="lean_cnn",
        title="Lean CNN",
        paper="Taggram's own; trained after Hinton et al., Distilling the knowledge in a neural network, "
        "2015",
        chunk_length=48_000,
        front_end=PowerSpectrogram(n_fft=512, hop_length=HOP_LENGTH),
    )
    band_mean: Tensor
    band_std: Tensor

    def __init__(self, n_tags: int = 50, *, embedding_dim: int = 256) -> None:
        super().__init__(n_tags, embedding_dim)
        self.mel = MelFilters(
            compute_mel_filters(sample_rate=16_000, n_fft=512, n_mels=N_MELS, scale="htk", unit_area=False)
        )
        self.register_buffer("band_mean", torch.zeros(N_MELS))
        self.register_buffer("band_std", torch.ones(N_MELS))
        self.trunk = nn.Sequential(
            _convolution(1, 24, 5, stride=2),  # 48 × 94
            _convolution(24, 64, 3, stride=2),  # 24 × 47
            _convolution(64, 112, 3, stride=2),  # 12 × 24
            SeparableBlock(112),
            SeparableBlock(112),
            _convolution(112, 192, 3, stride=2),  # 6 × 12
            SeparableBlock(192),
        )
        self.join = nn.Conv1d(192 * 6, 256, 1, bias=False)
        self.join_norm = nn.BatchNorm1d(256)
        self.hidden = nn.Linear(2 * 256, embedding_dim, bias=False)
        self.hidden_norm = nn.BatchNorm1d(embedding_dim)

    def log_mel(self, features: Tensor) -> Tensor:
        """Map a power spectrogram (batch, n_frames, n_bins) to log-mel (batch, n_frames, n_mels)."""
        return torch.log(self.mel(features) + LOG_OFFSET)

    def embed_log_mel(self, log_mel: Tensor) -> Tensor:
        """Map log-mel (batch, n_frames, n_mels) to the embedding (batch, embedding_dim)."""
        standardised = (log_mel - self.band_mean) / self.band_std
        maps = self.trunk(standardised.transpose(1, 2).unsqueeze(1))
        frames = functional.relu(self.join_norm(self.join(maps.flatten(1, 2))))
        pooled = torch.cat([frames.mean(2), frames.amax(2)], dim=1)
        return functional.relu(self.hidden_norm(self.hidden(pooled)))

    def embed_features(self, features: Tensor) -> Tensor:
        """Map a power spectrogram to the embedding (batch, embedding_dim)."""
        return self.embed_log_mel(self.log_mel(features))


MODEL = LeanCNN
