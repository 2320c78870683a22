"""Know a recording by its sound: the SHA-256 of the packets of its audio stream, without decoding.

What lies around the packets – file name, file tags, pictures, padding, index – does not count, so a
file that was moved or tagged again keeps its hash. The hash is over the codec's name, a zero byte, and
the packets as FFmpeg's demuxer finds them, one behind the other. An mp3 file is nothing but its frames:
there the hash is over all bytes between the tags in front (ID3v2) and behind (ID3v1, Lyrics3, APE),
whose demuxer would look for frames in them.
"""

import hashlib
import os
from collections.abc import Iterator
from io import FileIO

from av.error import FFmpegError

from taggram.audio.container import Limits, Sound, StrPath, open_sound, unreadable
from taggram.audio.mp3 import read_header
from taggram.audio.promise import read_promise
from taggram.errors import AudioError
from taggram.library.tracks import Identity

_BYTES_AT_ONCE = 1 << 20
_LIMITS = Limits()


def identify(path: StrPath) -> Identity:
    """Read a file once and say which recording it holds.

    A damaged file has an identity, too: that of the packets that can be read.

    Raises
    ------
    AudioError
        "unreadable", "not_audio", "unsupported" or "corrupt", as decoding does before its first block;
        also "corrupt" if there is not one packet.
    """
    with open_sound(path, _LIMITS) as sound:
        promise = read_promise(sound.file, sound.container, sound.stream)
        digest = hashlib.sha256(sound.codec_name.encode() + b"\0")
        n_bytes = 0
        try:
            for data in _mp3_frames(sound.file) if sound.container_name == "mp3" else _packets(sound):
                digest.update(data)
                n_bytes += len(data)
        except OSError as error:
            raise unreadable(path, error) from error
        if not n_bytes:
            raise AudioError(f"{sound.name}: holds headers, but no sound; get it again", outcome="corrupt")
        return Identity(
            audio_hash=digest.digest(),
            duration=promise.duration,
            container=sound.container_name,
            codec=sound.codec_name,
            sample_rate=sound.stream.codec_context.sample_rate,
            n_channels=sound.stream.codec_context.channels,
        )


def _packets(sound: Sound) -> Iterator[memoryview]:
    """Yield the packets that can be read; damage ends the attempt only when it goes on and on."""
    packets = sound.container.demux(sound.stream)
    n_bad_in_a_row = 0
    while n_bad_in_a_row < _LIMITS.max_bad_reads:
        try:
            for packet in packets:
                if packet.size:
                    n_bad_in_a_row = 0
                    yield memoryview(packet)
            return
        except FFmpegError:
            packets = sound.container.demux(sound.stream)  # the iterator is spent, the container is not
            n_bad_in_a_row += 1


def _mp3_frames(file: FileIO) -> Iterator[bytes]:
    """Yield the bytes between the tags."""
    begin = read_header(file).offset
    n_left = _end_of_frames(file) - begin
    file.seek(begin)
    while n_left > 0 and (data := file.read(min(n_left, _BYTES_AT_ONCE))):
        n_left -= len(data)
        yield data


def _end_of_frames(file: FileIO) -> int:
    """Return where the tags at the end of an mp3 file begin; programs stack them in any order."""
    end = file.seek(0, os.SEEK_END)
    while size := _trailing_tag(file, end):
        end -= size
    return end


def _trailing_tag(file: FileIO, end: int) -> int:
    """Return the size of the tag that ends at `end`; 0 if there is none."""
    if _read(file, end - 128, 3) == b"TAG":
        return 128
    footer = _read(file, end - 32, 32)
    if footer[:8] == b"APETAGEX":
        has_header = bool(footer[23] & 0x80)
        return min(end, int.from_bytes(footer[12:16], "little") + 32 * has_header)
    if _read(file, end - 9, 9) == b"LYRICS200":
        digits = _read(file, end - 15, 6)
        return min(end, int(digits) + 15) if digits.isdigit() else 0
    return 0


def _read(file: FileIO, offset: int, length: int) -> bytes:
    if offset < 0:
        return b""
    file.seek(offset)
    return file.read(length)
