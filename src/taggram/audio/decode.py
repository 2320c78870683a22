"""Decode a file, or a part of it, to blocks of mono waveform at one sample rate, in flat memory.

Damage does not stop the decoder: packets that cannot be decoded are counted and left out, no silence
is put in their place, and the report says how much was heard of how much was promised.

Conventions: a block is float32 of shape (n_samples,), of any length above 0; start and duration are
seconds of the decoded sound (encoder delay removed); sample `k` of the result is the sound at
`start + k / sample_rate`.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass

from av.audio.frame import AudioFrame
from av.error import FFmpegError

from taggram.audio.container import (
    WITHOUT_SIGNATURE,
    Limits,
    Sound,
    StrPath,
    open_sound,
    printable,
    unreadable,
)
from taggram.audio.resample import Block, Mixer, Resampler
from taggram.errors import AudioError


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
    if not 0 <= start < float("inf"):
        raise ValueError(f"start must be at least 0 s, got {start}")
    if duration is not None and not 0 < duration < float("inf"):
        raise ValueError(f"duration must be above 0 s, got {duration}; None reads to the end")


def _decode(
    path: StrPath, sample_rate: int, start: float, duration: float | None, limits: Limits
) -> Generator[Block, None, DecodeReport]:
    with open_sound(path, limits) as sound:
        packets = _Packets(sound, limits)
        mixer = Mixer()
        window = _Window(sample_rate, start, duration)
        for block in _resampled(packets.frames(), mixer, sample_rate):
            if len(part := window.crop(block)):
                yield part
            if window.is_full:
                break
        if mixer.n_samples == 0:
            _check_empty(sound, packets)
        return DecodeReport(
            duration=window.n_given / sample_rate,
            declared_duration=None,
            n_bad_packets=packets.n_bad,
            n_nonfinite=mixer.n_nonfinite,
            peak=mixer.peak,
            container=sound.container_name,
            codec=sound.codec_name,
            native_sample_rate=sound.stream.codec_context.sample_rate,
            n_channels=sound.stream.codec_context.channels,
        )


def _resampled(frames: Iterator[AudioFrame], mixer: Mixer, sample_rate: int) -> Iterator[Block]:
    resampler = Resampler(sample_rate)
    for frame in frames:
        for native_rate, block in mixer.add(frame):
            yield from resampler.add(native_rate, block)
    for native_rate, block in mixer.flush():
        yield from resampler.add(native_rate, block)
    yield from resampler.flush()


class _Packets:
    """The packets of one stream, decoded one by one so that damage costs no more than itself."""

    def __init__(self, sound: Sound, limits: Limits) -> None:
        self._sound = sound
        self._limits = limits
        self.n_bad = 0

    def frames(self) -> Iterator[AudioFrame]:
        n_bad_in_a_row = 0
        packets = self._sound.container.demux(self._sound.stream)
        while n_bad_in_a_row < self._limits.max_bad_packets:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except FFmpegError:
                # The generator is spent by its error, the container is not.
                packets = self._sound.container.demux(self._sound.stream)
                n_bad_in_a_row += 1
                self.n_bad += 1
                continue
            except OSError as error:
                raise unreadable(self._sound.path, error) from error
            try:
                frames = packet.decode()
            except EOFError:
                return
            except FFmpegError:
                n_bad_in_a_row += 1
                self.n_bad += 1
                continue
            if frames:
                n_bad_in_a_row = 0
            yield from frames


class _Window:
    """Cut the wanted samples out of a stream of blocks."""

    def __init__(self, sample_rate: int, start: float, duration: float | None) -> None:
        self._begin = round(start * sample_rate)
        self._end = None if duration is None else self._begin + round(duration * sample_rate)
        self._position = 0
        self.n_given = 0

    @property
    def is_full(self) -> bool:
        return self._end is not None and self._position >= self._end

    def crop(self, block: Block) -> Block:
        first = max(0, self._begin - self._position)
        last = None if self._end is None else max(0, self._end - self._position)
        self._position += len(block)
        part = block[first:last]
        self.n_given += len(part)
        return part


def _check_empty(sound: Sound, packets: _Packets) -> None:
    """Raise if a file without a single sample is a damaged one and not an empty one."""
    if not packets.n_bad:
        return
    name = printable(sound.path)
    if sound.container_name in WITHOUT_SIGNATURE:
        raise AudioError(
            f"{name}: holds no sound: nothing in it can be decoded as {sound.codec_name}", outcome="not_audio"
        )
    raise AudioError(
        f"{name}: is a {sound.container_name} file, but nothing in it can be decoded; get it again",
        outcome="corrupt",
    )
