"""Change the tags of files, each whole or not at all, and take it back.

A file is never written to. Its copy beside it gets the new tags and is opened again: the fields are what
was asked for, all other tags are what they were, and the audio stream has the same hash. Then the journal
gets what undo needs, proven to give back every byte, and only when that is safe on the disk does the copy
take the file's place, in one step. Whatever goes wrong before leaves the file as it was; what a killed
run leaves beside files is removed by the next.

Undo gives back the bytes, with their modification time, if the file is still what was written. If another
program has changed it since, undo sets the fields back that still say what was written, in the same way
as they were written, and leaves the rest alone.
"""

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from io import BufferedReader
from itertools import groupby
from pathlib import Path

from taggram.audio.container import printable
from taggram.errors import AudioError, FileTagError, FileTagOutcome
from taggram.library.audio_hash import identify
from taggram.library.file_tags.containers import TagFile
from taggram.library.file_tags.delta import compute_delta, restore
from taggram.library.file_tags.fields import find_writable_field
from taggram.library.file_tags.journal import (
    Entry,
    FieldChanges,
    Journal,
    Run,
    mark_undone,
    part_path,
    read_entries_backwards,
    sync_directory,
)
from taggram.library.file_tags.plan import Change

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


class WriteOutcome(StrEnum):
    """How one file ended; every file of a plan or an undo ends in exactly one."""

    WRITTEN = "written"
    RESTORED = "restored"  # undo gave back every byte
    RESET = "reset"  # undo set the fields back in a file that has changed otherwise
    UNCHANGED = "unchanged"  # it was as it should be
    CHANGED = "changed"  # somebody else has changed what was to be changed
    READ_ONLY = "read_only"
    HARD_LINKED = "hard_linked"
    DISK_FULL = "disk_full"
    REJECTED = "rejected"  # what was written was not what was asked for
    UNREADABLE = "unreadable"
    UNSUPPORTED = "unsupported"
    CORRUPT = "corrupt"

    @property
    def is_success(self) -> bool:
        """Whether the file is as it should be."""
        return self in (
            WriteOutcome.WRITTEN,
            WriteOutcome.RESTORED,
            WriteOutcome.RESET,
            WriteOutcome.UNCHANGED,
        )


@dataclass(frozen=True)
class WriteResult:
    """How one file ended.

    Attributes
    ----------
    path
        The file, as the plan or the journal names it.
    outcome
        Files that did not succeed are as they were.
    message
        What a person should know; empty if there is nothing to say.
    """

    path: Path
    outcome: WriteOutcome
    message: str = ""


@dataclass(frozen=True)
class WriteOptions:
    """How files are written.

    Attributes
    ----------
    keep_mtime
        Files keep their modification time, so that programs that go by it do not notice.
    break_hard_links
        A file with several names is written, too; its other names keep the old file.
    """

    keep_mtime: bool = False
    break_hard_links: bool = False


_DEFAULT_OPTIONS = WriteOptions()


