"""A library held in memory: tracks, scores and fields as of one moment, to search in milliseconds.

    with Library.open() as library:
        catalogue = Catalogue.read(library)
        found = catalogue.search("piano and not vocals", sort="artist")
        print(found.n, catalogue.file_ids[found.rows[:20]])

It answers what `taggram.library.search` answers by passing over the database, and is worth its reading (a few
seconds for 100,000 tracks) to a program that answers more than once. It never changes: `is_current` tells
whether the library still is what was read, and `renewed` reads only what is not.

Conventions: rows are files that are not missing, in the order in which they came into the library; arrays
over rows have shape (n_rows,). A file without scores matches no expression but the empty one.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from threading import Lock
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from taggram.errors import UnknownNameError
from taggram.inference.report import select_tags
from taggram.inference.result import TagScore
from taggram.library.expressions import NUMBER_FIELDS, TEXT_FIELDS, Bools, Floats, fold, matches, named_tags
from taggram.library.expressions import parse as parse_expression
from taggram.library.expressions import relevance as relevance_of
from taggram.library.map import lay_out_tags
from taggram.library.paths import unpack_path
from taggram.library.search import Matches, number_in
from taggram.library.store import Library
from taggram.library.tag_scores import TagScores
from taggram.library.text_columns import TextColumn
from taggram.library.tracks import ModelRow, unpack_fields, unpack_vectors
from taggram.modelfile.specification import Category

SORTS = ("relevance", "title", "artist", "album", "path", "duration", "year", "added")
"""What tracks can be sorted by, beside `tag:NAME`; a `-` in front turns the order round."""
_BATCH = 10_000
_N_FOR_MAP = 20_000  # tracks that say how tags come together
_N_REMEMBERED = 32  # answers, for the next page
K = TypeVar("K")
V = TypeVar("V")


class CatalogueTag(NamedTuple):
    """One tag that tracks have: the model's, corrected or not, or one of the user's.

    Attributes
    ----------
    name, label, category
        As the expression names it, for people, and its kind.
    threshold
        Score from which it is there.
    is_own
        The user taught it, and the model does not have it.
    """

    name: str
    label: str
    category: Category
    threshold: float
    is_own: bool


@dataclass(frozen=True, eq=False)
class FoundRows:
    """What a search found.

    Attributes
    ----------
    rows
        In the order that was asked for.
    relevance
        Of each of `rows`, in [0, 1].
    tags
        Tags that the expression names.
    """

    rows: NDArray[np.int64]
    relevance: NDArray[np.float32]
    tags: tuple[str, ...]

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self.rows)


@dataclass(frozen=True, eq=False)
class _Files:
    """What files say."""

    file_ids: NDArray[np.int64]
    recording_ids: NDArray[np.int64]  # 0 where no sound was found
    outcomes: NDArray[np.object_]  # text, or None for a file that waits
    texts: Mapping[str, TextColumn] = field(repr=False)
    numbers: Mapping[str, NDArray[np.float64]] = field(repr=False)


@dataclass(frozen=True, eq=False)
class _Scores:
    """What was heard, tag by tag."""

    tags: tuple[CatalogueTag, ...]
    columns: Mapping[str, int] = field(repr=False)  # both names of a tag → its row in `values`
    thresholds: Mapping[str, float] = field(repr=False)
    values: NDArray[np.float32] = field(repr=False)  # (n_tags, n_rows); 0 without scores
    is_heard: Bools = field(repr=False)
    is_unsure: Bools = field(repr=False)


class Catalogue:
    """A library in memory; it may be shared by threads."""

    def __init__(self, model: ModelRow, state: tuple[object, ...], files: _Files, scores: _Scores) -> None:
        self.model = model
        self._state = state
        self._files = files
        self._scores = scores
        self._answers: OrderedDict[tuple[str, str], FoundRows] = OrderedDict()
        self._lock = Lock()
        # Of a sound that is no music, no tag counts.
        thresholds = np.array([tag.threshold for tag in scores.tags], np.float32)[:, None]
        self._has_tag = (scores.values >= thresholds) & scores.is_heard & ~scores.is_unsure

    @classmethod
    def read(cls, library: Library, model: ModelRow | None = None) -> "Catalogue":
        """Read a library as `model` hears it; None is the library's own.

        Raises
        ------
        LibraryError
            If no model has listened yet, or the library cannot be read.
        """
        model = model or library.default_model()
        state = _state(library, model)
        files = _read_files(library)
        return cls(model, state, files, _read_scores(library, model, files))

    def is_current(self, library: Library) -> bool:
        """Return whether nothing that was read has changed."""
        return _state(library, self.model) == self._state

    def renewed(self, library: Library) -> "Catalogue":
        """Return the library as it is now, reading only what has changed."""
        model = library.default_model()
        state = _state(library, model)
        if state == self._state:
            return self
        files = self._files if state[0] == self._state[0] else _read_files(library)
        return Catalogue(model, state, files, _read_scores(library, model, files))

    def __len__(self) -> int:
        return len(self._files.file_ids)

    @property
    def file_ids(self) -> NDArray[np.int64]:
        """Ids of the files, ascending."""
        return self._files.file_ids

    @property
    def recording_ids(self) -> NDArray[np.int64]:
        """Recordings that the files hold; 0 where no sound was found."""
        return self._files.recording_ids

    @property
    def tags(self) -> tuple[CatalogueTag, ...]:
        """All tags: the model's in its order, then the user's."""
        return self._scores.tags

    def tag(self, name: str) -> CatalogueTag:
        """Return a tag by one of its names.

        Raises
        ------
        UnknownNameError
            If there is none of this name.
        """
        columns = self._scores.columns
        found = columns.get(name)
        if found is None:
            found = next((columns[known] for known in columns if fold(known) == fold(name)), None)
        if found is None:
            raise UnknownNameError("tag", name, columns)
        return self._scores.tags[found]

    def scores(self, tag: str) -> NDArray[np.float32]:
        """Return the scores of a tag over all rows; 0 where nothing was heard."""
        return np.asarray(self._scores.values[self._scores.columns[self.tag(tag).name]])

    def rows_of(self, file_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows of files, −1 for those that are not here."""
        rows = np.searchsorted(self.file_ids, file_ids)
        rows[rows == len(self)] = 0
        return (
            np.where(self.file_ids[rows] == file_ids, rows, -1) if len(self) else np.full_like(file_ids, -1)
        )

    # Search

    def search(self, expression: str, *, sort: str = "-relevance", outcome: str | None = None) -> FoundRows:
        """Find tracks; all of them by the empty expression.

        Parameters
        ----------
        expression
            As of `taggram.library.expressions`. Of several files with the same recording, the first that
            matches is found.
        sort
            One of `SORTS`, or `tag:NAME`; equal ones come in the order in which they came into the library.
        outcome
            Only files that ended so, or "waiting".

        Raises
        ------
        ExpressionError
            If the expression cannot be read.
        UnknownNameError
            If there is no such tag to sort by.
        """
        found = self._matching(expression.strip())
        if outcome is not None:
            wanted = None if outcome == "waiting" else outcome
            keep = self._files.outcomes[found.rows] == wanted
            found = replace(found, rows=found.rows[keep], relevance=found.relevance[keep])
        return self._sorted(found, expression.strip(), sort, outcome)

    def find_matches(self, expression: str) -> Matches:
        """Return all recordings that match, as `taggram.library.search.find_matches` does."""
        found = self._matching(expression.strip())
        rows = found.rows[self._scores.is_heard[found.rows]]
        ids, first = np.unique(self.recording_ids[rows], return_index=True)
        rows = rows[first]
        values = np.stack([self.scores(tag)[rows] for tag in found.tags], axis=1) if found.tags else None
        relevance = np.zeros(len(self), np.float32)
        relevance[found.rows] = found.relevance
        return Matches(
            ids,
            self.file_ids[rows],
            relevance[rows],
            found.tags,
            np.empty((len(rows), 0), np.float32) if values is None else values,
        )

    def count_tags(self, expression: str) -> list[tuple[CatalogueTag, int]]:
        """Return each tag with the number of the tracks that match and have it, the commonest first."""
        found = self._matching(expression.strip())
        if found.n == len(self):
            counts = np.count_nonzero(self._has_tag, axis=1)
        else:
            counts = np.count_nonzero(self._has_tag[:, found.rows], axis=1)
        order = np.argsort(-counts, kind="stable").tolist()
        return [(self.tags[i], int(counts[i])) for i in order]

    @cached_property
    def tag_map(self) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Places and correlations of the tags, as `taggram.library.map.lay_out_tags` returns them."""
        rows = np.flatnonzero(self._scores.is_heard)
        step = -(-len(rows) // _N_FOR_MAP) or 1
        return lay_out_tags(self._scores.values[:, rows[::step]])

    def shown_tags(self, rows: Sequence[int]) -> list[tuple[TagScore, ...]]:
        """Return the tags of tracks that people should be told of, of each the strongest first."""
        scores, specification = self._scores, self.model.specification
        values = scores.values[:, rows].T
        is_shown = np.zeros(values.shape, np.bool_)
        is_shown[:, : specification.n_tags] = select_tags(values[:, : specification.n_tags], specification)
        for place, tag in enumerate(self.tags):
            if tag.is_own:
                is_shown[:, place] = values[:, place] >= tag.threshold
        is_shown[~scores.is_heard[rows] | scores.is_unsure[rows]] = False
        return [
            self._as_scores(own, np.flatnonzero(chosen)) for own, chosen in zip(values, is_shown, strict=True)
        ]

    def _as_scores(self, values: NDArray[np.float32], places: NDArray[np.int64]) -> tuple[TagScore, ...]:
        order = places[np.argsort(-values[places], kind="stable")]
        tags = [self.tags[place] for place in order.tolist()]
        return tuple(
            TagScore(tag.name, tag.category, score, tag.label if tag.label != tag.name else "")
            for tag, score in zip(tags, values[order].tolist(), strict=True)
        )

    def _matching(self, expression: str) -> FoundRows:
        """Return the rows that match, ascending."""
        key = expression, ""
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
                return self._answers[key]
        found = self._match(expression)
        with self._lock:
            _remember(self._answers, key, found, _N_REMEMBERED)
        return found

    def _match(self, expression: str) -> FoundRows:
        if not expression:
            rows = np.arange(len(self))
            return FoundRows(rows, np.ones(len(rows), np.float32), ())
        tree = parse_expression(expression, self._scores.thresholds)
        columns = _Columns(self._files, self._scores)
        rows = np.flatnonzero(matches(tree, columns) & self._scores.is_heard)
        _, first = np.unique(self.recording_ids[rows], return_index=True)
        rows = np.sort(rows[first])
        relevance = np.asarray(relevance_of(tree, columns)[rows], np.float32)
        return FoundRows(rows, relevance, named_tags(tree))

    def _sorted(self, found: FoundRows, expression: str, sort: str, outcome: str | None) -> FoundRows:
        key = expression, f"{sort}\0{outcome}"
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
                return self._answers[key]
        is_falling, by = sort.startswith("-"), sort.removeprefix("-")
        keys = self._keys(by, found)
        # NaN comes last in either order.
        order = np.argsort(-keys if is_falling else keys, kind="stable")
        ordered = replace(found, rows=found.rows[order], relevance=found.relevance[order])
        with self._lock:
            _remember(self._answers, key, ordered, _N_REMEMBERED)
        return ordered

    def _keys(self, by: str, found: FoundRows) -> NDArray[np.floating]:
        rows = found.rows
        if by == "relevance":
            return found.relevance
        if by == "added":
            return rows.astype(np.float64)
        if by.startswith("tag:"):
            scores = self.scores(by.removeprefix("tag:"))[rows]
            return np.where(self._scores.is_heard[rows], scores, np.nan)
        if by in self._files.numbers:
            return self._files.numbers[by][rows]
        if by not in SORTS:
            raise UnknownNameError("order", by, SORTS)
        return self._files.texts[by].ranks[rows]


class _Columns:
    """What an expression asks, over all rows."""

    def __init__(self, files: _Files, scores: _Scores) -> None:
        self._files = files
        self._scores = scores

    def __len__(self) -> int:
        return len(self._files.file_ids)

    def scores(self, tag: str) -> Floats:
        return np.asarray(self._scores.values[self._scores.columns[tag]])

    def numbers(self, field: str) -> Floats:
        return self._files.numbers[field]

    def holds(self, field: str, text: str, *, whole: bool) -> Bools:
        return self._files.texts[field].holds(text, whole=whole)


def _remember(known: OrderedDict[K, V], key: K, value: V, n: int) -> None:
    known[key] = value
    while len(known) > n:
        known.popitem(last=False)


def _state(library: Library, model: ModelRow) -> tuple[object, ...]:
    """Return what changes with the files, with what was heard, and with what was taught, in this order."""
    newest = library.default_model(model.name)
    files = library.rows(
        "SELECT count(*), max(id), sum(is_missing), max(scanned_at), sum(mtime_ns & 4294967295), "
        "total(recording_id) FROM file"
    )
    taught = library.rows(
        "SELECT own_tag.id, name, category, count(is_accepted), sum(is_accepted), "
        "max(own_tag_example.created_at) FROM own_tag "
        "LEFT JOIN own_tag_example ON own_tag_id = own_tag.id GROUP BY own_tag.id"
    )
    return files, (newest.id, library.version(newest)), taught


def _read_files(library: Library) -> _Files:
    rows = library.rows(
        "SELECT file.id, coalesce(recording_id, 0), outcome, duration, path, fields FROM file "
        "LEFT JOIN recording ON recording.id = recording_id WHERE NOT is_missing ORDER BY file.id"
    )
    fields = [unpack_fields(row[5]) for row in rows]
    texts = {name: TextColumn(own.get(name, ()) for own in fields) for name in TEXT_FIELDS if name != "path"}
    texts["path"] = TextColumn((str(unpack_path(row[4])),) for row in rows)
    numbers = {
        name: np.array([number_in(own.get(name, ())) for own in fields], np.float64)
        for name in NUMBER_FIELDS
        if name != "duration"
    }
    numbers["duration"] = np.array([np.nan if row[3] is None else row[3] for row in rows], np.float64)
    return _Files(
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.object_),
        texts,
        numbers,
    )


def _read_scores(library: Library, model: ModelRow, files: _Files) -> _Scores:
    tag_scores = TagScores(library, model)
    tags = _list_tags(model, tag_scores)
    specification = model.specification
    least = specification.least_evidence or 0.0
    taught = [place for place, tag in enumerate(tags) if tag_scores.is_taught(tag.name)]
    ids, file_places = np.unique(files.recording_ids, return_inverse=True)
    values = np.zeros((len(tags), len(ids)), np.float32)
    is_heard, is_unsure = np.zeros(len(ids), np.bool_), np.zeros(len(ids), np.bool_)
    for own_ids, scores, embeddings in _read_batches(library, model, with_embeddings=bool(taught)):
        places = np.minimum(np.searchsorted(ids, own_ids), len(ids) - 1)
        is_here = ids[places] == own_ids
        places = places[is_here]
        values[: specification.n_tags, places] = scores[is_here].T
        is_heard[places] = True
        is_unsure[places] = scores[is_here].sum(axis=1) < least
        for tag in taught:
            values[tag, places] = tag_scores.of(tags[tag].name, scores, embeddings)[is_here]
    columns = {tag.name: place for place, tag in enumerate(tags)}
    labels = {tag.label: place for place, tag in enumerate(tags)}
    return _Scores(
        tags=tags,
        columns={**labels, **columns},
        thresholds=dict(tag_scores.thresholds),
        values=values[:, file_places],
        is_heard=is_heard[file_places],
        is_unsure=is_unsure[file_places],
    )


def _read_batches(
    library: Library, model: ModelRow, *, with_embeddings: bool
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float16]]]:
    """Yield recordings, scores, and embeddings, of length 0 where they are not asked for."""
    column = "embedding" if with_embeddings else "x''"
    statement = (
        f"SELECT recording_id, scores, {column} FROM analysis "
        "WHERE model_id = ? AND recording_id > ? AND scores IS NOT NULL "
        f"ORDER BY recording_id LIMIT {_BATCH}"
    )
    specification, last_id = model.specification, -1
    while rows := library.rows(statement, (model.id, last_id)):
        last_id = rows[-1][0]
        yield (
            np.array([row[0] for row in rows], np.int64),
            unpack_vectors([row[1] for row in rows], specification.n_tags).astype(np.float32),
            unpack_vectors([row[2] for row in rows], specification.embedding_dim if with_embeddings else 0),
        )


def _list_tags(model: ModelRow, tag_scores: TagScores) -> tuple[CatalogueTag, ...]:
    """Return the model's tags in its order, then the user's."""
    labels = {tag.name: tag.label for tag in model.specification.tags}
    return tuple(
        CatalogueTag(name, labels.get(name, name), category, tag_scores.thresholds[name], name not in labels)
        for name, category in tag_scores.categories.items()
    )
