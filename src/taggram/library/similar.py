"""What sounds like this: near recordings, without copies and without one artist filling the list, and why.

    with Library.open() as library:
        finder = Finder.open(library)
        query = finder.query_of_paths([Path("song.mp3")])
        for track in finder.similar(query, limit=10):
            print(track.similarity, track.file.path, finder.why(query, track).tags)

Similarity is the weighted mean of the cosines of the facets (`taggram.library.facets`), in [−1, 1]. How
often a track is played, or how well it is known, plays no part.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from taggram.errors import LibraryError
from taggram.inference.result import TagResult
from taggram.library.facets import Floats, Space
from taggram.library.listening import load_tagger
from taggram.library.naming import artist_keys, song_key
from taggram.library.near_duplicates import is_near_duplicate
from taggram.library.nearest import Ids, Index, Nearest, open_index
from taggram.library.search import Matches, find_matches
from taggram.library.store import Library
from taggram.library.tracks import Analysis, FileRow, ModelRow, unpack_vectors
from taggram.modelfile.specification import Category

MAX_MOMENTS_COMPARED = 1000
"""Chunks of a recording that are compared to find moments; longer ones are thinned out."""
_APART = 10.0  # seconds between two moments that are shown
_LEAST_LIKENESS = 0.3  # of a moment that is shown
_FEW = 2000  # recordings that are compared one by one rather than sought in the index
_PAGE = 1000


@dataclass(frozen=True, eq=False)
class Seed:
    """One recording to be near to.

    Attributes
    ----------
    analysis
        What the library's model heard.
    recording_id
        In the library; None for a file outside.
    file
        Its file, if it is known to the library.
    vector : shape (n_dimensions,)
        In the library's `Space`.
    """

    analysis: Analysis
    recording_id: int | None
    file: FileRow | None
    vector: Floats = field(repr=False)


@dataclass(frozen=True, eq=False)
class Query:
    """Recordings to be near to, at least one; their mean direction counts."""

    seeds: tuple[Seed, ...]

    @property
    def vectors(self) -> Floats:
        """Vectors of the seeds, shape (n_seeds, n_dimensions)."""
        return np.stack([seed.vector for seed in self.seeds])


@dataclass(frozen=True, eq=False)
class Similar:
    """A recording that is near.

    Attributes
    ----------
    file
        The file that holds it.
    similarity
        Weighted mean of `facets`.
    facets
        Facet → cosine with the query.
    vector : shape (n_dimensions,)
        In the library's `Space`.
    """

    file: FileRow
    similarity: float
    facets: Mapping[str, float]
    vector: Floats = field(repr=False)

    @property
    def recording_id(self) -> int:
        """Of the recording."""
        assert self.file.recording_id is not None, "a file without a recording is near to nothing"
        return self.file.recording_id


class SharedTag(NamedTuple):
    """A tag that both have more of than the library's mean, with the scores of both."""

    name: str
    category: Category
    query_score: float
    score: float


class Moment(NamedTuple):
    """Where the two are most alike: starts in seconds in query and track, and the cosine of their tags."""

    query_time: float
    time: float
    similarity: float


@dataclass(frozen=True)
class Why:
    """Why a track is near.

    Attributes
    ----------
    seed
        Which of the query's seeds it is nearest to, from 0; the moments are of that one.
    tags
        Shared tags, the most telling first.
    moments
        Best-matching moments, the best first.
    """

    seed: int
    tags: tuple[SharedTag, ...]
    moments: tuple[Moment, ...]


