"""Find music by an expression (`taggram.library.expressions`), in bounded memory.

What is searched are the files with a recording that the model has tagged. Of several files with the same
recording, one is found: the first that matches. The strongest matches come first; equal ones in the
order in which they came into the library.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from taggram.library.expressions import (
    Expression,
    could_match,
    holds_text,
    matches,
    named_fields,
    named_tags,
    parse,
    relevance,
)
from taggram.library.paths import unpack_path
from taggram.library.store import Library
from taggram.library.tag_scores import TagScores
from taggram.library.tracks import Fields, FileRow, ModelRow, unpack_fields, unpack_vectors

BATCH = 10_000
"""Recordings looked at together."""
_PAGE = 1000


@dataclass(frozen=True)
class Hit:
    """A file that matches.

    Attributes
    ----------
    file
        The file.
    relevance
        How strongly it matches, in [0, 1]; to order hits, not to compare searches.
    scores
        Tag → score, for the tags that the expression names.
    """

    file: FileRow
    relevance: float
    scores: Mapping[str, float]


@dataclass(frozen=True)
class Found:
    """What a search found: how many recordings match, and the best of them."""

    n_matches: int
    hits: tuple[Hit, ...]


@dataclass(frozen=True, eq=False)
class Matches:
    """All recordings that match an expression, in no particular order of merit.

    Attributes
    ----------
    recording_ids : shape (n,), ascending
    file_ids : shape (n,)
        The file that matches; 0 if the expression names no field of files, so that any of them does.
    relevance : shape (n,), in [0, 1]
    tags
        Tags that the expression names.
    scores : shape (n, len(tags))
        Their scores.
    """

    recording_ids: NDArray[np.int64]
    file_ids: NDArray[np.int64]
    relevance: NDArray[np.float32]
    tags: tuple[str, ...]
    scores: NDArray[np.float32]


def search(
    library: Library,
    expression: str,
    *,
    model: ModelRow | None = None,
    tags: TagScores | None = None,
    limit: int | None = 50,
    offset: int = 0,
) -> Found:
    """Find files.

    Parameters
    ----------
    library, expression
        Where, and what; an empty expression matches everything.
    model
        Whose analyses; None is the library's own.
    tags
        The scores of this model's tags, if they are at hand.
    limit, offset
        Return at most this many hits, behind the first `offset`; None is all.

    Raises
    ------
    ExpressionError
        If the expression cannot be read.
    LibraryError
        If no model has listened yet, or the library cannot be read.
    """
    found = find_matches(library, expression, model=model, tags=tags)
    order = np.lexsort((found.recording_ids, -found.relevance))
    rows = order[offset : None if limit is None else offset + limit]
    hits = []
    for row, file in zip(rows.tolist(), _files(library, found, rows), strict=True):
        scores = dict(zip(found.tags, found.scores[row].tolist(), strict=True))
        hits.append(Hit(file, float(found.relevance[row]), scores))
    return Found(len(order), tuple(hits))


def find_matches(
    library: Library, expression: str, *, model: ModelRow | None = None, tags: TagScores | None = None
) -> Matches:
    """Return all recordings that match; takes and raises what `search` does."""
    model = model or library.default_model()
    tags = tags or TagScores(library, model)
    tree = parse(expression, tags.thresholds) if expression.strip() else None
    named = () if tree is None else named_tags(tree)
    with_files = tree is not None and bool(named_fields(tree))
    parts = [_empty(len(named))]
    for batch in _batches(library, model, with_embeddings=any(map(tags.is_taught, named))):
        columns = _Columns(tags, batch)
        if tree is not None and with_files:
            columns = _FileColumns(library, tags, batch, np.flatnonzero(could_match(tree, columns)))
        parts.append(_match(tree, named, columns))
    ids, file_ids, values, scores = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Matches(ids, file_ids, values, named, scores)


class _Batch(NamedTuple):
    """Recordings (n,), scores (n, n_tags), and embeddings (n, embedding_dim) or nothing of length 0."""

    recording_ids: NDArray[np.int64]
    scores: NDArray[np.float32]
    embeddings: NDArray[np.float16]


class _Columns:
    """One row per recording of a batch; knows nothing of files."""

    def __init__(self, tags: TagScores, batch: _Batch) -> None:
        self._tags = tags
        self._batch = batch
        self.recording_ids = batch.recording_ids
        self.file_ids = np.zeros(len(batch.recording_ids), np.int64)

    def __len__(self) -> int:
        return len(self.recording_ids)

    def scores(self, tag: str) -> NDArray[np.float32]:
        return self._tags.of(tag, self._batch.scores, self._batch.embeddings)

    def numbers(self, field: str) -> NDArray[np.float64]:
        raise AssertionError(f"{field!r} is a field of files")

    def holds(self, field: str, text: str, *, whole: bool) -> NDArray[np.bool_]:
        raise AssertionError(f"{field!r} is a field of files")


class _FileColumns(_Columns):
    """One row per file of a batch, with what its tags say; only of recordings that `rows` names."""

    def __init__(self, library: Library, tags: TagScores, batch: _Batch, rows: NDArray[np.int64]) -> None:
        super().__init__(tags, batch)
        files = _read_files(library, batch.recording_ids[rows])
        self._rows = np.searchsorted(batch.recording_ids, [file.recording_id for file in files])
        self._files = files
        self.recording_ids = batch.recording_ids[self._rows]
        self.file_ids = np.array([file.id for file in files], np.int64)

    def scores(self, tag: str) -> NDArray[np.float32]:
        return super().scores(tag)[self._rows]

    def numbers(self, field: str) -> NDArray[np.float64]:
        if field == "duration":
            return np.array([np.nan if f.duration is None else f.duration for f in self._files], np.float64)
        return np.array([number_in(fields.get(field, ())) for fields in self._fields], np.float64)

    def holds(self, field: str, text: str, *, whole: bool) -> NDArray[np.bool_]:
        return holds_text(self._texts(field), text, whole=whole)

    def _texts(self, field: str) -> Sequence[tuple[str, ...]]:
        if field == "path":
            return [(str(unpack_path(file.path)),) for file in self._files]
        return [fields.get(field, ()) for fields in self._fields]

    @cached_property
    def _fields(self) -> list[Fields]:
        return [unpack_fields(file.fields) for file in self._files]


class _File(NamedTuple):
    """What a search asks of a file, as it is stored."""

    id: int
    recording_id: int
    duration: float | None
    path: bytes
    fields: str


def _read_files(library: Library, recording_ids: NDArray[np.int64]) -> list[_File]:
    """Return the files of recordings (ascending), in the order of the recordings."""
    found: list[_File] = []
    for begin in range(0, len(recording_ids), _PAGE):
        ids = recording_ids[begin : begin + _PAGE].tolist()
        rows = library.rows(
            "SELECT file.id, recording_id, duration, path, fields FROM file "
            "JOIN recording ON recording.id = recording_id "
            f"WHERE recording_id IN ({', '.join('?' * len(ids))}) AND NOT is_missing "
            "ORDER BY recording_id, file.id",
            ids,
        )
        found += map(_File._make, rows)
    return found


_Part = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]


def _match(tree: Expression | None, named: tuple[str, ...], columns: _Columns) -> _Part:
    """Return recordings, files, relevance and scores of what matches, one row per recording."""
    if tree is None:
        rows, values = np.arange(len(columns)), np.ones(len(columns), np.float32)
    else:
        rows, values = np.flatnonzero(matches(tree, columns)), relevance(tree, columns)
    ids, first = np.unique(columns.recording_ids[rows], return_index=True)
    rows = rows[first]
    scores = np.empty((len(rows), len(named)), np.float32)
    for column, tag in enumerate(named):
        scores[:, column] = columns.scores(tag)[rows]
    return ids, columns.file_ids[rows], np.asarray(values[rows], np.float32), scores


def _empty(n_named: int) -> _Part:
    none = np.empty(0, np.int64)
    return none, none, np.empty(0, np.float32), np.empty((0, n_named), np.float32)


def _batches(library: Library, model: ModelRow, *, with_embeddings: bool) -> Iterator[_Batch]:
    """Yield the recordings that have scores and a file."""
    column = "embedding" if with_embeddings else "x''"
    statement = (
        f"SELECT recording_id, scores, {column} FROM analysis "
        "WHERE model_id = ? AND recording_id > ? AND scores IS NOT NULL AND EXISTS "
        "(SELECT 1 FROM file WHERE file.recording_id = analysis.recording_id AND NOT is_missing) "
        f"ORDER BY recording_id LIMIT {BATCH}"
    )
    specification, last_id = model.specification, -1
    while rows := library.rows(statement, (model.id, last_id)):
        last_id = rows[-1][0]
        yield _Batch(
            np.array([row[0] for row in rows], np.int64),
            unpack_vectors([row[1] for row in rows], specification.n_tags).astype(np.float32),
            unpack_vectors([row[2] for row in rows], specification.embedding_dim if with_embeddings else 0),
        )


def _files(library: Library, found: Matches, rows: NDArray[np.int64]) -> Iterator[FileRow]:
    """Yield the file of each row."""
    files = library.files_of(found.recording_ids[rows].tolist(), include_missing=True)
    for recording_id, file_id in zip(
        found.recording_ids[rows].tolist(), found.file_ids[rows].tolist(), strict=True
    ):
        candidates = [file for file in files[recording_id] if file_id in (file.id, 0)]
        yield min(candidates, key=lambda file: (file.is_missing, file.id))


def number_in(values: Sequence[str]) -> float:
    """Return the number at the start of the first text, NaN if there is none."""
    digits = re.match(r"\s*\d+(\.\d+)?", values[0], re.ASCII) if values else None
    return float(digits[0]) if digits else np.nan
