"""Harmonic CNN: harmonics as input channels, from a filter bank whose bandwidth is learned."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from taggram.lab.features._harmonic_filters import HarmonicFilters
from taggram.lab.models._base import Architecture, TaggingModel, power_to_db
from taggram.lab.models._layers import SOTA_POWER_SPECTROGRAM, ConvBlock2d, DenseBlock, Pool
from taggram.lab.models._peer_names import SOTA_DENSE_BLOCK, convert_sota_state

N_HARMONICS = 6


class PooledResidualBlock(nn.Module):
    """Two 3 × 3 convolutions beside the identity, then max pooling."""

    def __init__(self, n_channels: int, pool: Pool = 2) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(n_channels, n_channels, 3, padding=1),
            nn.BatchNorm2d(n_channels),
            nn.ReLU(),
            nn.Conv2d(n_channels, n_channels, 3, padding=1),
            nn.BatchNorm2d(n_channels),
        )
        self.pool = nn.MaxPool2d(pool)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the pooled sum of both paths."""
        pooled: Tensor = self.pool(torch.relu(maps + self.main(maps)))
        return pooled


class HarmonicCNN(TaggingModel):
    """Six harmonics of 128 notes, seven convolutional blocks; chunks of 5 s."""

    architecture = Architecture(
        name="harmonic_cnn",
        title="Harmonic CNN",
        paper="Won, Chun, Nieto, Serra, Data-driven harmonic filters for audio representation learning, "
        "ICASSP 2020",
        chunk_length=80_000,
        front_end=SOTA_POWER_SPECTROGRAM,
    )

    def __init__(self, n_tags: int = 50, *, dropout: float = 0.5) -> None:
        super().__init__(n_tags, embedding_dim=256)
        self.harmonics = HarmonicFilters(sample_rate=16_000, n_fft=512, n_harmonics=N_HARMONICS, n_notes=128)
        self.norm = nn.BatchNorm2d(N_HARMONICS)
        self.layers = nn.Sequential(
            ConvBlock2d(N_HARMONICS, 128),
            PooledResidualBlock(128),
            PooledResidualBlock(128),
            PooledResidualBlock(128),
            ConvBlock2d(128, 256),
            PooledResidualBlock(256, (2, 3)),
            PooledResidualBlock(256, (2, 3)),
        )
        self.hidden = DenseBlock(256, 256, dropout)

    def embed_features(self, features: Tensor) -> Tensor:
        """Map the power spectrogram (batch, 313, 257) to the embedding (batch, 256)."""
        maps = self.layers(self.norm(power_to_db(self.harmonics(features))))  # (batch, 256, 1, 1)
        embedding: Tensor = self.hidden(maps.amax(dim=(2, 3)))
        return embedding

    @staticmethod
    def convert_peer_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Convert a checkpoint of minzwon/sota-music-tagging-models."""
        filters = {"hstft.bw_Q": "harmonics.quality", "hstft_bn.": "norm."}
        return convert_sota_state(state, {**filters, **SOTA_DENSE_BLOCK})


MODEL = HarmonicCNN
