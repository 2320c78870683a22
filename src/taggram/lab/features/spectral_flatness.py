"""Spectral flatness: geometric over arithmetic mean of the power of a frame, in (0, 1]; (batch, 1, n_frames).

1 is white, near 0 is tonal. Power below 1e-10 counts as 1e-10, so silence is flat.
"""

from torch import Tensor

from taggram.lab.features._base import TINY, SpectralFeature, row


class SpectralFlatness(SpectralFeature):
    """Flatness of the power spectrum."""

    def transform(self, inputs: Tensor) -> Tensor:
        """Map a power spectrogram to the flatness over time."""
        power = inputs.clamp(min=TINY)
        return row(power.log().mean(dim=2).exp() / power.mean(dim=2))


FEATURE = SpectralFlatness
