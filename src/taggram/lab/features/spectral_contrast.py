"""Spectral contrast: how far peaks stand above valleys, by octave band, in decibels; (batch, 7, n_frames).

In each band, the mean of the largest 2 % of magnitudes (the peak) over that of the smallest 2 % (the
valley), 10·log10 of the magnitudes as librosa takes it. The first band lies below `fmin`, each further
one is an octave, the last one goes up to half the sample rate.

References
----------
Jiang et al., "Music type classification by spectral contrast feature", ICME 2002.
"""

import numpy as np
import torch
from torch import Tensor

from taggram.errors import ShapeError
from taggram.lab.features._base import SpectralFeature, magnitude_of, power_to_decibel


class SpectralContrast(SpectralFeature):
    """Contrast of the magnitude spectrum.

    Parameters
    ----------
    sample_rate
        Hz.
    n_fft, hop_length
        Samples of a frame and between frames.
    fmin
        Upper end of the first band in Hz.
    n_octaves
        Number of bands above it.
    share
        Of the bins of a band that make its peak, and its valley; at least one bin.

    Raises
    ------
    ShapeError
        If a band would begin above half the sample rate.
    """

    def __init__(
        self,
        *,
        sample_rate: int = 22_050,
        n_fft: int = 2048,
        hop_length: int = 512,
        fmin: float = 200.0,
        n_octaves: int = 6,
        share: float = 0.02,
    ) -> None:
        super().__init__(
            sample_rate=sample_rate, n_fft=n_fft, hop_length=hop_length, n_features=n_octaves + 1
        )
        edges = np.concatenate([[0.0], fmin * 2.0 ** np.arange(n_octaves + 1)])
        if edges[-2] >= sample_rate / 2:
            raise ShapeError(
                f"{n_octaves} octaves from {fmin:g} Hz begin above half the sample rate of {sample_rate} Hz: "
                "take fewer octaves"
            )
        n_bins = n_fft // 2 + 1
        places = edges * n_fft / sample_rate
        # A band ends in front of the bin at or below its upper edge, which belongs to the next band.
        begins = [0, *(int(np.ceil(place)) - 1 for place in places[1:-1])]
        ends = [int(np.floor(place)) for place in places[1:-1]]
        self._bands = list(zip(begins, [*ends, n_bins], strict=True))
        sizes = [end + 1 - begin for begin, end in self._bands[:-1]] + [n_bins - begins[-1]]
        self._n_extreme = [max(1, round(share * size)) for size in sizes]

    def transform(self, inputs: Tensor) -> Tensor:
        """Map a power spectrogram to the contrast over time."""
        magnitude = magnitude_of(inputs)
        contrasts = []
        for (begin, end), n_extreme in zip(self._bands, self._n_extreme, strict=True):
            ordered = magnitude[:, :, begin:end].sort(dim=2).values
            valley, peak = ordered[:, :, :n_extreme].mean(dim=2), ordered[:, :, -n_extreme:].mean(dim=2)
            contrasts.append(power_to_decibel(peak) - power_to_decibel(valley))
        return torch.stack(contrasts, dim=1)


FEATURE = SpectralContrast
