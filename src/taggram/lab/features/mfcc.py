"""Mel-frequency cepstral coefficients, with their first and second differences over time.

The orthonormal DCT-II of the log-mel spectrogram in decibels; rows are coefficients 0, 1, …, then their
deltas, then their double deltas. Deltas are the slope and curvature of a least-squares polynomial over
9 frames (Savitzky–Golay), where the first and last frame are repeated beyond the ends.

`librosa.feature.mfcc` clips the decibels to 80 below the loudest frame of the clip; here a frame does
not depend on the others.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from taggram.lab.features._base import SpectralFeature
from taggram.lab.features.log_mel import LogMel

DELTA_WIDTH = 9


class MFCC(SpectralFeature):
    """MFCC (batch, (1 + n_deltas) · n_coefficients, n_frames).

    Parameters
    ----------
    sample_rate
        Hz.
    n_coefficients, n_mels
        Coefficients kept, and mel bands they are computed from.
    n_deltas
        0: coefficients only; 1: with deltas; 2: with deltas and double deltas.
    n_fft, hop_length
        Samples of a frame and between frames.
    """

    dct: Tensor
    delta_kernels: Tensor

    def __init__(
        self,
        *,
        sample_rate: int = 22_050,
        n_coefficients: int = 20,
        n_mels: int = 128,
        n_deltas: int = 2,
        n_fft: int = 2048,
        hop_length: int = 512,
    ) -> None:
        super().__init__(
            sample_rate=sample_rate,
            n_fft=n_fft,
            hop_length=hop_length,
            n_features=(1 + n_deltas) * n_coefficients,
        )
        self.log_mel = LogMel(
            sample_rate=sample_rate, n_mels=n_mels, n_fft=n_fft, hop_length=hop_length, logarithm="decibel"
        )
        self.n_deltas = n_deltas
        dct = torch.from_numpy(compute_dct(n_mels, n_coefficients))
        kernels = torch.from_numpy(_compute_delta_kernels()[:n_deltas])
        self.register_buffer("dct", dct, persistent=False)
        self.register_buffer("delta_kernels", kernels.unsqueeze(1), persistent=False)

    def transform(self, inputs: Tensor) -> Tensor:
        """Map a power spectrogram to the coefficients and their deltas."""
        coefficients = self.dct @ self.log_mel.transform(inputs)
        if not self.n_deltas:
            return coefficients
        n_coefficients, n_frames = coefficients.shape[1:]
        half = DELTA_WIDTH // 2
        padded = functional.pad(coefficients, (half, half), mode="replicate")
        # One filter for all coefficients: they lie in the batch, (batch * n_coefficients, 1, time).
        deltas = functional.conv1d(padded.reshape(-1, 1, n_frames + 2 * half), self.delta_kernels)
        by_order = deltas.reshape(-1, n_coefficients, self.n_deltas, n_frames).transpose(1, 2).flatten(1, 2)
        return torch.cat([coefficients, by_order], dim=1)


def compute_dct(n_inputs: int, n_coefficients: int) -> NDArray[np.float32]:
    """Compute the first rows of the orthonormal DCT-II, shape (n_coefficients, n_inputs)."""
    angle = np.pi / n_inputs * np.outer(np.arange(n_coefficients), np.arange(n_inputs) + 0.5)
    matrix: NDArray[np.float64] = np.cos(angle) * np.sqrt(2.0 / n_inputs)
    matrix[0] *= np.sqrt(0.5)
    return matrix.astype(np.float32)


def _compute_delta_kernels() -> NDArray[np.float32]:
    """Return the filters of slope (of a line) and curvature (of a parabola), shape (2, DELTA_WIDTH)."""
    times = np.arange(DELTA_WIDTH) - DELTA_WIDTH // 2
    slope = np.linalg.pinv(np.vander(times, 2, increasing=True))[1]
    curvature = 2.0 * np.linalg.pinv(np.vander(times, 3, increasing=True))[2]
    return np.array([slope, curvature], np.float32)


FEATURE = MFCC
