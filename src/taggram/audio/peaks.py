"""Least and greatest samples over time, for drawing a waveform: computed as the sound streams by.

The parts grow with the sound: whenever there are too many, neighbours are joined, but never beyond a 20th of
a second, so that a moment of a long sound can be drawn, too: an hour has 144 000 parts at most, of two bytes.

Conventions: samples in [−1, 1] become int8 in [−127, 127], rounded away from zero so that the softest sound
shows; shape (n_parts, 2), least and greatest.
"""

import sys
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from taggram.errors import ShapeError

N_PARTS = 8192
"""Twice as many parts are kept at most, of sounds that are so short that finer ones would show nothing."""
COARSEST = 0.05
"""Seconds of a part, at most."""
_FULL_SCALE = 127
_FINEST = 64  # samples of one part at the beginning


@dataclass(frozen=True, eq=False)
class Peaks:
    """What a waveform looks like.

    Attributes
    ----------
    duration
        Seconds.
    parts : shape (n_parts, 2), int8
        Least and greatest sample of equal parts; the last may be shorter.
    """

    duration: float
    parts: NDArray[np.int8] = field(repr=False)

    def cut(self, start: float, end: float) -> tuple["Peaks", float]:
        """Return the parts that touch what lies from `start` to `end`, and where they begin, in seconds."""
        n = len(self.parts)
        scale = n / self.duration if self.duration else 0.0
        first = min(max(0, int(start * scale)), max(0, n - 1))
        last = min(n, max(first + 1, int(np.ceil(end * scale))))
        if not scale:
            return self, 0.0
        return Peaks((last - first) / scale, self.parts[first:last]), first / scale

    def reduce(self, n: int) -> NDArray[np.int8]:
        """Return at most `n` parts, each the extremes of equally many of the finer ones.

        Raises
        ------
        ShapeError
            If `n` is not positive.
        """
        if n < 1:
            raise ShapeError(f"a waveform is drawn in at least one part, got {n}")
        n_joined = -(-len(self.parts) // n) or 1
        return _join(self.parts, n_joined)


class PeakMeter:
    """Looks at the blocks of one sound.

    Parameters
    ----------
    sample_rate
        Of the blocks, in Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._n_samples = 0
        self._length = _FINEST
        self._parts: list[NDArray[np.int8]] = []
        self._n_parts = 0
        self._rest = np.empty(0, np.float32)

    @property
    def duration(self) -> float:
        """Seconds that were looked at."""
        return self._n_samples / self._sample_rate

    def add(self, block: NDArray[np.float32]) -> None:
        """Look at the next block, shape (n_samples,)."""
        self._n_samples += len(block)
        samples = np.concatenate([self._rest, block])
        while n_parts := min(len(samples) // self._length, self._n_free):
            end = n_parts * self._length
            self._parts.append(_extremes(samples[:end].reshape(n_parts, self._length)))
            self._n_parts += n_parts
            samples = samples[end:]
            if not self._n_free:
                self._coarsen()
        self._rest = samples

    def result(self) -> Peaks:
        """Return what was seen so far."""
        last = [_extremes(self._rest[None])] if len(self._rest) else []
        parts = np.concatenate([np.empty((0, 2), np.int8), *self._parts, *last])
        return Peaks(self.duration, parts)

    @property
    def _n_free(self) -> int:
        """Parts that may still come before neighbours are joined."""
        if 2 * self._length > COARSEST * self._sample_rate:
            return sys.maxsize
        return 2 * N_PARTS - self._n_parts

    def _coarsen(self) -> None:
        self._length *= 2
        self._parts = [_join(np.concatenate(self._parts), 2)]
        self._n_parts = N_PARTS


def pack_peaks(peaks: Peaks) -> bytes:
    """Return peaks as bytes, to be kept."""
    return np.array(peaks.duration, "<f8").tobytes() + peaks.parts.tobytes()


def unpack_peaks(data: bytes) -> Peaks:
    """Restore peaks."""
    duration = float(np.frombuffer(data, "<f8", 1)[0])
    return Peaks(duration, np.frombuffer(data, np.int8, offset=8).reshape(-1, 2))


def _extremes(rows: NDArray[np.float32]) -> NDArray[np.int8]:
    found = np.stack([rows.min(axis=1), rows.max(axis=1)], axis=1).clip(-1, 1) * _FULL_SCALE
    return np.asarray(np.copysign(np.ceil(np.abs(found)), found), np.int8)


def _join(parts: NDArray[np.int8], n: int) -> NDArray[np.int8]:
    """Return the extremes of every `n` parts."""
    if not len(parts):
        return parts
    starts = np.arange(0, len(parts), n)
    least, greatest = np.minimum.reduceat(parts[:, 0], starts), np.maximum.reduceat(parts[:, 1], starts)
    return np.stack([least, greatest], axis=1)
