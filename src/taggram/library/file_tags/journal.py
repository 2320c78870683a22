r"""The journal: what was changed in which file, written and safe on the disk before the file is replaced.

One run is one file of JSON lines, `<run>.jsonl`, that only grows:

    {"journal": "taggram-journal/1", "run", "begun", "program"}
    {"working": path of the file}                       a copy beside it may have been left from here on
    {"file", "fields": {name: [before, after]},
     "before": {"size", "sha256", "mtime_ns"}, "after": {"size", "sha256"},
     "delta": {"pieces", "own"}}                        see `taggram.library.file_tags.delta`
    {"undone": path of the file}
    {"end": true}

A line that is not complete was cut off by a crash, before its file was replaced: it means nothing. Bytes
of a path that are no valid text stand as lone surrogates (`\udc80` … `\udcff`).

One program at a time writes file tags with the journals of one directory. SQLite keeps the others out, by
a lock that a crash gives back on every system.
"""

import hashlib
import json
import os
import secrets
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from taggram import __version__
from taggram.audio.container import printable
from taggram.errors import FileTagError, UnknownNameError
from taggram.library.file_tags.delta import Delta, pack, unpack

SCHEMA = "taggram-journal/1"
_UNDO = "-undo"
_BINARY = getattr(os, "O_BINARY", 0)

FieldChanges = Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]
"""Name of the field → its values before and after."""


def default_directory() -> Path:
    """Return where journals lie: beside the user's library."""
    from taggram.library.database import default_path

    return default_path().parent / "journal"


@dataclass(frozen=True)
class Entry:
    """One file that was changed.

    Attributes
    ----------
    path
        Of the file itself, where the plan named a link to it.
    fields
        What was changed.
    size_before, size_after
        Bytes.
    sha256_before, sha256_after
        Of the whole file, in hexadecimal.
    mtime_ns
        Modification time before, in nanoseconds.
    delta
        The file before, as pieces of the file after.
    """

    path: Path
    fields: FieldChanges
    size_before: int
    size_after: int
    sha256_before: str
    sha256_after: str
    mtime_ns: int
    delta: Delta

    def to_json(self) -> dict[str, Any]:
        """Return the entry as a line's object."""
        return {
            "file": str(self.path),
            "fields": {name: [list(values) for values in pair] for name, pair in self.fields.items()},
            "before": {"size": self.size_before, "sha256": self.sha256_before, "mtime_ns": self.mtime_ns},
            "after": {"size": self.size_after, "sha256": self.sha256_after},
            "delta": pack(self.delta),
        }

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> Self:
        """Restore an entry."""
        return cls(
            path=Path(line["file"]),
            fields={name: (tuple(pair[0]), tuple(pair[1])) for name, pair in line["fields"].items()},
            size_before=line["before"]["size"],
            size_after=line["after"]["size"],
            sha256_before=line["before"]["sha256"],
            sha256_after=line["after"]["sha256"],
            mtime_ns=line["before"]["mtime_ns"],
            delta=unpack(line["delta"]),
        )


@dataclass(frozen=True)
class Run:
    """One run, as its journal tells it.

    Attributes
    ----------
    name
        Sorts by time.
    path
        Its journal.
    n_files, n_undone
        Changes written, and how many of them were undone.
    has_ended
        The run came to its end; otherwise copies may have been left beside files.
    """

    name: str
    path: Path
    n_files: int
    n_undone: int
    has_ended: bool


class Journal:
    """A journal that is being written; its file appears with the first entry.

    As a context it keeps other programs from writing with the same directory, and first removes the
    copies that a killed run has left beside files.

    Parameters
    ----------
    directory
        Where journals lie; made if need be.
    is_undo
        The run takes another one back; the next undo does not begin with it, unless it is named.
    """

    def __init__(self, directory: Path, *, is_undo: bool = False) -> None:
        end = _UNDO if is_undo else f"-{secrets.token_hex(2)}"
        self.name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}Z{end}"
        self.path = directory / f"{self.name}.jsonl"
        self._file: int | None = None
        self._lock: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self.path.parent)
        _sweep(self.path.parent)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._file is not None:
                with suppress(OSError):  # on a full disk, the next run ends this one
                    append_line(self._file, {"end": True})
                os.close(self._file)
        finally:
            self._file = None
            if self._lock is not None:
                self._lock.close()

    def begin(self, path: Path) -> None:
        """Note that work on a file begins."""
        if self._file is None:
            self._file = self._open()
        append_line(self._file, {"working": str(path)})

    def record(self, entry: Entry) -> None:
        """Note a change; when this returns, it is on the disk.

        Raises
        ------
        OSError
            If it cannot be written; the journal is as it was.
        """
        assert self._file is not None
        append_line(self._file, entry.to_json(), is_safe=True)

    def _open(self) -> int:
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, 0o600)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        head = {"journal": SCHEMA, "run": self.name, "begun": now, "program": f"taggram {__version__}"}
        try:
            append_line(file, head, is_safe=True)
        except OSError:
            os.close(file)
            raise
        sync_directory(self.path.parent)
        return file


