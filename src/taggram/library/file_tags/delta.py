"""Tell one file as pieces of another: what undo needs to give back every byte, in little space.

Writing tags moves the sound by some bytes, changes sizes, offsets and page numbers in the container, and
replaces a few texts; the rest of the old file is still in the new one, at another place. A delta is the
old file as a sequence of runs that stand in the new one, and of bytes that do not.

The search is greedy: it goes on at the same shift as long as it can; where it cannot, it takes the next
run that begins within a window around that place, found by blocks as rsync does (Tridgell, "Efficient
Algorithms for Sorting and Synchronization", 1999, chapter 3). A delta is right whatever the files hold;
only its size depends on how much they have in common.

Conventions: offsets and lengths in bytes. Packed, a delta is a JSON object of `pieces`, a list of
[offset, length] for a run and of a length for bytes of its own, and `own`, these bytes, compressed by zlib
and in base64.
"""

import os
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np

_SHORTEST_RUN = 16  # a shorter one takes no less space than its bytes
_BLOCK = 32
_WINDOW = 1 << 18  # farther than texts move anything
_NEAR = 256
_STEP = 1 << 16
_AT_ONCE = 1 << 20


class Run(NamedTuple):
    """A piece that stands in the other file."""

    offset: int
    length: int


Delta = tuple[Run | bytes, ...]


def compute_delta(before: BinaryIO, after: BinaryIO) -> Delta:
    """Return `before` as pieces of `after`; both are open for reading and seekable."""
    pieces: list[Run | bytes] = []
    own = bytearray()
    index = _Index(after)
    n_before = before.seek(0, os.SEEK_END)
    position, shift = 0, 0
    while position < n_before:
        length = _match_length(before, position, after, position + shift)
        if length >= _SHORTEST_RUN:
            pieces += [bytes(own)] * bool(own)
            own.clear()
            pieces.append(Run(position + shift, length))
        else:
            length, shift = _next_match(before, position, after, shift, index)
            own += _read(before, position, length)
        position += length
    pieces += [bytes(own)] * bool(own)
    return tuple(pieces)


def restore(delta: Delta, after: BinaryIO) -> Iterator[bytes]:
    """Yield the bytes of the file before, in order."""
    for piece in delta:
        if isinstance(piece, bytes):
            yield piece
            continue
        end = piece.offset + piece.length
        for offset in range(piece.offset, end, _AT_ONCE):
            yield _read(after, offset, min(_AT_ONCE, end - offset))


def pack(delta: Delta) -> dict[str, Any]:
    """Return a delta as a JSON object."""
    own = b"".join(piece for piece in delta if isinstance(piece, bytes))
    return {
        "pieces": [len(piece) if isinstance(piece, bytes) else [*piece] for piece in delta],
        "own": b64encode(zlib.compress(own, 9)).decode("ascii"),
    }


def unpack(packed: dict[str, Any]) -> Delta:
    """Restore a delta from its JSON object."""
    return tuple(_unpack(packed["pieces"], zlib.decompress(b64decode(packed["own"]))))


def _unpack(pieces: Iterable[int | list[int]], own: bytes) -> Iterator[Run | bytes]:
    for piece in pieces:
        if isinstance(piece, int):
            yield own[:piece]
            own = own[piece:]
        else:
            yield Run(*piece)


def _read(file: BinaryIO, offset: int, length: int) -> bytes:
    if offset < 0:
        return b""
    file.seek(offset)
    return file.read(length)


def _match_length(before: BinaryIO, position: int, after: BinaryIO, other: int) -> int:
    """Return how many bytes from `position` on equal those from `other` on."""
    length, size = 0, 4096
    while True:
        left, right = _read(before, position + length, size), _read(after, other + length, size)
        if not left or left != right:
            return length + _common_length(left, right)
        length += len(left)
        size = min(2 * size, _AT_ONCE)


def _common_length(left: bytes, right: bytes) -> int:
    n = min(len(left), len(right))
    is_different = np.frombuffer(left, np.uint8, n) != np.frombuffer(right, np.uint8, n)
    return int(is_different.argmax()) if is_different.any() else n


def _next_match(
    before: BinaryIO, position: int, after: BinaryIO, shift: int, index: "_Index"
) -> tuple[int, int]:
    """Return how many bytes lie before the next run, and its shift; progress is made in any case."""
    skip = _resume(_read(before, position, _NEAR), _read(after, position + shift, _NEAR))
    if skip is not None:
        return skip, shift
    blocks = index.around(position + shift)
    data = _read(before, position, _STEP + _BLOCK - 1)
    for skip in range(min(_STEP, len(data))):
        other = blocks.get(data[skip : skip + _BLOCK])
        if other is not None:
            return skip, other - position - skip
    return min(_STEP, len(data)), shift


class _Index:
    """Where blocks of a file lie, within a window around the place of interest."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._centre: int | None = None
        self._blocks: dict[bytes, int] = {}

    def around(self, place: int) -> dict[bytes, int]:
        """Return block → offset; the window moves only when a place is far from its centre."""
        if self._centre is None or abs(place - self._centre) > _WINDOW // 2:
            self._centre = place
            begin = max(0, place - _WINDOW)
            window = _read(self._file, begin, 2 * _WINDOW)
            self._blocks = {}
            for offset in range(0, len(window) - _BLOCK + 1, _BLOCK):
                self._blocks.setdefault(window[offset : offset + _BLOCK], begin + offset)
        return self._blocks


def _resume(left: bytes, right: bytes) -> int | None:
    """Return where two pieces begin to agree again for long enough; None if they do not."""
    n = min(len(left), len(right))
    if n < _SHORTEST_RUN:
        return None
    is_equal = np.frombuffer(left, np.uint8, n) == np.frombuffer(right, np.uint8, n)
    n_equal = np.convolve(is_equal, np.ones(_SHORTEST_RUN, int), "valid")
    starts = np.flatnonzero(n_equal == _SHORTEST_RUN)
    return int(starts[0]) if len(starts) else None
