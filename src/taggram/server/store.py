"""What the server keeps of its own: jobs with their events, analyses of uploads, sessions, documents.

One SQLite file in the server's folder, apart from the user's library: removing it costs nothing but what
was uploaded. A job is written down before its client hears of it, so that a restart loses none.

    job              one piece of work; `task` is what its worker needs, `key` what makes two of them the same
    event            what a job said, as its client hears it, in order; goes with its job
    analysis         what was heard in an upload, under the id of its job
    analysis_chords  the chords in it; goes with its analysis
    chords           of tracks of the library, by the hash of their sound and of the model
    model            specifications of the models that heard
    peaks            waveforms of tracks of the library, by the hash of their sound
    session          hashes of cookies
    document         plans, evaluations, studies of robustness and saved searches, as JSON

Times are Unix seconds.
"""

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Any

import numpy as np

from taggram.audio.peaks import Peaks, pack_peaks, unpack_peaks
from taggram.chords.result import ChordResult
from taggram.chords.storage import Charts, pack_charts, unpack_charts
from taggram.chords.vocabulary import VocabularyName
from taggram.errors import LibraryError
from taggram.inference.result import Outcome, TagResult, TagScore
from taggram.library.database import transaction
from taggram.library.tracks import chunk_times, pack_taggram, unpack_taggram
from taggram.modelfile.specification import Specification
from taggram.server.problems import not_found

_BUSY = 60.0  # seconds to wait for another writer
_N_KEPT = 20_000  # waveforms, and charts, of tracks that are kept, the last ones used
_FIRST_SCHEMA = """
CREATE TABLE job (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    progress REAL NOT NULL DEFAULT 0,
    message TEXT NOT NULL DEFAULT '',
    name TEXT NOT NULL,
    created_at REAL NOT NULL,
    finished_at REAL,
    result TEXT,
    error TEXT,
    task TEXT NOT NULL,
    key TEXT,
    n_attempts INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX job_state ON job (state, kind, number);
CREATE INDEX job_key ON job (key) WHERE key IS NOT NULL;
CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    data TEXT NOT NULL
);
CREATE INDEX event_job ON event (job_id, id);
CREATE TABLE model (weights_sha256 TEXT PRIMARY KEY, specification TEXT NOT NULL);
CREATE TABLE analysis (
    id TEXT PRIMARY KEY REFERENCES job (id) ON DELETE CASCADE,
    file_name TEXT NOT NULL,
    weights_sha256 TEXT NOT NULL REFERENCES model,
    outcome TEXT NOT NULL,
    message TEXT NOT NULL,
    duration REAL NOT NULL,
    is_unsure INTEGER NOT NULL,
    created_at REAL NOT NULL,
    scores BLOB NOT NULL,
    embedding BLOB NOT NULL,
    chunk_hop REAL NOT NULL,
    last_chunk REAL NOT NULL,
    n_chunks INTEGER NOT NULL,
    taggram BLOB NOT NULL,
    peaks BLOB NOT NULL,
    is_kept INTEGER NOT NULL
);
CREATE TABLE peaks (audio_hash BLOB PRIMARY KEY, data BLOB NOT NULL, used_at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE session (hash TEXT PRIMARY KEY, expires_at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE document (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    created_at REAL NOT NULL,
    content TEXT NOT NULL
);
"""
_CHORDS_SCHEMA = """
CREATE TABLE analysis_chords (id TEXT PRIMARY KEY REFERENCES analysis ON DELETE CASCADE, data BLOB NOT NULL);
CREATE TABLE chords (
    audio_hash BLOB NOT NULL,
    weights_sha256 TEXT NOT NULL,
    data BLOB NOT NULL,
    used_at REAL NOT NULL,
    PRIMARY KEY (audio_hash, weights_sha256)
) WITHOUT ROWID;
"""
_SCHEMAS = (_FIRST_SCHEMA, _CHORDS_SCHEMA)  # a database of version n has the first n
FINAL = ("done", "failed", "cancelled")
RUNNING = ("decoding", "analysing")


