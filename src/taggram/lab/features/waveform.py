"""The waveform itself as a feature: one row, one frame per sample."""

from torch import Tensor

from taggram.lab.features._base import Feature, row
from taggram.modelfile.specification import Waveform


class WaveformFeature(Feature):
    """(batch, n_samples) → (batch, 1, n_samples)."""

    def __init__(self, *, sample_rate: int = 22_050) -> None:
        super().__init__(Waveform(), sample_rate=sample_rate, n_features=1)

    def n_frames(self, n_samples: int) -> int:
        """Return `n_samples`: every sample is a frame."""
        return n_samples

    def transform(self, inputs: Tensor) -> Tensor:
        """Add the axis of the one row."""
        return row(inputs)


FEATURE = WaveformFeature
