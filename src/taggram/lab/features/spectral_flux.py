"""Spectral flux: mean rise of a log-mel spectrogram since the last frame, in decibels; (batch, 1, n_frames).

Falls count as 0; the first frame has no predecessor and is 0. This is the onset strength of librosa,
but for its clipping at 80 dB below the maximum.

References
----------
Böck, Widmer, "Maximum filter vibrato suppression for onset detection", DAFx 2013 (without the filter).
"""

from torch import Tensor
from torch.nn import functional

from taggram.lab.features._base import SpectralFeature, row
from taggram.lab.features.log_mel import LogMel


class SpectralFlux(SpectralFeature):
    """Half-wave rectified flux.

    Parameters
    ----------
    sample_rate
        Hz.
    n_mels
        Number of mel bands.
    n_fft, hop_length
        Samples of a frame and between frames.
    """

    def __init__(
        self, *, sample_rate: int = 22_050, n_mels: int = 128, n_fft: int = 2048, hop_length: int = 512
    ) -> None:
        super().__init__(sample_rate=sample_rate, n_fft=n_fft, hop_length=hop_length)
        self.log_mel = LogMel(
            sample_rate=sample_rate, n_mels=n_mels, n_fft=n_fft, hop_length=hop_length, logarithm="decibel"
        )

    def transform(self, inputs: Tensor) -> Tensor:
        """Map a power spectrogram to the flux over time."""
        log_mel = self.log_mel.transform(inputs)
        rise = (log_mel[:, :, 1:] - log_mel[:, :, :-1]).relu().mean(dim=1)
        return row(functional.pad(rise, (1, 0)))


FEATURE = SpectralFlux
