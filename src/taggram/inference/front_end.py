"""What is computed beside the graph: the power spectrogram, by a fast FFT in numpy.

Measured faster than any form inside the graph (docs/model_file.md). The same numbers come from
`taggram.lab.features._power_spectrogram` and from the self-contained export, to 1e-4 of the scores.

Conventions: waveform float32 (batch, n_samples); result float32 (batch, n_frames, n_fft // 2 + 1).
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from taggram.modelfile.specification import PowerSpectrogram


@lru_cache(maxsize=8)
def _window(spec: PowerSpectrogram) -> NDArray[np.float32]:
    period = spec.n_fft if spec.window == "hann_periodic" else spec.n_fft - 1
    phase = 2 * np.pi * np.arange(spec.n_fft) / period
    return (0.5 - 0.5 * np.cos(phase)).astype(np.float32)


def power_spectrogram(waveform: NDArray[np.float32], spec: PowerSpectrogram) -> NDArray[np.float32]:
    """Compute |STFT|² of a batch of waveforms.

    Parameters
    ----------
    waveform : shape (batch, n_samples)
        At least `n_fft // 2 + 1` samples, so that they can be reflected at the edges.
    spec
        Frame length, hop, window and padding.

    Returns
    -------
    shape (batch, n_frames, n_fft // 2 + 1), n_frames = 1 + n_samples // hop_length
    """
    n_frames = spec.n_frames(waveform.shape[1])
    power = np.empty((len(waveform), n_frames, spec.n_bins), np.float32)
    for row, out in zip(waveform, power, strict=True):  # one chunk at a time stays in the cache
        frames = _frames(row, spec)
        spectrum = np.fft.rfft(frames * _window(spec))
        np.square(spectrum.real, out=out)
        out += np.square(spectrum.imag)
    return power


def _frames(waveform: NDArray[np.float32], spec: PowerSpectrogram) -> NDArray[np.float32]:
    """Return the centred frames (n_frames, n_fft) of one waveform, as a view."""
    padded = np.pad(waveform, spec.n_fft // 2, mode="reflect" if spec.pad_mode == "reflect" else "constant")
    return np.lib.stride_tricks.sliding_window_view(padded, spec.n_fft)[:: spec.hop_length]
