"""Spectral roll-off: the lowest bin below which a share of the magnitude lies, in Hz; (batch, 1, n_frames).

A choice of one bin has no gradient.
"""

from torch import Tensor

from taggram.lab.features._base import SpectralFeature, magnitude_of, row


class SpectralRolloff(SpectralFeature):
    """Roll-off frequency.

    Parameters
    ----------
    sample_rate
        Hz.
    n_fft, hop_length
        Samples of a frame and between frames.
    share
        Of the sum of magnitudes, in (0, 1).
    """

    is_differentiable = False

    def __init__(
        self, *, sample_rate: int = 22_050, n_fft: int = 2048, hop_length: int = 512, share: float = 0.85
    ) -> None:
        super().__init__(sample_rate=sample_rate, n_fft=n_fft, hop_length=hop_length)
        self.share = share

    def transform(self, inputs: Tensor) -> Tensor:
        """Map a power spectrogram to the roll-off over time."""
        below = magnitude_of(inputs).cumsum(dim=2)
        n_below = (below < self.share * below[:, :, -1:]).to(inputs.dtype).sum(dim=2)
        return row(n_below * self.frequencies[1])


FEATURE = SpectralRolloff