def apply_plan(
    changes: Iterable[Change],
    journal: Journal,
    options: WriteOptions = _DEFAULT_OPTIONS,
    *,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[WriteResult]:
    """Make the changes of a plan, file by file, and yield how each file ended.

    Parameters
    ----------
    changes
        Lines of the plan; those of one file stand together.
    journal
        Open journal of this run.
    options
        How files are written.
    stop
        Asked before each file; once it is true, no other is begun.
    """
    for path, group in groupby(changes, key=lambda change: change.file):
        if stop():
            return
        yield _guarded(path, partial(_apply, path, list(group), journal, options))


def undo_run(
    run: Run,
    journal: Journal,
    options: WriteOptions = _DEFAULT_OPTIONS,
    *,
    only: frozenset[Path] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[WriteResult]:
    """Take back what a run has written, last change first, and yield how each file ended.

    Parameters
    ----------
    run
        The run, from `taggram.library.file_tags.journal.find_run`.
    journal
        Open journal for files that can only be reset, so that this, too, can be undone.
    options
        How files are written; restored files get their old modification time in any case.
    only
        Files to take back; None is all of the run.
    stop
        Asked before each file.
    """
    wanted = None if only is None else {Path(os.path.realpath(path)): path for path in only}
    left = dict(wanted or {})
    for entry in read_entries_backwards(run):
        if wanted is not None and entry.path not in wanted:
            continue
        if stop():
            return
        left.pop(entry.path, None)
        yield _guarded(entry.path, partial(_undo, entry, run, journal, options))
    for path in left.values():
        yield WriteResult(
            path, WriteOutcome.UNCHANGED, f"{printable(path)}: nothing of this run is left in it"
        )


def _guarded(path: Path, work: Callable[[], WriteOutcome]) -> WriteResult:
    """Turn whatever keeps a file from being written into its outcome."""
    try:
        return WriteResult(path, work())
    except OSError as error:
        failure: FileTagError | AudioError = _explain(path, error)
    except (FileTagError, AudioError) as error:
        failure = error
    # Sound that cannot be demuxed cannot be proven to stay the same, whatever keeps it from that.
    is_known = failure.outcome in set(WriteOutcome)
    outcome = WriteOutcome(failure.outcome) if is_known else WriteOutcome.UNSUPPORTED
    return WriteResult(path, outcome, str(failure))


def _explain(path: Path, error: OSError) -> FileTagError:
    outcome: FileTagOutcome
    if error.errno in _FULL:
        outcome, remedy = "disk_full", "free some space and apply the plan again"
    elif error.errno in _FORBIDDEN:
        outcome, remedy = "read_only", "allow writing to the file and its folder, or leave it out"
    else:
        outcome, remedy = "unreadable", "check path and disk"
    return FileTagError(
        f"{printable(path)}: was left as it is: {error.strerror or error}; {remedy}", outcome=outcome
    )


def _apply(path: Path, changes: list[Change], journal: Journal, options: WriteOptions) -> WriteOutcome:
    path = Path(os.path.realpath(path))  # the file itself changes, and links to it stay links
    tags = TagFile.open(path)
    fields: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    for change in changes:
        found = tags.get(find_writable_field(change.field).name)
        if found not in (change.before, change.after):
            raise FileTagError(
                f"{printable(path)}: {change.field} is {_join(found)} and no longer {_join(change.before)}; "
                "make the plan again",
                outcome="changed",
            )
        if found != change.after:
            fields[change.field] = (found, change.after)
    if not fields:
        return WriteOutcome.UNCHANGED
    _write(tags, fields, journal, options)
    return WriteOutcome.WRITTEN


def _undo(entry: Entry, run: Run, journal: Journal, options: WriteOptions) -> WriteOutcome:
    outcome = _take_back(entry, journal, options)
    mark_undone(run, entry.path)
    return outcome


def _take_back(entry: Entry, journal: Journal, options: WriteOptions) -> WriteOutcome:
    _check_is_writable(entry.path, options)
    with entry.path.open("rb") as file:
        sha256 = _sha256(file)
    if sha256 == entry.sha256_before:
        return WriteOutcome.UNCHANGED
    if sha256 == entry.sha256_after:
        _restore(entry, journal)
        return WriteOutcome.RESTORED
    return _reset(entry, journal, options)


def _reset(entry: Entry, journal: Journal, options: WriteOptions) -> WriteOutcome:
    tags = TagFile.open(entry.path)
    fields = {
        name: (after, before) for name, (before, after) in entry.fields.items() if tags.get(name) == after
    }
    if fields:
        _write(tags, fields, journal, options)
    others = [name for name, (before, _) in entry.fields.items() if tags.get(name) != before]
    if others:
        raise FileTagError(
            f"{printable(entry.path)}: {', '.join(others)} changed since the run, and stays as it is"
            + (f"; set back: {', '.join(fields)}" if fields else ""),
            outcome="changed",
        )
    return WriteOutcome.RESET if fields else WriteOutcome.UNCHANGED


def _write(tags: TagFile, fields: FieldChanges, journal: Journal, options: WriteOptions) -> None:
    """Give the file of `tags` other values in `fields`; `tags` say the new ones afterwards."""
    path = tags.path
    status = _check_is_writable(path, options)
    audio_hash = identify(path).audio_hash
    others = tags.others(fields)
    journal.begin(path)
    with _copy_of(path, status) as part:
        copy = tags.copied_to(part)
        for name, (_, after) in fields.items():
            copy.set(name, after)
            tags.set(name, after)
        copy.save()
        _verify(path, copy.copied_to(part), fields, others, audio_hash)
        if options.keep_mtime:
            os.utime(part, ns=(status.st_atime_ns, status.st_mtime_ns))
        journal.record(_make_entry(path, part, fields, status))
        _replace(part, path, status)


def _verify(
    path: Path, copy: TagFile, fields: FieldChanges, others: dict[str, str], audio_hash: bytes
) -> None:
    """Check what was written by reading it again."""
    wrong = [name for name, (_, after) in fields.items() if copy.get(name) != after]
    now = copy.others(fields)
    wrong += [name for name in {**others, **now} if others.get(name) != now.get(name)]
    if identify(copy.path).audio_hash != audio_hash:
        wrong.append("the audio stream")
    if wrong:
        raise FileTagError(
            f"{printable(path)}: was left as it is, because a copy with the new tags came out wrong in "
            f"{', '.join(wrong)}; its container holds something unusual: please report it",
            outcome="rejected",
        )


def _make_entry(path: Path, part: Path, fields: FieldChanges, status: os.stat_result) -> Entry:
    with path.open("rb") as before, part.open("rb") as after:
        delta = compute_delta(before, after)
        entry = Entry(
            path=path,
            fields=fields,
            size_before=status.st_size,
            size_after=part.stat().st_size,
            sha256_before=_sha256(before),
            sha256_after=_sha256(after),
            mtime_ns=status.st_mtime_ns,
            delta=delta,
        )
        restored = hashlib.sha256()
        for data in restore(delta, after):
            restored.update(data)
    if restored.hexdigest() != entry.sha256_before:
        raise FileTagError(
            f"{printable(path)}: was left as it is, because the change could not be undone; "
            "another program is writing to it: try again later",
            outcome="rejected",
        )
    return entry


def _restore(entry: Entry, journal: Journal) -> None:
    """Put the bytes back that the file had."""
    journal.begin(entry.path)
    status = entry.path.stat()
    with _copy_of(entry.path, status) as part:
        digest = hashlib.sha256()
        with entry.path.open("rb") as after, part.open("wb") as before:
            for data in restore(entry.delta, after):
                before.write(data)
                digest.update(data)
        if digest.hexdigest() != entry.sha256_before:
            raise FileTagError(
                f"{printable(entry.path)}: was left as it is, because the journal does not give back its "
                "old content; another program is writing to it, or the journal is damaged",
                outcome="rejected",
            )
        os.utime(part, ns=(status.st_atime_ns, entry.mtime_ns))
        _replace(part, entry.path, status)


def _check_is_writable(path: Path, options: WriteOptions) -> os.stat_result:
    status = path.stat()
    if not status.st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) or not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, "the file is read-only")
    if status.st_nlink > 1 and not options.break_hard_links:
        raise FileTagError(
            f"{printable(path)}: was left as it is: it has {status.st_nlink} names (hard links), and "
            "the others would keep the old tags; allow that with --break-hard-links",
            outcome="hard_linked",
        )
    return status


@contextmanager
def _copy_of(path: Path, status: os.stat_result) -> Iterator[Path]:
    """Make a copy of a file beside it, with its rights; nothing is left of it in the end."""
    part = part_path(path)
    try:
        shutil.copyfile(path, part)
        with suppress(OSError):  # some disks have no rights to copy
            shutil.copystat(path, part)
        if hasattr(os, "chown"):
            with suppress(OSError):  # a file of somebody else becomes one's own, as in any editor
                os.chown(part, status.st_uid, status.st_gid)
        yield part
    finally:
        part.unlink(missing_ok=True)


def _replace(part: Path, path: Path, status: os.stat_result) -> None:
    """Put a finished copy in the place of its file, unless another program was faster."""
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    now = path.stat()
    if (now.st_ino, now.st_size, now.st_mtime_ns) != (status.st_ino, status.st_size, status.st_mtime_ns):
        raise FileTagError(
            f"{printable(path)}: was left as it is, because another program has just changed it; try again",
            outcome="changed",
        )
    part.replace(path)
    sync_directory(path.parent)


def _sha256(file: BufferedReader) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()


def _join(values: tuple[str, ...]) -> str:
    return ", ".join(values) or "empty"
