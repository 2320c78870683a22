"""Decoded frames → mono blocks → mono blocks at another sample rate, in flat memory.

Conventions: a block is float32 of shape (n_samples,); mono is the mean of all channels; integer
samples are scaled by their full scale to [−1, 1). Resampling is soxr's "HQ", streamed.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import soxr
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from taggram.audio.container import Limits

Block = NDArray[np.float32]

BLOCK_DURATION = 3.0  # seconds of sound in one block: few blocks, little memory

# Few enough to stay in the cache until they are mixed.
_SAMPLES_AT_ONCE = 1 << 14

# A float file may hold anything. 200 dB above full scale is no sound, and its power would overflow.
_LOUDEST = 1e10


class _SampleType(NamedTuple):
    dtype: np.dtype[Any]
    scale: float
    zero: float


# What is read as it comes, for one or two channels. FFmpeg converts the rest to packed float32: PyAV 18
# crashes on planar frames of 8 or 16 channels.
_SAMPLE_TYPES = {
    "flt": _SampleType(np.dtype("f4"), 1.0, 0.0),
    "s16": _SampleType(np.dtype("i2"), 2.0**-15, 0.0),
    "s32": _SampleType(np.dtype("i4"), 2.0**-31, 0.0),
    "u8": _SampleType(np.dtype("u1"), 2.0**-7, 128.0),
}


class Mixer:
    """Collects frames of any kind into mono blocks, each of one sample rate.

    Samples that are no numbers make numpy warn: call it under `np.errstate(all="ignore")`.

    Parameters
    ----------
    limits
        Frames of a sample rate or channel count beyond these are damage, and left out.

    Attributes
    ----------
    n_samples
        Mono samples mixed so far.
    n_refused
        Frames left out.
    n_nonfinite
        Mono samples that were NaN, infinite or absurdly large; they were replaced by 0.
    peak
        Largest absolute value of the mono samples.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.n_samples = 0
        self.n_refused = 0
        self.n_nonfinite = 0
        self.peak = 0.0
        self._shape: tuple[int, int, str, str] | None = None
        self._buffer: Block = np.empty(0, np.float32)
        self._n_filled = 0  # waiting frames included
        self._waiting = AudioFifo()

    def add(self, frame: AudioFrame) -> bool:
        """Mix a frame into the block in hand; return False if it does not fit, and `take` must come first."""
        layout = frame.layout
        n_channels = layout.nb_channels
        # The names of one or two channels do not matter, and take time to ask for.
        layout_name = layout.name if n_channels > 2 else ""
        if (shape := (frame.sample_rate, n_channels, frame.format.name, layout_name)) != self._shape:
            if not self._accepts(frame.sample_rate, n_channels):
                self.n_refused += 1
                return True
            if self._n_filled:
                return False
            self._begin(*shape)
        if (n_samples := frame.samples) > len(self._buffer) - self._n_filled:
            if self._n_filled:
                return False
            self._buffer = np.empty(n_samples, np.float32)
        if n_samples:
            self._wait(frame, n_samples)
        return True

    @property
    def is_empty(self) -> bool:
        """Nothing is in hand."""
        return not self._n_filled

    def take(self) -> tuple[int, Block]:
        """Return (sample_rate, block) of what is in hand, which must not be nothing.

        The block is only there until the next `add`: memory that is new every time costs more than
        mixing does.
        """
        assert self._shape is not None
        self._mix_waiting()
        n_filled, self._n_filled = self._n_filled, 0
        return self._shape[0], self._finish(self._buffer[:n_filled])

    def _accepts(self, sample_rate: int, n_channels: int) -> bool:
        limits = self._limits
        is_rate = limits.min_sample_rate <= sample_rate <= limits.max_sample_rate
        return is_rate and 1 <= n_channels <= limits.max_channels

    def _begin(self, sample_rate: int, n_channels: int, format_name: str, layout_name: str) -> None:
        name = format_name.removesuffix("p")
        is_direct = name in _SAMPLE_TYPES and n_channels <= 2
        self._shape = sample_rate, n_channels, format_name, layout_name
        self._n_channels = n_channels
        self._converter = None if is_direct else AudioResampler(format="flt")
        self._is_planar = is_direct and name != format_name
        self._type = _SAMPLE_TYPES[name if is_direct else "flt"]
        self._dtype = self._type.dtype
        self._buffer = np.empty(round(BLOCK_DURATION * sample_rate), np.float32)
        self._waiting = AudioFifo()

    def _wait(self, frame: AudioFrame, n_samples: int) -> None:
        """Let a frame wait until there are some to mix at once: most of the cost is per call."""
        if self._converter:
            [frame] = self._converter.resample(frame)
        frame.pts = None  # a gap in time is no gap in the sound
        self._waiting.write(frame)
        self._n_filled += n_samples
        if self._waiting.samples >= _SAMPLES_AT_ONCE:
            self._mix_waiting()

    def _mix_waiting(self) -> None:
        """Put the sum of all channels, in the unit of the samples, into the block in hand."""
        frame = self._waiting.read(0, partial=True)
        if frame is None:
            return
        n_samples = frame.samples
        mono, dtype = self._buffer[self._n_filled - n_samples : self._n_filled], self._dtype
        planes: tuple[Any, ...] = frame.planes  # PyAV does not declare that they are buffers
        if not self._is_planar:
            self._mix_packed(np.frombuffer(planes[0], dtype, n_samples * self._n_channels), mono)
        elif len(planes) == 2:
            left, right = planes
            left, right = np.frombuffer(left, dtype, n_samples), np.frombuffer(right, dtype, n_samples)
            np.add(left, right, mono, dtype=np.float32)
        else:
            mono[:] = np.frombuffer(planes[0], dtype, n_samples)

    def _mix_packed(self, packed: NDArray[Any], mono: Block) -> None:
        n_channels = self._n_channels
        if n_channels == 1:
            mono[:] = packed
            return
        np.add(packed[::n_channels], packed[1::n_channels], mono, dtype=np.float32)
        for channel in range(2, n_channels):
            mono += packed[channel::n_channels]

    def _finish(self, block: Block) -> Block:
        """Bring to scale, and replace what is no number."""
        scale = self._type.scale / self._n_channels
        if scale != 1.0:
            block *= np.float32(scale)
        if self._type.zero:
            block -= np.float32(self._type.zero * self._type.scale)
        peak = _peak(block)
        if not peak < _LOUDEST:  # also when the peak is NaN
            is_absurd = ~(np.abs(block) < _LOUDEST)
            block[is_absurd] = 0.0
            self.n_nonfinite += int(is_absurd.sum())
            peak = _peak(block)
        self.peak = max(self.peak, peak)
        self.n_samples += len(block)
        return block


def _peak(block: Block) -> float:
    return max(float(block.max()), -float(block.min()))


class Resampler:
    """Bring blocks of any sample rate to one, as one stream without seams."""

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._native_rate = 0
        self._stream: soxr.ResampleStream | None = None

    def add(self, native_rate: int, block: Block) -> Iterator[Block]:
        """Take a block at `native_rate`; yield what is ready at the rate of this resampler."""
        if native_rate != self._native_rate:
            yield from self.flush()
            self._native_rate = native_rate
            if native_rate != self._sample_rate:
                self._stream = soxr.ResampleStream(native_rate, self._sample_rate, 1, "float32", "HQ")
        if self._stream is None:
            yield block.copy()  # the block belongs to the mixer
        elif len(ready := self._stream.resample_chunk(block)):
            yield ready

    def flush(self) -> Iterator[Block]:
        """Yield what the filter still holds; the stream begins anew afterwards."""
        if self._stream is not None:
            rest = self._stream.resample_chunk(np.empty(0, np.float32), last=True)
            self._stream, self._native_rate = None, 0
            if len(rest):
                yield rest