def append_line(file: int, line: Mapping[str, Any], *, is_safe: bool = False) -> None:
    """Append one line to an open journal, whole or not at all."""
    end = os.lseek(file, 0, os.SEEK_END)
    data = memoryview(json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n")
    try:
        while data:
            data = data[os.write(file, data) :]
        if is_safe:
            os.fsync(file)
    except OSError:
        os.ftruncate(file, end)
        raise


def list_runs(directory: Path) -> list[Run]:
    """Return the runs whose journals lie in `directory`, oldest first, also those that wrote nothing."""
    return [_summarise(path) for path in sorted(directory.glob("*.jsonl"))]


def find_run(directory: Path, name: str | None = None, *, path: Path | None = None) -> Run:
    """Return a run by name; None is the newest that wrote something that is not undone.

    Parameters
    ----------
    directory, name
        Where journals lie, and the run.
    path
        Without a name: the newest run that changed this file.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    FileTagError
        If there is nothing to undo.
    """
    runs = list_runs(directory)
    if name is not None:
        for run in runs:
            if run.name == name:
                return run
        raise UnknownNameError("run", name, [run.name for run in runs])
    for run in reversed(runs):
        if run.n_undone == run.n_files or run.name.endswith(_UNDO):
            continue
        if path is None or _has_changed(run, Path(os.path.realpath(path))):
            return run
    what = "nothing was written" if path is None else f"nothing was written to {printable(path)}"
    raise FileTagError(f"{directory}: {what} that is not undone already", outcome="unreadable")


def _has_changed(run: Run, path: Path) -> bool:
    return any(entry.path == path for entry in read_entries_backwards(run))


def read_entries_backwards(run: Run) -> Iterator[Entry]:
    """Yield the changes of a run that are not undone, last first, holding one at a time."""
    offsets: list[int] = []
    undone: Counter[str | None] = Counter()
    for offset, kind, data in _read_lines(run.path):
        if kind == b"file":
            offsets.append(offset)
        elif kind == b"undone":
            undone[_parse(data).get("undone")] += 1
    with run.path.open("rb") as file:
        for offset in reversed(offsets):
            file.seek(offset)
            line = _parse(file.readline())
            if "delta" not in line:
                continue
            entry = Entry.from_json(line)
            # The last change of a file is the first that is undone.
            if undone[str(entry.path)]:
                undone[str(entry.path)] -= 1
            else:
                yield entry


def mark_undone(run: Run, path: Path) -> None:
    """Note that the last change of a file in this run is undone."""
    _append_to(run.path, {"undone": str(path)})


def part_path(path: Path) -> Path:
    """Return where the copy of a file lies while it is being changed: beside it, under a short name."""
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    return path.with_name(f".taggram-{digest}.part")


def sync_directory(directory: Path) -> None:
    """Make sure that a new or replaced name is on the disk, where system and disk can do that."""
    if os.name != "posix":
        return
    with suppress(OSError):
        file = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def _lock(directory: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(directory / "lock.db", timeout=0, isolation_level=None)
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        connection.close()
        if "locked" in str(error):
            raise FileTagError(
                f"{directory}: another program is writing file tags; wait for it, or end it",
                outcome="unreadable",
            ) from error
        raise FileTagError(
            f"{directory}: no journal can be written there ({error}), and without one nothing is; "
            "free some space, or name another directory",
            outcome="disk_full",
        ) from error
    return connection


def _sweep(directory: Path) -> None:
    """Remove the copies that runs left beside files when they were killed."""
    for run in list_runs(directory):
        if run.has_ended:
            continue
        for _, kind, data in _read_lines(run.path):
            if kind == b"working":
                with suppress(OSError, KeyError):  # it is not there, or its disk is not
                    part_path(Path(_parse(data)["working"])).unlink()
        _append_to(run.path, {"end": True})


def _append_to(path: Path, line: Mapping[str, Any]) -> None:
    """Append a line to a closed journal, whose last line may have been cut off."""
    file = os.open(path, os.O_RDWR | _BINARY)
    try:
        size = os.lseek(file, 0, os.SEEK_END)
        os.lseek(file, max(0, size - 1), os.SEEK_SET)
        if os.read(file, 1) not in (b"", b"\n"):
            os.write(file, b"\n")
        append_line(file, line, is_safe=True)
    finally:
        os.close(file)


def _parse(data: bytes) -> dict[str, Any]:
    """Return the content of a line; nothing if it was cut off."""
    try:
        line = json.loads(data)
    except ValueError:
        return {}
    return line if isinstance(line, dict) else {}


def _summarise(path: Path) -> Run:
    kinds = Counter(kind for _, kind, _ in _read_lines(path))
    return Run(path.stem, path, kinds[b"file"], kinds[b"undone"], has_ended=bool(kinds[b"end"]))


def _read_lines(path: Path) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield offset, first key and content of the lines, without parsing them."""
    offset = 0
    with path.open("rb") as file:
        for data in file:
            kind = data[:10].split(b'"')[1:2]
            if kind and data.endswith(b"}\n"):
                yield offset, kind[0], data
            offset += len(data)
