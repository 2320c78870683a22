"""What plans are made of: all that a library knows of its files, or what a tagger hears."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from taggram.inference.result import Outcome, TagResult, TagScore
from taggram.library import Library
from taggram.library.file_tags.hearing import heard_in_library, heard_now
from taggram.library.own_tags import OwnTags
from taggram.modelfile.specification import Tag
from tests.library.collection import STYLES, Collection, specification

ROCK, TECHNO = STYLES.index("rock"), STYLES.index("techno")


@pytest.fixture
def collection(tmp_path: Path, rng: np.random.Generator) -> Iterator[Collection]:
    with Library.open(tmp_path / "library.db") as library:
        collection = Collection(library, rng, tmp_path)
        collection.fill(40)
        yield collection


def test_a_library_tells_all_its_files(collection: Collection, tmp_path: Path) -> None:
    heard = list(heard_in_library(collection.library, collection.model))
    assert len({found.file for found in heard}) == 40
    assert [tag.name for tag in heard[0].tags] == [tag.name for tag in collection.model.specification.tags]
    analysis = collection.library.analysis(1, collection.model)
    assert analysis is not None
    np.testing.assert_allclose([tag.score for tag in heard[0].tags], analysis.scores)
    assert heard[0].model == "invented 696e7665"
    rock = list(heard_in_library(collection.library, collection.model, [tmp_path / "rock"]))
    assert {found.file.parent.name for found in rock} == {"rock"}
    assert len(rock) == 10


def test_tags_that_the_user_taught_are_among_them(collection: Collection) -> None:
    own = OwnTags(collection.library)
    own.mark("warehouse", collection.of_style(TECHNO)[:6], accepted=True, category="genre")
    own.mark("warehouse", collection.of_style(ROCK)[:6], accepted=False)
    own.train("warehouse", collection.model)
    scores = {
        found.file: {tag.name: tag for tag in found.tags}
        for found in heard_in_library(collection.library, collection.model)
    }
    for file, tags in scores.items():
        assert tags["warehouse"].category == "genre"
        if file.parent.name in ("techno", "rock"):
            assert (tags["warehouse"].score > 0.5) == (file.parent.name == "techno")
    (first, *_) = heard_in_library(collection.library, collection.model)
    assert first.thresholds["warehouse"] == 0.5


def test_what_is_no_music_has_no_tags(collection: Collection) -> None:
    model = replace(
        collection.model,
        specification=collection.model.specification.model_copy(update={"least_evidence": 99.0}),
    )
    assert {found.tags for found in heard_in_library(collection.library, model)} == {()}


def test_a_tagger_tells_what_it_hears() -> None:
    spec = specification().model_copy(update={"tags": (Tag(name="rock", category="genre", threshold=0.3),)})
    tags = (TagScore("rock", "genre", 0.9),)
    empty = np.empty(0, np.float32)
    result = TagResult(Outcome.TAGGED, 3.0, tags, empty, empty, np.empty(0), empty, path="a.mp3")
    results = [
        result,
        replace(result, path=None),
        replace(result, outcome=Outcome.SILENT),
        replace(result, path="b.mp3", is_unsure=True),
    ]
    first, unsure = heard_now(results, spec)
    assert (first.file, first.tags, dict(first.thresholds)) == (Path("a.mp3").absolute(), tags, {"rock": 0.3})
    assert (unsure.file.name, unsure.tags) == ("b.mp3", ())
