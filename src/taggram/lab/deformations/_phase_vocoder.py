"""Phase vocoder: change the duration of a waveform without its pitch.

The definition is that of `librosa.effects.time_stretch`, which the published robustness study used:
centred frames of 2048 samples every 512, zero padding, a periodic Hann window, linear interpolation of
magnitudes, accumulated instantaneous phases. Own code, so that the product needs no librosa; frames
are worked on in blocks, so that memory follows from the waveform and not from its spectrogram.

One deviation: phases accumulate in float64 and are kept within one turn. librosa accumulates them in the
type of the input, and in float32 the phase of a high bin is lost after some hundred frames.

References
----------
Flanagan, Golden, "Phase vocoder", Bell System Technical Journal, 1966.
"""

import numpy as np
from numpy.typing import NDArray

N_FFT = 2048
HOP_LENGTH = 512
_OVERLAP = N_FFT // HOP_LENGTH
_BLOCK = 512  # output frames worked on at a time
_WINDOW = np.hanning(N_FFT + 1)[:-1].astype(np.float32)
_ADVANCE = 2.0 * np.pi * HOP_LENGTH / N_FFT * np.arange(N_FFT // 2 + 1)  # radians per frame of each bin


def stretch(waveform: NDArray[np.float32], rate: float) -> NDArray[np.float32]:
    """Play a waveform `rate` times as fast at the same pitch.

    Parameters
    ----------
    waveform
        shape (n_samples,), at least one sample.
    rate
        Above 0; 2 halves the duration.

    Returns
    -------
    shape (round(n_samples / rate),)
    """
    if not rate > 0:
        raise ValueError(f"the rate of a time stretch must be above 0, got {rate}")
    padded = np.pad(waveform, N_FFT // 2)
    n_frames = 1 + len(waveform) // HOP_LENGTH
    steps = np.arange(0, n_frames, rate, dtype=np.float64)  # where each output frame lies, in input frames
    sound = np.zeros((len(steps) + _OVERLAP - 1, HOP_LENGTH), np.float32)
    weight = np.zeros_like(sound)
    squared_window = (_WINDOW**2).reshape(_OVERLAP, HOP_LENGTH)
    phase = np.angle(_spectra(padded, 0, 1, n_frames)[0]).astype(np.float64)
    for begin in range(0, len(steps), _BLOCK):
        block = steps[begin : begin + _BLOCK]
        spectra, phase = _stretched_spectra(padded, block, n_frames, phase)
        frames = (np.fft.irfft(spectra, N_FFT) * _WINDOW).reshape(len(block), _OVERLAP, HOP_LENGTH)
        for part in range(_OVERLAP):
            rows = slice(begin + part, begin + part + len(block))
            sound[rows] += frames[:, part]
            weight[rows] += squared_window[part]
    sound /= np.maximum(weight, np.finfo(np.float32).tiny)
    n_samples = round(len(waveform) / rate)
    return _fit(sound.ravel()[N_FFT // 2 :], n_samples)


def _stretched_spectra(
    padded: NDArray[np.float32], steps: NDArray[np.float64], n_frames: int, phase: NDArray[np.float64]
) -> tuple[NDArray[np.complex64], NDArray[np.float64]]:
    """Return the spectra at `steps`, the first with `phase`, and the phase of the step that follows."""
    whole = steps.astype(int)
    first = whole[0]
    spectra = _spectra(padded, first, whole[-1] + 2, n_frames)
    magnitudes, angles = np.abs(spectra), np.angle(spectra)
    left = whole - first
    share = (steps - whole).astype(np.float32)[:, None]
    magnitude = (1 - share) * magnitudes[left] + share * magnitudes[left + 1]
    change = angles[left + 1].astype(np.float64) - angles[left] - _ADVANCE
    change -= 2.0 * np.pi * np.round(change / (2.0 * np.pi))
    phases = np.cumsum(np.vstack([phase, change + _ADVANCE]), axis=0) % (2.0 * np.pi)
    turned = magnitude * np.exp(1j * phases[:-1]).astype(np.complex64)
    return turned, phases[-1]


def _spectra(padded: NDArray[np.float32], begin: int, end: int, n_frames: int) -> NDArray[np.complex64]:
    """Return the spectra of the frames [begin, end); those behind the last frame are zero."""
    n_within = max(0, min(end, n_frames) - begin)
    frames = np.zeros((end - begin, N_FFT), np.float32)
    views = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[begin * HOP_LENGTH :: HOP_LENGTH]
    frames[:n_within] = views[:n_within]
    return np.fft.rfft(frames * _WINDOW).astype(np.complex64, copy=False)


def _fit(waveform: NDArray[np.float32], n_samples: int) -> NDArray[np.float32]:
    """Cut a waveform, or append silence, to `n_samples`."""
    return np.pad(waveform[:n_samples], (0, max(0, n_samples - len(waveform))))