@dataclass(frozen=True)
class JobRow:
    """One job as it is kept; the fields are those of the table."""

    number: int
    id: str
    kind: str
    state: str
    progress: float
    message: str
    name: str
    created_at: float
    finished_at: float | None
    result: str | None
    error: Mapping[str, Any] | None
    task: Mapping[str, Any] = field(repr=False)
    key: str | None
    n_attempts: int

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state in FINAL


@dataclass(frozen=True, eq=False)
class StoredSound:
    """What a model heard in one sound, wherever it is kept.

    Attributes
    ----------
    name
        Of its file, for people.
    specification
        Of the model.
    result
        As the tagger would say it now; a taggram to within 0.008.
    """

    name: str
    specification: Specification = field(repr=False)
    result: TagResult


@dataclass(frozen=True, eq=False)
class StoredAnalysis:
    """An analysis of an upload."""

    id: str
    created_at: float
    is_kept: bool
    sound: StoredSound
    peaks: Peaks = field(repr=False)


class Store:
    """The server's own database; may be shared by threads."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = folder / "server.db"
        self._idle: LifoQueue[sqlite3.Connection] = LifoQueue()
        self._local = threading.local()
        with self.transaction() as connection:
            ((version,),) = connection.execute("PRAGMA user_version")
            if version > len(_SCHEMAS):
                raise LibraryError(f"{self.path}: was written by another version of Taggram; move it away")
            for schema in _SCHEMAS[version:]:
                for statement in schema.split(";\n"):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {len(_SCHEMAS)}")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Do all of a block or nothing of it; `rows` within the block belong to it."""
        with self._connection() as connection, transaction(connection):
            yield connection

    def rows(self, statement: str, values: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return all its rows."""
        with self._connection() as connection:
            return connection.execute(statement, tuple(values)).fetchall()

    def close(self) -> None:
        """Close all connections that nobody uses."""
        with suppress(Empty):
            while True:
                self._idle.get_nowait().close()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection; the same one within a block of the same thread."""
        if (own := getattr(self._local, "connection", None)) is not None:
            yield own
            return
        try:
            connection = self._idle.get_nowait()
        except Empty:
            connection = self._connect()
        self._local.connection = connection
        try:
            yield connection
        finally:
            self._local.connection = None
            self._idle.put(connection)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    # Jobs

    def add_job(self, kind: str, name: str, task: Mapping[str, Any], *, key: str | None = None) -> JobRow:
        """Note a job that waits."""
        job_id = secrets.token_hex(16)
        with self.transaction() as connection:
            connection.execute(
                "INSERT INTO job (id, kind, state, message, name, created_at, task, key) "
                "VALUES (?, ?, 'queued', 'waiting', ?, ?, ?, ?)",
                (job_id, kind, name, time.time(), json.dumps(task), key),
            )
        return self.job(job_id)

    def job(self, job_id: str) -> JobRow:
        """Return a job.

        Raises
        ------
        ProblemError
            404, if there is none.
        """
        rows = self.rows(f"SELECT {_JOB} FROM job WHERE id = ?", (job_id,))
        if not rows:
            raise not_found("job", job_id)
        return _job_row(rows[0])

    def job_of_key(self, key: str) -> JobRow | None:
        """Return the newest job of this key that waits, runs, or came to a good end."""
        rows = self.rows(
            f"SELECT {_JOB} FROM job WHERE key = ? AND state NOT IN ('failed', 'cancelled') "
            "ORDER BY number DESC LIMIT 1",
            (key,),
        )
        return _job_row(rows[0]) if rows else None

    def jobs(self, state: str | None, kind: str | None, before: int | None, limit: int) -> list[JobRow]:
        """Return jobs, the newest first."""
        conditions = {"state = ?": state, "kind = ?": kind, "number < ?": before}
        given = {clause: value for clause, value in conditions.items() if value is not None}
        where = f"WHERE {' AND '.join(given)}" if given else ""
        rows = self.rows(
            f"SELECT {_JOB} FROM job {where} ORDER BY number DESC LIMIT ?", (*given.values(), limit)
        )
        return [_job_row(row) for row in rows]

    def count_jobs(self, states: Iterable[str], kinds: Iterable[str]) -> int:
        """Return how many jobs are in one of these states."""
        states, kinds = tuple(states), tuple(kinds)
        ((count,),) = self.rows(
            f"SELECT count(*) FROM job WHERE state IN ({_marks(states)}) AND kind IN ({_marks(kinds)})",
            (*states, *kinds),
        )
        return int(count)

    def take_job(self, kinds: Iterable[str]) -> JobRow | None:
        """Take the job that has waited longest; None if none waits."""
        kinds = tuple(kinds)
        with self.transaction():
            rows = self.rows(
                "UPDATE job SET state = 'decoding', message = '', n_attempts = n_attempts + 1 "
                "WHERE number = ("
                f"SELECT min(number) FROM job WHERE state = 'queued' AND kind IN ({_marks(kinds)})) "
                f"RETURNING {_JOB}",
                kinds,
            )
        return _job_row(rows[0]) if rows else None

    def change_job(self, job_id: str, **values: Any) -> JobRow | None:
        """Change columns of a job that has not ended; None if it has, or is gone."""
        if "error" in values and values["error"] is not None:
            values["error"] = json.dumps(values["error"])
        columns = ", ".join(f"{name} = ?" for name in values)
        with self.transaction():
            rows = self.rows(
                f"UPDATE job SET {columns} WHERE id = ? AND state NOT IN ({_marks(FINAL)}) RETURNING {_JOB}",
                (*values.values(), job_id, *FINAL),
            )
        return _job_row(rows[0]) if rows else None

    def requeue_jobs(self) -> None:
        """Let jobs wait again that the last server did not finish."""
        self.rows("UPDATE job SET state = 'queued', progress = 0, message = 'waiting' "
                  "WHERE state IN ('decoding', 'analysing')")  # fmt: skip

    def add_event(self, job_id: str, data: str) -> None:
        """Note what a job said."""
        self.rows("INSERT INTO event (job_id, data) SELECT id, ? FROM job WHERE id = ?", (data, job_id))

    def events(self, after: int, job_id: str | None, limit: int = 200) -> list[tuple[int, str]]:
        """Return numbers and data of events, in order."""
        where = "" if job_id is None else "AND job_id = ?"
        values = (after, limit) if job_id is None else (after, job_id, limit)
        return self.rows(f"SELECT id, data FROM event WHERE id > ? {where} ORDER BY id LIMIT ?", values)

    def unfinished(self) -> list[tuple[int, str]]:
        """Return the last event of each job that has not ended, in order."""
        return self.rows(
            "SELECT max(event.id), data FROM event JOIN job ON job.id = job_id "
            f"WHERE state NOT IN ({_marks(FINAL)}) GROUP BY job_id ORDER BY 1",
            FINAL,
        )

    def last_event(self) -> int:
        """Return the number of the newest event."""
        ((number,),) = self.rows("SELECT coalesce(max(id), 0) FROM event")
        return int(number)

    # Analyses

    def add_analysis(
        self,
        job_id: str,
        file_name: str,
        specification: Specification,
        result: TagResult,
        peaks: Peaks,
        charts: Charts | None,
        *,
        is_kept: bool,
    ) -> None:
        """Keep what was heard in an upload; it has tags, and chords unless none could be listened for."""
        times = result.chunk_times
        with self.transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO model VALUES (?, ?)",
                (specification.weights_sha256, specification.model_dump_json()),
            )
            connection.execute(
                f"INSERT OR REPLACE INTO analysis VALUES ({', '.join('?' * 16)})",
                (
                    job_id,
                    file_name,
                    specification.weights_sha256,
                    result.outcome.value,
                    result.message,
                    result.duration,
                    result.is_unsure,
                    time.time(),
                    result.clip_scores.astype("<f4").tobytes(),
                    result.embedding.astype("<f4").tobytes(),
                    specification.chunk_hop,
                    float(times[-1]),
                    len(times),
                    pack_taggram(result.taggram),
                    pack_peaks(peaks),
                    is_kept,
                ),
            )
            if charts is not None:
                row = (job_id, pack_charts(charts))
                connection.execute("INSERT OR REPLACE INTO analysis_chords VALUES (?, ?)", row)

    def analysis(self, analysis_id: str) -> StoredAnalysis:
        """Return an analysis.

        Raises
        ------
        ProblemError
            404, if there is none.
        """
        rows = self.rows(
            "SELECT analysis.*, specification FROM analysis JOIN model USING (weights_sha256) WHERE id = ?",
            (analysis_id,),
        )
        if not rows:
            raise not_found("analysis", analysis_id)
        return _stored_analysis(rows[0])

    def chords_of_analysis(self, analysis_id: str) -> tuple[str, dict[VocabularyName, ChordResult] | None]:
        """Return the name of an upload's file and the chords in it; None if none were listened for.

        Raises
        ------
        ProblemError
            404, if there is no such analysis.
        """
        rows = self.rows(
            "SELECT file_name, data FROM analysis LEFT JOIN analysis_chords USING (id) WHERE id = ?",
            (analysis_id,),
        )
        if not rows:
            raise not_found("analysis", analysis_id)
        ((name, data),) = rows
        return name, None if data is None else unpack_charts(data)

    def remove_job(self, job_id: str) -> None:
        """Forget a job with its events and its analysis."""
        self.rows("DELETE FROM job WHERE id = ?", (job_id,))

    def remove_old(self, before: float) -> None:
        """Forget jobs that ended before a moment, with all that they made, and what has expired."""
        with self.transaction():
            self.rows("DELETE FROM job WHERE finished_at < ?", (before,))
            self.rows("DELETE FROM session WHERE expires_at < ?", (time.time(),))
            for table in ("peaks", "chords"):
                self.rows(
                    f"DELETE FROM {table} WHERE used_at < ("
                    f"SELECT used_at FROM {table} ORDER BY used_at DESC LIMIT 1 OFFSET {_N_KEPT - 1})"
                )

    def known_uploads(self) -> set[str]:
        """Return the paths of uploads that are still needed: of jobs to be done, and of kept analyses."""
        rows = self.rows(
            "SELECT json_extract(task, '$.path') FROM job LEFT JOIN analysis USING (id) "
            "WHERE kind = 'analysis' AND (finished_at IS NULL OR is_kept)"
        )
        return {row[0] for row in rows}

    # Small things

    def peaks(self, audio_hash: bytes) -> Peaks | None:
        """Return the waveform of a sound of the library, if it is known."""
        rows = self.rows(
            "UPDATE peaks SET used_at = ? WHERE audio_hash = ? RETURNING data", (time.time(), audio_hash)
        )
        return unpack_peaks(rows[0][0]) if rows else None

    def add_peaks(self, audio_hash: bytes, peaks: Peaks) -> None:
        """Keep the waveform of a sound of the library."""
        row = (audio_hash, pack_peaks(peaks), time.time())
        self.rows("INSERT OR REPLACE INTO peaks VALUES (?, ?, ?)", row)

    def chords(self, audio_hash: bytes, weights_sha256: str) -> dict[VocabularyName, ChordResult] | None:
        """Return the chords that a model heard in a sound of the library, if they are known."""
        rows = self.rows(
            "UPDATE chords SET used_at = ? WHERE audio_hash = ? AND weights_sha256 = ? RETURNING data",
            (time.time(), audio_hash, weights_sha256),
        )
        return unpack_charts(rows[0][0]) if rows else None

    def add_chords(self, audio_hash: bytes, weights_sha256: str, charts: Charts) -> None:
        """Keep the chords that a model heard in a sound of the library."""
        row = (audio_hash, weights_sha256, pack_charts(charts), time.time())
        self.rows("INSERT OR REPLACE INTO chords VALUES (?, ?, ?, ?)", row)

    def put_document(self, kind: str, document_id: str, content: Mapping[str, Any]) -> None:
        """Keep a plan or an evaluation, in place of what it was."""
        self.rows(
            "INSERT INTO document VALUES (?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET content = excluded.content",
            (document_id, kind, time.time(), json.dumps(content)),
        )

    def document(self, kind: str, document_id: str) -> dict[str, Any]:
        """Return a plan or an evaluation, with its `id` and `created_at`.

        Raises
        ------
        ProblemError
            404, if there is none.
        """
        rows = self.rows(
            "SELECT id, created_at, content FROM document WHERE kind = ? AND id = ?", (kind, document_id)
        )
        if not rows:
            raise not_found(kind, document_id)
        return _document(rows[0])

    def documents(self, kind: str) -> list[dict[str, Any]]:
        """Return all plans, or all evaluations, the newest first."""
        rows = self.rows(
            "SELECT id, created_at, content FROM document WHERE kind = ? ORDER BY created_at DESC", (kind,)
        )
        return [_document(row) for row in rows]

    def remove_document(self, kind: str, document_id: str) -> None:
        """Forget a plan or an evaluation."""
        self.rows("DELETE FROM document WHERE kind = ? AND id = ?", (kind, document_id))


