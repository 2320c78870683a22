"""Spectral bandwidth: standard deviation of frequency, weighted by magnitude, in Hz; (batch, 1, n_frames)."""

import torch
from torch import Tensor

from taggram.lab.features._base import TINY, SpectralFeature, magnitude_of, row


class SpectralBandwidth(SpectralFeature):
    """Spread of the magnitude spectrum around its centroid."""

    def transform(self, inputs: Tensor) -> Tensor:
        """Map a power spectrogram to the bandwidth over time."""
        magnitude = magnitude_of(inputs)
        weight = magnitude / magnitude.sum(dim=2, keepdim=True)
        centroid = (weight @ self.frequencies).unsqueeze(2)
        variance = (weight * (self.frequencies - centroid).square()).sum(dim=2)
        return row(torch.sqrt(variance.clamp(min=TINY)))


FEATURE = SpectralBandwidth
