"""Playlists: from a query, from seeds, along a path between two tracks, along curves of tags.

    maker = PlaylistMaker(Finder.open(library))
    playlist = maker.from_query("piano and not vocals", Wish(n_tracks=20))
    write_playlist(playlist, Path("calm.m3u8"))

The same wish and library give the same playlist. A `seed` draws another one of about the same quality, and
the same one again. Copies of a song are left out; artists are limited if the wish says so.

Curves are in ranks of the library: 0 is the track with the lowest score of the tag among those that may be
chosen, 1 the one with the highest, 0.5 the middle. So a curve means the same for every model and tag.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taggram.errors import LibraryError
from taggram.library.expressions import fold
from taggram.library.facets import Floats
from taggram.library.naming import label_of
from taggram.library.nearest import Ids, Nearest
from taggram.library.playlist_files import Entry, Playlist
from taggram.library.similar import Choice, Finder, Query, Similar
from taggram.library.store import Library

_POOL = 5  # tracks to draw from, per track that is wanted
_CANDIDATES = 50  # tracks considered for one position of a path or curve
_SMOOTHNESS = 0.05  # how much a step in sound costs beside a step off the curve


@dataclass(frozen=True)
class Wish:
    """What every playlist can be asked for.

    Attributes
    ----------
    n_tracks
        At most this many.
    minutes
        No longer than this; None is no limit. A path or curve is made for as many tracks as fit on average.
    per_artist
        At most this many of one artist; None is no limit.
    where
        Only tracks that match this expression.
    seed
        Draw another playlist; None is the best one.
    weights
        Weights of the facets, for what goes by similarity; empty is the default.
    """

    n_tracks: int = 25
    minutes: float | None = None
    per_artist: int | None = None
    where: str = ""
    seed: int | None = None
    weights: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        if self.n_tracks < 1:
            raise LibraryError(f"a playlist has at least one track, got {self.n_tracks}")
        if self.minutes is not None and not self.minutes > 0:
            raise LibraryError(f"the length is a number of minutes above 0, got {self.minutes:g}")


class PlaylistMaker:
    """Makes playlists from one library."""

    def __init__(self, library: Library, finder: Finder) -> None:
        self._library = library
        self._finder = finder

    def from_query(self, expression: str, wish: Wish, *, title: str = "") -> Playlist:
        """Choose what matches an expression best.

        Raises
        ------
        ExpressionError
            If it, or `wish.where`, cannot be read.
        """
        found = self._finder.find(_both(expression, wish.where))
        order = np.lexsort((found.recording_ids, -found.relevance))
        ids, values = found.recording_ids[order], found.relevance[order]
        ids, values = _draw(ids, values, wish)
        said = dict(zip(ids.tolist(), values.tolist(), strict=True))
        entries = [
            Entry(track.file, f"match {said[track.recording_id]:.2f}")
            for track in self._take(self._in_order(ids), wish)
        ]
        return self._playlist(title or expression or "Everything", entries, wish, query=expression)

    def from_seeds(self, query: Query, wish: Wish, *, title: str = "") -> Playlist:
        """Choose what is near to some tracks, which come first if the library has them."""
        finder = self._finder
        vector = finder.space.query(query.vectors, finder.space.weigh(wish.weights or {}))
        ids, values = self._near(vector, wish, query)
        ids, values = _draw(ids, values, wish)
        said = dict(zip(ids.tolist(), values.tolist(), strict=True))
        seeds = [Entry(seed.file, "seed") for seed in query.seeds if seed.file is not None]
        budget = _Budget(wish)
        entries = [entry for entry in seeds if budget.take(entry.file.duration)]
        entries += [
            Entry(track.file, f"similarity {said[track.recording_id]:.2f}")
            for track in self._take(self._in_order(ids), wish, query, budget)
        ]
        return self._playlist(title or f"Like {_names(seeds)}", entries, wish, seeds=_paths(seeds))

    def path(self, ends: Query, wish: Wish, *, title: str = "") -> Playlist:
        """Go from one track to another in even steps.

        Parameters
        ----------
        ends
            Two tracks; those that the library has begin and end the playlist.

        Raises
        ------
        LibraryError
            If `ends` are not two.
        """
        if len(ends.seeds) != 2:
            raise LibraryError(f"a path leads from one track to another, got {len(ends.seeds)}")
        finder = self._finder
        weights = finder.space.weigh(wish.weights or {})
        allowed = self._allowed(wish)
        n_steps = max(2, self._n_positions(wish))
        choice = Choice(self._library, finder.model, ends, wish.per_artist)
        rng = np.random.default_rng(wish.seed)
        first, last = ends.vectors
        entries: list[Entry] = []
        for position in np.linspace(0, 1, n_steps)[1:-1].tolist():
            between = np.stack([(1 - position) * first, position * last])
            page = next(finder.pages(finder.space.query(between, weights), allowed, _CANDIDATES), None)
            candidates = (
                [] if page is None else list(finder.tracks(_head(page, _CANDIDATES), between.mean(axis=0)))
            )
            track = _choose(choice, candidates, wish, rng)
            if track is not None:
                entries.append(
                    Entry(track.file, f"{position:.0%} of the way, similarity {track.similarity:.2f}")
                )
        begin, end = (
            [] if seed.file is None else [Entry(seed.file, "end of the path")] for seed in ends.seeds
        )
        names = " to ".join(_names(entry) or "a file outside" for entry in (begin, end))
        return self._playlist(title or names, [*begin, *entries, *end], wish, path=_paths([*begin, *end]))

    def curve(self, curves: Mapping[str, Sequence[float]], wish: Wish, *, title: str = "") -> Playlist:
        """Follow curves of tags, such as energetic from 0.2 over 0.9 to 0.4.

        Parameters
        ----------
        curves
            Tag → levels in [0, 1], as ranks in the library, evenly spaced over the playlist.

        Raises
        ------
        ExpressionError
            If a tag is not known.
        LibraryError
            If there is no curve, or a level lies outside [0, 1].
        """
        _check_curves(curves)
        expression = " and ".join(f"{_quoted(tag)} >= 0" for tag in curves)
        found = self._finder.find(_both(expression, wish.where))
        columns = [list(map(fold, found.tags)).index(fold(tag)) for tag in curves]
        ranks = _ranks(found.scores[:, columns])
        n_positions = min(self._n_positions(wish), len(ranks))
        targets = np.column_stack([_resample(levels, n_positions) for levels in curves.values()])
        choice = Choice(self._library, self._finder.model, None, wish.per_artist)
        rng = np.random.default_rng(wish.seed)
        entries: list[Entry] = []
        left = np.ones(len(ranks), np.bool_)
        for target in targets:
            cost = np.where(left, np.square(ranks - target).sum(axis=1), np.inf)
            rows = np.lexsort((found.recording_ids, cost))[:_CANDIDATES]
            page = Nearest(found.recording_ids[rows], np.asarray(-cost[rows], np.float32))
            track = _choose(choice, self._smoothly(choice, page), wish, rng)
            if track is None:
                continue
            row = int(np.searchsorted(found.recording_ids, track.recording_id))
            left[row] = False
            reason = ", ".join(f"{tag} {rank:.2f}" for tag, rank in zip(curves, ranks[row], strict=True))
            entries.append(Entry(track.file, reason))
        plain = {tag: list(map(float, levels)) for tag, levels in curves.items()}
        return self._playlist(title or "Curve of " + ", ".join(curves), entries, wish, curve=plain)

    def _playlist(self, title: str, entries: Iterable[Entry], wish: Wish, **how: Any) -> Playlist:
        said = {key: value for key, value in asdict(wish).items() if value not in (None, "")}
        return Playlist(title, tuple(entries), {**how, **said, "model": self._finder.model.name})

    def _near(self, vector: Floats, wish: Wish, query: Query) -> tuple[Ids, Floats]:
        """Return the nearest recordings, more than will be needed, and their similarities."""
        allowed, wanted = self._allowed(wish), _POOL * wish.n_tracks + len(query.seeds) + 50
        ids, values = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
        for page in self._finder.pages(vector, allowed, wanted):
            ids.append(page.recording_ids)
            values.append(page.similarities)
            if sum(map(len, ids)) >= wanted:
                break
        return np.concatenate(ids), np.concatenate(values)

    def _allowed(self, wish: Wish) -> Ids | None:
        if not wish.where.strip():
            return None
        return self._finder.find(wish.where).recording_ids

    def _in_order(self, ids: Ids) -> Iterator[Similar]:
        """Yield recordings as tracks, in the order given."""
        for begin in range(0, len(ids), 100):
            page = Nearest(ids[begin : begin + 100], np.zeros(len(ids[begin : begin + 100]), np.float32))
            yield from self._finder.tracks(page, np.zeros(self._finder.space.n_dimensions, np.float32))

    def _take(
        self,
        tracks: Iterable[Similar],
        wish: Wish,
        query: Query | None = None,
        budget: "_Budget | None" = None,
    ) -> list[Similar]:
        """Take tracks until the wish is fulfilled."""
        choice = Choice(self._library, self._finder.model, query, wish.per_artist)
        budget = budget or _Budget(wish)
        for track in tracks:
            if budget.is_spent:
                break
            if budget.fits(track.file.duration) and choice.consider(track):
                budget.take(track.file.duration)
        return choice.taken

    def _n_positions(self, wish: Wish) -> int:
        """Return how many tracks a path or curve has: those asked for, or as many as fit on average."""
        if wish.minutes is None:
            return wish.n_tracks
        rows = self._library.rows(
            "SELECT avg(duration) FROM recording JOIN analysis ON recording_id = id WHERE model_id = ?",
            (self._finder.model.id,),
        )
        mean = rows[0][0] or 200.0
        return max(1, min(wish.n_tracks, int(60 * wish.minutes / mean)))

    def _smoothly(self, choice: Choice, page: Nearest) -> list[Similar]:
        """Return candidates for a position, the cheapest first; a leap in sound has its price."""
        nothing = np.zeros(self._finder.space.n_dimensions, np.float32)
        before = choice.taken[-1].vector if choice.taken else nothing
        tracks = list(self._finder.tracks(page, nothing))
        n_blocks = len(self._finder.space.blocks)
        return sorted(
            tracks,
            key=lambda track: _SMOOTHNESS * (1 - float(track.vector @ before) / n_blocks) - track.similarity,
        )


class _Budget:
    """How many tracks and minutes are left."""

    def __init__(self, wish: Wish) -> None:
        self._n_left = wish.n_tracks
        self._seconds_left = np.inf if wish.minutes is None else 60 * wish.minutes

    @property
    def is_spent(self) -> bool:
        return self._n_left == 0

    def fits(self, duration: float | None) -> bool:
        return self._n_left > 0 and (duration or 0.0) <= self._seconds_left

    def take(self, duration: float | None) -> bool:
        """Use it up; return whether it was enough."""
        if not self.fits(duration):
            return False
        self._n_left -= 1
        self._seconds_left -= duration or 0.0
        return True


def parse_curve(text: str) -> tuple[str, tuple[float, ...]]:
    """Read a curve such as `energetic: 0.2 0.9 0.4`.

    Raises
    ------
    LibraryError
        If it is none.

    Examples
    --------
    >>> parse_curve("energetic: 0.2 0.9 0.4")
    ('energetic', (0.2, 0.9, 0.4))
    """
    tag, _, levels = text.rpartition(":")
    try:
        numbers = tuple(float(level) for level in levels.replace(",", " ").split())
    except ValueError:
        numbers = ()
    if not tag.strip() or not numbers:
        raise LibraryError(
            f"{text!r} is no curve: write a tag and its levels, such as 'energetic: 0.2 0.9 0.4'"
        )
    return tag.strip(), numbers


def _check_curves(curves: Mapping[str, Sequence[float]]) -> None:
    if not curves:
        raise LibraryError("name at least one curve, such as 'energetic: 0.2 0.9 0.4'")
    for tag, levels in curves.items():
        if not levels or not all(0 <= level <= 1 for level in levels):
            raise LibraryError(
                f"the levels of {tag!r} lie between 0 (least) and 1 (most), got {list(levels)}"
            )


def _draw(ids: Ids, values: NDArray[np.floating], wish: Wish) -> tuple[Ids, NDArray[np.floating]]:
    """With a seed, shuffle the best so that better ones tend to come first (Gumbel's trick)."""
    if wish.seed is None or not len(ids):
        return ids, values
    pool = slice(0, _POOL * wish.n_tracks)
    chosen = values[pool].astype(np.float64)
    deviation = chosen.std() or 1.0
    noise = np.random.default_rng(wish.seed).gumbel(size=len(chosen))
    order = np.argsort(-(chosen / deviation + noise), kind="stable")
    return (
        np.concatenate([ids[pool][order], ids[pool.stop :]]),
        np.concatenate([values[pool][order], values[pool.stop :]]),
    )


def _choose(
    choice: Choice, candidates: Sequence[Similar], wish: Wish, rng: np.random.Generator
) -> Similar | None:
    """Take the first acceptable candidate; with a seed, one of the first few."""
    order = list(range(len(candidates)))
    if wish.seed is not None and order:
        n_first = min(_POOL, len(order))
        order[:n_first] = rng.permutation(n_first).tolist()
    taken = {track.recording_id for track in choice.taken}
    for i in order:
        if candidates[i].recording_id not in taken and choice.consider(candidates[i]):
            return candidates[i]
    return None


def _ranks(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return each column's ranks in [0, 1]; equal scores share their middle rank."""
    ranks = np.empty(scores.shape)
    for column in range(scores.shape[1]):
        _, place, counts = np.unique(scores[:, column], return_inverse=True, return_counts=True)
        middle = np.cumsum(counts) - (counts + 1) / 2
        ranks[:, column] = middle[place] / max(1, len(scores) - 1)
    return ranks


def _resample(levels: Sequence[float], n: int) -> NDArray[np.float64]:
    return np.interp(np.linspace(0, 1, n), np.linspace(0, 1, len(levels)), levels)


def _head(page: Nearest, n: int) -> Nearest:
    return Nearest(page.recording_ids[:n], page.similarities[:n])


def _both(first: str, second: str) -> str:
    given = [text for text in (first, second) if text.strip()]
    return " and ".join(f"({text})" for text in given) if len(given) > 1 else "".join(given)


def _quoted(tag: str) -> str:
    return '"' + tag.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _names(entries: Sequence[Entry]) -> str:
    return ", ".join(label_of(entry.file) for entry in entries)


def _paths(entries: Sequence[Entry]) -> list[str]:
    return [str(entry.file.path) for entry in entries]
