"""Listen to what a library does not know yet: identify, analyse and store file after file.

    walk        `take_inventory` notes new and changed files: they wait, with no outcome
    examine     which recording does a waiting file hold? child processes read its packets and tags
    analyse     recordings that this model has not heard; `Tagger.tag_many` shares the machine
    store       identity, analysis and outcome, each in one transaction

The database is the queue: what has no outcome or no analysis waits, whatever ended the last run. A file
that was moved or tagged again is examined, but its recording is known and not analysed again.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from taggram.errors import AudioError
from taggram.inference.result import Outcome, TagResult
from taggram.inference.session import usable_cores
from taggram.inference.tagger import Tagger
from taggram.library.examine import Examination
from taggram.library.examiner import Examined, ExaminerPool
from taggram.library.paths import IN_REGION, Region, unpack_path
from taggram.library.store import Library, Seen

_PAGE = 200

# In the order of ids, so that all pages together pass over the table once, whatever else is asked for.
_WAITING = """
    FROM file NOT INDEXED WHERE NOT is_missing AND (
        outcome IS NULL OR outcome = 'unreadable' OR recording_id IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM analysis WHERE model_id = ? AND analysis.recording_id = file.recording_id
        )
    )
"""


class Ended(NamedTuple):
    """How one file of a scan ended.

    Attributes
    ----------
    path, outcome, message
        Of the file.
    duration
        Seconds of sound that were analysed for it; 0 if nothing had to be.
    is_known
        Its recording had been analysed before: it was moved, tagged again, or is a duplicate.
    """

    path: Path
    outcome: Outcome
    message: str
    duration: float = 0.0
    is_known: bool = False


@dataclass
class ScanSummary:
    """Counts of a scan; the counts of the outcomes and `n_waiting` add up to the files that waited.

    Attributes
    ----------
    counts
        Outcome → files.
    n_known
        Files among them whose recording was known.
    n_waiting
        Files that still wait, because the scan was stopped.
    heard
        Seconds of sound that were analysed.
    took
        Seconds of time.
    """

    counts: Counter[Outcome] = field(default_factory=Counter)
    n_known: int = 0
    n_waiting: int = 0
    heard: float = 0.0
    took: float = 0.0

    @property
    def is_clean(self) -> bool:
        """Whether every file was tagged."""
        return self.counts.total() == self.counts[Outcome.TAGGED] and not self.n_waiting

    def add(self, ended: Ended) -> None:
        """Count one file."""
        self.counts[ended.outcome] += 1
        self.n_known += ended.is_known
        self.heard += ended.duration


def retry_failures(library: Library, below: Sequence[Path] | None = None) -> None:
    """Let all files wait that did not end well, so that the next scan looks at them again."""
    good = "('tagged', 'truncated')"
    for clause, values in _regions(below):
        failed = f"FROM file WHERE NOT is_missing AND outcome NOT IN {good} {clause}"
        with library.transaction() as connection:
            connection.execute(
                f"DELETE FROM analysis WHERE outcome NOT IN {good} "
                f"AND recording_id IN (SELECT recording_id {failed})",
                values,
            )
            connection.execute(f"UPDATE file SET outcome = NULL WHERE id IN (SELECT id {failed})", values)


def refresh_files(library: Library, paths: Iterable[Path]) -> None:
    """Read files again whose tags were just written; what was heard in them stays.

    A file that cannot be read now is left for the next scan.
    """
    with ExaminerPool(1) as examiners:
        known = ((path, library.file(path)) for path in paths)
        files = (file for _, file in known if file is not None)
        for file, found in examiners.examine_many(files, lambda file: file.path):
            if isinstance(found, Examination):
                seen = Seen(file.path, found.size, found.mtime_ns)
                library.store_identity(file.id, seen, found.identity, found.fields)


class _Waiting(NamedTuple):
    """A file that waits; `recording_id` only if the file is as it was when that was found."""

    id: int
    path: Path
    recording_id: int | None


@dataclass
class _InHand:
    """A recording that is being analysed, and the files that wait for it with their notes."""

    recording_id: int
    files: list[tuple[_Waiting, str]]


class Scan:
    """One run over the files that wait.

    It can be stopped or killed at any moment and the next one goes on where it was: only the files in
    hand are looked at again.

    Parameters
    ----------
    library, tagger
        Where to store, and who listens. All access to the database is from the thread of the caller.
    below
        Only files in these directories; None is the whole library.

    Attributes
    ----------
    model
        The tagger's, as the library knows it.
    n_files
        Files that wait.

    Raises
    ------
    LibraryError
        Here and in `run`, if the database cannot be read or written.
    """

    def __init__(self, library: Library, tagger: Tagger, *, below: Sequence[Path] | None = None) -> None:
        self.model = library.add_model(tagger.specification)
        self._library = library
        self._tagger = tagger
        self._regions = _regions(below)
        self._by_path: dict[str, _InHand] = {}
        self._by_recording: dict[int, _InHand] = {}
        self._summary = ScanSummary()
        self.n_files: int = sum(self._count(*region) for region in self._regions)

    def run(
        self,
        *,
        workers: int | None = None,
        stop: Callable[[], bool] = lambda: False,
        on_file: Callable[[Ended], None] = lambda ended: None,
    ) -> ScanSummary:
        """Look at all waiting files and store what is found.

        Parameters
        ----------
        workers
            Files in hand at once; None is one per core.
        stop
            Asked before a file is begun; once it is true, the files in hand are finished and stored.
        on_file
            Called with every file when its outcome is stored.
        """
        begun = time.monotonic()
        self._stop, self._on_file = stop, on_file
        for clause, values in self._regions:
            waiting = self._waiting(clause, values)
            with ExaminerPool(workers or usable_cores()) as examiners:
                unheard = self._unheard(examiners.examine_many(waiting, _path_to_examine))
                for result in self._tagger.tag_many(unheard, workers=workers, stop=stop):
                    self._store(result)
            self._by_path.clear()  # what was cancelled waits for the next scan
            self._by_recording.clear()
        self._summary.n_waiting = self.n_files - self._summary.counts.total()
        self._summary.took = time.monotonic() - begun
        return self._summary

    def _count(self, clause: str, values: Sequence[bytes]) -> int:
        count: int = self._library.rows(f"SELECT count(*) {_WAITING} {clause}", (self.model.id, *values))[0][
            0
        ]
        return count

    def _waiting(self, clause: str, values: Sequence[bytes]) -> Iterator[_Waiting]:
        last_id = 0
        statement = (
            "SELECT id, path, CASE WHEN outcome IS NULL OR outcome = 'unreadable' THEN NULL "
            f"ELSE recording_id END {_WAITING} {clause} AND id > ? ORDER BY id LIMIT {_PAGE}"
        )
        while rows := self._library.rows(statement, (self.model.id, *values, last_id)):
            last_id = rows[-1][0]
            for file_id, path, recording_id in rows:
                yield _Waiting(file_id, unpack_path(path), recording_id)

    def _unheard(self, examined: Iterator[tuple[_Waiting, Examined | None]]) -> Iterator[Path]:
        """Yield the files whose recording is to be analysed; settle all others."""
        for file, found in examined:
            if isinstance(found, AudioError):
                self._settle(file, Ended(file.path, Outcome(found.outcome), str(found)))
            elif self._is_unheard(file, found):
                yield file.path
            if self._stop():
                return

    def _is_unheard(self, file: _Waiting, found: Examination | None) -> bool:
        """Note which recording a file holds, and settle it or let it wait for the analysis."""
        note = ""
        recording_id = file.recording_id
        if found is not None:
            note = found.note
            seen = Seen(file.path, found.size, found.mtime_ns)
            recording_id = self._library.store_identity(file.id, seen, found.identity, found.fields)
        assert recording_id is not None
        if in_hand := self._by_recording.get(recording_id):
            in_hand.files.append((file, note))
            return False
        if heard := self._heard(recording_id):
            outcome, message = heard
            self._settle(file, Ended(file.path, outcome, _joined(message, note), is_known=True))
            return False
        in_hand = _InHand(recording_id, [(file, note)])
        self._by_recording[recording_id] = self._by_path[str(file.path)] = in_hand
        return True

    def _heard(self, recording_id: int) -> tuple[Outcome, str] | None:
        rows = self._library.rows(
            "SELECT outcome, message FROM analysis WHERE model_id = ? AND recording_id = ?",
            (self.model.id, recording_id),
        )
        return (Outcome(rows[0][0]), rows[0][1]) if rows else None

    def _store(self, result: TagResult) -> None:
        """Store what was heard, and settle the files that waited for it."""
        assert result.path is not None
        in_hand = self._by_path.pop(result.path)
        del self._by_recording[in_hand.recording_id]
        endings = [
            Ended(
                file.path, result.outcome, _joined(result.message, note), 0.0 if n else result.duration, n > 0
            )
            for n, (file, note) in enumerate(in_hand.files)
        ]
        with self._library.transaction():
            # Unreadable is the file, and not the recording; which may have been taken out of the library.
            if result.outcome is not Outcome.UNREADABLE and self._is_there(in_hand.recording_id):
                self._library.store_analysis(in_hand.recording_id, self.model, result)
            for (file, _), ended in zip(in_hand.files, endings, strict=True):
                self._library.store_outcome(file.id, ended.outcome, ended.message)
        self._report(endings)

    def _is_there(self, recording_id: int) -> bool:
        return bool(self._library.rows("SELECT 1 FROM recording WHERE id = ?", (recording_id,)))

    def _settle(self, file: _Waiting, ended: Ended) -> None:
        self._library.store_outcome(file.id, ended.outcome, ended.message)
        self._report([ended])

    def _report(self, endings: Iterable[Ended]) -> None:
        for ended in endings:
            self._summary.add(ended)
            self._on_file(ended)


def _path_to_examine(file: _Waiting) -> Path | None:
    return file.path if file.recording_id is None else None


def _joined(*messages: str) -> str:
    return "; ".join(filter(None, messages))


def _regions(below: Sequence[Path] | None) -> list[tuple[str, Sequence[bytes]]]:
    """Return conditions that follow a WHERE, with their values."""
    if below is None:
        return [("", ())]
    return [(f"AND {IN_REGION}", Region.of(path)) for path in below]
