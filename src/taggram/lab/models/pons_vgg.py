"""The VGG-like network that its authors published beside musicnn.

Every block is convolution → ReLU → batch norm → max pooling, in this order. The layout is (batch,
channels, n_frames, n_mels).
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
    batch_norm_2d,
)

Size = tuple[int, int]


class PooledBlock(nn.Module):
    """3 × 3 convolution → ReLU → batch norm → max pooling → dropout; pools are (time, frequency)."""

    def __init__(self, in_channels: int, pool: Size, stride: Size, dropout: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 128, 3, padding=1)
        self.norm = batch_norm_2d(128)
        self.pool = nn.MaxPool2d(pool, stride)
        self.dropout = nn.Dropout(dropout)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the pooled maps."""
        pooled: Tensor = self.dropout(self.pool(self.norm(torch.relu(self.conv(maps)))))
        return pooled


class PonsVGG(TaggingModel):
    """Five convolutions of 128 channels; chunks of 187 frames, 2.98 s."""

    architecture = Architecture(
        name="pons_vgg",
        title="vgg (original of musicnn)",
        paper=PONS_PAPER,
        chunk_length=PONS_CHUNK_LENGTH,
        front_end=PONS_POWER_SPECTROGRAM,
    )

    def __init__(self, n_tags: int = 50, *, dropout: float = 0.5) -> None:
        super().__init__(n_tags, embedding_dim=2 * 1 * 128)
        self.log_mel = PonsLogMel()
        self.layers = nn.Sequential(
            PooledBlock(1, (4, 1), (2, 2), dropout / 2),
            PooledBlock(128, (2, 2), (2, 2), dropout / 2),
            PooledBlock(128, (2, 2), (2, 2), dropout / 2),
            PooledBlock(128, (2, 2), (2, 2), dropout / 2),
            PooledBlock(128, (4, 4), (4, 4), dropout),
        )

    def embed_features(self, features: Tensor) -> Tensor:
        """Map the power spectrogram (batch, 187, 257) to the embedding (batch, 256)."""
        maps = self.layers(self.log_mel(features))  # (batch, 128, 2, 1)
        embedding: Tensor = maps.permute(0, 2, 3, 1).flatten(1)
        return embedding

    @staticmethod
    def convert_peer_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Convert a Keras file of Quint-e/musicnn_keras."""
        layers = {
            "bn_input": "log_mel.norm",
            **{f"{i + 1}CNN": f"layers.{i}.conv" for i in range(5)},
            **{f"bn_conv{i + 1}": f"layers.{i}.norm" for i in range(5)},
            "output": "head",
        }
        return convert_keras_state(state, layers)


MODEL = PonsVGG
