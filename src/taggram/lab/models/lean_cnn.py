"""Lean CNN: the small network behind the shipped default model, made for speed on one CPU core.

Four strided convolutions take the log-mel spectrogram of 3 s from 96 bands × 188 frames to 6 × 12;
cheap separable residual blocks follow where the maps are small. All bands of a frame are then joined
into one vector, and the frames are pooled by mean and maximum. The embedding is a linear view of the
hidden units behind them, which is set after training (`taggram.lab.training.view`). Dense 3 × 3
convolutions stand at the large maps because ONNX Runtime runs them at several times the rate of
depthwise ones.

A `LeanShape` makes it larger, smaller or another network of the same plan; docs/results/students.md
compares them. The default is the one that ships.

Conventions: log-mel (batch, n_frames, n_mels) is ln(mel power + offset), then standardised per band
with constants of the training data; maps are (batch, channels, n_bands, n_frames), where a
one-dimensional network has its bands as the first channels and n_bands = 1.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from taggram.lab.features._mel_filters import MelFilters, compute_mel_filters
from taggram.lab.models._base import Architecture, TaggingModel
from taggram.modelfile.specification import PowerSpectrogram

N_FFT = 512
_CHANNELS = {1: (128, 192, 256, 384), 2: (24, 64, 112, 192)}
"""Dimensions → channels behind each strided convolution, for width 1."""
_JOINED = 256
LOG_OFFSET = 1e-5
"""Added to the mel power before the logarithm."""
_RELATIVE_OFFSET = 1e-7
"""The same for relative level, where soft sounds are to stay above it: the rounding noise of 16 bits.

The exporter takes 1e-8 for zero and leaves it out.
"""
_RELATIVE_FLOOR = 1e-5
"""Power relative to a chunk's level below which there is nothing to be heard: 50 dB."""


@dataclass(frozen=True)
class LeanShape:
    """Size and shape of the network.

    Attributes
    ----------
    width
        Factor on the channels of the convolutions, which are rounded to multiples of 8.
    blocks
        "separable": all 3 × 3 convolutions but the first are depthwise, with 1 × 1 behind them; "dense": none
        are; "mixed": the strided ones, on the large maps, are dense, the residual ones separable.
    dimensions
        2: convolutions over bands and frames; 1: over frames only.
    pooling
        How frames become one vector beside their maximum: their mean, or their mean weighted by attention.
    n_mels
        Bands.
    hop_length
        Samples from frame to frame.
    level
        "relative" divides the mel power by the level of the chunk, so that a change of level changes nothing.
    """

    width: float = 1.0
    blocks: Literal["mixed", "separable", "dense"] = "mixed"
    dimensions: Literal[1, 2] = 2
    pooling: Literal["mean", "attention"] = "mean"
    n_mels: int = 96
    hop_length: int = 256
    level: Literal["absolute", "relative"] = "relative"

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels behind each of the four strided convolutions."""
        return tuple(max(8, 8 * round(n * self.width / 8)) for n in _CHANNELS[self.dimensions])

    @property
    def n_joined_bands(self) -> int:
        """Bands that four halvings leave."""
        return 1 if self.dimensions == 1 else -(-self.n_mels // 16)


class SeparableBlock(nn.Module):
    """Residual block: 3 × 3 per channel, then 1 × 1 across channels."""

    def __init__(self, n_channels: int, *, dimensions: Literal[1, 2] = 2) -> None:
        super().__init__()
        self.depthwise = _convolution(n_channels, n_channels, 3, groups=n_channels, dimensions=dimensions)
        self.pointwise = nn.Conv2d(n_channels, n_channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(n_channels)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (batch, n_channels, n_bands, n_frames) to the same shape."""
        return functional.relu(maps + self.norm(self.pointwise(self.depthwise(maps))))


