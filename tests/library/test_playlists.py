"""Playlists: what is on them, in which order, again with the same seed."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from taggram.errors import ExpressionError, LibraryError
from taggram.library import Library
from taggram.library.playlist_files import Playlist
from taggram.library.playlists import PlaylistMaker, Wish, parse_curve
from taggram.library.search import search
from taggram.library.similar import Finder
from tests.library.collection import VOCABULARY, Collection


@pytest.fixture
def collection(library: Library, rng: np.random.Generator, tmp_path: Path) -> Collection:
    collection = Collection(library, rng, tmp_path / "music")
    collection.fill(160)
    return collection


@pytest.fixture
def finder(collection: Collection) -> Finder:
    return Finder.open(collection.library)


@pytest.fixture
def maker(collection: Collection, finder: Finder) -> PlaylistMaker:
    return PlaylistMaker(collection.library, finder)


def ids(playlist: Playlist) -> list[int]:
    return [entry.file.recording_id or 0 for entry in playlist.entries]


def test_from_a_query(collection: Collection, maker: PlaylistMaker) -> None:
    playlist = maker.from_query("piano", Wish(n_tracks=10))
    hits = search(collection.library, "piano", limit=10).hits
    assert ids(playlist) == [hit.file.recording_id for hit in hits]
    assert playlist.title == "piano"
    assert playlist.entries[0].reason == f"match {hits[0].relevance:.2f}"
    assert playlist.how == {"query": "piano", "n_tracks": 10, "model": "invented"}


def test_a_seed_draws_another_one_and_the_same_again(collection: Collection, finder: Finder) -> None:
    query = finder.query(collection.of_style(0)[:1])
    ends = finder.query([collection.of_style(0)[0], collection.of_style(1)[0]])
    ways: tuple[Callable[[PlaylistMaker, Wish], Playlist], ...] = (
        lambda maker, wish: maker.from_query("piano or choir", wish),
        lambda maker, wish: maker.from_seeds(query, wish),
        lambda maker, wish: maker.path(ends, wish),
        lambda maker, wish: maker.curve({"energetic": (0.1, 0.9)}, wish),
    )
    for make in ways:
        made = {
            seed: [
                ids(
                    make(
                        PlaylistMaker(collection.library, Finder.open(collection.library)), Wish(8, seed=seed)
                    )
                )
                for _ in range(2)
            ]
            for seed in (None, 1, 2)
        }
        assert all(first == again for first, again in made.values())
        assert all(len(set(first)) == 8 for first, _ in made.values())
        assert len({tuple(first) for first, _ in made.values()}) == 3


def test_from_seeds(collection: Collection, finder: Finder, maker: PlaylistMaker) -> None:
    own = collection.of_style(2)
    playlist = maker.from_seeds(finder.query(own[:2]), Wish(12, per_artist=2))
    found = ids(playlist)
    assert found[:2] == own[:2]
    assert set(found) <= set(own)
    assert len(found) == len(set(found)) == 12
    artists = [entry.file.fields["artist"][0] for entry in playlist.entries[2:]]
    assert max(artists.count(artist) for artist in artists) == 2
    drawn = maker.from_seeds(finder.query(own[:2]), Wish(12, seed=5))
    assert len(set(ids(drawn)) & set(own)) >= 10


def test_a_path_goes_from_one_to_the_other(
    collection: Collection, finder: Finder, maker: PlaylistMaker
) -> None:
    first, last = collection.of_style(0)[0], collection.of_style(1)[0]
    ends = finder.query([first, last])
    found = ids(maker.path(ends, Wish(9)))
    assert (found[0], found[-1]) == (first, last)
    assert len(found) == len(set(found)) == 9
    vectors = finder.vectors(found)
    leaning = [float(vectors[i] @ (ends.vectors[1] - ends.vectors[0])) for i in found]
    assert np.mean(leaning[:4]) < np.mean(leaning[5:])
    assert np.corrcoef(leaning, np.arange(9))[0, 1] > 0.85
    styles = [collection.styles[i] for i in found]
    assert set(styles[:3]) == {0}
    assert set(styles[-3:]) == {1}
    with pytest.raises(LibraryError, match="from one track to another, got 1"):
        maker.path(finder.query([first]), Wish())


def test_a_curve_is_followed(collection: Collection, maker: PlaylistMaker) -> None:
    recordings, scores = collection.library.scores(collection.model)
    column = [tag for tag, _ in VOCABULARY].index("energetic")
    order = np.argsort(np.argsort(scores[:, column])) / (len(scores) - 1)
    rank = dict(zip(recordings.tolist(), order.tolist(), strict=True))
    playlist = maker.curve({"Energetic": (0.1, 0.9, 0.2)}, Wish(15))
    levels = np.array([rank[i] for i in ids(playlist)])
    target = np.interp(np.linspace(0, 1, 15), [0, 0.5, 1], [0.1, 0.9, 0.2])
    assert len(set(ids(playlist))) == 15
    assert np.abs(levels - target).max() < 0.25
    assert np.abs(levels - target).mean() < 0.1
    assert playlist.entries[0].reason == f"Energetic {levels[0]:.2f}"


def test_two_curves_at_once(collection: Collection, maker: PlaylistMaker) -> None:
    playlist = maker.curve({"piano": (1.0, 0.0), "techno": (0.0, 1.0)}, Wish(10))
    styles = [collection.styles[i] for i in ids(playlist)]
    assert set(styles[:3]) == {0}
    assert styles[-3:].count(2) >= 2


def test_where_holds_for_every_kind(collection: Collection, finder: Finder, maker: PlaylistMaker) -> None:
    wish = Wish(6, where="path: /rock/")
    rock = set(collection.of_style(1))
    query = finder.query(collection.of_style(0)[:1])
    ends = finder.query([collection.of_style(0)[0], collection.of_style(2)[0]])
    assert set(ids(maker.from_query("energetic", wish))) <= rock
    assert set(ids(maker.from_seeds(query, wish))[1:]) <= rock
    assert set(ids(maker.path(ends, wish))[1:-1]) <= rock
    assert set(ids(maker.curve({"calm": (0.0, 1.0)}, wish))) <= rock


def test_minutes_are_not_exceeded(collection: Collection, finder: Finder, maker: PlaylistMaker) -> None:
    wish = Wish(100, minutes=21)
    query = finder.query(collection.of_style(0)[:1])
    for playlist in (
        maker.from_query("", wish),
        maker.from_seeds(query, wish),
        maker.curve({"calm": (0.0, 1.0)}, wish),
    ):
        assert len(playlist.entries) == 6
        assert playlist.duration == pytest.approx(1200)


def test_artists_are_limited_on_paths_and_curves(
    collection: Collection, finder: Finder, maker: PlaylistMaker
) -> None:
    ends = finder.query([collection.of_style(0)[0], collection.of_style(1)[0]])
    wish = Wish(14, per_artist=1)
    for entries in (
        maker.path(ends, wish).entries[1:-1],
        maker.curve({"calm": (0.0, 1.0)}, wish).entries,
    ):
        artists = [entry.file.fields["artist"] for entry in entries]
        assert len(artists) == len(set(artists)) >= 10


def test_a_curve_moves_smoothly_where_it_can(
    collection: Collection, maker: PlaylistMaker, finder: Finder
) -> None:
    found = ids(maker.curve({"calm": (0.5, 0.5)}, Wish(10)))
    vectors = finder.vectors(found)
    steps = [float(vectors[a] @ vectors[b]) for a, b in pairwise(found)]
    everything = finder.vectors(sorted(collection.styles))
    usual = np.mean([vectors[a] @ everything[b] for a in found for b in everything])
    assert np.mean(steps) > usual + 0.5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("energetic: 0.2 0.9 0.4", ("energetic", (0.2, 0.9, 0.4))),
        ("female vocals:1", ("female vocals", (1.0,))),
        ("a: b: 0,1", ("a: b", (0.0, 1.0))),
    ],
)
def test_reading_curves(text: str, expected: tuple[str, tuple[float, ...]]) -> None:
    assert parse_curve(text) == expected


@pytest.mark.parametrize("text", ["", "energetic", "energetic:", ": 0.5", "energetic: high"])
def test_what_is_no_curve(text: str) -> None:
    with pytest.raises(LibraryError, match="is no curve: write a tag and its levels"):
        parse_curve(text)


def test_wishes_are_checked(maker: PlaylistMaker) -> None:
    with pytest.raises(LibraryError, match="at least one track, got 0"):
        Wish(0)
    with pytest.raises(LibraryError, match="minutes above 0, got -1"):
        Wish(minutes=-1)
    with pytest.raises(LibraryError, match="name at least one curve"):
        maker.curve({}, Wish())
    with pytest.raises(LibraryError, match="lie between 0"):
        maker.curve({"calm": (0.5, 1.5)}, Wish())
    with pytest.raises(ExpressionError, match="unknown tag 'clam'"):
        maker.curve({"clam": (0.5,)}, Wish())
    assert maker.from_query("artist: nobody", Wish()).entries == ()
