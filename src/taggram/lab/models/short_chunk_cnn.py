"""Short-chunk CNN: a VGG-like network on a short log-mel spectrogram, maximum over what is left of time."""

from collections.abc import Mapping
from itertools import pairwise

from torch import Tensor, nn

from taggram.lab.models._base import Architecture, TaggingModel
from taggram.lab.models._layers import SOTA_POWER_SPECTROGRAM, ConvBlock2d, DenseBlock, sota_log_mel
from taggram.lab.models._peer_names import SOTA_DENSE_BLOCK, convert_sota_state


class ShortChunkCNN(TaggingModel):
    """Seven convolutions with 2 × 2 pooling; chunks of 3.69 s.

    Parameters
    ----------
    n_tags
        Size of the tag vocabulary.
    n_channels
        Channels of the first two layers; the middle ones have twice, the last one four times as many.
    dropout
        Probability of dropping an element of the embedding in training.
    """

    architecture = Architecture(
        name="short_chunk_cnn",
        title="Short-chunk CNN",
        paper="Won, Ferraro, Bogdanov, Serra, Evaluation of CNN-based automatic music tagging models, "
        "SMC 2020",
        chunk_length=59_049,
        front_end=SOTA_POWER_SPECTROGRAM,
    )

    def __init__(self, n_tags: int = 50, *, n_channels: int = 128, dropout: float = 0.5) -> None:
        super().__init__(n_tags, embedding_dim=4 * n_channels)
        self.log_mel = sota_log_mel(n_mels=128)
        widths = [1] + [n_channels * factor for factor in (1, 1, 2, 2, 2, 2, 4)]
        self.layers = nn.Sequential(*(ConvBlock2d(n_in, n_out, 2) for n_in, n_out in pairwise(widths)))
        self.hidden = DenseBlock(4 * n_channels, 4 * n_channels, dropout)

    def embed_features(self, features: Tensor) -> Tensor:
        """Map the power spectrogram (batch, 231, 257) to the embedding (batch, 4 * n_channels)."""
        maps = self.layers(self.log_mel(features))  # (batch, 4 * n_channels, 1, 1)
        embedding: Tensor = self.hidden(maps.amax(dim=(2, 3)))
        return embedding

    @staticmethod
    def convert_peer_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Convert a checkpoint of minzwon/sota-music-tagging-models."""
        return convert_sota_state(state, SOTA_DENSE_BLOCK)


MODEL = ShortChunkCNN
