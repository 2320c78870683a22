"""The library in memory answers as the library on the disk does, and follows it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taggram.errors import ExpressionError, LibraryError, UnknownNameError
from taggram.library import Library
from taggram.library.catalogue import Catalogue
from taggram.library.expressions import fold, holds_text
from taggram.library.own_tags import OwnTags
from taggram.library.search import find_matches, search
from taggram.library.text_columns import TextColumn
from tests.library.collection import Collection

EXPRESSIONS = (
    "",
    "piano",
    "piano and not calm",
    "not piano",
    "rock >= 0.3 or (choir and calm < 0.5)",
    "energetic: 0.2..0.6",
    "artist: 'rock artist 1'".replace("'", '"'),
    'artist = "piano artist 2" or techno',
    "not year < 1975",
    "duration > 150 and album: *",
    'path: "choir" and not title: "song 1"',
)


@pytest.fixture
def collection(library: Library, tmp_path: Path, rng: np.random.Generator) -> Collection:
    collection = Collection(library, rng, tmp_path)
    collection.fill(60)
    for year in ("1969", "1980-05-01"):
        collection.add(1, fields={"year": (year,), "album": ("An Album",)}, duration=100.0)
    # A second file of the same sound, in another place, and one that is gone.
    ids = [row[0] for row in library.rows("SELECT recording_id FROM file ORDER BY id LIMIT 2")]
    library.rows(
        "INSERT INTO file (path, size, mtime_ns, recording_id, outcome, fields) "
        "VALUES (?, 1, 1, ?, 'tagged', ?)",
        (b"/elsewhere/copy.mp3", ids[0], '{"artist": ["Somebody Else"]}'),
    )
    library.rows(
        "INSERT INTO file (path, size, mtime_ns, recording_id, outcome, is_missing) "
        "VALUES (?, 1, 1, ?, 'tagged', 1)",
        (b"/elsewhere/gone.mp3", ids[1]),
    )
    library.rows(
        "INSERT INTO file (path, size, mtime_ns, outcome) VALUES (?, 1, 1, 'corrupt')", (b"/bad.mp3",)
    )
    return collection


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_it_finds_what_a_search_finds(collection: Collection, expression: str) -> None:
    catalogue = Catalogue.read(collection.library)
    expected = find_matches(collection.library, expression)
    found = catalogue.find_matches(expression)
    np.testing.assert_array_equal(found.recording_ids, expected.recording_ids)
    np.testing.assert_allclose(found.relevance, expected.relevance)
    np.testing.assert_allclose(found.scores, expected.scores)
    if not expression:
        return  # there, every file is listed
    hits = search(collection.library, expression, limit=None).hits
    rows = catalogue.search(expression).rows
    assert catalogue.file_ids[rows].tolist() == [hit.file.id for hit in hits]


def test_without_an_expression_every_file_is_listed(collection: Collection) -> None:
    catalogue = Catalogue.read(collection.library)
    there = [file.id for file in collection.library.files()]
    assert catalogue.file_ids[catalogue.search("").rows].tolist() == there
    corrupt = catalogue.search("", outcome="corrupt")
    files = collection.library.files_by_id(catalogue.file_ids[corrupt.rows].tolist())
    assert [file.path.name for file in files.values()] == ["bad.mp3"]


@pytest.mark.parametrize("sort", ["title", "artist", "year", "duration", "path", "added", "tag:piano"])
def test_both_orders_put_what_is_not_known_last(collection: Collection, sort: str) -> None:
    catalogue = Catalogue.read(collection.library)
    rising, falling = (catalogue.search("", sort=sign + sort) for sign in ("", "-"))
    assert sorted(rising.rows) == sorted(falling.rows) == list(range(len(catalogue)))
    if sort in ("title", "artist", "year", "tag:piano"):
        bad = len(catalogue) - 1  # the corrupt file says nothing
        assert bad in rising.rows[-62:]
        assert rising.rows[-1] == falling.rows[-1] == bad
    if sort == "year":
        years = [1969, 1980]
        files = [collection.library.file_by_id(i) for i in catalogue.file_ids[rising.rows[:2]].tolist()]
        assert [int(file.fields["year"][0][:4]) for file in files if file] == years
    if sort == "tag:piano":
        scores = catalogue.scores("piano")[falling.rows[:-1]]
        assert (np.diff(scores) <= 0).all()


def test_tags_are_counted_as_they_are_found(collection: Collection) -> None:
    catalogue = Catalogue.read(collection.library)
    for expression in ("", "duration > 150"):
        counts = {tag.name: count for tag, count in catalogue.count_tags(expression)}
        rows = catalogue.search(expression).rows
        for tag in catalogue.tags:
            assert counts[tag.name] == (catalogue.scores(tag.name)[rows] >= tag.threshold).sum(), tag
    assert sum(counts.values()) > 0


def test_it_notices_news_and_reads_them(collection: Collection) -> None:
    library = collection.library
    catalogue = Catalogue.read(library)
    assert catalogue.is_current(library)
    assert catalogue.renewed(library) is catalogue
    new, _ = collection.add(2)
    assert not catalogue.is_current(library)
    newer = catalogue.renewed(library)
    assert new in newer.recording_ids
    assert new not in catalogue.recording_ids, "what was read stays as it was"
    library.rows("UPDATE file SET is_missing = 1 WHERE recording_id = ?", (new,))
    assert new not in newer.renewed(library).recording_ids


def test_what_was_taught_counts(collection: Collection) -> None:
    library, tags = collection.library, OwnTags(collection.library)
    catalogue = Catalogue.read(library)
    with pytest.raises(ExpressionError, match="unknown tag"):
        catalogue.search("dreamy")
    tags.mark("dreamy", collection.of_style(0)[:5], accepted=True, category="mood")
    tags.mark("dreamy", collection.of_style(1)[:5], accepted=False)
    taught = catalogue.renewed(library)
    assert taught is not catalogue
    expected = find_matches(library, "dreamy")
    np.testing.assert_array_equal(taught.find_matches("dreamy").recording_ids, expected.recording_ids)
    assert {tag.name: tag.is_own for tag in taught.tags}["dreamy"]
    row = int(taught.search("dreamy").rows[0])
    assert "dreamy" in [tag.name for tag in taught.shown_tags([row])[0]]
    tags.mark("piano", collection.of_style(1)[:3], accepted=True)
    tags.mark("piano", collection.of_style(0)[:3], accepted=False)
    corrected = taught.renewed(library)
    np.testing.assert_allclose(
        corrected.find_matches("piano >= 0").scores, find_matches(library, "piano >= 0").scores
    )


def test_unknown_names(collection: Collection) -> None:
    catalogue = Catalogue.read(collection.library)
    with pytest.raises(UnknownNameError, match="did you mean 'piano'"):
        catalogue.search("", sort="tag:pianoo")
    with pytest.raises(UnknownNameError, match="order"):
        catalogue.search("", sort="colour")
    assert catalogue.rows_of(np.array([0, 1, 10**6])).tolist() == [-1, 0, -1]


def test_a_library_that_nobody_heard_has_no_catalogue(library: Library) -> None:
    with pytest.raises(LibraryError, match="no model has listened"):
        Catalogue.read(library)


TEXTS = st.lists(
    st.lists(st.sampled_from(["Ábc", "abc", "ABC def", "", "x  y", "def"]), max_size=3), max_size=8
)


@given(TEXTS, st.sampled_from(["", "abc", "DEF", "x y", "zzz", "á"]), st.booleans())
def test_a_column_of_texts_holds_what_its_texts_hold(texts: list[list[str]], text: str, whole: bool) -> None:
    values = [tuple(own) for own in texts]
    column = TextColumn(values)
    np.testing.assert_array_equal(column.holds(text, whole=whole), holds_text(values, text, whole=whole))
    order = np.argsort(column.ranks, kind="stable")
    firsts = [values[row][0] for row in order if values[row]]
    assert [fold(first) for first in firsts] == sorted(map(fold, firsts))
