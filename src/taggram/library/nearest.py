"""Nearest recordings by inner product: exact below `EXACT_SIZE`, by a graph of neighbours above.

The graph is HNSW (Malkov & Yashunin 2018) by usearch, the optional part `search`; without it, search is
exact at any size. The graph is a cache beside the library, in `<library>.similar/`: it is brought up to
date when recordings come or go, and made again from the database when it is missing, damaged, of
another library, or when the library has changed so much that its averages are no longer these.

    graph-N.usearch   the graph with float16 vectors, keyed by recording id
    graph-N.json      what it was made from, its checksum, and the averages (`Space`) of its vectors

N is the id of the model. The second file is written last, and names the checksum of the first.
"""

import hashlib
import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from taggram.library.facets import Space
from taggram.library.sample import draw_sample
from taggram.library.store import Library
from taggram.library.teach import Statistics
from taggram.library.tracks import ModelRow, unpack_vectors

EXACT_SIZE = 10_000
"""Recordings up to which exact search takes a few milliseconds, so that no graph is needed."""
FORMAT = 1
LARGEST_CHANGE = 0.25
"""Share of recordings that came or went from which the graph is made anew."""
CONNECTIVITY = 16
EXPANSION_ADD = 128
EXPANSION_SEARCH = 512  # so that queries of one facet alone find their neighbours, too
_BATCH = 8192

_log = logging.getLogger(__name__)

Ids = NDArray[np.int64]
Floats = NDArray[np.float32]


class Nearest(NamedTuple):
    """Recordings, nearest first, and their inner products with the query; both of shape (n,)."""

    recording_ids: Ids
    similarities: Floats


class Index(Protocol):
    """Finds the nearest of all recordings."""

    def __len__(self) -> int:
        """Return the number of recordings."""
        ...

    def search(self, query: Floats, n: int) -> Nearest:
        """Return the `n` nearest, or all if there are fewer."""
        ...


class ExactIndex:
    """Compares a query with every recording."""

    def __init__(self, recording_ids: Ids, vectors: Floats) -> None:
        self._ids = recording_ids
        self._vectors = vectors

    def __len__(self) -> int:
        return len(self._ids)

    def search(self, query: Floats, n: int) -> Nearest:
        """Return the `n` nearest, or all if there are fewer."""
        similarities = self._vectors @ query
        n = min(n, len(self._ids))
        rows = np.argpartition(-similarities, n - 1)[:n] if n else np.empty(0, np.int64)
        rows = rows[np.lexsort((self._ids[rows], -similarities[rows]))]
        return Nearest(self._ids[rows], similarities[rows])


class GraphIndex:
    """Walks a graph of neighbours towards the query."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph

    def __len__(self) -> int:
        return len(self._graph)

    def recording_ids(self) -> Ids:
        """Return the recordings that it holds, in no particular order."""
        return np.asarray(self._graph.keys, np.int64)

    def search(self, query: Floats, n: int) -> Nearest:
        """Return about the `n` nearest."""
        found = self._graph.search(query, min(n, len(self._graph)))
        # usearch's distance is 1 less the inner product.
        similarities = np.asarray(1 - found.distances, np.float32)
        ids = found.keys.astype(np.int64)
        order = np.lexsort((ids, -similarities))
        return Nearest(ids[order], similarities[order])


def open_index(library: Library, model: ModelRow) -> tuple[Space, Index]:
    """Return the vectors' space and the index of all recordings that `model` has heard."""
    ((n_recordings,),) = library.rows(
        "SELECT count(*) FROM analysis WHERE model_id = ? AND scores IS NOT NULL", (model.id,)
    )
    if n_recordings > EXACT_SIZE and _has_usearch():
        return _GraphFile(library, model).open()
    space = Space.of(model.specification, draw_sample(library, model))
    ids, vectors = np.empty(n_recordings, np.int64), np.empty((n_recordings, space.n_dimensions), np.float32)
    end = 0
    for own_ids, own_vectors in vector_batches(library, model, space):
        begin, end = end, min(n_recordings, end + len(own_ids))  # what is added meanwhile comes next time
        ids[begin:end], vectors[begin:end] = own_ids[: end - begin], own_vectors[: end - begin]
    return space, ExactIndex(ids[:end], vectors[:end])


def vector_batches(
    library: Library, model: ModelRow, space: Space, *, since: float = -1.0
) -> Iterator[tuple[Ids, Floats]]:
    """Yield recording ids and vectors of what `model` has heard after `since` (Unix seconds)."""
    statement = (
        "SELECT recording_id, scores, embedding FROM analysis WHERE model_id = ? AND recording_id > ? "
        f"AND created_at > ? AND scores IS NOT NULL ORDER BY recording_id LIMIT {_BATCH}"
    )
    specification, last_id = model.specification, -1
    while rows := library.rows(statement, (model.id, last_id, since)):
        last_id = rows[-1][0]
        scores = unpack_vectors([row[1] for row in rows], specification.n_tags).astype(np.float32)
        embeddings = unpack_vectors([row[2] for row in rows], specification.embedding_dim)
        yield np.array([row[0] for row in rows], np.int64), space.vectors(embeddings, scores)


class _Stale(Exception):  # noqa: N818  # no error: the graph is made anew
    """The graph cannot be used; the text says why."""


