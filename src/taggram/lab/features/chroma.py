"""Chroma: power by pitch class, (batch, 12, n_frames), C first, scaled so that each frame peaks at 1.

Every bin of the power spectrogram is spread over the pitch classes by a Gaussian around its own pitch,
and bins are weighted around the fifth octave, as in librosa (Ellis's chroma features). A is tuned to
440 Hz. A silent frame is 0.

References
----------
Ellis, "Chroma feature analysis and synthesis", 2007.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from taggram.lab.features._base import TINY, SpectralFeature

N_CLASSES = 12
_A0 = 27.5
_CENTRE_OCTAVE = 5.0
_OCTAVE_WIDTH = 2.0
_A_TO_C = -3  # the filters are computed from A on


class Chroma(SpectralFeature):
    """Chroma of the power spectrogram.

    Parameters
    ----------
    sample_rate
        Hz.
    n_fft, hop_length
        Samples of a frame and between frames.
    """

    filters: Tensor

    def __init__(self, *, sample_rate: int = 22_050, n_fft: int = 2048, hop_length: int = 512) -> None:
        super().__init__(sample_rate=sample_rate, n_fft=n_fft, hop_length=hop_length, n_features=N_CLASSES)
        filters = torch.from_numpy(compute_chroma_filters(sample_rate, n_fft))
        self.register_buffer("filters", filters, persistent=False)

    def transform(self, inputs: Tensor) -> Tensor:
        """Map a power spectrogram to chroma."""
        chroma = (inputs @ self.filters).transpose(1, 2)
        return chroma / chroma.amax(dim=1, keepdim=True).clamp(min=TINY)


def compute_chroma_filters(sample_rate: int, n_fft: int) -> NDArray[np.float32]:
    """Compute the weights of each bin in each pitch class, shape (n_fft // 2 + 1, 12)."""
    frequencies = np.arange(1, n_fft) * sample_rate / n_fft
    pitch = N_CLASSES * np.log2(frequencies / _A0)  # semitones above A0
    pitch = np.concatenate([[pitch[0] - 1.5 * N_CLASSES], pitch])  # bin 0 has no pitch: far from bin 1
    width = np.append(np.maximum(np.diff(pitch), 1.0), 1.0)
    distance = pitch[:, None] - np.arange(N_CLASSES, dtype=np.float64)
    distance = (distance + N_CLASSES / 2) % N_CLASSES - N_CLASSES / 2
    filters = np.exp(-0.5 * (2.0 * distance / width[:, None]) ** 2)
    filters /= np.linalg.norm(filters, axis=1, keepdims=True)
    filters *= np.exp(-0.5 * ((pitch / N_CLASSES - _CENTRE_OCTAVE) / _OCTAVE_WIDTH) ** 2)[:, None]
    from_c: NDArray[np.float64] = np.roll(filters, _A_TO_C, axis=1)[: n_fft // 2 + 1]
    return from_c.astype(np.float32)


FEATURE = Chroma
