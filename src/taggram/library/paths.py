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


IN_REGION = "(path = ? OR (path >= ? AND path < ?))"
"""SQL that takes the values of a `Region`."""


class Region(NamedTuple):
    """A path and all that lies below it, as conditions on the column `path`.

    Attributes
    ----------
    exact
        The path itself.
    begin, end
        Everything below it lies in begin ≤ path < end.
    """

    exact: bytes
    begin: bytes
    end: bytes

    @classmethod
    def of(cls, path: Path) -> "Region":
        """Return the region of a file or directory."""
        exact = pack_path(path)
        inside = exact.rstrip(_SEPARATOR)
        return cls(exact, inside + _SEPARATOR, inside + _BEHIND_SEPARATOR)
