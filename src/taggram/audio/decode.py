"""Decode a file, or a part of it, to blocks of mono waveform at one sample rate, in flat memory.

Damage does not stop the decoder: packets that cannot be decoded are counted and left out, no silence
is put in their place, and the report says how much was heard of how much was promised.

Conventions: a block is float32 of shape (n_samples,), of any length above 0; start and duration are
seconds of the decoded sound (encoder delay removed); sample `k` of the result is the sound at
`start + k / sample_rate`.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from taggram.audio import ogg
from taggram.audio.container import WITHOUT_SIGNATURE, Limits, Sound, StrPath, open_sound
from taggram.audio.frames import FrameReader
from taggram.audio.promise import read_promise
from taggram.audio.resample import Block, Mixer, Resampler
from taggram.errors import AudioError

# What may be missing at the end before a file counts as truncated: both must be exceeded.
_TOLERATED_FRACTION = 0.02
_TOLERATED_DURATION = 1.0  # seconds
_NEGLIGIBLE_DURATION = 0.1  # seconds, as encoders add and take away

_LATEST_START = 1e9  # seconds; times beyond do not fit into a container's clock


@dataclass(frozen=True)
class DecodeReport:
    """What was decoded, and what was wrong with it.

    Attributes
    ----------
    duration
        Seconds of sound given out.
    declared_duration
        Seconds that the container promises for the whole file; None if it promises nothing.
    n_bad_packets
        Packets that could not be decoded and were left out.
    n_nonfinite
        Mono samples that were NaN or infinite and became 0.
    peak
        Largest absolute mono sample, before resampling.
    container, codec
        FFmpeg's names, such as "mov" and "aac".
    native_sample_rate, n_channels
        As in the file: Hz, count.
    is_truncated
        Less sound than promised, or cut off at a limit.
    notes
        What a person should know, one sentence each.
    """

    duration: float
    declared_duration: float | None
    n_bad_packets: int
    n_nonfinite: int
    peak: float
    container: str
    codec: str
    native_sample_rate: int
    n_channels: int
    is_truncated: bool = False
    notes: tuple[str, ...] = ()


class Decoding(Iterator[Block]):
    """Iterator over the blocks of one decoding; its report is there when it is exhausted."""

    def __init__(self, blocks: Generator[Block, None, DecodeReport]) -> None:
        self._blocks = blocks
        self._report: DecodeReport | None = None

    def __next__(self) -> Block:
        try:
            with np.errstate(all="ignore"):  # the mixer deals with NaN and infinity
                return next(self._blocks)
        except StopIteration as end:
            if end.value is not None:
                self._report = end.value
            raise StopIteration from None

    @property
    def report(self) -> DecodeReport:
        """What was decoded; only after the last block."""
        if self._report is None:
            raise RuntimeError("the report is there when all blocks have been read; read on")
        return self._report

    def close(self) -> None:
        """Give up the rest and free the file."""
        self._blocks.close()


def decode(
    path: StrPath,
    *,
    sample_rate: int,
    start: float = 0.0,
    duration: float | None = None,
    limits: Limits = Limits(),  # noqa: B008  # frozen
) -> Decoding:
    """Decode `path` to mono at `sample_rate` in this process.

    A damaged file can crash a decoder; `taggram.audio.decoder.Decoder` does the same in a child
    process that may crash.

    Parameters
    ----------
    path
        File; its content decides the format.
    sample_rate
        Hz, of the result.
    start
        Seconds into the sound.
    duration
        Seconds to decode; None reads to the end.
    limits
        What the file may ask for.

    Returns
    -------
    Decoding
        Iterator of blocks, float32 of shape (n_samples,). Iterating raises the errors below.

    Raises
    ------
    AudioError
        "unreadable": missing, a folder, no permission, read error. "not_audio": no sound format, or no
        sound in it. "unsupported": a codec, sample rate or channel count that cannot be decoded.
        "corrupt": recognised, but nothing can be decoded.
    ValueError
        If sample_rate, start or duration is out of range.
    """
    check_arguments(sample_rate, start, duration, limits)
    return Decoding(_decode(path, sample_rate, start, duration, limits))


def check_arguments(sample_rate: int, start: float, duration: float | None, limits: Limits) -> None:
    """Raise ValueError if an argument of `decode` is out of range."""
    if not 1 <= sample_rate <= limits.max_sample_rate:
        raise ValueError(f"sample_rate must be 1 to {limits.max_sample_rate} Hz, got {sample_rate}")
    if not 0 <= start <= _LATEST_START:
        raise ValueError(f"start must be 0 to {_LATEST_START:g} s, got {start}")
    if duration is not None and not 0 < duration < float("inf"):
        raise ValueError(f"duration must be above 0 s, got {duration}; None reads to the end")


def _decode(
    path: StrPath, sample_rate: int, start: float, duration: float | None, limits: Limits
) -> Generator[Block, None, DecodeReport]:
    # One second more than asked for, so that the resampling filter is in full swing at `start`.
    with _open_at(path, max(0, int(start) - 1), limits) as (sound, reader, second):
        mixer = Mixer(limits)
        window = _Window(sample_rate, start, duration, limits.max_duration, second * sample_rate)
        for block in _resampled(reader, mixer, sample_rate):
            if len(part := window.crop(block)):
                yield part
            if window.is_full:
                break
        if mixer.n_samples == 0 and second == 0:
            _check_empty(sound, reader)
        return _report(sound, reader, mixer, window)


@contextmanager
def _open_at(path: StrPath, second: int, limits: Limits) -> Iterator[tuple[Sound, FrameReader, int]]:
    """Open `path` at `second`, or at 0 if that place cannot be reached; yield which it is."""
    if second:
        with open_sound(path, limits) as sound:
            reader = FrameReader(sound, limits)
            if reader.seek(second):
                yield sound, reader, second
                return
    with open_sound(path, limits) as sound:
        yield sound, FrameReader(sound, limits), 0


def _resampled(reader: FrameReader, mixer: Mixer, sample_rate: int) -> Iterator[Block]:
    resampler = Resampler(sample_rate)
    position = 0
    for native_rate, block in _mixed(reader, mixer):
        yield from resampler.add(native_rate, _leave_out(block, position, reader.left_out))
        position += len(block)
    yield from resampler.flush()


def _mixed(reader: FrameReader, mixer: Mixer) -> Iterator[tuple[int, Block]]:
    for frames in reader.frames():
        for frame in frames:
            if not mixer.add(frame):
                yield mixer.take()
                mixer.add(frame)
    if not mixer.is_empty:
        yield mixer.take()


def _leave_out(block: Block, begin: int, ranges: list[range]) -> Block:
    """Return a block, whose first sample is number `begin`, without the samples in `ranges`."""
    for left_out in reversed(ranges):
        first, last = max(0, left_out.start - begin), max(0, left_out.stop - begin)
        if first < min(last, len(block)):
            block = np.delete(block, slice(first, last))
    return block


class _Window:
    """Cuts the wanted samples out of a stream of blocks.

    Attributes
    ----------
    position
        Samples from the beginning of the sound to the end of the last block.
    n_given
        Samples given out.
    """

    def __init__(
        self, sample_rate: int, start: float, duration: float | None, max_duration: float, position: int
    ) -> None:
        self.sample_rate = sample_rate
        self.position = position
        self.n_given = 0
        self._begin = round(start * sample_rate)
        self._end = self._begin + round(min(duration or max_duration, max_duration) * sample_rate)
        self._is_capped = duration is None or duration > max_duration

    @property
    def heard(self) -> float:
        """Seconds from the beginning of the sound to the end of the last block."""
        return self.position / self.sample_rate

    @property
    def is_full(self) -> bool:
        """Nothing more is wanted."""
        return self.position >= self._end

    @property
    def is_cut_off(self) -> bool:
        """More was wanted than the limit allows."""
        return self.is_full and self._is_capped

    def crop(self, block: Block) -> Block:
        """Return the wanted samples of the next block, perhaps none."""
        part = block[max(0, self._begin - self.position) : max(0, self._end - self.position)]
        self.position += len(block)
        self.n_given += len(part)
        return part


def _report(sound: Sound, reader: FrameReader, mixer: Mixer, window: _Window) -> DecodeReport:
    if mixer.n_nonfinite > mixer.n_samples / 2:
        raise AudioError(
            f"{sound.name}: most of its samples are not numbers (NaN or infinite); export it again",
            outcome="corrupt",
        )
    declared = _declared_duration(sound)
    missing = 0.0 if declared is None or window.is_full else declared - window.heard
    shortfall = _shortfall(sound, reader, window, missing)
    return DecodeReport(
        duration=window.n_given / window.sample_rate,
        declared_duration=declared,
        n_bad_packets=reader.n_bad + mixer.n_refused,
        n_nonfinite=mixer.n_nonfinite,
        peak=mixer.peak,
        container=sound.container_name,
        codec=sound.codec_name,
        native_sample_rate=sound.stream.codec_context.sample_rate,
        n_channels=sound.stream.codec_context.channels,
        is_truncated=shortfall is not None,
        notes=(*([shortfall] if shortfall else []), *_remarks(sound, reader, mixer, missing)),
    )


def _shortfall(sound: Sound, reader: FrameReader, window: _Window, missing: float) -> str | None:
    """Return why this is not all of the sound; None if it is."""
    if window.is_cut_off:
        return f"stopped after {window.n_given / window.sample_rate:g} s, the longest that is allowed"
    if window.is_full:
        return None
    declared = window.heard + missing
    if missing > max(_TOLERATED_FRACTION * declared, _TOLERATED_DURATION):
        return f"holds {window.heard:.1f} s of the {declared:.1f} s that its header declares"
    if reader.has_broken_off:
        return f"could not be read any further after {window.heard:.1f} s"
    if sound.container_name == "ogg" and ogg.ends_within_page(sound.file):
        return f"breaks off in the middle of a page, after {window.heard:.1f} s"
    return None


def _remarks(sound: Sound, reader: FrameReader, mixer: Mixer, missing: float) -> Iterator[str]:
    if n_bad := reader.n_bad + mixer.n_refused:
        yield f"damaged packets left out: {n_bad}"
    if missing > _NEGLIGIBLE_DURATION:
        yield f"seconds missing of what the header declares: {missing:.1f}"
    if mixer.n_nonfinite:
        yield f"samples that were not finite and became 0: {mixer.n_nonfinite}"
    if (n_streams := len(sound.container.streams.audio)) > 1:
        yield f"audio streams: {n_streams}, of which one was read"


def _declared_duration(sound: Sound) -> float | None:
    promise = read_promise(sound.file, sound.container, sound.stream)
    return None if promise.is_estimate else promise.duration


def _check_empty(sound: Sound, reader: FrameReader) -> None:
    """Raise if a file that gave not one sample is a damaged one, and not simply empty."""
    if not reader.n_bad and not _declared_duration(sound):
        return
    if reader.is_unsupported:
        raise AudioError(
            f"{sound.name}: uses a variant of {sound.codec_name} that cannot be decoded; convert it",
            outcome="unsupported",
        )
    if sound.container_name in WITHOUT_SIGNATURE:
        raise AudioError(
            f"{sound.name}: looks like {sound.codec_name} sound, but nothing in it can be decoded; "
            "it is probably something else",
            outcome="not_audio",
        )
    raise AudioError(
        f"{sound.name}: is a {sound.container_name} file, but nothing in it can be decoded; get it again",
        outcome="corrupt",
    )
