r"""Paths as the database keeps them: bytes, absolute, and ordered so that a directory is one range.

Bytes, because a file name may hold any; `os.fsencode` is exact in both directions.
"""

import os
from pathlib import Path
from typing import NamedTuple

_SEPARATOR = os.fsencode(os.sep)
_BEHIND_SEPARATOR = bytes([_SEPARATOR[0] + 1])


def pack_path(path: Path) -> bytes:
    """Return a path as stored: absolute, without `..`, links left as they are."""
    return os.fsencode(os.path.abspath(path))  # noqa: PTH100  # Path.absolute keeps `..`


def unpack_path(data: bytes) -> Path:
    """Return a stored path."""
    return Path(os.fsdecode(data))


class Region(NamedTuple):
    """A file, or a directory with all that lies in it, as a condition on the column `path`."""

    clause: str
    values: list[bytes]

    @classmethod
    def of(cls, path: Path) -> "Region":
        """Return the region of one path."""
        exact = pack_path(path)
        inside = exact.rstrip(_SEPARATOR)
        return cls(
            "(path = ? OR (path >= ? AND path < ?))",
            [exact, inside + _SEPARATOR, inside + _BEHIND_SEPARATOR],
        )
