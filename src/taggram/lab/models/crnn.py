"""CRNN: convolutions that shorten the spectrogram, then a recurrent network over time."""

from collections.abc import Mapping

from torch import Tensor, nn

from taggram.lab.models._base import Architecture, TaggingModel
from taggram.lab.models._layers import SOTA_POWER_SPECTROGRAM, ConvBlock2d, sota_log_mel
from taggram.lab.models._peer_names import convert_sota_state


class CRNN(TaggingModel):
    """Four convolutions and a two-layer GRU whose last state is the embedding; chunks of 29 s."""

    architecture = Architecture(
        name="crnn",
        title="CRNN",
        paper="Choi, Fazekas, Sandler, Cho, Convolutional recurrent neural networks for music "
        "classification, ICASSP 2017",
        chunk_length=464_000,
        front_end=SOTA_POWER_SPECTROGRAM,
    )

    def __init__(self, n_tags: int = 50, *, dropout: float = 0.5) -> None:
        super().__init__(n_tags, embedding_dim=32)
        self.log_mel = sota_log_mel(n_mels=96)
        self.layers = nn.Sequential(
            ConvBlock2d(1, 64, 2), ConvBlock2d(64, 128, 3), ConvBlock2d(128, 128, 4), ConvBlock2d(128, 128, 4)
        )
        self.recurrent = nn.GRU(128, 32, num_layers=2, batch_first=True)
        self.dropout = nn.Dropout(dropout)

    def embed_features(self, features: Tensor) -> Tensor:
        """Map the power spectrogram (batch, 1813, 257) to the embedding (batch, 32)."""
        maps = self.layers(self.log_mel(features))  # (batch, 128, 1, 18)
        states, _ = self.recurrent(maps.squeeze(2).transpose(1, 2))
        embedding: Tensor = self.dropout(states[:, -1])
        return embedding

    @staticmethod
    def convert_peer_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Convert a checkpoint of minzwon/sota-music-tagging-models."""
        return convert_sota_state(state, {"layer5.": "recurrent.", "dense.": "head."})


MODEL = CRNN
