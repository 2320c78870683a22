"""The journal keeps what undo needs, whatever happens while it is written."""

import errno
import os
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taggram.errors import FileTagError, UnknownNameError
from taggram.library.file_tags.delta import Run as Piece
from taggram.library.file_tags.journal import (
    Entry,
    Journal,
    find_run,
    list_runs,
    mark_undone,
    part_path,
    read_entries_backwards,
)


def entry(path: Path, value: str = "A") -> Entry:
    return Entry(
        path=path,
        fields={"genre": ((), (value,))},
        size_before=10,
        size_after=20,
        sha256_before="0" * 64,
        sha256_after="1" * 64,
        mtime_ns=10**18 + 1,
        delta=(Piece(0, 8), b"{}"),
    )


def write(directory: Path, *entries: Entry) -> None:
    with Journal(directory) as journal:
        for one in entries:
            journal.begin(one.path)
            journal.record(one)


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), min_size=1, max_size=4))
def test_entries_come_back_last_first(
    tmp_path_factory: pytest.TempPathFactory, names: list[tuple[str, str]]
) -> None:
    directory = tmp_path_factory.mktemp("journals")
    entries = [entry(Path(name), value) for name, value in names]
    write(directory, *entries)
    run = find_run(directory)
    assert (run.n_files, run.n_undone, run.has_ended) == (len(entries), 0, True)
    assert list(read_entries_backwards(run)) == entries[::-1]
    mark_undone(run, entries[-1].path)
    assert list(read_entries_backwards(find_run(directory, run.name))) == entries[-2::-1]


def test_a_path_that_is_no_text(tmp_path: Path) -> None:
    odd = Path(os.fsdecode(b"/music/caf\xe9.mp3"))
    write(tmp_path, entry(odd))
    assert [found.path for found in read_entries_backwards(find_run(tmp_path, path=odd))] == [odd]


@pytest.mark.parametrize("n_left", range(0, 120, 7))
def test_a_line_that_was_cut_off_means_nothing(tmp_path: Path, n_left: int) -> None:
    write(tmp_path, entry(Path("/a.mp3")), entry(Path("/b.mp3")))
    (run,) = list_runs(tmp_path)
    lines = run.path.read_bytes().splitlines(keepends=True)
    cut = lines[4][:n_left]
    run.path.write_bytes(b"".join(lines[:4]) + cut)
    assert [found.path.name for found in read_entries_backwards(run)] == ["a.mp3"]
    mark_undone(run, Path("/a.mp3"))
    assert list(read_entries_backwards(run)) == []


def test_a_killed_run_is_swept(tmp_path: Path) -> None:
    song = tmp_path / "song.mp3"
    directory = tmp_path / "journals"
    journal = Journal(directory)
    journal.__enter__()
    journal.begin(song)
    part_path(song).touch()
    connection = journal._lock
    assert connection is not None
    connection.close()  # as the system does with the lock of a process that was killed
    assert not list_runs(directory)[0].has_ended
    with Journal(directory):
        assert not part_path(song).exists()
    assert list_runs(directory)[0].has_ended


def test_nothing_written_leaves_no_journal(tmp_path: Path) -> None:
    with Journal(tmp_path):
        pass
    assert list_runs(tmp_path) == []
    with pytest.raises(FileTagError, match="nothing was written that is not undone"):
        find_run(tmp_path)
    with pytest.raises(UnknownNameError, match="unknown run 'x'"):
        find_run(tmp_path, "x")


def test_a_full_disk_when_the_journal_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with Journal(tmp_path) as journal:
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", fill)
            with pytest.raises(OSError, match="No space left"):
                journal.begin(Path("/a.mp3"))
        journal.begin(Path("/a.mp3"))
        journal.record(entry(Path("/a.mp3")))
        monkeypatch.setattr(os, "write", fill)  # also when it ends
    monkeypatch.undo()
    assert len(list(read_entries_backwards(find_run(tmp_path)))) == 1


def test_a_full_disk_before_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def execute(self, _: str) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        def close(self) -> None:
            pass

    monkeypatch.setattr(sqlite3, "connect", lambda *_, **__: Full())
    with pytest.raises(FileTagError, match="no journal can be written there") as caught, Journal(tmp_path):
        pass
    assert caught.value.outcome == "disk_full"
