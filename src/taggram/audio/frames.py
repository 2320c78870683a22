"""The frames of one audio stream, read packet by packet so that damage costs no more than itself.

Conventions: a part begins at a whole second of the decoded sound, which is a whole sample at any sample
rate. Timestamps are FFmpeg's; in Matroska they are rounded to 1 ms, elsewhere they are exact.
"""

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain

from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.codec.context import CodecContext
from av.error import FFmpegError, PatchWelcomeError
from av.packet import Packet

from taggram.audio import mp3, ogg
from taggram.audio.container import Limits, Sound, unreadable
from taggram.audio.promise import read_promise

# Seconds of sound after which a decoder gives what it would have given in a run from the beginning.
_WARM_UP = 1

# Failed attempts to read a packet at the very end that are more than a scrap of something else.
_MANY_FAILURES = 10

_BYTES_AT_ONCE = 1 << 16


class FrameReader:
    """Reads the frames of an open sound.

    Attributes
    ----------
    left_out
        Which samples are not to be heard, counted from the first sample of the first frame, in order:
        the encoder's delay and padding, or what lies before the second that was sought.
    n_bad
        Packets that could not be read or decoded, and were left out.
    has_broken_off
        The file goes on, but nothing more can be read from it.
    is_unsupported
        The decoder met something that it does not know yet.
    """

    def __init__(self, sound: Sound, limits: Limits) -> None:
        self.left_out: list[range] = []
        self.n_bad = 0
        self.has_broken_off = False
        self.is_unsupported = False
        self._sound = sound
        self._limits = limits
        self._sought: Iterator[list[AudioFrame]] | None = None

    def frames(self) -> Iterator[list[AudioFrame]]:
        """Yield the frames of each packet: from the beginning, or from where `seek` went."""
        if self._sought is not None:
            return self._sought
        if self._sound.container_name == "mp3":
            return self._decode(self._parse_mp3())
        return self._decode(self._demux())

    def seek(self, second: int) -> bool:
        """Move to a whole second of the sound; return False if that place cannot be reached.

        FFmpeg finds the place by an index, by a search, or by reading packets without decoding them.
        After a failure the file must be opened anew, and read from the beginning.
        """
        container, stream = self._sound.container, self._sound.stream
        begin = next((_time(frames[0]) for frames in self._decode(self._demux()) if frames), None)
        is_chained = self._sound.container_name == "ogg" and ogg.is_chained(self._sound.file)
        if begin is None or not stream.time_base or is_chained:
            return False
        try:
            container.seek(int((begin + second - _WARM_UP) / stream.time_base), stream=stream)
        except FFmpegError:
            return False
        self._sought = self._decode(self._demux())
        is_reached = self._skip_to(begin + second)
        self.n_bad = 0  # a decoder that starts in the middle may fail on packets that are in order
        return is_reached

    def _skip_to(self, time: Fraction) -> bool:
        """Drop frames before `time`, and note how much of the first one left lies before it."""
        assert self._sought is not None
        for frames in self._sought:
            for index, frame in enumerate(frames):
                begin = _time(frame)
                n_before = 0 if begin is None else round((time - begin) * frame.sample_rate)
                if begin is not None and n_before < frame.samples:
                    self.left_out = [range(n_before)]
                    self._sought = chain([frames[index:]], self._sought)
                    return n_before >= 0
        return True  # the sound ends before `time`

    def _decode(self, packets: "Iterator[Packet[AudioStream]]") -> Iterator[list[AudioFrame]]:
        decode = self._sound.stream.codec_context.decode
        n_bad_in_a_row = 0
        for packet in packets:
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
            n_bad_in_a_row = 0
            yield decoded

    # PyAV's class cannot be subscripted at run time.
    def _demux(self) -> "Iterator[Packet[AudioStream]]":
        """Yield the packets that FFmpeg finds in the container."""
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

    def _parse_mp3(self) -> "Iterator[Packet[AudioStream]]":
        """Yield the packets of an mp3 file without a demuxer.

        An mp3 file is nothing but its frames, which the codec's parser finds. The demuxer gives the same
        packets with times, and takes three times as long to find them: a tenth of the whole work.
        """
        # A parser of its own: it looks ahead, and would tell the decoder of what is still to come.
        parser = CodecContext.create(self._sound.stream.codec_context.codec, "r")
        sound = self._sound
        header = mp3.read_header(sound.file)
        self.left_out = [range(header.delay)]
        if header.n_frames and not read_promise(sound.file, sound.container, sound.stream).is_estimate:
            end = header.n_frames * mp3.frame_length(sound.stream.codec_context.sample_rate)
            self.left_out.append(range(end - header.padding, end))
        is_first = True
        for data in self._read_from(header.offset):
            packets = parser.parse(data)
            if is_first and packets:
                is_first = False
                if header.name and header.name in bytes(packets[0]):
                    del packets[0]
            yield from packets

    def _read_from(self, offset: int) -> Iterator[bytes]:
        """Yield the file's bytes, and an empty string at its end."""
        try:
            self._sound.file.seek(offset)
            while data := self._sound.file.read(_BYTES_AT_ONCE):
                yield data
        except OSError as error:
            raise unreadable(self._sound.path, error) from error
        yield b""


def _time(frame: AudioFrame) -> Fraction | None:
    """Return the time of the first sample in seconds, on the container's clock."""
    if frame.pts is None or frame.time_base is None:
        return None
    return frame.pts * frame.time_base
