"""The user's tags: kept by sound, learned when needed, carried from one library to another."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from taggram.errors import LibraryError, UnknownNameError
from taggram.library import Library
from taggram.library.own_tags import OwnTags
from tests.library.collection import Collection, specification


@pytest.fixture
def collection(library: Library, rng: np.random.Generator, tmp_path: Path) -> Collection:
    collection = Collection(library, rng, tmp_path / "music")
    collection.fill(60)
    return collection


@pytest.fixture
def tags(collection: Collection) -> OwnTags:
    """A tag `evening` of six accepted piano songs and six rejected others."""
    tags = OwnTags(collection.library)
    tags.mark("evening", collection.of_style(0)[:6], accepted=True, category="mood")
    tags.mark("evening", [i for style in (1, 2, 3) for i in collection.of_style(style)[:2]], accepted=False)
    return tags


def test_examples_are_kept(collection: Collection, tags: OwnTags) -> None:
    (tag,) = tags.tags()
    assert (tag.name, tag.category, tag.n_accepted, tag.n_rejected) == ("evening", "mood", 6, 6)
    assert tags.get(" Évening ") == tag
    changed = collection.of_style(0)[0]
    assert tags.mark("evening", [changed], accepted=False).n_rejected == 7
    assert tags.mark("evening", [changed], accepted=None).n_rejected == 6
    assert changed not in [example.recording_id for example in tags.examples("evening")]
    tags.remove("evening")
    assert tags.tags() == ()
    assert collection.library.rows("SELECT count(*) FROM own_tag_example") == [(0,)]


def test_learning_finds_the_style(collection: Collection, tags: OwnTags) -> None:
    taught = tags.train("evening", collection.model)
    ids, embeddings = collection.library.embeddings(collection.model)
    logits = taught.classifier.logits(embeddings)
    is_piano = np.isin(ids, collection.of_style(0))
    assert logits[is_piano].min() > logits[~is_piano].max()
    assert taught.quality.roc_auc is not None
    assert taught.quality.roc_auc > 0.95
    assert taught.quality.is_trustworthy


def test_what_was_learned_is_kept_until_an_example_changes(collection: Collection, tags: OwnTags) -> None:
    first = tags.taught(collection.model)["evening"]
    again = tags.taught(collection.model)["evening"]
    np.testing.assert_array_equal(again.classifier.weights, first.classifier.weights)
    assert (again.classifier.intercept, again.quality) == (first.classifier.intercept, first.quality)
    tags.mark("evening", collection.of_style(0)[6:8], accepted=True)
    assert collection.library.rows("SELECT count(*) FROM own_tag_classifier") == [(0,)]
    changed = tags.taught(collection.model)["evening"]
    assert not np.array_equal(changed.classifier.weights, first.classifier.weights)


def test_the_order_of_the_answers_does_not_matter(collection: Collection, tags: OwnTags) -> None:
    first = tags.train("evening", collection.model)
    for example in reversed(tags.examples("evening")):
        assert example.recording_id is not None
        tags.mark("other", [example.recording_id], accepted=example.is_accepted)
    second = tags.train("other", collection.model)
    np.testing.assert_array_equal(second.classifier.weights, first.classifier.weights)
    assert second.quality == first.quality


def test_too_few_examples_are_refused_with_what_is_missing(collection: Collection) -> None:
    tags = OwnTags(collection.library)
    tags.mark("few", collection.of_style(0)[:3], accepted=True)
    assert tags.missing("few", collection.model) == "2 more rejected"
    tags.mark("few", collection.of_style(1)[:1], accepted=False)
    with pytest.raises(
        LibraryError, match="'few' cannot be learned yet: it needs 1 more rejected, of sounds"
    ):
        tags.train("few", collection.model)
    tags.mark("few", collection.of_style(0)[:1], accepted=None)
    tags.mark("few", collection.of_style(2)[:1], accepted=False)
    assert tags.missing("few", collection.model) == "1 more, accepted or rejected"
    assert tags.taught(collection.model) == {}
    tags.mark("few", collection.of_style(2)[1:2], accepted=False)
    assert list(tags.taught(collection.model)) == ["few"]


def test_suggestions_are_new_files(collection: Collection, tags: OwnTags) -> None:
    suggestions = tags.suggest("evening", collection.model, 10)
    ids = [suggestion.file.recording_id for suggestion in suggestions]
    assert len(set(ids)) == 10
    assert not set(ids) & {example.recording_id for example in tags.examples("evening")}
    assert all(0 <= suggestion.score <= 1 for suggestion in suggestions)
    assert len(tags.suggest("evening", collection.model, 100)) == 48


def test_another_model_learns_from_the_same_examples(collection: Collection, tags: OwnTags) -> None:
    library = collection.library
    other = library.add_model(specification("other", embedding_dim=8))
    assert tags.taught(other) == {}
    for recording_id, style in collection.styles.items():
        result = collection._hear(style, 200.0)
        object.__setattr__(result, "embedding", result.embedding[:8])
        library.store_analysis(recording_id, other, result)
    assert len(tags.taught(other)["evening"].classifier.weights) == 8


def test_a_correction_knows_it_is_one(collection: Collection) -> None:
    tags = OwnTags(collection.library)
    tags.mark("ROCK", collection.of_style(1)[:5], accepted=True)
    tags.mark("ROCK", collection.of_style(2)[:5], accepted=False)
    taught = tags.train("rock", collection.model)
    assert taught.classifier.adds_to_model
    assert taught.quality.model_roc_auc is not None


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Collection]:
    """Another library with the same sounds, by the same seed; it does not know the files' tags yet."""
    with Library.open(tmp_path / "copy.db") as library:
        collection = Collection(library, np.random.default_rng(20261121), tmp_path / "music")
        collection.fill(60)
        yield collection


