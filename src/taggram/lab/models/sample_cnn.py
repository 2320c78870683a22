"""Sample-level CNN: convolutions of three samples straight on the waveform."""

from collections.abc import Mapping
from itertools import pairwise

from torch import Tensor, nn

from taggram.lab.models._base import Architecture, TaggingModel
from taggram.lab.models._layers import ConvBlock1d
from taggram.lab.models._peer_names import convert_sota_state
from taggram.modelfile.specification import Waveform

#: Channels after each of the ten blocks that pool by three; the first does so by its stride.
WIDTHS = (128, 128, 128, 256, 256, 256, 256, 256, 256, 512)


class SampleCNN(TaggingModel):
    """Ten convolutions that each shorten the waveform to a third; chunks of 3^10 samples, 3.69 s."""

    architecture = Architecture(
        name="sample_cnn",
        title="Sample-level CNN",
        paper="Lee, Park, Kim, Nam, Sample-level deep convolutional neural networks for music auto-tagging "
        "using raw waveforms, SMC 2017",
        chunk_length=3**10,
        front_end=Waveform(),
    )

    def __init__(self, n_tags: int = 50, *, dropout: float = 0.5) -> None:
        super().__init__(n_tags, embedding_dim=WIDTHS[-1])
        self.layers = nn.Sequential(
            ConvBlock1d(1, WIDTHS[0], 3, stride=3),
            *(ConvBlock1d(n_in, n_out, 3, pool=3) for n_in, n_out in pairwise(WIDTHS)),
            ConvBlock1d(WIDTHS[-1], WIDTHS[-1], 1),
        )
        self.dropout = nn.Dropout(dropout)

    def embed_features(self, features: Tensor) -> Tensor:
        """Map the waveform (batch, 59049) to the embedding (batch, 512)."""
        embedding: Tensor = self.dropout(self.layers(features.unsqueeze(1)).squeeze(2))
        return embedding

    @staticmethod
    def convert_peer_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Convert a checkpoint of minzwon/sota-music-tagging-models."""
        return convert_sota_state(state, {"dense.": "head."})


MODEL = SampleCNN
