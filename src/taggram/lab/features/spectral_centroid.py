"""Spectral centroid: the mean frequency of a frame, weighted by magnitude, in Hz; (batch, 1, n_frames).

Of a silent frame it is a quarter of the sample rate, the mean of all bins.
"""

from torch import Tensor

from taggram.lab.features._base import SpectralFeature, magnitude_of, row


class SpectralCentroid(SpectralFeature):
    """Centroid of the magnitude spectrum."""

    def transform(self, inputs: Tensor) -> Tensor:
        """Map a power spectrogram to the centroid over time."""
        magnitude = magnitude_of(inputs)
        return row(magnitude @ self.frequencies / magnitude.sum(dim=2))


FEATURE = SpectralCentroid
