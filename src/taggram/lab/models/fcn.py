"""FCN: a fully convolutional network on the log-mel spectrogram of half a minute."""

from collections.abc import Mapping

from torch import Tensor, nn

from taggram.lab.models._base import Architecture, TaggingModel
from taggram.lab.models._layers import SOTA_POWER_SPECTROGRAM, ConvBlock2d, sota_log_mel
from taggram.lab.models._peer_names import convert_sota_state


class FCN(TaggingModel):
    """Five convolutions that pool the spectrogram down to one vector; chunks of 29 s."""

    architecture = Architecture(
        name="fcn",
        title="FCN",
        paper="Choi, Fazekas, Sandler, Automatic tagging using deep convolutional neural networks, "
        "ISMIR 2016",
        chunk_length=464_000,
        front_end=SOTA_POWER_SPECTROGRAM,
    )

    def __init__(self, n_tags: int = 50, *, dropout: float = 0.5) -> None:
        super().__init__(n_tags, embedding_dim=64)
        self.log_mel = sota_log_mel(n_mels=96)
        self.layers = nn.Sequential(
            ConvBlock2d(1, 64, (2, 4)),
            ConvBlock2d(64, 128, (2, 4)),
            ConvBlock2d(128, 128, (2, 4)),
            ConvBlock2d(128, 128, (3, 5)),
            ConvBlock2d(128, 64, (4, 4)),
        )
        self.dropout = nn.Dropout(dropout)

    def embed_features(self, features: Tensor) -> Tensor:
        """Map the power spectrogram (batch, 1813, 257) to the embedding (batch, 64)."""
        embedding: Tensor = self.dropout(self.layers(self.log_mel(features)).flatten(1))
        return embedding

    @staticmethod
    def convert_peer_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Convert a checkpoint of minzwon/sota-music-tagging-models."""
        return convert_sota_state(state, {"dense.": "head."})


MODEL = FCN