class DenseBlock(nn.Module):
    """Residual block: one 3 × 3 convolution across channels."""

    def __init__(self, n_channels: int, *, dimensions: Literal[1, 2] = 2) -> None:
        super().__init__()
        self.convolution = _convolution(n_channels, n_channels, 3, dimensions=dimensions)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (batch, n_channels, n_bands, n_frames) to the same shape."""
        changed: Tensor = self.convolution(maps)
        return maps + changed


def _convolution(
    n_in: int, n_out: int, size: int, *, stride: int = 1, groups: int = 1, dimensions: Literal[1, 2] = 2
) -> nn.Sequential:
    band_size, band_stride = (1, 1) if dimensions == 1 else (size, stride)
    return nn.Sequential(
        nn.Conv2d(
            n_in,
            n_out,
            (band_size, size),
            (band_stride, stride),
            (band_size // 2, size // 2),
            groups=groups,
            bias=False,
        ),
        nn.BatchNorm2d(n_out),
        nn.ReLU(),
    )


def _halving(n_in: int, n_out: int, shape: LeanShape) -> nn.Sequential:
    """Return the convolution that halves the maps."""
    if shape.blocks != "separable":
        return _convolution(n_in, n_out, 3, stride=2, dimensions=shape.dimensions)
    return nn.Sequential(
        _convolution(n_in, n_in, 3, stride=2, groups=n_in, dimensions=shape.dimensions),
        _convolution(n_in, n_out, 1),
    )


def _trunk(shape: LeanShape) -> nn.Sequential:
    first, second, third, fourth = shape.channels
    block = DenseBlock if shape.blocks == "dense" else SeparableBlock
    n_in = shape.n_mels if shape.dimensions == 1 else 1
    return nn.Sequential(  # sizes of the default's maps
        _convolution(n_in, first, 5, stride=2, dimensions=shape.dimensions),  # 48 × 94
        _halving(first, second, shape),  # 24 × 47
        _halving(second, third, shape),  # 12 × 24
        block(third, dimensions=shape.dimensions),
        block(third, dimensions=shape.dimensions),
        _halving(third, fourth, shape),  # 6 × 12
        block(fourth, dimensions=shape.dimensions),
    )


class LeanCNN(TaggingModel):
    """The default model's architecture: 0.8 million parameters, about 140 MFLOP for 3 s."""

    architecture = Architecture(
        name="lean_cnn",
        title="Lean CNN",
        paper="Taggram's own; trained after Hinton et al., Distilling the knowledge in a neural network, "
        "2015",
        chunk_length=48_000,
        front_end=PowerSpectrogram(n_fft=N_FFT, hop_length=LeanShape.hop_length),
    )
    band_mean: Tensor
    band_std: Tensor
    view: Tensor
    view_offset: Tensor

    def __init__(self, n_tags: int = 50, *, embedding_dim: int = 256, shape: LeanShape | None = None) -> None:
        shape = shape or LeanShape()
        front_end = PowerSpectrogram(n_fft=N_FFT, hop_length=shape.hop_length)
        super().__init__(
            n_tags, embedding_dim, architecture=replace(type(self).architecture, front_end=front_end)
        )
        self.shape = shape
        n_mels = shape.n_mels
        self.mel = MelFilters(
            compute_mel_filters(sample_rate=16_000, n_fft=N_FFT, n_mels=n_mels, scale="htk", unit_area=False)
        )
        self.register_buffer("band_mean", torch.zeros(n_mels))
        self.register_buffer("band_std", torch.ones(n_mels))
        self.trunk = _trunk(shape)
        self.join = nn.Conv1d(shape.channels[-1] * shape.n_joined_bands, _JOINED, 1, bias=False)
        self.join_norm = nn.BatchNorm1d(_JOINED)
        self.hidden = nn.Linear(2 * _JOINED, embedding_dim, bias=False)
        self.hidden_norm = nn.BatchNorm1d(embedding_dim)
        # Set after training, see `taggram.lab.training.view`.
        self.register_buffer("view", torch.eye(embedding_dim))
        self.register_buffer("view_offset", torch.zeros(embedding_dim))
        if shape.pooling == "attention":
            self.attention = nn.Conv1d(_JOINED, _JOINED, 1)

    def log_mel(self, features: Tensor) -> Tensor:
        """Map a power spectrogram (batch, n_frames, n_bins) to log-mel (batch, n_frames, n_mels)."""
        offset = LOG_OFFSET if self.shape.level == "absolute" else _RELATIVE_OFFSET
        return torch.log(self.mel(features) + offset)

    def level(self, log_mel: Tensor) -> Tensor:
        """Map log-mel (batch, n_frames, n_mels) to the same relative to each chunk, if the shape says so."""
        if self.shape.level == "absolute":
            return log_mel
        # Over time the mean is of the power: rests between beats would pull down that of the logarithm. Over
        # bands it is of the logarithm: else the bass would decide alone.
        power = log_mel.exp()
        level = power.mean(dim=1, keepdim=True).log().mean(dim=2, keepdim=True).exp()
        return torch.log(power / level + _RELATIVE_FLOOR)

    def embed_log_mel(self, log_mel: Tensor) -> Tensor:
        """Map log-mel (batch, n_frames, n_mels) to the embedding (batch, embedding_dim)."""
        standardised = ((self.level(log_mel) - self.band_mean) / self.band_std).transpose(1, 2)
        axis = 2 if self.shape.dimensions == 1 else 1
        maps = self.trunk(standardised.unsqueeze(axis))
        frames = functional.relu(self.join_norm(self.join(maps.flatten(1, 2))))
        pooled = torch.cat([self._mean_over_time(frames), frames.amax(2)], dim=1)
        hidden = functional.relu(self.hidden_norm(self.hidden(pooled)))
        return functional.linear(hidden, self.view, self.view_offset)

    def embed_features(self, features: Tensor) -> Tensor:
        """Map a power spectrogram to the embedding (batch, embedding_dim)."""
        return self.embed_log_mel(self.log_mel(features))

    def _mean_over_time(self, frames: Tensor) -> Tensor:
        if self.shape.pooling == "mean":
            return frames.mean(2)
        weights: Tensor = self.attention(frames).softmax(dim=2)
        return (weights * frames).sum(2)


MODEL = LeanCNN
