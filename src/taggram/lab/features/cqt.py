"""Magnitude of the constant-Q transform: (batch, n_octaves · bins_per_octave, n_frames), low to high.

Each bin is the inner product with a Hann-windowed complex tone of Q periods, by one strided convolution
for each octave: the filters of an octave have about one length, half that of the octave below. Nothing
is resampled, unlike in the recursive algorithm, so every bin is exact by definition. The scale is that
of librosa: a sine of amplitude a gives a/2·√(filter length). No logarithm.

References
----------
Brown, "Calculation of a constant Q spectral transform", JASA 1991; normalisation as in McFee et al.,
librosa.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from taggram.chords.constant_q import compute_octave, quality_of
from taggram.errors import ShapeError
from taggram.lab.features._base import Feature, magnitude_of
from taggram.modelfile.specification import Waveform

C1 = 32.703_195_662_574_83
"""Frequency of the note C1 in Hz."""


class CQT(Feature):
    """Constant-Q magnitude.

    Parameters
    ----------
    sample_rate
        Hz.
    fmin
        Frequency of the lowest bin in Hz.
    n_octaves, bins_per_octave
        Range and resolution.
    hop_length
        Samples between frames.

    Raises
    ------
    ShapeError
        If the highest bin does not lie below half the sample rate.
    """

    def __init__(
        self,
        *,
        sample_rate: int = 22_050,
        fmin: float = C1,
        n_octaves: int = 7,
        bins_per_octave: int = 12,
        hop_length: int = 512,
    ) -> None:
        n_features = n_octaves * bins_per_octave
        super().__init__(Waveform(), sample_rate=sample_rate, n_features=n_features, hop_length=hop_length)
        frequencies = fmin * 2.0 ** (np.arange(n_features) / bins_per_octave)
        if frequencies[-1] >= sample_rate / 2:
            raise ShapeError(
                f"{n_octaves} octaves from {fmin:g} Hz reach {frequencies[-1]:.0f} Hz, not below half the "
                f"sample rate of {sample_rate} Hz: take fewer octaves"
            )
        quality = quality_of(bins_per_octave)
        self.octaves = nn.ModuleList(
            _Octave(compute_octave(octave, quality, sample_rate), hop_length)
            for octave in np.split(frequencies, n_octaves)
        )

    def transform(self, inputs: Tensor) -> Tensor:
        """Map a waveform to the magnitudes of its constant-Q transform."""
        return torch.cat([octave(inputs.unsqueeze(1)) for octave in self.octaves], dim=1)


class _Octave(nn.Module):
    """Magnitudes of one octave: (batch, 1, n_samples) → (batch, bins_per_octave, n_frames)."""

    kernels: Tensor

    def __init__(self, kernels: NDArray[np.float32], hop_length: int) -> None:
        super().__init__()
        self.hop_length = hop_length
        self.register_buffer("kernels", torch.from_numpy(kernels), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        half = self.kernels.shape[2] // 2
        padded = functional.pad(waveform, (half, half))
        real, imaginary = functional.conv1d(padded, self.kernels, stride=self.hop_length).chunk(2, dim=1)
        return magnitude_of(real.square() + imaginary.square())


FEATURE = CQT
