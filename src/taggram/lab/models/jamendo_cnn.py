"""The baseline of the MTG-Jamendo dataset: the FCN's widths with ELU, at 12 kHz.

Features: Slaney mel power with unit-area triangles, 96 bands up to 6 kHz, in decibels that are doubled
(20·log10 of a power). The window is symmetric and the waveform is padded by zeros.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from taggram.lab.features._mel_filters import compute_mel_filters
from taggram.lab.models._base import Architecture, TaggingModel
from taggram.lab.models._layers import DecibelMel, Pool
from taggram.lab.models._peer_names import rename_prefixes
from taggram.modelfile.specification import PowerSpectrogram


class ELUBlock(nn.Module):
    """3 × 3 convolution → batch norm → ELU → max pooling."""

    def __init__(self, in_channels: int, out_channels: int, pool: Pool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(out_channels)
        self.pool = nn.MaxPool2d(pool)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the pooled maps."""
        pooled: Tensor = self.pool(nn.functional.elu(self.norm(self.conv(maps))))
        return pooled


class JamendoCNN(TaggingModel):
    """Five convolutions that pool the spectrogram down to one vector; chunks of 1366 frames, 29.1 s."""

    architecture = Architecture(
        name="jamendo_cnn",
        title="MTG-Jamendo baseline",
        paper="Bogdanov, Won, Tovstogan, Porter, Serra, The MTG-Jamendo dataset for automatic music tagging, "
        "ML4MD at ICML 2019",
        chunk_length=1365 * 256,
        front_end=PowerSpectrogram(n_fft=512, hop_length=256, window="hann_symmetric", pad_mode="zeros"),
        sample_rate=12_000,
    )

    def __init__(self, n_tags: int = 50, *, dropout: float = 0.5) -> None:
        super().__init__(n_tags, embedding_dim=64)
        self.log_mel = DecibelMel(
            compute_mel_filters(sample_rate=12_000, n_fft=512, n_mels=96, scale="slaney", unit_area=True),
            gain=2.0,
        )
        self.layers = nn.Sequential(
            ELUBlock(1, 64, (2, 4)),
            ELUBlock(64, 128, (2, 4)),
            ELUBlock(128, 128, (2, 4)),
            ELUBlock(128, 128, (3, 5)),
            ELUBlock(128, 64, (4, 4)),
        )
        self.dropout = nn.Dropout(dropout)

    def embed_features(self, features: Tensor) -> Tensor:
        """Map the power spectrogram (batch, 1366, 257) to the embedding (batch, 64)."""
        embedding: Tensor = self.dropout(self.layers(self.log_mel(features)).flatten(1))
        return embedding

    @staticmethod
    def convert_peer_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Convert a checkpoint of MTG/mtg-jamendo-dataset."""
        layers = {
            f"{theirs}_{i + 1}.": f"layers.{i}.{ours}."
            for i in range(5)
            for theirs, ours in (("conv", "conv"), ("bn", "norm"))
        }
        return rename_prefixes(state, {"bn_init.": "log_mel.norm.", **layers, "dense.": "head."})


MODEL = JamendoCNN