def test_export_and_import(collection: Collection, tags: OwnTags, copy: Collection) -> None:
    taught = tags.train("evening", collection.model)
    document = json.loads(json.dumps(tags.export("evening")))
    assert document["schema"] == "taggram-own-tag/1"
    assert len(document["examples"]) == 12
    assert any("piano artist" in example["label"] for example in document["examples"])
    there = OwnTags(copy.library)
    imported = there.import_(json.dumps(document), source="evening.json")
    assert (imported.n_examples, imported.n_here, imported.models) == (12, 12, ("invented",))
    assert (imported.tag.name, imported.tag.category) == ("evening", "mood")
    kept = there.taught(copy.model)["evening"]
    np.testing.assert_array_equal(kept.classifier.weights, taught.classifier.weights)
    assert kept.quality == taught.quality
    assert there.export("evening") == document


def test_import_where_none_of_the_sounds_is(collection: Collection, tags: OwnTags, tmp_path: Path) -> None:
    tags.train("evening", collection.model)
    text = json.dumps(tags.export("evening"))
    with Library.open(tmp_path / "elsewhere.db") as library:
        elsewhere = Collection(library, np.random.default_rng(5), tmp_path)
        elsewhere.fill(12)
        there = OwnTags(library)
        imported = there.import_(text, source="evening.json")
        assert (imported.n_examples, imported.n_here, imported.models) == (12, 0, ("invented",))
        assert "evening" in there.taught(elsewhere.model)


def test_import_beside_a_tag_of_the_same_name(collection: Collection, tags: OwnTags) -> None:
    text = json.dumps(tags.export("evening"))
    with pytest.raises(LibraryError, match="there is a tag 'evening' already"):
        tags.import_(text, source="evening.json")
    disputed = collection.of_style(0)[0]
    tags.mark("evening", [disputed], accepted=False)
    tags.mark("evening", collection.of_style(0)[1:3], accepted=None)
    tags.import_(text, source="evening.json", merge=True)
    answers = {example.recording_id: example.is_accepted for example in tags.examples("evening")}
    assert len(answers) == 12
    assert answers[disputed] is False


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"schema": "taggram/1"}, "schema"),
        ({"category": "colour"}, "category"),
        ({"examples": [{"audio_hash": "xyz", "accepted": True}]}, "examples.0.audio_hash"),
        ({"more": 1}, "more"),
    ],
)
def test_a_damaged_file_is_refused(tags: OwnTags, change: dict[str, object], reason: str) -> None:
    document = {**tags.export("evening"), "name": "fresh", **change}
    with pytest.raises(LibraryError, match=f"evening.json: is no exported tag .*{reason}"):
        tags.import_(json.dumps(document), source="evening.json")
    assert [tag.name for tag in tags.tags()] == ["evening"]


def test_a_classifier_that_does_not_fit_changes_nothing(
    collection: Collection, tags: OwnTags, copy: Collection
) -> None:
    tags.train("evening", collection.model)
    document = tags.export("evening")
    document["classifiers"][0]["weights"].pop()
    there = OwnTags(copy.library)
    with pytest.raises(LibraryError, match="does not fit that model"):
        there.import_(json.dumps(document), source="evening.json")
    assert there.tags() == ()


def test_names_and_ids_are_checked(collection: Collection, tags: OwnTags) -> None:
    for name in ("", "  ", "x" * 101, "a\x00b"):
        with pytest.raises(LibraryError, match="is no name for a tag"):
            tags.mark(name, collection.of_style(0)[:1], accepted=True)
    with pytest.raises(LibraryError, match="holds no recording 99999"):
        tags.mark("evening", [99999], accepted=True)
    with pytest.raises(UnknownNameError, match="did you mean 'evening'"):
        tags.get("evenig")
    with pytest.raises(UnknownNameError):
        tags.mark("nothing", collection.of_style(0)[:1], accepted=None)
    assert [tag.name for tag in tags.tags()] == ["evening"]
