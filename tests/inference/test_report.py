"""The report says what the results say, in the documented schema."""

import csv
import io
import json
import os
from dataclasses import replace

import numpy as np
import pytest

from taggram.inference.report import (
    CSV_HEADER,
    Selection,
    Summary,
    csv_rows,
    file_entry,
    jams_document,
    model_entry,
    select_tags,
    taggram_document,
    to_json,
)
from taggram.inference.result import Outcome, TagResult, TagScore
from taggram.modelfile.specification import Category, Specification, Tag
from tests.conftest import tiny_specification

SPECIFICATION = tiny_specification()


def make_result(outcome: Outcome = Outcome.TAGGED, path: str = "a.mp3", message: str = "") -> TagResult:
    scores = np.array([[0.1, 0.4, 0.9], [0.3, 0.6, 0.7]], np.float32)
    tags = (
        TagScore("high", "mood", 0.8),
        TagScore("middle", "genre", 0.5),
        TagScore("low", "instrument", 0.2),
    )
    return TagResult(
        outcome=outcome,
        duration=2.25,
        tags=tags if outcome.has_tags else (),
        clip_scores=scores.mean(axis=0),
        taggram=scores,
        chunk_times=np.array([0.0, 1.0]),
        embedding=np.zeros(3, np.float32),
        path=path,
        message=message,
    )


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        (Selection(), ["high", "middle", "low"]),
        (Selection(top_k=1), ["high"]),
        (Selection(threshold=0.3), ["high", "middle"]),
        (Selection(threshold=0.9), []),
        (Selection(top_k=None, threshold=0.0), ["high", "middle", "low"]),
    ],
)
def test_selection(selection: Selection, names: list[str]) -> None:
    assert [tag.name for tag in selection.of(make_result(), SPECIFICATION)] == names


@pytest.mark.parametrize("thresholds", ["none", "some", "all"])
@pytest.mark.parametrize("top_k", [None, 1, 4])
def test_many_sounds_at_once_are_selected_as_one_by_one(
    thresholds: str, top_k: int | None, rng: np.random.Generator
) -> None:
    n_tags = 12
    categories: list[Category] = ["genre", "mood", "mood", "instrument", "voice", "voice"] * 2
    limits = rng.uniform(0.05, 0.7, n_tags)
    tags = tuple(
        Tag(name=f"tag {i}", category=categories[i],
            threshold=None if thresholds == "none" or (thresholds == "some" and i % 2) else limits[i])
        for i in range(n_tags)
    )  # fmt: skip
    specification = SPECIFICATION.model_copy(update={"tags": tags})
    scores = (rng.random((400, n_tags)) ** 3).astype(np.float32)  # mostly small, as scores are
    scores[0], scores[1] = 0.0, 1.0
    found = select_tags(scores, specification, top_k=top_k)
    selection = Selection(top_k=top_k)
    sizes = set()
    for own, chosen in zip(scores.tolist(), found, strict=True):
        ranked = sorted(range(n_tags), key=lambda i: -own[i])
        heard = tuple(TagScore(tags[i].name, tags[i].category, own[i]) for i in ranked)
        expected = {tag.name for tag in selection.of(replace(make_result(), tags=heard), specification)}
        assert {tags[i].name for i in np.flatnonzero(chosen)} == expected
        sizes.add(len(expected))
    assert thresholds != "all" or len(sizes) > 1, "the sounds differ"


def test_selection_uses_each_tags_own_threshold() -> None:
    tags = tuple(tag.model_copy(update={"threshold": 0.6}) for tag in SPECIFICATION.tags)
    strict = SPECIFICATION.model_copy(update={"tags": tags})
    assert [tag.name for tag in Selection().of(make_result(), strict)] == ["high"]


Heard = tuple[str, Category, float, float]
"""Name, category, score, threshold."""


def calibrated(*tags: Heard) -> tuple[TagResult, Specification]:
    """A result, and the model that says so."""
    ranked = sorted(tags, key=lambda tag: -tag[2])
    result = replace(
        make_result(), tags=tuple(TagScore(name, kind, score) for name, kind, score, _ in ranked)
    )
    own = tuple(Tag(name=name, category=kind, threshold=threshold) for name, kind, _, threshold in tags)
    return result, SPECIFICATION.model_copy(update={"tags": own})


def names(selection: Selection, case: tuple[TagResult, Specification]) -> list[str]:
    return [tag.name for tag in selection.of(*case)]


def test_category_without_a_tag_shows_its_strongest_if_it_is_clear() -> None:
    rock: Heard = ("rock", "genre", 0.6, 0.3)
    far: Heard = ("calm", "mood", 0.01, 0.05)
    near: Heard = ("calm", "mood", 0.025, 0.05)
    assert names(Selection(), calibrated(rock, far, ("sad", "mood", 0.03, 0.05))) == ["rock", "sad"]
    # A scale says by a score below one half that the tag is rather not there.
    scale: Heard = ("vocals", "voice", 0.4, 0.5)
    assert names(Selection(), calibrated(rock, scale, ("choir", "voice", 0.01, 0.05))) == ["rock"]
    # Not if it is too weak, nor if another one is nearly as strong, nor if it has none to be compared with,
    # nor beside one that was given.
    assert names(Selection(), calibrated(rock, far, ("sad", "mood", 0.02, 0.05))) == ["rock"]
    assert names(Selection(), calibrated(rock, near, ("sad", "mood", 0.03, 0.05))) == ["rock"]
    assert names(Selection(), calibrated(rock, ("sad", "mood", 0.03, 0.05))) == ["rock"]
    assert names(Selection(), calibrated(rock, ("pop", "genre", 0.25, 0.3))) == ["rock"]


