"""Decoded frames → mono blocks → mono blocks at another sample rate, in flat memory.

Conventions: a block is float32 of shape (n_samples,); mono is the mean of all channels; integer
samples are scaled by their full scale to [−1, 1). Resampling is soxr's "HQ", streamed.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import soxr
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

Block = NDArray[np.float32]

BLOCK_DURATION = 1.5  # seconds of sound in one block: few blocks, little memory

# A float file may hold anything. 200 dB above full scale is no sound, and its power would overflow.
_LOUDEST = 1e10


class _SampleType(NamedTuple):
    dtype: str
    scale: float
    zero: float


# What is read as it comes, for one or two channels. FFmpeg converts the rest to packed float32: PyAV 18
# crashes on planar frames of 8 or 16 channels.
_SAMPLE_TYPES = {
    "flt": _SampleType("f4", 1.0, 0.0),
    "s16": _SampleType("i2", 2.0**-15, 0.0),
    "s32": _SampleType("i4", 2.0**-31, 0.0),
    "u8": _SampleType("u1", 2.0**-7, 128.0),
}


class _Shape(NamedTuple):
    sample_rate: int
    n_channels: int
    format: str
    layout: str


class Mixer:
    """Collect frames of any kind into mono blocks, each of one sample rate.

    Attributes
    ----------
    n_samples
        Mono samples mixed so far.
    n_nonfinite
        Mono samples that were NaN, infinite or absurdly large; they were replaced by 0.
    peak
        Largest absolute value of the mono samples.
    """

    def __init__(self) -> None:
        self.n_samples = 0
        self.n_nonfinite = 0
        self.peak = 0.0
        self._shape: _Shape | None = None
        self._block: Block = np.empty(0, np.float32)
        self._n_filled = 0

    def add(self, frame: AudioFrame) -> Iterator[tuple[int, Block]]:
        """Take one frame; yield (sample_rate, block) if it does not fit into the block in hand."""
        shape = _Shape(frame.sample_rate, frame.layout.nb_channels, frame.format.name, frame.layout.name)
        if shape != self._shape:
            yield from self.flush()
            self._begin(shape)
        for part in self._converter.resample(frame) if self._converter else (frame,):
            if self._n_filled + part.samples > len(self._block):
                yield from self.flush()
                self._block = np.empty(max(self._block_length, part.samples), np.float32)
            self._mix(part)

    def flush(self) -> Iterator[tuple[int, Block]]:
        """Yield (sample_rate, block) for what is in hand, if anything."""
        if self._shape is not None and self._n_filled:
            block = self._finish(self._block[: self._n_filled])
            self._block, self._n_filled = np.empty(0, np.float32), 0
            yield self._shape.sample_rate, block

    def _begin(self, shape: _Shape) -> None:
        self._shape = shape
        name = shape.format.removesuffix("p")
        is_direct = name in _SAMPLE_TYPES and shape.n_channels <= 2
        self._converter = None if is_direct else AudioResampler(format="flt")
        self._is_planar = is_direct and name != shape.format
        self._type = _SAMPLE_TYPES[name if is_direct else "flt"]
        self._block_length = round(BLOCK_DURATION * shape.sample_rate)

    def _channels(self, frame: AudioFrame) -> list[NDArray[Any]]:
        """Return one view of shape (n_samples,) for each channel."""
        assert self._shape is not None
        n_channels, dtype = self._shape.n_channels, self._type.dtype
        if self._is_planar:
            return [np.frombuffer(memoryview(plane), dtype, frame.samples) for plane in frame.planes]
        packed = np.frombuffer(memoryview(frame.planes[0]), dtype, frame.samples * n_channels)
        return [packed[channel::n_channels] for channel in range(n_channels)]

    @np.errstate(all="ignore")  # NaN and infinity are dealt with in `_finish`
    def _mix(self, frame: AudioFrame) -> None:
        n_filled = self._n_filled + frame.samples
        mono = self._block[self._n_filled : n_filled]
        first, *others = self._channels(frame)
        if others:
            np.add(first, others[0], out=mono, dtype=np.float32)
        else:
            mono[:] = first
        for channel in others[1:]:
            mono += channel
        self._n_filled = n_filled

    def _finish(self, block: Block) -> Block:
        assert self._shape is not None
        scale = self._type.scale / self._shape.n_channels
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
            yield block
        elif len(ready := self._stream.resample_chunk(block)):
            yield ready

    def flush(self) -> Iterator[Block]:
        """Yield what the filter still holds; the stream begins anew afterwards."""
        if self._stream is not None:
            rest = self._stream.resample_chunk(np.empty(0, np.float32), last=True)
            self._stream, self._native_rate = None, 0
            if len(rest):
                yield rest
