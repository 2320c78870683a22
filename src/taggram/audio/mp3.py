"""What the beginning of an mp3 file says: tags, number of frames, encoder's delay and padding.

The first frame of most files holds no sound but a header named Xing, Info or VBRI; behind it, LAME and
libavcodec note how many samples their filters added at either end.

Conventions: offsets are bytes, lengths are samples at the native rate.
"""

from io import FileIO
from typing import NamedTuple

# Samples that every decoder's own filters add to the delay.
_DECODER_DELAY = 529

# Bytes from the name of the header to those of the encoder, and on to its delays.
_ENCODER_OFFSET = 120
_DELAY_OFFSET = 141

_HEADER_LENGTH = 256  # all of it lies within


class Mp3Header(NamedTuple):
    """The beginning of an mp3 file.

    Attributes
    ----------
    offset
        Bytes of the tags in front of the first frame.
    name
        Which header the first frame holds; empty if it holds sound.
    n_frames
        Frames of sound in the file; None if nothing says so.
    delay, padding
        Samples of no sound at the beginning and at the end of what is decoded; 0 if nothing says so.
    """

    offset: int
    name: bytes = b""
    n_frames: int | None = None
    delay: int = 0
    padding: int = 0


def read_header(file: FileIO) -> Mp3Header:
    """Read the beginning of an mp3 file; the position of `file` is kept."""
    position = file.tell()
    try:
        offset = _skip_tags(file)
        file.seek(offset)
        return _parse(offset, file.read(_HEADER_LENGTH).ljust(_HEADER_LENGTH, b"\0"))
    finally:
        file.seek(position)


def frame_length(sample_rate: int) -> int:
    """Return the samples of one frame: MPEG-1 has two granules of 576, the lower rates of MPEG-2 one."""
    return 1152 if sample_rate >= 32_000 else 576


def _skip_tags(file: FileIO) -> int:
    """Return where the ID3 tags end."""
    offset = 0
    while True:
        file.seek(offset)
        head = file.read(10)
        if len(head) < 10 or head[:3] != b"ID3":
            return offset
        size = 0
        for byte in head[6:10]:
            size = size << 7 | byte & 0x7F
        has_footer = bool(head[5] & 0x10)
        offset += 10 + size + 10 * has_footer


def _parse(offset: int, frame: bytes) -> Mp3Header:
    for name in (b"Xing", b"Info"):
        # Behind the frame's header, its checksum and side information, which depends on the channels.
        if (at := frame.find(name, 4, 48)) >= 0:
            return _parse_xing(offset, name, frame[at:])
    if frame[36:40] == b"VBRI":
        return Mp3Header(offset, b"VBRI", int.from_bytes(frame[50:54], "big"))
    return Mp3Header(offset)


def _parse_xing(offset: int, name: bytes, header: bytes) -> Mp3Header:
    has_n_frames = bool(header[7] & 1)
    n_frames = int.from_bytes(header[8:12], "big") if has_n_frames else None
    delay = padding = 0
    if header[_ENCODER_OFFSET : _ENCODER_OFFSET + 4] in {b"LAME", b"Lavf", b"Lavc"}:
        delays = int.from_bytes(header[_DELAY_OFFSET : _DELAY_OFFSET + 3], "big")
        delay = (delays >> 12) + _DECODER_DELAY
        padding = max(0, (delays & 0xFFF) - _DECODER_DELAY)
    return Mp3Header(offset, name, n_frames, delay, padding)
