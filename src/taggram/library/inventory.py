"""Compare the directories of a library with what it knows: new, changed, missing and returned files.

Both sides come in the order of the paths' bytes, so that they are merged as two sorted lists: memory
does not grow with the library, and nothing is written for files that are as they were. A file is as it
was if its size and time of change are.

Links to files are followed, links to directories are not: add what they point to.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from taggram.audio.names import is_audio_name
from taggram.library.paths import Region, pack_path, unpack_path
from taggram.library.store import PAGE, Library

_SEPARATOR = os.fsencode(os.sep)


@dataclass
class Inventory:
    """What was found in the directories.

    Attributes
    ----------
    n_new, n_changed, n_missing, n_returned, n_unchanged
        Files; they add up to the files found and the ones found missing.
    n_ignored
        Files whose name promises no sound.
    problems
        Directories that could not be read, one sentence each. What is known of the files in them stays
        as it was.
    """

    n_new: int = 0
    n_changed: int = 0
    n_missing: int = 0
    n_returned: int = 0
    n_unchanged: int = 0
    n_ignored: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def is_news(self) -> bool:
        """Whether anything is not as it was."""
        return bool(self.n_new or self.n_changed or self.n_missing or self.n_returned)


class _Found(NamedTuple):
    path: bytes
    size: int
    mtime_ns: int


class _Known(NamedTuple):
    path: bytes
    size: int
    mtime_ns: int
    is_missing: int


def take_inventory(
    library: Library, paths: Iterable[Path], *, stop: Callable[[], bool] = lambda: False
) -> Inventory:
    """Walk directories and files and note what changed; changed and new files wait to be looked at.

    It can be interrupted at any moment, and begins anew the next time.

    Parameters
    ----------
    library, paths
        Where to note it, and where to walk.
    stop
        Asked from time to time; once it is true, the rest is left for the next time.

    Raises
    ------
    LibraryError
        If the database cannot be written.
    """
    inventory = Inventory()
    for path in paths:
        walk = _Walk(pack_path(path), inventory)
        changes = _changes(walk, library, inventory)
        while not stop() and (page := list(islice(changes, PAGE))):
            with library.transaction() as connection:
                for statement, values in page:
                    connection.execute(statement, values)
    return inventory


Change = tuple[str, tuple[bytes | int, ...]]

_ADD = "INSERT OR IGNORE INTO file (path, size, mtime_ns) VALUES (?, ?, ?)"
_CHANGE = "UPDATE file SET size = ?, mtime_ns = ?, outcome = NULL, is_missing = 0 WHERE path = ?"
_RETURN = "UPDATE file SET is_missing = 0 WHERE path = ?"
_MISS = "UPDATE file SET is_missing = 1 WHERE path = ?"


def _changes(walk: "_Walk", library: Library, inventory: Inventory) -> Iterator[Change]:
    """Yield what is to be written, in the order of the paths."""
    for found, known in _merged(walk.files(), _known(library, unpack_path(walk.root))):
        if known is None:
            assert found is not None
            inventory.n_new += 1
            yield _ADD, found
        elif found is None:
            if known.is_missing or walk.is_hidden(known.path):
                continue
            inventory.n_missing += 1
            yield _MISS, (known.path,)
        elif (found.size, found.mtime_ns) != (known.size, known.mtime_ns):
            inventory.n_changed += 1
            yield _CHANGE, (found.size, found.mtime_ns, found.path)
        elif known.is_missing:
            inventory.n_returned += 1
            yield _RETURN, (found.path,)
        else:
            inventory.n_unchanged += 1


def _merged(
    found: Iterator[_Found], known: Iterator[_Known]
) -> Iterator[tuple[_Found | None, _Known | None]]:
    """Bring two sequences together that are sorted by path."""
    one, other = next(found, None), next(known, None)
    while one or other:
        if other is None or (one is not None and one.path < other.path):
            yield one, None
            one = next(found, None)
        elif one is None or other.path < one.path:
            yield None, other
            other = next(known, None)
        else:
            yield one, other
            one, other = next(found, None), next(known, None)


def _known(library: Library, root: Path) -> Iterator[_Known]:
    """Yield what is known of a root and all below it, in pages."""
    columns = "SELECT path, size, mtime_ns, is_missing FROM file"
    region = Region.of(root)
    yield from map(_Known._make, library.rows(f"{columns} WHERE path = ?", (region.exact,)))
    inside = f"{columns} WHERE path > ? AND path < ? ORDER BY path LIMIT {PAGE}"
    last = region.begin
    while rows := library.rows(inside, (last, region.end)):
        last = rows[-1][0]
        yield from map(_Known._make, rows)


class _Walk:
    """The files below one root, in the order of their paths' bytes."""

    def __init__(self, root: bytes, inventory: Inventory) -> None:
        self.root = root
        self._inventory = inventory
        self._hidden: list[bytes] = []

    def files(self) -> Iterator[_Found]:
        """Yield the root itself if it is a file, or the files below it whose name promises sound."""
        if Path(os.fsdecode(self.root)).is_dir():
            yield from self._below(self.root)
        elif found := _look(self.root):
            yield found
        else:
            self._hide(self.root, "is not there; bring its disk back, or take it out of the library")

    def is_hidden(self, path: bytes) -> bool:
        """Return whether a path lies where this walk could not look."""
        return any(path == place or path.startswith(place + _SEPARATOR) for place in self._hidden)

    def _below(self, directory: bytes) -> Iterator[_Found]:
        stack = [self._listing(directory)]
        while stack:
            name = next(stack[-1], None)
            if name is None:
                stack.pop()
            elif name.endswith(_SEPARATOR):
                stack.append(self._listing(name.rstrip(_SEPARATOR)))
            elif found := _look(name):
                yield found

    def _listing(self, directory: bytes) -> Iterator[bytes]:
        """Return files and directories, these with a separator behind: `a-b` comes before `a/` and `a0`."""
        try:
            with os.scandir(directory) as entries:
                chosen = [entry for entry in entries if self._is_chosen(entry)]
        except OSError as error:
            self._hide(directory, f"cannot be read: {error.strerror}; check its permissions and the disk")
            return iter(())
        return iter(sorted(e.path + _SEPARATOR * e.is_dir(follow_symlinks=False) for e in chosen))

    def _is_chosen(self, entry: "os.DirEntry[bytes]") -> bool:
        name = os.fsdecode(entry.name)
        if entry.is_dir(follow_symlinks=False):
            return not name.startswith(".")
        is_chosen = is_audio_name(name)
        self._inventory.n_ignored += not is_chosen
        return is_chosen

    def _hide(self, place: bytes, why: str) -> None:
        self._hidden.append(place)
        self._inventory.problems.append(f"{os.fsdecode(place)}: {why}")


def _look(path: bytes) -> _Found | None:
    """Return size and time of a file; those of a link that leads nowhere; None if nothing is there."""
    for follow in (True, False):
        try:
            status = os.stat(path, follow_symlinks=follow)  # noqa: PTH116  # bytes
        except OSError:
            continue
        return _Found(path, status.st_size, status.st_mtime_ns)
    return None