class _GraphFile:
    """The graph of one library and model, in memory and in its files."""

    def __init__(self, library: Library, model: ModelRow) -> None:
        self._library = library
        self._model = model
        self._folder = library.path.with_name(library.path.name + ".similar")
        self._data = self._folder / f"graph-{model.id}.usearch"
        self._description = self._folder / f"graph-{model.id}.json"

    def open(self) -> tuple[Space, GraphIndex]:
        """Load the graph, bring it up to date, or make it."""
        version = self._library.version(self._model)
        try:
            description = self._read_description()
            space = self._space(description)
            self._check_data(description)
            if description["version"] == version:
                return space, GraphIndex(_load(self._data, space))
            graph = self._update(space, description)
        except _Stale as reason:
            _log.info("%s: making the index of similar sounds: %s", self._library.path, reason)
            space, graph = self._make()
        self._write(space, graph, version)
        return space, GraphIndex(graph)

    def _read_description(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self._description.read_bytes())
            expected = (FORMAT, self._model.weights_sha256)
            if (found["format"], found["weights_sha256"]) != expected:
                raise _Stale("it was made for another model or by another version")
        except FileNotFoundError:
            raise _Stale("there is none yet") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _Stale(f"its description cannot be read: {error}") from error
        return found

    def _space(self, description: dict[str, Any]) -> Space:
        specification = self._model.specification
        try:
            mean, deviation, mean_root = (
                np.array(description[name], np.float64) for name in ("mean", "deviation", "mean_root")
            )
        except (KeyError, ValueError, TypeError) as error:
            raise _Stale(f"its averages cannot be read: {error}") from error
        lengths = (specification.embedding_dim, specification.embedding_dim, specification.n_tags)
        if tuple(array.shape for array in (mean, deviation, mean_root)) != tuple((n,) for n in lengths):
            raise _Stale("its averages do not fit the model")
        return Space.restore(specification, Statistics(mean, deviation), mean_root.astype(np.float32))

    def _check_data(self, description: dict[str, Any]) -> None:
        try:
            with self._data.open("rb") as stream:
                sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise _Stale(f"the graph cannot be read: {error}") from error
        if sha256 != description.get("sha256"):
            raise _Stale("the graph is damaged")

    def _update(self, space: Space, description: dict[str, Any]) -> Any:
        """Take out what is gone, and put in what is new or was heard again."""
        try:
            since = float(description["made_at"])
        except (KeyError, ValueError, TypeError) as error:
            raise _Stale(f"its age cannot be read: {error}") from error
        rows = self._library.rows(
            "SELECT recording_id, created_at > ? FROM analysis WHERE model_id = ? AND scores IS NOT NULL",
            (since, self._model.id),
        )
        now = np.array([row[0] for row in rows], np.int64)
        is_new = np.array([row[1] for row in rows], np.bool_)
        graph = _load(self._data, space, view=False)
        known = np.asarray(graph.keys, np.int64)
        if (np.isin(now, known, invert=True) & ~is_new).any():
            raise _Stale("it lacks recordings that are older than itself")
        gone = known[np.isin(known, now[~is_new], invert=True)]
        if len(gone) + is_new.sum() > LARGEST_CHANGE * len(now):
            raise _Stale("much has changed")
        if len(gone):
            graph.remove(gone.astype(np.uint64))
        for ids, vectors in vector_batches(self._library, self._model, space, since=since):
            graph.add(ids.astype(np.uint64), vectors.astype(np.float16))
        return graph

    def _make(self) -> tuple[Space, Any]:
        space = Space.of(self._model.specification, draw_sample(self._library, self._model))
        graph = _new_graph(space)
        for ids, vectors in vector_batches(self._library, self._model, space):
            graph.add(ids.astype(np.uint64), vectors.astype(np.float16))
        return space, graph

    def _write(self, space: Space, graph: Any, version: str) -> None:
        """Keep the graph; a library in a folder that cannot be written to goes without."""
        part = self._data.with_name(self._data.name + f".{os.getpid()}.part")
        try:
            self._folder.mkdir(exist_ok=True)
            graph.save(str(part))
            with part.open("rb") as stream:
                sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            description = {
                "format": FORMAT,
                "version": version,
                "weights_sha256": self._model.weights_sha256,
                "made_at": self._newest(),
                "sha256": sha256,
                "mean": space.statistics.mean.tolist(),
                "deviation": space.statistics.deviation.tolist(),
                "mean_root": space.mean_root.tolist(),
            }
            part.replace(self._data)
            part.write_text(json.dumps(description), encoding="ascii")
            part.replace(self._description)
        except OSError as error:
            _log.warning("%s: cannot be kept, so it is made again next time: %s", self._data, error)
            with suppress(OSError):
                part.unlink()

    def _newest(self) -> float:
        """Return when the newest analysis was made."""
        ((newest,),) = self._library.rows(
            "SELECT max(created_at) FROM analysis WHERE model_id = ?", (self._model.id,)
        )
        return float(newest or time.time())


def _has_usearch() -> bool:
    from importlib.util import find_spec

    return find_spec("usearch") is not None


def _new_graph(space: Space) -> Any:
    from usearch.index import Index as Graph

    return Graph(
        ndim=space.n_dimensions,
        metric="ip",
        dtype="f16",
        connectivity=CONNECTIVITY,
        expansion_add=EXPANSION_ADD,
        expansion_search=EXPANSION_SEARCH,
    )


def _load(path: Path, space: Space, *, view: bool = True) -> Any:
    """Load a graph; a view is read from the disk as it is needed."""
    graph = _new_graph(space)
    try:
        if view:
            graph.view(str(path))
        else:
            graph.load(str(path))
    except Exception as error:  # usearch raises what it likes
        raise _Stale(f"usearch cannot load it: {error}") from error
    graph.expansion_search = EXPANSION_SEARCH
    return graph
