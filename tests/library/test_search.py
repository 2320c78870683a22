"""Searching a library: what matches, in which order, and which file stands for a recording."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from taggram.errors import ExpressionError, LibraryError
from taggram.inference.result import TagResult
from taggram.library import Library, ModelRow
from taggram.library import search as search_module
from taggram.library.own_tags import OwnTags
from taggram.library.search import search
from taggram.library.store import Seen
from taggram.library.tag_scores import TagScores
from taggram.library.tracks import Identity
from tests.library.collection import STYLES, VOCABULARY, Collection


@pytest.fixture
def collection(library: Library, rng: np.random.Generator, tmp_path: Path) -> Collection:
    collection = Collection(library, rng, tmp_path / "music")
    collection.fill(80)
    return collection


def found(collection: Collection, expression: str) -> list[int]:
    hits = search(collection.library, expression, limit=None).hits
    return [hit.file.recording_id or 0 for hit in hits]


def test_a_tag_finds_its_style_strongest_first(collection: Collection) -> None:
    result = search(collection.library, "piano >= 0.5", limit=None)
    assert {hit.file.recording_id for hit in result.hits} <= set(collection.of_style(0))
    assert len(result.hits) == result.n_matches > 10
    relevances = [hit.relevance for hit in result.hits]
    assert relevances == sorted(relevances, reverse=True)
    assert all(hit.scores == {"piano": pytest.approx(hit.relevance)} for hit in result.hits)


def test_limit_and_offset_page_through_the_same_list(collection: Collection) -> None:
    whole = found(collection, "")
    assert len(whole) == 80
    pages = [search(collection.library, "", limit=30, offset=offset) for offset in (0, 30, 60, 90)]
    assert [hit.file.recording_id for page in pages for hit in page.hits] == whole
    assert {page.n_matches for page in pages} == {80}


def test_not_and_or_are_sets(collection: Collection) -> None:
    piano, rock = set(found(collection, "piano")), set(found(collection, "rock"))
    assert piano
    assert rock
    assert set(found(collection, "not piano")) == set(collection.styles) - piano
    assert set(found(collection, "piano or rock")) == piano | rock
    assert set(found(collection, "piano and not rock")) == piano - rock


def test_a_bare_tag_means_the_top_of_the_library(collection: Collection) -> None:
    thresholds = TagScores(collection.library, collection.model).thresholds
    _, scores = collection.library.scores(collection.model)
    for column, (tag, _) in enumerate(VOCABULARY):
        share = (scores[:, column] >= thresholds[tag]).mean()
        assert thresholds[tag] == 0.5 or share == pytest.approx(0.1, abs=0.02)
        assert share >= 0.09


def changed(collection: Collection, **change: object) -> ModelRow:
    """The collection's model with another first tag, piano."""
    specification = collection.model.specification
    first, *rest = specification.tags
    tags = (first.model_copy(update=change), *rest)
    return dataclasses.replace(
        collection.model, specification=specification.model_copy(update={"tags": tags})
    )


def test_a_threshold_of_the_model_comes_first(collection: Collection) -> None:
    model = changed(collection, threshold=0.123)
    assert TagScores(collection.library, model).thresholds["piano"] == 0.123


def test_the_name_for_people_is_known_too(collection: Collection) -> None:
    model = changed(collection, display_name="Grand Piano")
    by_name, by_label = (search(collection.library, text, model=model) for text in ("piano", "grand piano"))
    assert by_name.n_matches > 5
    assert [hit.file for hit in by_label.hits] == [hit.file for hit in by_name.hits]
    assert list(by_label.hits[0].scores) == ["Grand Piano"]
    tags = OwnTags(collection.library)
    tags.mark("grand piano", collection.of_style(0)[:5], accepted=True)
    tags.mark("grand piano", collection.of_style(1)[:5], accepted=False)
    assert tags.train("grand piano", model).classifier.adds_to_model
    scores = TagScores(collection.library, model)
    assert scores.is_taught("piano")
    assert scores.is_taught("Grand Piano")


def test_fields_of_the_file(collection: Collection) -> None:
    expected, _ = collection.add(
        1, artist="Björk", title="Jóga", fields={"year": ("1997-09-16",)}, duration=305
    )
    assert found(collection, "artist = bjork and title: jog") == [expected]
    assert found(collection, "year: 1997 and rock") == [expected]
    assert found(collection, "duration > 300") == [expected]
    assert found(collection, "path: /choir/ and not choir >= 0") == []
    assert set(found(collection, "path: /choir/")) == set(collection.of_style(3))
    assert len(found(collection, "not genre: *")) == 81