class Finder:
    """Finds similar recordings in one library, as one model hears them.

    It is up to date with the library at the moment it was opened; `is_current` tells whether it still is.

    Attributes
    ----------
    model, space, index
        Who heard, and what is searched.
    find
        Returns what matches an expression; a program that holds the library in memory has a faster way.
    """

    def __init__(
        self,
        library: Library,
        model: ModelRow,
        space: Space,
        index: Index,
        version: str,
        *,
        find: Callable[[str], Matches] | None = None,
    ) -> None:
        self._library = library
        self.find = find or partial(find_matches, library, model=model)
        self.model = model
        self.space = space
        self.index = index
        self._version = version
        self._analyses: Mapping[int, Analysis | None] = {}  # that the last answer was chosen by

    @classmethod
    def open(cls, library: Library, model: ModelRow | None = None) -> "Finder":
        """Open the index of a library, which is made if need be.

        Raises
        ------
        LibraryError
            If no model has listened yet, or the library cannot be read.
        """
        model = model or library.default_model()
        version = library.version(model)
        space, index = open_index(library, model)
        return cls(library, model, space, index, version)

    @property
    def is_current(self) -> bool:
        """Whether no recording came or went since it was opened."""
        return self._library.version(self.model) == self._version

    # Queries

    def query(self, recording_ids: Iterable[int]) -> Query:
        """Make a query of recordings of the library.

        Raises
        ------
        LibraryError
            If there is none, or the model has no tags for one of them.
        """
        seeds = []
        for recording_id in recording_ids:
            analysis = self._library.analysis(recording_id, self.model)
            if analysis is None or not analysis.outcome.has_tags:
                said = f": {analysis.message or analysis.outcome.value}" if analysis else ""
                raise LibraryError(
                    f"{self._library.path}: the model {self.model.name!r} has no tags for recording "
                    f"{recording_id}{said}"
                )
            files = self._library.files_of([recording_id], include_missing=True).get(recording_id, ())
            seeds.append(self._seed(analysis, recording_id, files[0] if files else None))
        return self._checked(seeds)

    def query_of_results(self, results: Iterable[TagResult]) -> Query:
        """Make a query of sounds outside the library, heard by the same model.

        Raises
        ------
        LibraryError
            If there is none, or one of them ended without tags.
        """
        return self._checked([self._seed_of(result) for result in results])

    def query_of_paths(self, paths: Sequence[Path]) -> Query:
        """Make a query of files; those that the library does not know are listened to now.

        Raises
        ------
        LibraryError
            If there is none, one gives no tags, or the library's model is not on this machine.
        """
        known = [self._library.file(path) for path in paths]
        outside = [path for path, file in zip(paths, known, strict=True) if not self._is_heard(file)]
        heard = iter(self._listen(outside)) if outside else iter(())
        seeds: list[Seed] = []
        for file in known:
            if file is not None and file.recording_id is not None and self._is_heard(file):
                seeds += self.query([file.recording_id]).seeds
            else:
                seeds.append(self._seed_of(next(heard)))
        return self._checked(seeds)

    # Answers

    def similar(
        self,
        query: Query,
        *,
        limit: int = 20,
        weights: Mapping[str, float] | None = None,
        per_artist: int | None = None,
        duplicates: bool = False,
        where: str = "",
    ) -> tuple[Similar, ...]:
        """Return the nearest recordings, nearest first; never the seeds themselves.

        Parameters
        ----------
        query
            As the methods above make it.
        limit
            At most this many.
        weights
            Facet → weight; None is `DEFAULT_WEIGHTS`.
        per_artist
            At most this many of one artist; None is no limit.
        duplicates
            Leave in copies of the seeds, and several copies of one song.
        where
            Only recordings that match this expression.

        Raises
        ------
        ExpressionError
            If `where` cannot be read.
        UnknownNameError, LibraryError
            If the weights are not valid.
        """
        weighed = self.space.weigh(weights or {})
        vector = self.space.query(query.vectors, weighed)
        allowed = self.find(where).recording_ids if where.strip() else None
        choice = Choice(self._library, self.model, query, per_artist, duplicates=duplicates)
        self._analyses = choice.analyses
        for page in self.pages(vector, allowed, 4 * limit + len(query.seeds) + 10):
            for track in self.tracks(page, query.vectors.mean(axis=0)):
                if len(choice.taken) == limit:
                    return tuple(choice.taken)
                choice.consider(track)
        return tuple(choice.taken)

    def tracks(self, page: Nearest, vector: Floats) -> Iterator[Similar]:
        """Yield the recordings of a page that have a file, with what is needed to judge them.

        Parameters
        ----------
        page
            As `pages` yields it.
        vector
            What the facets are compared with; of any length, block by block.
        """
        ids = page.recording_ids.tolist()
        files, vectors = self._library.files_of(ids), self.vectors(ids)
        for recording_id, similarity in zip(ids, page.similarities.tolist(), strict=True):
            if recording_id in files and recording_id in vectors:
                own = vectors[recording_id]
                compared = self.space.compare(vector, own[None])
                facets = {facet: float(values[0]) for facet, values in compared.items()}
                yield Similar(files[recording_id][0], similarity, facets, own)

    def why(self, query: Query, track: Similar, *, n_tags: int = 5, n_moments: int = 3) -> Why:
        """Say what a query and a track have in common.

        Parameters
        ----------
        query, track
            What was asked, and one answer.
        n_tags, n_moments
            How many to name at most.
        """
        nearest = int(np.argmax(query.vectors @ track.vector))
        seed = query.seeds[nearest].analysis
        other = self._analyses.get(track.recording_id) or self._library.analysis(
            track.recording_id, self.model
        )
        if other is None or not other.outcome.has_tags:
            raise LibraryError(
                f"{self._library.path}: recording {track.recording_id} was heard again; ask anew"
            )
        scores = np.stack([seed.analysis.scores for seed in query.seeds]).mean(axis=0)
        return Why(
            nearest,
            self._shared_tags(scores, other.scores, n_tags),
            self._moments(seed, other, n_moments),
        )

    def vectors(self, recording_ids: Iterable[int]) -> dict[int, Floats]:
        """Return recording id → vector, for those that the model has tags for."""
        ids = [int(recording_id) for recording_id in recording_ids]
        found: dict[int, Floats] = {}
        specification = self.model.specification
        for begin in range(0, len(ids), _PAGE):
            page = ids[begin : begin + _PAGE]
            rows = self._library.rows(
                "SELECT recording_id, scores, embedding FROM analysis "
                "WHERE model_id = ? AND scores IS NOT NULL "
                f"AND recording_id IN ({', '.join('?' * len(page))})",
                (self.model.id, *page),
            )
            scores = unpack_vectors([row[1] for row in rows], specification.n_tags).astype(np.float32)
            embeddings = unpack_vectors([row[2] for row in rows], specification.embedding_dim)
            found.update(zip((row[0] for row in rows), self.space.vectors(embeddings, scores), strict=True))
        return found

    def rank(self, vector: Floats, recording_ids: Ids) -> Nearest:
        """Return some recordings by their inner product with a vector, nearest first, exactly."""
        vectors = self.vectors(recording_ids.tolist())
        ids = np.array(list(vectors), np.int64)
        values = np.array([own @ vector for own in vectors.values()], np.float32)
        order = np.lexsort((ids, -values))
        return Nearest(ids[order], values[order])

    def pages(self, vector: Floats, allowed: Ids | None = None, n: int = 100) -> Iterator[Nearest]:
        """Yield recordings nearest first, page by page, no recording twice.

        Parameters
        ----------
        vector
            As `Space.query` returns it.
        allowed : ascending
            Only these; None is all.
        n
            Length of the first page; each next is longer.
        """
        if allowed is not None and len(allowed) <= _FEW:
            yield self.rank(vector, allowed)
            return
        seen = np.empty(0, np.int64)
        while len(seen) < len(self.index):
            found = self.index.search(vector, n)
            is_new = np.isin(found.recording_ids, seen, invert=True)
            if not is_new.any():  # a graph may hold what cannot be reached
                return
            seen = np.concatenate([seen, found.recording_ids[is_new]])
            if allowed is not None:
                is_new &= np.isin(found.recording_ids, allowed)
            yield Nearest(found.recording_ids[is_new], found.similarities[is_new])
            n *= 4

    def _shared_tags(self, first: Floats, second: Floats, n: int) -> tuple[SharedTag, ...]:
        """Return the tags that stand out most in both, among those of the facets."""
        own, other = self.space.centred(first), self.space.centred(second)
        merit = np.where((own > 0) & (other > 0), np.minimum(own, other), 0)
        is_compared = np.zeros(len(merit), np.bool_)
        is_compared[np.concatenate([np.empty(0, np.int64), *self.space.columns.values()])] = True
        order = np.argsort(-np.where(is_compared, merit, 0), kind="stable")[:n]
        tags = self.model.specification.tags
        return tuple(
            SharedTag(tags[i].label, tags[i].category, float(first[i]), float(second[i]))
            for i in order.tolist()
            if merit[i] > 0 and is_compared[i]
        )

    def _moments(self, first: Analysis, second: Analysis, n: int) -> tuple[Moment, ...]:
        """Return the pairs of chunks with the most similar tags, well apart from each other."""
        if not self.space.columns:
            return ()
        columns = np.concatenate(list(self.space.columns.values()))
        (own, own_times), (other, other_times) = (self._chunks(a, columns) for a in (first, second))
        likeness = own @ other.T
        found: list[Moment] = []
        while len(found) < n and likeness.size and (best := float(likeness.max())) > _LEAST_LIKENESS:
            row, column = np.unravel_index(int(likeness.argmax()), likeness.shape)
            time, other_time = float(own_times[row]), float(other_times[column])
            found.append(Moment(time, other_time, best))
            likeness[np.abs(own_times - time) < _APART] = -1
            likeness[:, np.abs(other_times - other_time) < _APART] = -1
        return tuple(found)

    def _chunks(self, analysis: Analysis, columns: NDArray[np.int64]) -> tuple[Floats, NDArray[np.float64]]:
        """Return unit vectors of the tags of chunks, (n_chunks, n_columns), and their starts."""
        step = -(-len(analysis.taggram) // MAX_MOMENTS_COMPARED) or 1
        rows = self.space.centred(analysis.taggram[::step])[:, columns]
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.where(lengths > 0, lengths, 1), np.float32), analysis.chunk_times[::step]

    def _is_heard(self, file: FileRow | None) -> bool:
        """Whether the library knows what the model heard in a file, be it nothing."""
        if file is None or file.recording_id is None:
            return False
        return self._library.analysis(file.recording_id, self.model) is not None

    def _listen(self, paths: Sequence[Path]) -> list[TagResult]:
        with load_tagger(self._library, self.model.name) as tagger:
            if tagger.specification.weights_sha256 != self.model.weights_sha256:
                raise LibraryError(
                    f"the model {self.model.name!r} on this machine is not the one that listened to "
                    f"{self._library.path}: run `taggram library update --model {self.model.name}`"
                )
            return list(tagger.tag_many(paths))

    def _seed_of(self, result: TagResult) -> Seed:
        if not result.outcome.has_tags:
            raise LibraryError(f"{result.path}: {result.outcome.value}: {result.message}")
        analysis = Analysis(
            outcome=result.outcome,
            message=result.message,
            created_at=0.0,
            duration=result.duration,
            scores=result.clip_scores,
            embedding=result.embedding,
            taggram=result.taggram,
            chunk_times=result.chunk_times,
        )
        return self._seed(analysis, None, None)

    def _seed(self, analysis: Analysis, recording_id: int | None, file: FileRow | None) -> Seed:
        vector = self.space.vectors(analysis.embedding[None], analysis.scores[None])[0]
        return Seed(analysis, recording_id, file, vector)

    @staticmethod
    def _checked(seeds: Sequence[Seed]) -> Query:
        if not seeds:
            raise LibraryError("name at least one track to be near to")
        return Query(tuple(seeds))


