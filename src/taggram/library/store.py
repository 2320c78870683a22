"""The user's library: what is known of every file, recording and model, read and stored.

    with Library.open() as library:
        model = library.default_model()
        ids, scores = library.scores(model)

Reading is streamed in pages, so that a million rows need little memory and no page holds up a writer.
A `Library` belongs to one thread; open one for each, they share the file.
"""

import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from taggram.errors import LibraryError, UnknownNameError
from taggram.inference.result import Outcome, TagResult
from taggram.library.database import check_integrity, connect, default_path, explained, transaction
from taggram.library.paths import IN_REGION, Region, pack_path, unpack_path
from taggram.library.tracks import (
    Analysis,
    Fields,
    FileRow,
    Identity,
    ModelRow,
    chunk_times,
    pack_fields,
    pack_taggram,
    pack_vector,
    unpack_fields,
    unpack_taggram,
    unpack_vectors,
)
from taggram.modelfile.specification import Specification

T = TypeVar("T", np.float16, np.float32)

PAGE = 1000
"""Rows read at once."""

_FILE = """
    SELECT file.id, path, size, mtime_ns, recording_id, outcome, message, fields, scanned_at, is_missing,
           duration
    FROM file LEFT JOIN recording ON recording.id = recording_id
"""


class Seen(NamedTuple):
    """What the operating system says of a file: its path, bytes, and time of change in nanoseconds."""

    path: Path
    size: int
    mtime_ns: int


