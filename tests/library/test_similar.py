"""Similar recordings: near ones, no copies, no artist too often, weights, and honest reasons."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from taggram import Tagger
from taggram.errors import ExpressionError, LibraryError, UnknownNameError
from taggram.library import Library
from taggram.library.facets import FACETS, SOUND
from taggram.library.inventory import take_inventory
from taggram.library.naming import artist_keys
from taggram.library.near_duplicates import correlation, is_near_duplicate
from taggram.library.scan import Scan
from taggram.library.similar import Finder
from tests.inference.test_tagger import write_wav
from tests.library.collection import STYLES, VOCABULARY, Collection


@pytest.fixture
def collection(library: Library, rng: np.random.Generator, tmp_path: Path) -> Collection:
    collection = Collection(library, rng, tmp_path / "music")
    collection.fill(120)
    return collection


@pytest.fixture
def finder(collection: Collection) -> Finder:
    return Finder.open(collection.library)


def test_the_nearest_are_of_the_same_style(collection: Collection, finder: Finder) -> None:
    for style in range(len(STYLES)):
        own = collection.of_style(style)
        found = finder.similar(finder.query(own[:1]), limit=10)
        assert len(found) == 10
        assert {track.recording_id for track in found} <= set(own[1:])
        similarities = [track.similarity for track in found]
        assert similarities == sorted(similarities, reverse=True)


def test_similarity_is_the_weighted_mean_of_the_facets(collection: Collection, finder: Finder) -> None:
    query = finder.query(collection.of_style(0)[:1])
    for weights in (None, {"genre": 1.0}, {SOUND: 1.0, "mood": 3.0}):
        weighed = finder.space.weigh(weights or {})
        for track in finder.similar(query, limit=5, weights=weights):
            expected = sum(weighed[facet] * value for facet, value in track.facets.items())
            assert track.similarity == pytest.approx(expected, abs=1e-5)
            assert set(track.facets) == set(FACETS)


def test_a_facet_alone_decides(collection: Collection, finder: Finder) -> None:
    """By mood alone, energy counts and style does not."""
    library, model = collection.library, collection.model
    energetic = [tag for tag, _ in VOCABULARY].index("energetic")
    ids, scores = library.scores(model)
    liveliest = ids[np.argsort(-scores[:, energetic])[:10]].tolist()
    found = finder.similar(finder.query(liveliest[:1]), limit=15, weights={"mood": 1.0})
    levels = scores[np.isin(ids, [track.recording_id for track in found]), energetic]
    assert levels.mean() > scores[:, energetic].mean() + 0.15
    assert len({collection.styles[track.recording_id] for track in found}) >= 3


def test_several_seeds_are_between(collection: Collection, finder: Finder) -> None:
    seeds = [collection.of_style(0)[0], collection.of_style(1)[0]]
    found = finder.similar(finder.query(seeds), limit=20)
    styles = [collection.styles[track.recording_id] for track in found]
    assert set(styles) == {0, 1}
    assert not {track.recording_id for track in found} & set(seeds)


def test_limit_per_artist(collection: Collection, finder: Finder) -> None:
    query = finder.query(collection.of_style(0)[:1])
    for per_artist in (1, 2):
        found = finder.similar(query, limit=20, per_artist=per_artist)
        artists = [artist for track in found for artist in artist_keys(track.file)]
        assert len(found) == 20
        assert max(artists.count(artist) for artist in artists) == per_artist


def test_copies_are_left_out_unless_asked_for(collection: Collection) -> None:
    seed, heard = collection.add(0, artist="A", title="Song")
    copy, _ = collection.add(0, artist="B", title="Otherwise tagged", like=heard)
    near, near_heard = collection.add(0, artist="C", title="Near")
    near_copies = [collection.add(0, artist="D", title=f"Copy {i}", like=near_heard)[0] for i in range(2)]
    same_song, _ = collection.add(0, artist="a", title="SONG", duration=900)
    finder = Finder.open(collection.library)
    query = finder.query([seed])
    found = {track.recording_id for track in finder.similar(query, limit=200)}
    assert not found & {seed, copy, same_song}
    assert len(found & {near, *near_copies}) == 1
    everything = {track.recording_id for track in finder.similar(query, limit=200, duplicates=True)}
    assert {copy, near, *near_copies, same_song} <= everything
    assert seed not in everything
    assert finder.similar(query, limit=1, duplicates=True)[0].recording_id == copy


def test_a_copy_is_known_by_its_course_over_time(collection: Collection) -> None:
    library, model = collection.library, collection.model
    first, heard = collection.add(2)
    copy, _ = collection.add(2, like=heard)
    other = collection.of_style(2)[0]
    a, b, c = (library.analysis(i, model) for i in (first, copy, other))
    assert a is not None
    assert b is not None
    assert c is not None
    assert correlation(a, b) > 0.9
    assert abs(correlation(a, c)) < 0.6
    assert is_near_duplicate(a, b)
    assert not is_near_duplicate(a, c)
    assert not is_near_duplicate(a, dataclasses.replace(b, duration=300.0))
    assert not is_near_duplicate(a, dataclasses.replace(b, duration=None))
    short = dataclasses.replace(b, taggram=b.taggram[:3])
    assert not is_near_duplicate(short, short)
    still = dataclasses.replace(b, taggram=np.full_like(b.taggram, 0.5))
    assert correlation(still, still) == 0


def test_where_restricts(collection: Collection, finder: Finder) -> None:
    query = finder.query(collection.of_style(0)[:1])
    found = finder.similar(query, limit=10, where="path: /rock/")
    assert {collection.styles[track.recording_id] for track in found} == {1}
    everything = finder.similar(query, limit=200)
    restricted = finder.similar(query, limit=200, where="duration > 10")
    assert [t.recording_id for t in restricted] == [t.recording_id for t in everything]
    with pytest.raises(ExpressionError, match="unknown tag"):
        finder.similar(query, where="pianno")


def test_a_restriction_gives_the_same_from_index_and_one_by_one(
    collection: Collection, finder: Finder, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = finder.query(collection.of_style(0)[:1])
    arguments = {"limit": 10, "where": "path: /rock/ or path: /techno/"}
    one_by_one = finder.similar(query, **arguments)  # type: ignore[arg-type]
    monkeypatch.setattr("taggram.library.similar._FEW", 0)
    from_index = finder.similar(query, **arguments)  # type: ignore[arg-type]
    assert [t.recording_id for t in from_index] == [t.recording_id for t in one_by_one]
    assert len(from_index) == 10


def test_a_missing_file_is_not_offered(collection: Collection, finder: Finder) -> None:
    query = finder.query(collection.of_style(0)[:1])
    best = finder.similar(query, limit=1)[0].recording_id
    with collection.library.transaction() as connection:
        connection.execute("UPDATE file SET is_missing = 1 WHERE recording_id = ?", (best,))
    assert finder.similar(query, limit=1)[0].recording_id != best


def test_reasons_hold(collection: Collection, finder: Finder) -> None:
    library, model = collection.library, collection.model
    seeds = [collection.of_style(1)[0], collection.of_style(0)[0]]
    query = finder.query(seeds)
    track = finder.similar(finder.query(seeds[1:]), limit=1)[0]
    why = finder.why(query, track)
    assert why.seed == 1
    assert why.tags[0].name == "piano"
    _, scores = library.scores(model)
    names = [tag for tag, _ in VOCABULARY]
    for tag in why.tags:
        usual = np.square(np.sqrt(scores[:, names.index(tag.name)]).mean())
        assert min(tag.score, tag.query_score) > usual
    assert 2 <= len(why.moments) <= 3
    analysis = library.analysis(seeds[1], model)
    assert analysis is not None
    starts = [moment.query_time for moment in why.moments]
    assert set(starts) <= set(analysis.chunk_times.tolist())
    assert min(abs(a - b) for i, a in enumerate(starts) for b in starts[:i]) >= 10
    similarities = [moment.similarity for moment in why.moments]
    assert similarities == sorted(similarities, reverse=True)


def test_moments_find_the_same_passage(collection: Collection) -> None:
    """Two songs that share one chunk, at different times, meet there."""
    first, heard = collection.add(0)
    foreign = collection.add(1)[1]
    taggram = foreign.taggram.copy()
    taggram[6] = heard.taggram[2]
    second, _ = collection.add(1)
    collection.library.store_analysis(second, collection.model, dataclasses.replace(foreign, taggram=taggram))
    finder = Finder.open(collection.library)
    query = finder.query([first])
    (track,) = [t for t in finder.similar(query, limit=200, duplicates=True) if t.recording_id == second]
    best = finder.why(query, track).moments[0]
    assert (best.query_time, best.time) == (6.0, 18.0)
    assert best.similarity > 0.99


@pytest.mark.parametrize(
    ("weights", "error", "reason"),
    [
        ({"colour": 1.0}, UnknownNameError, "unknown facet 'colour'"),
        ({"mood": -1.0}, LibraryError, "from 0 on, got -1"),
        ({"mood": float("nan")}, LibraryError, "from 0 on"),
        ({"mood": 0.0}, LibraryError, "all weights are 0"),
    ],
)
def test_weights_are_checked(
    finder: Finder, collection: Collection, weights: dict[str, float], error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        finder.similar(finder.query(collection.of_style(0)[:1]), weights=weights)


def test_queries_are_checked(collection: Collection, finder: Finder, tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="name at least one"):
        finder.query([])
    with pytest.raises(LibraryError, match="has no tags for recording 9999"):
        finder.query([9999])
    collection.add(0)
    assert not finder.is_current
    assert Finder.open(collection.library).is_current


def test_a_file_outside_the_library(
    library: Library, tagger: Tagger, tiny_model: Path, tmp_path: Path, tone: Callable[..., np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    folder = tmp_path / "music"
    folder.mkdir()
    for frequency in (300, 400, 1800, 2000, 3400, 3600):
        write_wav(folder / f"{frequency}.wav", tone(frequency, 3.0 + frequency / 1000))
    outside = write_wav(tmp_path / "outside.wav", tone(3500, 2.0))
    take_inventory(library, [folder])
    assert Scan(library, tagger).run().is_clean
    monkeypatch.setattr(
        "taggram.library.similar.load_tagger", lambda *_: Tagger.load(tiny_model, n_threads=1)
    )
    finder = Finder.open(library)
    found = finder.similar(finder.query_of_paths([outside]), limit=2)
    assert {track.file.path.name for track in found} == {"3400.wav", "3600.wav"}
    inside = finder.query_of_paths([folder / "300.wav", outside])
    assert [seed.recording_id is None for seed in inside.seeds] == [False, True]
    broken = tmp_path / "broken.mp3"
    broken.write_bytes(b"nothing to hear " * 100)
    with pytest.raises(LibraryError, match=r"broken\.mp3: not_audio"):
        finder.query_of_paths([broken])