class Choice:
    """Takes tracks one by one and leaves out those that one has already heard, so to speak."""

    def __init__(
        self,
        library: Library,
        model: ModelRow,
        query: Query | None = None,
        per_artist: int | None = None,
        *,
        duplicates: bool = False,
    ) -> None:
        self.taken: list[Similar] = []
        self._library = library
        self._model = model
        self._seeds = () if query is None else query.seeds
        self._per_artist = per_artist
        self._duplicates = duplicates
        self._artists: Counter[str] = Counter()
        self.analyses: dict[int, Analysis | None] = {}  # that were read to find copies

    def consider(self, track: Similar) -> bool:
        """Take a track if it is neither a seed nor a copy, and its artists are not there too often."""
        artists = artist_keys(track.file)
        limit = self._per_artist
        if limit is not None and any(self._artists[artist] >= limit for artist in artists):
            return False
        if any(seed.recording_id == track.recording_id for seed in self._seeds):
            return False
        if not self._duplicates and self._is_copy(track):
            return False
        self._artists.update(artists)
        self.taken.append(track)
        return True

    def _is_copy(self, track: Similar) -> bool:
        song = song_key(track.file)
        others: list[tuple[FileRow | None, Analysis | None]] = [
            *((seed.file, seed.analysis) for seed in self._seeds),
            *((other.file, self._analysis(other.recording_id)) for other in self.taken),
        ]
        if song and any(file is not None and song_key(file) == song for file, _ in others):
            return True
        own = self._analysis(track.recording_id)
        return own is not None and any(
            analysis is not None and is_near_duplicate(own, analysis) for _, analysis in others
        )

    def _analysis(self, recording_id: int) -> Analysis | None:
        if recording_id not in self.analyses:
            self.analyses[recording_id] = self._library.analysis(recording_id, self._model)
        return self.analyses[recording_id]