def test_the_strongest_are_those_farthest_above_their_thresholds() -> None:
    case = calibrated(
        ("rock", "genre", 0.4, 0.3), ("happy", "mood", 0.05, 0.01), ("piano", "instrument", 0.3, 0.2)
    )
    assert names(Selection(), case) == ["rock", "piano", "happy"], "listed by score"
    assert names(Selection(top_k=2), case) == ["piano", "happy"]
    assert names(Selection(top_k=2, threshold=0.0), case) == ["rock", "piano"]


def test_nothing_is_said_of_what_the_model_is_not_sure_of_unless_asked() -> None:
    result, specification = calibrated(("rock", "genre", 0.4, 0.3))
    case = replace(result, is_unsure=True), specification
    assert names(Selection(), case) == []
    assert names(Selection(top_k=None, threshold=0.0), case) == ["rock"]
    assert file_entry(case[0], ())["unsure"] is True
    assert jams_document(case[0], (), specification)["sandbox"]["taggram"]["unsure"] is True


def test_display_name_is_said_where_there_is_one() -> None:
    tags = (TagScore("00s", "decade", 0.5, "2000s"), TagScore("rock", "genre", 0.4))
    entry = file_entry(make_result(), tags)
    assert [tag.get("display_name") for tag in entry["tags"]] == ["2000s", None]
    assert [
        row["tag"] for row in csv.DictReader(io.StringIO(",".join(CSV_HEADER) + "\n" + csv_rows(entry)))
    ] == [
        "00s",
        "rock",
    ]


def test_file_entry() -> None:
    result = make_result(message="all is well")
    assert file_entry(result, result.tags[:1], {"data": "x.json", "picture": "x.png"}) == {
        "path": "a.mp3",
        "outcome": "tagged",
        "duration": 2.25,
        "tags": [{"name": "high", "category": "mood", "score": 0.8}],
        "taggram": {"data": "x.json", "picture": "x.png"},
        "message": "all is well",
    }
    assert set(file_entry(make_result(Outcome.SILENT), ())) == {"path", "outcome", "duration", "tags"}


def test_any_path_survives_json() -> None:
    path = os.fsdecode(b"caf\xe9 \xf0\x9f\x8e\xb5.mp3")
    text = to_json(file_entry(make_result(path=path), ()))
    assert text.isascii()
    assert os.fsencode(json.loads(text)["path"]) == b"caf\xe9 \xf0\x9f\x8e\xb5.mp3"


def test_csv_has_a_line_per_tag_and_one_for_a_file_without() -> None:
    text = ",".join(CSV_HEADER) + "\n"
    result = make_result(path='comma, "quote"\nline.mp3')
    text += csv_rows(file_entry(result, result.tags))
    text += csv_rows(file_entry(make_result(Outcome.CORRUPT, message="broken"), ()))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["tag"] for row in rows] == ["high", "middle", "low", ""]
    assert rows[0]["path"] == 'comma, "quote"\nline.mp3'
    assert rows[3]["outcome"] == "corrupt"
    assert rows[3]["message"] == "broken"


def test_summary_adds_up() -> None:
    summary = Summary()
    assert summary.is_clean
    for outcome in Outcome:
        summary.add(make_result(outcome))
    summary.add(make_result())
    summary.not_started = 3
    counts = summary.as_dict()
    assert counts["tagged"] == 2
    assert counts.pop("inputs") == sum(counts.values()) == len(Outcome) + 4
    assert not summary.is_clean


def test_only_tagged_is_clean() -> None:
    summary = Summary()
    summary.add(make_result())
    assert summary.is_clean
    summary.add(make_result(Outcome.TRUNCATED))
    assert not summary.is_clean


def test_model_entry_and_taggram_document() -> None:
    assert model_entry(SPECIFICATION)["chunk_duration"] == 1.0
    document = taggram_document(make_result(), SPECIFICATION)
    assert document["scores"][1] == pytest.approx([0.3, 0.6, 0.7])
    assert document["chunk_times"] == [0.0, 1.0]
    assert [tag["name"] for tag in document["tags"]] == ["low", "middle", "high"]


def test_jams_document_states_confidence_for_the_whole_clip() -> None:
    result = make_result()
    (annotation,) = jams_document(result, result.tags, SPECIFICATION)["annotations"]
    assert annotation["namespace"] == "tag_open"
    assert annotation["data"][0] == {"time": 0.0, "duration": 2.25, "value": "high", "confidence": 0.8}
