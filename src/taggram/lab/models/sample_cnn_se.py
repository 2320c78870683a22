"""Sample-level CNN with residual squeeze-and-excitation blocks, straight on the waveform."""

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from taggram.lab.models._base import Architecture, TaggingModel
from taggram.lab.models._layers import DenseBlock
from taggram.lab.models._peer_names import SOTA_DENSE_BLOCK, convert_sota_state
from taggram.lab.models.sample_cnn import WIDTHS
from taggram.modelfile.specification import Waveform


class SqueezeExcitation(nn.Module):
    """Weigh every channel by what the mean over time says of all channels; no bottleneck."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(n_channels, n_channels)
        self.excite = nn.Linear(n_channels, n_channels)

    def forward(self, curves: Tensor) -> Tensor:
        """Scale (batch, n_channels, time)."""
        weights = torch.sigmoid(self.excite(torch.relu(self.squeeze(curves.mean(dim=2)))))
        return curves * weights.unsqueeze(2)


class ResidualSEBlock(nn.Module):
    """Two convolutions and squeeze-and-excitation beside a shortcut, then max pooling.

    The shortcut is a convolution where the shape changes, and the input itself elsewhere.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, pool: int = 1
    ) -> None:
        super().__init__()
        padding = kernel // 2
        self.main = nn.Sequential(
            nn.Conv1d(in_channels, out_channels, kernel, stride=stride, padding=padding),
            nn.BatchNorm1d(out_channels),
            nn.ReLU(),
            nn.Conv1d(out_channels, out_channels, kernel, padding=padding),
            nn.BatchNorm1d(out_channels),
        )
        self.attention = SqueezeExcitation(out_channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv1d(in_channels, out_channels, kernel, stride=stride, padding=padding),
                nn.BatchNorm1d(out_channels),
            )
        self.pool: nn.Module = nn.MaxPool1d(pool) if pool > 1 else nn.Identity()

    def forward(self, curves: Tensor) -> Tensor:
        """Return the pooled sum of both paths."""
        pooled: Tensor = self.pool(torch.relu(self.shortcut(curves) + self.attention(self.main(curves))))
        return pooled


class SampleCNNSE(TaggingModel):
    """Ten blocks that each shorten the waveform to a third; chunks of 3^10 samples, 3.69 s."""

    architecture = Architecture(
        name="sample_cnn_se",
        title="Sample-level CNN + SE",
        paper="Kim, Lee, Nam, Sample-level CNN architectures for music auto-tagging using raw waveforms, "
        "ICASSP 2018",
        chunk_length=3**10,
        front_end=Waveform(),
    )

    def __init__(self, n_tags: int = 50, *, dropout: float = 0.5) -> None:
        super().__init__(n_tags, embedding_dim=512)
        self.layers = nn.Sequential(
            ResidualSEBlock(1, WIDTHS[0], 3, stride=3),
            *(ResidualSEBlock(n_in, n_out, 3, pool=3) for n_in, n_out in pairwise(WIDTHS)),
            ResidualSEBlock(WIDTHS[-1], WIDTHS[-1], 1),
        )
        self.hidden = DenseBlock(WIDTHS[-1], 512, dropout)

    def embed_features(self, features: Tensor) -> Tensor:
        """Map the waveform (batch, 59049) to the embedding (batch, 512)."""
        embedding: Tensor = self.hidden(self.layers(features.unsqueeze(1)).squeeze(2))
        return embedding

    @staticmethod
    def convert_peer_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Convert a checkpoint of minzwon/sota-music-tagging-models."""
        renamed = convert_sota_state(state, SOTA_DENSE_BLOCK)
        return {
            name.replace(".dense1.", ".attention.squeeze.").replace(".dense2.", ".attention.excite."): tensor
            for name, tensor in renamed.items()
        }


MODEL = SampleCNNSE
