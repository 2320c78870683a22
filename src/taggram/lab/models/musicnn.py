"""Musicnn as sota-music-tagging-models trains it: timbral and temporal filters, then a dense back-end.

Not the original of its authors (`pons_musicnn`): decibels instead of log10(1 + 10000·mel), batch norm
before ReLU, odd temporal filters on the mean over the mel bands, and 188 frames instead of 187. The
weights of the two are not interchangeable.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from taggram.lab.models._base import Architecture, TaggingModel
from taggram.lab.models._layers import SOTA_POWER_SPECTROGRAM, ConvBlock1d, DenseBlock, sota_log_mel
from taggram.lab.models._peer_names import SOTA_DENSE_BLOCK, convert_sota_state


class VerticalBlock(nn.Module):
    """Timbral filters: tall convolution → batch norm → ReLU → maximum over the remaining frequencies."""

    def __init__(self, out_channels: int, height: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, out_channels, (height, 7), padding=(0, 3))
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Map (batch, 1, n_mels, n_frames) to (batch, out_channels, n_frames)."""
        return torch.relu(self.norm(self.conv(spectrogram))).amax(dim=2)


class HorizontalBlock(nn.Module):
    """Temporal filters on the energy curve, the mean over the mel bands."""

    def __init__(self, out_channels: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, out_channels, width, padding=width // 2)
        self.norm = nn.BatchNorm1d(out_channels)

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Map (batch, 1, n_mels, n_frames) to (batch, out_channels, n_frames)."""
        return torch.relu(self.norm(self.conv(spectrogram.mean(dim=2))))


class Musicnn(TaggingModel):
    """Musically motivated front-end, three residual convolutions, pooling over time; chunks of 3 s.

    Parameters
    ----------
    n_tags
        Size of the tag vocabulary.
    back_end_channels
        Channels of the back-end's convolutions.
    embedding_dim
        Length of the embedding.
    dropout
        Probability of dropping an element of the embedding in training.
    """

    architecture = Architecture(
        name="musicnn",
        title="Musicnn",
        paper="Pons et al., End-to-end learning for music audio tagging at scale, ISMIR 2018; in the "
        "variant of Won et al., Evaluation of CNN-based automatic music tagging models, "
        "SMC 2020",
        chunk_length=48_000,
        front_end=SOTA_POWER_SPECTROGRAM,
    )

    def __init__(
        self,
        n_tags: int = 50,
        *,
        back_end_channels: int = 64,
        embedding_dim: int = 200,
        dropout: float = 0.5,
    ) -> None:
        super().__init__(n_tags, embedding_dim)
        self.log_mel = sota_log_mel(n_mels=96)
        self.front = nn.ModuleList(
            [
                VerticalBlock(204, 67),
                VerticalBlock(204, 38),
                HorizontalBlock(51, 129),
                HorizontalBlock(51, 65),
                HorizontalBlock(51, 33),
            ]
        )
        n_front = 2 * 204 + 3 * 51
        self.back_end = nn.ModuleList(
            ConvBlock1d(n_in, back_end_channels, 7)
            for n_in in (n_front, back_end_channels, back_end_channels)
        )
        self.hidden = DenseBlock(2 * (n_front + 3 * back_end_channels), embedding_dim, dropout)

    def embed_features(self, features: Tensor) -> Tensor:
        """Map the power spectrogram (batch, 188, 257) to the embedding (batch, embedding_dim)."""
        log_mel = self.log_mel(features)
        front = torch.cat([block(log_mel) for block in self.front], dim=1)
        first, second, third = self.back_end
        level_1 = first(front)
        level_2 = second(level_1) + level_1
        level_3 = third(level_2) + level_2
        levels = torch.cat([front, level_1, level_2, level_3], dim=1)
        embedding: Tensor = self.hidden(torch.cat([levels.amax(dim=2), levels.mean(dim=2)], dim=1))
        return embedding

    @staticmethod
    def convert_peer_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Convert a checkpoint of minzwon/sota-music-tagging-models."""
        back_end = {f"layer{number + 1}.": f"back_end.{number}." for number in range(3)}
        return convert_sota_state(state, {"layers.": "front.", **back_end, **SOTA_DENSE_BLOCK})


MODEL = Musicnn
