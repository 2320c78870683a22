"""The audit finds what was put wrong on purpose, and judges nothing that it cannot."""

from pathlib import Path

import numpy as np
import pytest

from taggram.library import Library
from taggram.library.audit import Audit, audit_library, plan_spellings
from taggram.library.taxonomy import Taxonomy, default_taxonomy, make_rule
from tests.library.collection import STYLES, Collection

ROCK, TECHNO = STYLES.index("rock"), STYLES.index("techno")


@pytest.fixture
def collection(library: Library, rng: np.random.Generator, tmp_path: Path) -> Collection:
    """Rock and techno, 20 of each, with their genres in the files."""
    collection = Collection(library, rng, tmp_path)
    for style, genre in ((ROCK, "Rock"), (TECHNO, "Techno")):
        for _ in range(20):
            collection.add(style, fields={"genre": (genre,)})
    return collection


def audit(collection: Collection, taxonomy: Taxonomy | None = None) -> Audit:
    return audit_library(collection.library, collection.model, taxonomy or default_taxonomy())


def path_of(collection: Collection, recording_id: int) -> Path:
    return collection.library.files_of([recording_id])[recording_id][0].path


def test_a_clean_library_has_no_contradictions(collection: Collection) -> None:
    found = audit(collection)
    assert found.n_files == 40
    assert (found.findings, found.spellings, found.unjudged) == ((), (), ())


def test_what_was_put_wrong_is_found(collection: Collection) -> None:
    wrong = path_of(collection, collection.add(TECHNO, fields={"genre": ("Rock",)})[0])
    lacking = path_of(collection, collection.add(ROCK, fields={"genre": ("Seen live",)})[0])
    found = audit(collection)
    contradicted = [finding for finding in found.findings if finding.kind == "contradicted"]
    assert [(f.file, f.field, f.value) for f in contradicted] == [(wrong, "genre", "Rock")]
    assert contradicted[0].rank < 0.1
    assert [proposal.value for proposal in contradicted[0].heard] == ["Techno"]
    missing = {(f.file, f.value) for f in found.findings if f.kind == "missing"}
    assert missing <= {(wrong, "Techno"), (lacking, "Rock")}
    assert [(u.value, u.n_files, u.why) for u in found.unjudged] == [
        ("Seen live", 1, "the model has no tag for it")
    ]


def test_strong_ones_without_the_word_lack_it(collection: Collection) -> None:
    lacking = [path_of(collection, collection.add(ROCK)[0]) for _ in range(30)]
    found = [f for f in audit(collection).findings if f.kind == "missing"]
    assert {f.value for f in found} == {"Rock"}
    assert {f.file for f in found} <= set(lacking)
    assert 5 <= len(found) <= 25  # about half: those that sound more like rock than half of the others
    assert [f.rank for f in found] == sorted((f.rank for f in found), reverse=True)


def test_words_that_the_model_does_not_know_here_are_not_judged(collection: Collection) -> None:
    for number in range(10):
        collection.add(ROCK, fields={"genre": ("Techno",)})
        collection.add(TECHNO, fields={"genre": ("Rock",) if number % 2 else ()})
    why = {u.value: u.why for u in audit(collection).unjudged}
    assert why["Techno"].startswith("the model does not know it as it is used here (ROC-AUC 0.")


def test_few_files_are_no_evidence(library: Library, rng: np.random.Generator, tmp_path: Path) -> None:
    collection = Collection(library, rng, tmp_path)
    for _ in range(4):
        collection.add(ROCK, fields={"genre": ("Techno",)})
    for _ in range(20):
        collection.add(TECHNO)
    (unjudged,) = audit(collection).unjudged
    assert unjudged.why == "4 files with it and 20 without; 5 of either are needed"
    assert audit(collection).findings == ()


def test_what_lies_above_is_no_contradiction(collection: Collection) -> None:
    rule = make_rule("genre", ["genre"], tree={"techno": ["electronic"], "electronic": []})
    for _ in range(10):
        collection.add(TECHNO, fields={"genre": ("Electronic",)})
    wrong = path_of(collection, collection.add(ROCK, fields={"genre": ("Electronic",)})[0])
    found = audit(collection, Taxonomy((rule,)))
    assert {(f.file, f.value) for f in found.findings if f.kind == "contradicted"} == {(wrong, "Electronic")}
    assert "Electronic" not in {u.value for u in found.unjudged}


def test_spellings_and_the_plan_that_joins_them(collection: Collection) -> None:
    odd = path_of(
        collection, collection.add(TECHNO, fields={"genre": ("techno", "Rock 'n' Roll", "Techno")})[0]
    )
    collection.add(ROCK, fields={"genre": ("rock and roll",)})
    collection.add(ROCK, fields={"genre": ("rock and roll",)})
    found = audit(collection)
    assert [(s.preferred, dict(s.counts)) for s in found.spellings] == [
        ("Techno", {"Techno": 21, "techno": 1}),
        ("rock and roll", {"rock and roll": 2, "Rock 'n' Roll": 1}),
    ]
    (change,) = plan_spellings(collection.library, found.spellings)
    assert (change.file, change.field) == (odd, "genre")
    assert change.before == ("techno", "Rock 'n' Roll", "Techno")
    assert change.after == ("Techno", "rock and roll")


def test_the_whitelist_spells_and_aliases_join(collection: Collection) -> None:
    rule = make_rule(
        "genre", ["genre"], whitelist=["ROCK", "Techno"], aliases={"rawk": "rock"}, title_case=False
    )
    collection.add(ROCK, fields={"genre": ("Rawk",)})
    (spellings,) = audit(collection, Taxonomy((rule,))).spellings
    assert (spellings.preferred, dict(spellings.counts)) == ("ROCK", {"Rock": 20, "Rawk": 1})


def test_an_empty_library(library: Library, rng: np.random.Generator, tmp_path: Path) -> None:
    assert audit(Collection(library, rng, tmp_path)) == Audit(0, (), (), ())