_JOB = (
    "number, id, kind, state, progress, message, name, created_at, finished_at, result, error, task, key, "
    "n_attempts"
)


def _job_row(row: tuple[Any, ...]) -> JobRow:
    values = dict(zip(_JOB.split(", "), row, strict=True))
    values["error"] = values["error"] and json.loads(values["error"])
    values["task"] = json.loads(values["task"])
    return JobRow(**values)


def _document(row: tuple[Any, ...]) -> dict[str, Any]:
    document_id, created_at, content = row
    return {**json.loads(content), "id": document_id, "created_at": created_at}


def _marks(values: tuple[Any, ...]) -> str:
    return ", ".join("?" * len(values))


def _stored_analysis(row: tuple[Any, ...]) -> StoredAnalysis:
    (
        analysis_id, file_name, _, outcome, message, duration, is_unsure, created_at, scores, embedding, hop,
        last_chunk, n_chunks, taggram, peaks, is_kept, specification_text,
    ) = row  # fmt: skip
    specification = Specification.from_json(specification_text, source="the server's database")
    clip_scores = np.frombuffer(scores, "<f4").astype(np.float32)
    result = TagResult(
        outcome=Outcome(outcome),
        duration=duration,
        tags=rank_tags(specification, clip_scores),
        clip_scores=clip_scores,
        taggram=unpack_taggram(taggram, n_chunks),
        chunk_times=chunk_times(hop, last_chunk, n_chunks),
        embedding=np.frombuffer(embedding, "<f4").astype(np.float32),
        path=file_name,
        message=message,
        is_unsure=bool(is_unsure),
    )
    sound = StoredSound(file_name, specification, result)
    return StoredAnalysis(analysis_id, created_at, bool(is_kept), sound, unpack_peaks(peaks))


def rank_tags(specification: Specification, clip_scores: np.ndarray) -> tuple[TagScore, ...]:
    """Return all tags of a model with their scores, the strongest first."""
    tags = specification.tags
    order = np.argsort(-clip_scores, kind="stable").tolist()
    return tuple(
        TagScore(tags[i].name, tags[i].category, float(clip_scores[i]), tags[i].display_name) for i in order
    )