def _copy(collection: Collection, recording_id: int, path: Path, artist: str) -> int:
    library = collection.library
    ((audio_hash,),) = library.rows("SELECT audio_hash FROM recording WHERE id = ?", (recording_id,))
    with library.transaction() as connection:
        cursor = connection.execute(
            "INSERT INTO file (path, size, mtime_ns) VALUES (?, 1, 1)", (str(path).encode(),)
        )
        file_id = int(cursor.lastrowid or 0)
        identity = Identity(audio_hash, 200.0, "mp3", "mp3", 44100, 2)
        assert (
            library.store_identity(file_id, Seen(path, 1, 1), identity, {"artist": (artist,)}) == recording_id
        )
    return file_id


def test_a_recording_is_found_once_by_the_file_that_matches(collection: Collection, tmp_path: Path) -> None:
    recording_id = collection.of_style(0)[0]
    second = _copy(collection, recording_id, tmp_path / "copy.mp3", "Somebody Else")
    hits = search(collection.library, "artist: somebody else").hits
    assert [(hit.file.recording_id, hit.file.id) for hit in hits] == [(recording_id, second)]
    whole = found(collection, "")
    assert whole.count(recording_id) == 1
    assert found(collection, "artist: *").count(recording_id) == 1


def test_a_missing_file_is_not_found(collection: Collection, tmp_path: Path) -> None:
    recording_id = collection.of_style(0)[0]
    with collection.library.transaction() as connection:
        connection.execute("UPDATE file SET is_missing = 1 WHERE recording_id = ?", (recording_id,))
    assert recording_id not in found(collection, "")
    assert recording_id not in found(collection, "artist: *")
    second = _copy(collection, recording_id, tmp_path / "copy.mp3", "Somebody Else")
    hits = search(collection.library, "", limit=None).hits
    assert second in [hit.file.id for hit in hits]


def test_batches_change_nothing(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    expressions = ("", "piano or calm", "artist: 3 and not rock", "energetic: 0.2..0.6")
    before = [found(collection, expression) for expression in expressions]
    assert len(set(map(tuple, before))) == len(expressions)
    monkeypatch.setattr(search_module, "BATCH", 7)
    assert [found(collection, expression) for expression in expressions] == before


def test_own_tags_are_found_like_any_other(collection: Collection) -> None:
    tags = OwnTags(collection.library)
    tags.mark("for the evening", collection.of_style(0)[:8], accepted=True)
    others = [i for style in (1, 2, 3) for i in collection.of_style(style)[:3]]
    tags.mark("for the evening", others, accepted=False)
    hits = set(found(collection, "for the evening and not energetic > 0.9"))
    assert len(hits & set(collection.of_style(0))) > 0.8 * len(hits) > 5
    with pytest.raises(ExpressionError, match="did you mean 'for the evening'"):
        found(collection, "for the evenings")


def test_a_corrected_tag_takes_the_place_of_the_models(collection: Collection) -> None:
    """The user says that what the model calls choir is what he calls rock."""
    before = set(found(collection, "rock >= 0.5"))
    assert before <= set(collection.of_style(1))
    tags = OwnTags(collection.library)
    tags.mark("Rock", collection.of_style(3)[:10], accepted=True)
    tags.mark("Rock", collection.of_style(1)[:10], accepted=False)
    assert TagScores(collection.library, collection.model).is_taught("rock")
    after = set(found(collection, "rock >= 0.5"))
    assert len(after & set(collection.of_style(3))) > 15
    assert len(after & set(collection.of_style(1))) < len(before)


def test_an_empty_library(library: Library) -> None:
    with pytest.raises(LibraryError, match="no model has listened"):
        search(library, "piano")
    library.add_model(Collection(library, np.random.default_rng(0), Path("/music")).model.specification)
    assert search(library, "piano and artist: x").n_matches == 0


def test_results_without_tags_are_left_out(collection: Collection) -> None:
    recording_id, result = collection.add(0)
    assert isinstance(result, TagResult)
    silent = dataclasses.replace(result, outcome=type(result.outcome).SILENT)
    collection.library.store_analysis(recording_id, collection.model, silent)
    assert recording_id not in found(collection, "")
    assert len(found(collection, "")) == 20 * len(STYLES)
