"""What the pages of an Ogg file say that FFmpeg does not pass on (RFC 3533).

A page begins with "OggS", has the serial number of its stream at byte 14 and the table of its segment
lengths at byte 26; it has at most 65,307 bytes.
"""

import os
from io import FileIO

_LARGEST_PAGE = 65_307


def ends_within_page(file: FileIO) -> bool:
    """Return whether the file breaks off inside its last page."""
    page = _last_page(file)
    if len(page) < 27:
        return True
    n_segments = page[26]
    return len(page) < 27 + n_segments + sum(page[27 : 27 + n_segments])


def is_chained(file: FileIO) -> bool:
    """Return whether streams follow one another in the file; each counts its time from 0."""
    position = file.tell()
    file.seek(0)
    first_page = file.read(27)
    file.seek(position)
    return first_page[14:18] != _last_page(file)[14:18]


def _last_page(file: FileIO) -> bytes:
    """Return the bytes from the last page mark to the end; the position of `file` is kept."""
    position = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 2 * _LARGEST_PAGE))
    tail = file.read()
    file.seek(position)
    return tail[max(0, tail.rfind(b"OggS")) :]
