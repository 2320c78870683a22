"""The frames of one audio stream, read packet by packet so that damage costs no more than itself.

Conventions: a part begins at a whole second of the decoded sound, which is a whole sample at any sample
rate. Timestamps are FFmpeg's; in Matroska they are rounded to 1 ms, elsewhere they are exact.
"""

from collections.abc import Iterator
from fractions import Fraction

from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.error import FFmpegError, PatchWelcomeError
from av.packet import Packet

from taggram.audio import ogg
from taggram.audio.container import Limits, Sound, unreadable

# Seconds of sound after which a decoder gives what it would have given in a run from the beginning.
_WARM_UP = 1

# Failed attempts to read a packet at the very end that are more than a scrap of something else.
_MANY_FAILURES = 10

_FRAMES_AT_ONCE = 16


class FrameReader:
    """Reads the frames of an open sound.

    Attributes
    ----------
    n_bad
        Packets that could not be read or decoded, and were left out.
    has_broken_off
        The file goes on, but nothing more can be read from it.
    is_unsupported
        The decoder met something that it does not know yet.
    """

    def __init__(self, sound: Sound, limits: Limits) -> None:
        self.n_bad = 0
        self.has_broken_off = False
        self.is_unsupported = False
        self._sound = sound
        self._limits = limits
        self._decoded = self._decode()
        self._first: list[AudioFrame] = []

    def frames(self) -> Iterator[list[AudioFrame]]:
        """Yield the frames in short lists."""
        if self._first:
            yield self._first
        yield from self._decoded

    def seek(self, second: int) -> int | None:
        """Move on to a whole second of the sound.

        FFmpeg finds the place by an index, by a search, or by reading packets without decoding them.

        Returns
        -------
        int or None
            How many samples of the first frame of `frames` lie before that second. None if the place
            cannot be reached: the file must then be opened anew and read from the beginning.
        """
        container, stream = self._sound.container, self._sound.stream
        begin = next((_time(frames[0]) for frames in self._decoded), None)
        is_chained = self._sound.container_name == "ogg" and ogg.is_chained(self._sound.file)
        if begin is None or not stream.time_base or is_chained:
            return None
        try:
            container.seek(int((begin + second - _WARM_UP) / stream.time_base), stream=stream)
        except FFmpegError:
            return None
        self._decoded = self._decode()
        n_before = self._skip_to(begin + second)
        self.n_bad = 0  # a decoder that starts in the middle may fail on packets that are in order
        return n_before

    def _skip_to(self, time: Fraction) -> int | None:
        """Drop frames before `time`; return how many samples of the first one left lie before it."""
        for frames in self._decoded:
            for index, frame in enumerate(frames):
                begin = _time(frame)
                n_before = 0 if begin is None else round((time - begin) * frame.sample_rate)
                if begin is not None and n_before < frame.samples:
                    self._first = frames[index:]
                    return n_before if n_before >= 0 else None
        return 0  # the sound ends before `time`

    def _decode(self) -> Iterator[list[AudioFrame]]:
        decode = self._sound.stream.codec_context.decode
        frames: list[AudioFrame] = []
        n_bad_in_a_row = 0
        for packet in self._read():
            try:
                decoded = decode(packet)
            except EOFError:
                break
            except FFmpegError as error:
                self.is_unsupported |= isinstance(error, PatchWelcomeError)
                self.n_bad += 1
                n_bad_in_a_row += 1
                if n_bad_in_a_row >= self._limits.max_bad_packets:
                    self.has_broken_off = True
                    break
                continue
            if decoded:
                n_bad_in_a_row = 0
                frames += decoded
            # A list costs less than as many generator steps.
            if len(frames) >= _FRAMES_AT_ONCE:
                yield frames
                frames = []
        if frames:
            yield frames

    # PyAV's class cannot be subscripted at run time.
    def _read(self) -> "Iterator[Packet[AudioStream]]":
        container, stream = self._sound.container, self._sound.stream
        packets = container.demux(stream)
        n_bad_in_a_row = 0
        while n_bad_in_a_row < self._limits.max_bad_reads:
            try:
                for packet in packets:
                    if packet.size:  # the last packet is an empty one that empties the decoder
                        n_bad_in_a_row = 0
                    yield packet
                break
            except FFmpegError:
                packets = container.demux(stream)  # the iterator is spent, the container is not
                self.n_bad += 1
                n_bad_in_a_row += 1
            except OSError as error:
                raise unreadable(self._sound.path, error) from error
        self.has_broken_off = n_bad_in_a_row >= _MANY_FAILURES


def _time(frame: AudioFrame) -> Fraction | None:
    """Return the time of the first sample in seconds, on the container's clock."""
    if frame.pts is None or frame.time_base is None:
        return None
    return frame.pts * frame.time_base
