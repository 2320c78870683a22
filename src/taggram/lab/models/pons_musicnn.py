"""musicnn as its authors published it: timbral and temporal filters, residual mid-end, pooling over time.

Every block is convolution → ReLU → batch norm, in this order. The layout is (batch, channels, n_frames,
n_mels).
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from taggram.lab.models._base import Architecture, TaggingModel
from taggram.lab.models._peer_names import convert_keras_state
from taggram.lab.models._pons import (
    PONS_CHUNK_LENGTH,
    PONS_PAPER,
    PONS_POWER_SPECTROGRAM,
    PonsLogMel,
    batch_norm_1d,
    batch_norm_2d,
)


class FrontBlock(nn.Module):
    """Convolution → ReLU → batch norm → maximum over frequency; the number of frames stays.

    Padding is TensorFlow's "same" in time: an even filter gets the larger half behind.
    """

    def __init__(self, out_channels: int, n_frames: int, n_mels: int) -> None:
        super().__init__()
        self.pad = nn.ZeroPad2d((0, 0, (n_frames - 1) // 2, n_frames // 2))
        self.conv = nn.Conv2d(1, out_channels, (n_frames, n_mels))
        self.norm = batch_norm_2d(out_channels)

    def forward(self, log_mel: Tensor) -> Tensor:
        """Map (batch, 1, n_frames, n_mels) to (batch, out_channels, n_frames)."""
        maps: Tensor = self.norm(torch.relu(self.conv(self.pad(log_mel))))
        return maps.amax(dim=3)


class MidBlock(nn.Module):
    """Convolution over time → ReLU → batch norm."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(in_channels, out_channels, 7, padding=3)
        self.norm = batch_norm_1d(out_channels)

    def forward(self, curves: Tensor) -> Tensor:
        """Map (batch, in_channels, n_frames) to (batch, out_channels, n_frames)."""
        normalised: Tensor = self.norm(torch.relu(self.conv(curves)))
        return normalised


class PonsMusicnn(TaggingModel):
    """The original musicnn; chunks of 187 frames, 2.98 s.

    Parameters
    ----------
    n_tags
        Size of the tag vocabulary.
    mid_end_channels
        Channels of the mid-end's convolutions.
    embedding_dim
        Length of the embedding.
    dropout
        Probability of dropping an element of the pooled vector and of the embedding in training.
    """

    architecture = Architecture(
        name="pons_musicnn",
        title="musicnn (original)",
        paper=PONS_PAPER,
        chunk_length=PONS_CHUNK_LENGTH,
        front_end=PONS_POWER_SPECTROGRAM,
    )

    def __init__(
        self, n_tags: int = 50, *, mid_end_channels: int = 64, embedding_dim: int = 200, dropout: float = 0.5
    ) -> None:
        super().__init__(n_tags, embedding_dim)
        self.log_mel = PonsLogMel()
        self.front = nn.ModuleList(
            [
                FrontBlock(204, 7, 38),
                FrontBlock(204, 7, 67),
                FrontBlock(51, 128, 1),
                FrontBlock(51, 64, 1),
                FrontBlock(51, 32, 1),
            ]
        )
        n_front = 2 * 204 + 3 * 51
        self.mid_end = nn.ModuleList(
            MidBlock(n_in, mid_end_channels) for n_in in (n_front, mid_end_channels, mid_end_channels)
        )
        n_pooled = 2 * (n_front + 3 * mid_end_channels)
        self.pooled_norm = batch_norm_1d(n_pooled)
        self.hidden = nn.Linear(n_pooled, embedding_dim)
        self.hidden_norm = batch_norm_1d(embedding_dim)
        self.dropout = nn.Dropout(dropout)

    def embed_features(self, features: Tensor) -> Tensor:
        """Map the power spectrogram (batch, 187, 257) to the embedding (batch, embedding_dim)."""
        log_mel = self.log_mel(features)
        front = torch.cat([block(log_mel) for block in self.front], dim=1)
        first, second, third = self.mid_end
        level_1 = first(front)
        level_2 = second(level_1) + level_1
        level_3 = third(level_2) + level_2
        levels = torch.cat([front, level_1, level_2, level_3], dim=1)
        # Maximum and mean of a channel stand side by side: max 0, mean 0, max 1, mean 1, …
        pooled = torch.stack([levels.amax(dim=2), levels.mean(dim=2)], dim=2).flatten(1)
        hidden = torch.relu(self.hidden(self.dropout(self.pooled_norm(pooled))))
        embedding: Tensor = self.dropout(self.hidden_norm(hidden))
        return embedding

    @staticmethod
    def convert_peer_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Convert a Keras file of Quint-e/musicnn_keras."""
        layers = {
            "batch_normalization": "log_mel.norm",
            **{f"conv2d_{i}".removesuffix("_0"): f"front.{i}.conv" for i in range(5)},
            **{f"batch_normalization_{i + 1}": f"front.{i}.norm" for i in range(5)},
            **{f"midend_conv{i + 1}": f"mid_end.{i}.conv" for i in range(3)},
            **{f"bn_midend_conv{i + 1}": f"mid_end.{i}.norm" for i in range(3)},
            "bn_flatpool": "pooled_norm",
            "dense": "hidden",
            "bn_dense": "hidden_norm",
            "dense_1": "head",
        }
        converted = convert_keras_state(state, layers)
        # The mid-end's kernels have their input channels on the width axis: (out, 1, time, in).
        return {
            name: tensor.squeeze(1).transpose(1, 2).contiguous() if _is_mid_end_kernel(name) else tensor
            for name, tensor in converted.items()
        }


def _is_mid_end_kernel(name: str) -> bool:
    return name.startswith("mid_end.") and name.endswith(".conv.weight")


MODEL = PonsMusicnn
