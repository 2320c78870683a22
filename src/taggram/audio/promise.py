"""How long a container says its sound is, and whether that is a promise or only a guess.

FFmpeg fills a gap in a header with a guess from file size and bit rate. A guess may be far off (a
variable-bit-rate mp3 without a frame count) and must never turn a whole file into a truncated one. On
the other hand it corrects a wav header that claims more than the file holds, which hides a truncation.

Conventions: durations are seconds, lengths of data are bytes.
"""

import struct
from io import FileIO
from typing import NamedTuple

from av.audio.stream import AudioStream
from av.container import InputContainer

from taggram.audio import mp3

# Containers whose header or index states the length; what others "declare" is FFmpeg's guess.
_STATING = frozenset(
    {"aiff", "ape", "au", "caf", "dsf", "flac", "matroska", "mov", "ogg", "tak", "tta", "w64", "wv"}
)

# Programs that write a wav into a pipe put about the largest number of 31 or 32 bits in its header.
_PLACEHOLDERS = (1 << 31, 1 << 32)
_PLACEHOLDER_SLACK = 1 << 16

_ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_ASF_HAS_NO_DURATION = 1  # flag of a live broadcast

_PICTURE_CODECS = frozenset({"bmp", "gif", "mjpeg", "png", "tiff", "webp"})

_PCM_TAGS = frozenset({0x0001, 0x0003, 0x0006, 0x0007, 0xFFFE})  # integer, float, A-law, μ-law, extensible


class Promise(NamedTuple):
    """What the container says about its length: seconds, None if it says nothing."""

    duration: float | None
    is_estimate: bool


def read_promise(file: FileIO, container: InputContainer, stream: AudioStream) -> Promise:
    """Return the declared duration of the sound; the position of `file` is kept."""
    name = container.format.name.split(",")[0]
    guess = _ffmpeg_duration(name, container, stream)
    position = file.tell()
    try:
        if name == "wav":
            stated = _wav_duration(file)
        elif name == "asf":
            stated = _asf_duration(file)
        elif name == "mp3":
            stated = _mp3_duration(file, stream, guess)
        else:
            stated = guess if name in _STATING else None
    finally:
        file.seek(position)
    return Promise(stated or guess, is_estimate=stated is None)


def _ffmpeg_duration(name: str, container: InputContainer, stream: AudioStream) -> float | None:
    rate = stream.codec_context.sample_rate
    if name == "caf" and stream.frames and rate:
        return stream.frames / rate  # the duration is already corrected to the size of the file
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    # The duration of a film is that of its pictures; cover art is a film of one picture.
    codecs = {video.codec_context.name for video in container.streams.video if video.codec_context}
    has_film = not codecs <= _PICTURE_CODECS
    return container.duration / 1e6 if container.duration and not has_film else None


def _wav_duration(file: FileIO) -> float | None:
    """Return what the header of a RIFF, RF64 or BW64 file of plain samples promises."""
    file.seek(0)
    kind, _, form = struct.unpack("<4sI4s", _read(file, 12))
    if kind not in {b"RIFF", b"RF64", b"BW64"} or form != b"WAVE":
        return None
    long_length = bytes_per_second = 0
    while len(header := file.read(8)) == 8:
        chunk, length = struct.unpack("<4sI", header)
        if chunk == b"data":
            length = long_length if kind != b"RIFF" and length == 0xFFFFFFFF else length
            if not bytes_per_second or not length or _is_placeholder(length):
                return None
            return length / bytes_per_second
        following = file.tell() + length + length % 2
        if chunk == b"fmt ":
            tag, _, rate, _, block_align = struct.unpack("<HHIIH", _read(file, 14))
            bytes_per_second = rate * block_align if tag in _PCM_TAGS else 0
        elif chunk == b"ds64":
            _, long_length = struct.unpack("<QQ", _read(file, 16))
        file.seek(following)
    return None


def _is_placeholder(length: int) -> bool:
    return any(abs(length - limit) <= _PLACEHOLDER_SLACK for limit in _PLACEHOLDERS)


def _asf_duration(file: FileIO) -> float | None:
    """Return what a Windows Media file promises; FFmpeg forgets it if bytes are missing."""
    file.seek(0)
    head = file.read(1 << 16)
    at = head.find(_ASF_FILE_PROPERTIES)
    if at < 0 or len(head) < at + 92:
        return None
    play_time, _, preroll, flags = struct.unpack("<QQQI", head[at + 64 : at + 92])
    duration = float(play_time / 1e7 - preroll / 1e3)  # units of 100 ns, and of 1 ms
    return None if flags & _ASF_HAS_NO_DURATION or duration <= 0 else duration


def _mp3_duration(file: FileIO, stream: AudioStream, guess: float | None) -> float | None:
    """Return what a Xing, Info or VBRI frame promises, unless FFmpeg found reason not to believe it."""
    n_frames, rate = mp3.read_header(file).n_frames, stream.codec_context.sample_rate
    if not n_frames or not rate or guess is None:
        return None
    # FFmpeg subtracts the encoder's delay, and ignores the count of files that were joined.
    stated = n_frames * mp3.frame_length(rate) / rate
    return guess if abs(stated - guess) < 0.5 else None


def _read(file: FileIO, length: int) -> bytes:
    """Read `length` bytes, zeros behind the end of the file."""
    return file.read(length).ljust(length, b"\0")
