"""The constant-Q spectrum of a stream of blocks, frame by frame, in flat memory.

Each bin is the inner product with a Hann-windowed complex tone of Q periods; the filters of one octave are
one matrix, and frames of all octaves are centred alike: frame `i` on sample `i * hop_length`, exactly, so
that frame times cannot drift. Beyond the ends of the sound lies silence. The scale is that of librosa: a
sine of amplitude a gives a/2·√(filter length). No logarithm.

Conventions: a block is float32 (n_samples,) at the specification's rate; frames are float32 (n_frames,
n_bins), bins low to high. The result does not depend on how the sound is cut into blocks.

References
----------
Brown, "Calculation of a constant Q spectral transform", JASA 1991; normalisation as in McFee et al.,
librosa.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from taggram.modelfile.specification import ConstantQ

Frames = NDArray[np.float32]
_FRAMES_AT_ONCE = 256  # bounds memory: so many frames of the lowest octave are copied side by side


class ConstantQStream:
    """Turn blocks into frames.

    Parameters
    ----------
    spec
        Bins and hop.
    sample_rate
        Hz.
    tuning_cents
        The bins lie so much above those of A = 440 Hz.
    """

    def __init__(self, spec: ConstantQ, sample_rate: int, *, tuning_cents: float = 0.0) -> None:
        self._hop_length = spec.hop_length
        frequencies = spec.fmin * 2.0 ** (np.arange(spec.n_bins) / spec.bins_per_octave + tuning_cents / 1200)
        quality = quality_of(spec.bins_per_octave)
        self._octaves = [
            np.ascontiguousarray(compute_octave(bins, quality, sample_rate)[:, 0].T)
            for bins in np.split(frequencies, spec.n_octaves)
        ]
        self._half = max(len(kernels) for kernels in self._octaves) // 2
        # The sound that frames still need, from sample `_start` on; silence lies before the first.
        self._tail = np.zeros(self._half, np.float32)
        self._n_samples = 0
        self._n_frames = 0

    def add(self, block: Frames) -> Frames:
        """Take the next block; return the frames that are now complete, perhaps none."""
        self._n_samples += len(block)
        self._tail = np.concatenate([self._tail, block])
        n_done = (self._n_samples - self._half) // self._hop_length + 1
        return self._frames(max(0, n_done - self._n_frames))

    def flush(self) -> Frames:
        """End the sound; return the remaining frames: in all, 1 + n_samples // hop_length."""
        self._tail = np.concatenate([self._tail, np.zeros(self._half, np.float32)])
        n_frames = 1 + self._n_samples // self._hop_length
        return self._frames(n_frames - self._n_frames)

    def _frames(self, n_frames: int) -> Frames:
        parts = []
        for first in range(0, n_frames, _FRAMES_AT_ONCE):
            size = min(_FRAMES_AT_ONCE, n_frames - first)
            parts.append(np.concatenate([self._octave(kernels, size) for kernels in self._octaves], axis=1))
            self._tail = self._tail[size * self._hop_length :]
        self._n_frames += n_frames
        n_bins = sum(kernels.shape[1] // 2 for kernels in self._octaves)
        return np.concatenate(parts) if parts else np.empty((0, n_bins), np.float32)

    def _octave(self, kernels: Frames, n_frames: int) -> Frames:
        """Return the magnitudes of one octave for the next frames; the first is centred on `_half`."""
        length = len(kernels)
        begin = self._half - length // 2
        needed = self._tail[begin : begin + (n_frames - 1) * self._hop_length + length]
        windows = np.lib.stride_tricks.sliding_window_view(needed, length)[:: self._hop_length]
        real, imaginary = np.split(np.ascontiguousarray(windows) @ kernels, 2, axis=1)
        magnitudes: Frames = np.sqrt(real**2 + imaginary**2)
        return magnitudes


def compute_constant_q(
    blocks: Iterable[Frames], spec: ConstantQ, sample_rate: int, *, tuning_cents: float = 0.0
) -> Iterator[Frames]:
    """Yield the frames of a sound, a block of them at a time."""
    stream = ConstantQStream(spec, sample_rate, tuning_cents=tuning_cents)
    for block in blocks:
        if len(frames := stream.add(block)):
            yield frames
    yield stream.flush()


def quality_of(bins_per_octave: int) -> float:
    """Return Q for bins whose width is half the distance of their neighbours."""
    step = float(2.0 ** (2.0 / bins_per_octave))
    return (step + 1) / (step - 1)


def compute_octave(frequencies: NDArray[np.float64], quality: float, sample_rate: int) -> NDArray[np.float32]:
    """Compute the filters of neighbouring bins.

    Parameters
    ----------
    frequencies
        shape (n_bins,), Hz, ascending.
    quality
        Periods of its tone that a filter holds.
    sample_rate
        Hz.

    Returns
    -------
    shape (2 * n_bins, 1, length of the longest filter, even): real parts, then imaginary parts
    """
    lengths = quality * sample_rate / frequencies
    half = int(np.ceil(lengths[0] / 2))
    times = np.arange(-half, half)
    # A Hann window of a real length, centred on 0; it is 0 from half its length on.
    place = times / lengths[:, None]
    window = np.where(np.abs(place) < 0.5, 0.5 + 0.5 * np.cos(2 * np.pi * place), 0.0)
    window *= np.sqrt(lengths)[:, None] / window.sum(axis=1, keepdims=True)
    tones = window * np.exp(-2j * np.pi * frequencies[:, None] / sample_rate * times)
    return np.concatenate([tones.real, tones.imag])[:, None].astype(np.float32)