class Library:
    """The user's collection, in one file.

    Attributes
    ----------
    path
        Of the database.
    connection
        To the database, in autocommit mode, for the modules of `taggram.library`.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection
        self._models: dict[int, ModelRow] = {}

    @classmethod
    def open(cls, path: Path | None = None, *, must_exist: bool = False, is_passed_on: bool = False) -> Self:
        """Open a library, or make an empty one.

        Parameters
        ----------
        path
            Of the database; None is the user's own, in the platform's data directory or where the
            environment variable `TAGGRAM_LIBRARY` says.
        must_exist
            Make none.
        is_passed_on
            Threads may use it in turn; the caller sees to it that no two do at once.

        Raises
        ------
        LibraryError
            If it cannot be opened, is damaged, no library, of a newer version, or is not there but must be.
        """
        path = default_path() if path is None else path.expanduser().absolute()
        return cls(path, connect(path, must_exist=must_exist, is_passed_on=is_passed_on))

    def close(self) -> None:
        """Close the database; everything stored is safe without it, too."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        type_: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Do all of a block or nothing of it, and explain what goes wrong.

        Raises
        ------
        LibraryError
            If the disk is full, another program keeps writing, or the database is damaged.
        """
        with explained(self.path), transaction(self.connection):
            yield self.connection

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read the state of one moment in a block, while others may write.

        Raises
        ------
        LibraryError
            As for `transaction`.
        """
        with explained(self.path):
            self.connection.execute("BEGIN")
            try:
                yield
            finally:
                self.connection.execute("ROLLBACK")

    def rows(self, statement: str, values: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return all its rows.

        Raises
        ------
        LibraryError
            As for `transaction`.
        """
        with explained(self.path):
            return self.connection.execute(statement, tuple(values)).fetchall()

    def check_integrity(self) -> tuple[str, ...]:
        """Return what is wrong with the database; nothing if it is whole."""
        with explained(self.path):
            return check_integrity(self.connection)

    # Files

    def files(
        self,
        *,
        below: Path | None = None,
        outcomes: Collection[Outcome] | None = None,
        include_missing: bool = False,
    ) -> Iterator[FileRow]:
        """Yield files in the order in which they came into the library.

        Parameters
        ----------
        below
            Only this file, or those in this directory and its directories.
        outcomes
            Only files that ended so; None is every file, also one that waits to be looked at.
        include_missing
            Also files that were not there any more at the last walk.
        """
        clauses: list[str] = []
        values: list[bytes | str] = []
        if below is not None:
            clauses.append(IN_REGION)
            values += Region.of(below)
        if outcomes is not None:
            clauses.append(f"outcome IN ({_marks(len(outcomes))})")
            values += [outcome.value for outcome in outcomes]
        if not include_missing:
            clauses.append("NOT is_missing")
        yield from self._pages(clauses, values)

    def file(self, path: Path) -> FileRow | None:
        """Return the file at `path`; None if the library does not know it."""
        rows = self.rows(f"{_FILE} WHERE path = ?", (pack_path(path),))
        return _file_row(rows[0]) if rows else None

    def file_by_id(self, file_id: int) -> FileRow | None:
        """Return the file with this id; None if there is none."""
        rows = self.rows(f"{_FILE} WHERE file.id = ?", (file_id,))
        return _file_row(rows[0]) if rows else None

    def files_by_id(self, file_ids: Iterable[int]) -> dict[int, FileRow]:
        """Return id → file, for those that there are."""
        ids = [int(file_id) for file_id in file_ids]
        found: dict[int, FileRow] = {}
        for begin in range(0, len(ids), PAGE):
            page = ids[begin : begin + PAGE]
            rows = self.rows(f"{_FILE} WHERE file.id IN ({_marks(len(page))})", page)
            found.update((row[0], _file_row(row)) for row in rows)
        return found

    def files_of(
        self, recording_ids: Iterable[int], *, include_missing: bool = False
    ) -> dict[int, tuple[FileRow, ...]]:
        """Return recording id → the files that hold this recording, for those that have any."""
        found: dict[int, tuple[FileRow, ...]] = {}
        ids = [int(recording_id) for recording_id in recording_ids]
        for begin in range(0, len(ids), PAGE):
            page = ids[begin : begin + PAGE]
            where = f"recording_id IN ({_marks(len(page))}) AND is_missing <= ?"
            for row in self.rows(f"{_FILE} WHERE {where} ORDER BY file.id", (*page, include_missing)):
                file = _file_row(row)
                assert file.recording_id is not None
                found[file.recording_id] = (*found.get(file.recording_id, ()), file)
        return found

    def duplicates(self) -> Iterator[tuple[FileRow, ...]]:
        """Yield files that hold the same recording, two or more at a time."""
        rows = self.rows(
            "SELECT recording_id FROM file WHERE NOT is_missing AND recording_id IS NOT NULL "
            "GROUP BY recording_id HAVING count(*) > 1 ORDER BY min(id)"
        )
        for (recording_id,) in rows:
            yield self.files_of([recording_id])[recording_id]

    def roots(self) -> tuple[Path, ...]:
        """Return the directories and files that the user added."""
        return tuple(unpack_path(path) for (path,) in self.rows("SELECT path FROM root ORDER BY path"))

    def add_root(self, path: Path) -> None:
        """Note a directory or file whose music belongs to the library; one inside another needs no note."""
        region = Region.of(path)
        with self.transaction() as connection:
            if any(
                region.exact == root or region.exact.startswith(Region.of(unpack_path(root)).begin)
                for (root,) in self.rows("SELECT path FROM root")
            ):
                return
            connection.execute(f"DELETE FROM root WHERE {IN_REGION}", region)
            connection.execute("INSERT INTO root VALUES (?)", (region.exact,))

    def remove(self, path: Path) -> int:
        """Forget a file, or a directory with all that lies below it; return how many files that were.

        No file is touched on the disk. Analyses of recordings that no other file holds go, too.
        """
        region = Region.of(path)
        with self.transaction() as connection:
            connection.execute(f"DELETE FROM root WHERE {IN_REGION}", region)
            n_files = connection.execute(f"DELETE FROM file WHERE {IN_REGION}", region).rowcount
            self._forget_orphans()
        return n_files

    def remove_missing(self) -> int:
        """Forget the files that were not there any more at the last walk; return how many those were."""
        with self.transaction() as connection:
            n_files = connection.execute("DELETE FROM file WHERE is_missing").rowcount
            self._forget_orphans()
        return n_files

    def remove_model(self, model: ModelRow) -> None:
        """Forget a model with all that it heard; the space is used again."""
        with self.transaction() as connection:
            connection.execute("DELETE FROM model WHERE id = ?", (model.id,))

    def forget_moved(self) -> int:
        """Forget missing files whose recording lies elsewhere in the library; return how many those were.

        Recordings that no file holds any more go, too.
        """
        with self.transaction() as connection:
            n_files = connection.execute(
                "DELETE FROM file WHERE is_missing AND EXISTS ("
                "SELECT 1 FROM file AS other WHERE other.recording_id = file.recording_id "
                "AND NOT other.is_missing)"
            ).rowcount
            self._forget_orphans()
        return n_files

    def _forget_orphans(self) -> None:
        self.connection.execute(
            "DELETE FROM recording WHERE NOT EXISTS (SELECT 1 FROM file WHERE recording_id = recording.id)"
        )

    # Models and what they heard

    def models(self) -> tuple[ModelRow, ...]:
        """Return the models, the one with the newest analysis first."""
        rows = self.rows("SELECT id FROM model ORDER BY used_at DESC, id DESC")
        return tuple(self._model(model_id) for (model_id,) in rows)

    def default_model(self, name: str | None = None) -> ModelRow:
        """Return the model of the newest analyses, or that of this name.

        Raises
        ------
        LibraryError
            If no model has listened yet.
        UnknownNameError
            If none of this name has.
        """
        models = self.models()
        if not models:
            raise LibraryError(
                f"{self.path}: no model has listened to this library yet; run `taggram library update`"
            )
        for model in models:
            if name in (None, model.name):
                return model
        raise UnknownNameError("model of this library", str(name), {model.name for model in models})

    def version(self, model: ModelRow) -> str:
        """Return a text that changes whenever analyses of `model` are added or removed, for caches."""
        ((version,),) = self.rows(
            "SELECT library_id || '-' || id || '-' || n_changes FROM model, settings WHERE id = ?",
            (model.id,),
        )
        return str(version)

    def scores(self, model: ModelRow) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return what `model` heard in all recordings.

        Returns
        -------
        recording_ids : shape (n,), ascending
        scores : shape (n, n_tags), in [0, 1]
        """
        return self._all(self.score_batches(model), model, model.specification.n_tags, np.float32)

    def embeddings(self, model: ModelRow) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
        """Return recording ids, shape (n,), ascending, and embeddings, shape (n, embedding_dim)."""
        return self._all(self.embedding_batches(model), model, model.specification.embedding_dim, np.float16)

    def score_batches(
        self, model: ModelRow, *, size: int = 10_000
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield what `scores` returns, `size` recordings at a time."""
        for ids, scores in self._vectors("scores", model, model.specification.n_tags, size):
            yield ids, scores.astype(np.float32)

    def embedding_batches(
        self, model: ModelRow, *, size: int = 10_000
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float16]]]:
        """Yield what `embeddings` returns, `size` recordings at a time."""
        yield from self._vectors("embedding", model, model.specification.embedding_dim, size)

    def analysis(self, recording_id: int, model: ModelRow) -> Analysis | None:
        """Return all that `model` heard in one recording; None if it has not listened to it."""
        rows = self.rows(
            "SELECT outcome, message, created_at, duration, a.scores, embedding, "
            "       chunk_hop, last_chunk, n_chunks, t.scores "
            "FROM analysis AS a JOIN recording ON recording.id = a.recording_id "
            "LEFT JOIN taggram AS t USING (model_id, recording_id) WHERE model_id = ? AND recording_id = ?",
            (model.id, int(recording_id)),
        )
        return _analysis(rows[0], model.specification) if rows else None

    # Storing

    def add_model(self, specification: Specification) -> ModelRow:
        """Note a model, if it is not known; its weights decide."""
        sha256 = specification.weights_sha256
        with self.transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO model (name, weights_sha256, specification) VALUES (?, ?, ?)",
                (specification.name, sha256, specification.model_dump_json()),
            )
        ((model_id,),) = self.rows("SELECT id FROM model WHERE weights_sha256 = ?", (sha256,))
        return self._model(model_id)

    def store_identity(self, file_id: int, seen: Seen, identity: Identity, fields: Fields) -> int:
        """Note which recording a file holds, and its file tags; return the recording's id.

        The file still waits for its outcome.
        """
        with self.transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO recording "
                "(audio_hash, duration, container, codec, sample_rate, n_channels) VALUES (?, ?, ?, ?, ?, ?)",
                identity,
            )
            ((recording_id,),) = self.rows(
                "SELECT id FROM recording WHERE audio_hash = ?", (identity.audio_hash,)
            )
            connection.execute(
                "UPDATE file SET size = ?, mtime_ns = ?, recording_id = ?, fields = ?, is_missing = 0 "
                "WHERE id = ?",
                (seen.size, seen.mtime_ns, recording_id, pack_fields(fields), file_id),
            )
        return int(recording_id)

    def store_outcome(self, file_id: int, outcome: Outcome, message: str) -> None:
        """Note how a file ended."""
        with self.transaction() as connection:
            connection.execute(
                "UPDATE file SET outcome = ?, message = ?, scanned_at = ? WHERE id = ?",
                (outcome.value, _text(message), time.time(), file_id),
            )

    def store_analysis(
        self, recording_id: int, model: ModelRow, result: TagResult, *, chunk_hop: float | None = None
    ) -> None:
        """Note what `model` heard in a recording, in place of what it heard before.

        Parameters
        ----------
        recording_id, model, result
            What was heard, by whom, and where.
        chunk_hop
            Seconds between chunk starts; None is the model's own.
        """
        has_tags = result.outcome.has_tags
        now = time.time()
        key = (model.id, int(recording_id))
        with self.transaction() as connection:
            connection.execute("DELETE FROM analysis WHERE model_id = ? AND recording_id = ?", key)
            connection.execute(
                "INSERT INTO analysis "
                "(model_id, recording_id, outcome, message, created_at, scores, embedding) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    *key,
                    result.outcome.value,
                    _text(result.message),
                    now,
                    pack_vector(result.clip_scores) if has_tags else None,
                    pack_vector(result.embedding) if has_tags else None,
                ),
            )
            if result.duration:
                connection.execute(
                    "UPDATE recording SET duration = ? WHERE id = ?", (result.duration, int(recording_id))
                )
            if has_tags:
                times = result.chunk_times
                hop = model.specification.chunk_hop if chunk_hop is None else chunk_hop
                connection.execute(
                    "INSERT INTO taggram (model_id, recording_id, chunk_hop, last_chunk, n_chunks, scores) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    (*key, hop, float(times[-1]), len(times), pack_taggram(result.taggram)),
                )

    def _model(self, model_id: int) -> ModelRow:
        if model_id not in self._models:
            ((name, sha256, text),) = self.rows(
                "SELECT name, weights_sha256, specification FROM model WHERE id = ?", (model_id,)
            )
            specification = Specification.from_json(text, source=str(self.path))
            self._models[model_id] = ModelRow(model_id, name, sha256, specification)
        return self._models[model_id]

    def _pages(self, clauses: list[str], values: Iterable[bytes | str]) -> Iterator[FileRow]:
        where = " AND ".join([*clauses, "file.id > ?"])
        last_id = 0
        while rows := self.rows(f"{_FILE} WHERE {where} ORDER BY file.id LIMIT {PAGE}", (*values, last_id)):
            yield from map(_file_row, rows)
            last_id = rows[-1][0]

    def _all(
        self,
        batches: Iterable[tuple[NDArray[np.int64], NDArray[T]]],
        model: ModelRow,
        length: int,
        dtype: type[T],
    ) -> tuple[NDArray[np.int64], NDArray[T]]:
        """Put batches together without holding them twice."""
        ((n_rows,),) = self.rows("SELECT count(*) FROM analysis WHERE model_id = ?", (model.id,))
        ids, vectors = np.empty(n_rows, np.int64), np.empty((n_rows, length), dtype)
        end = 0
        for batch_ids, batch in batches:
            begin, end = end, min(n_rows, end + len(batch))  # what is added meanwhile comes next time
            ids[begin:end] = batch_ids[: end - begin]
            vectors[begin:end] = batch[: end - begin]
        return ids[:end], vectors[:end]

    def _vectors(
        self, column: str, model: ModelRow, length: int, size: int
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float16]]]:
        last_id = -1
        statement = (
            f"SELECT recording_id, {column} FROM analysis WHERE model_id = ? AND recording_id > ? "
            f"AND {column} IS NOT NULL ORDER BY recording_id LIMIT {int(size)}"
        )
        while rows := self.rows(statement, (model.id, last_id)):
            last_id = rows[-1][0]
            yield np.array([row[0] for row in rows], np.int64), unpack_vectors([r[1] for r in rows], length)


def _marks(n: int) -> str:
    return ", ".join("?" * n)


def _text(message: str) -> str:
    """Return a message that SQLite takes: no halves of characters."""
    return message.encode("utf-8", "backslashreplace").decode()


def _file_row(row: tuple[Any, ...]) -> FileRow:
    id_, path, size, mtime_ns, recording_id, outcome, message, fields, scanned_at, is_missing, duration = row
    return FileRow(
        id=id_,
        path=unpack_path(path),
        size=size,
        mtime_ns=mtime_ns,
        recording_id=recording_id,
        outcome=None if outcome is None else Outcome(outcome),
        message=message,
        fields=unpack_fields(fields),
        scanned_at=scanned_at,
        is_missing=bool(is_missing),
        duration=duration,
    )


def _analysis(row: tuple[Any, ...], specification: Specification) -> Analysis:
    outcome, message, created_at, duration, scores, embedding, hop, last_chunk, n_chunks, taggram = row
    n_tags, embedding_dim = specification.n_tags, specification.embedding_dim
    return Analysis(
        outcome=Outcome(outcome),
        message=message,
        created_at=created_at,
        duration=duration,
        scores=_vector(scores, n_tags),
        embedding=_vector(embedding, embedding_dim),
        taggram=unpack_taggram(taggram, n_chunks) if taggram else np.empty((0, n_tags), np.float32),
        chunk_times=chunk_times(hop, last_chunk, n_chunks) if taggram else np.empty(0),
    )


def _vector(data: bytes | None, length: int) -> NDArray[np.float32]:
    if data is None:
        return np.full(length, np.nan, np.float32)
    return unpack_vectors([data], length).astype(np.float32).reshape(length)
