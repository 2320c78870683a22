"""From the model's tags to the dataset's: by name, by meaning, by an explicit mapping."""

from pathlib import Path

import numpy as np
import pytest

from taggram.errors import EvaluationError, UnknownNameError
from taggram.lab.evaluation.mapping import map_tags, read_tag_mapping


def test_the_same_name_comes_before_the_same_meaning() -> None:
    found = map_tags(["female", "woman", "genre---rock"], ["woman", "rock", "female vocals", "polka"])
    assert found.sources["woman"] == ("woman",)
    assert found.sources["rock"] == ("genre---rock",)
    assert found.sources["female vocals"] == ("female", "woman")
    assert found.uncovered == ("polka",)
    assert found.tags == ("woman", "rock", "female vocals")
    assert found.renamed == {"rock": ["genre---rock"], "female vocals": ["female", "woman"]}


def test_the_strongest_of_several_counts() -> None:
    found = map_tags(["a", "b", "c"], ["x", "b"], {"x": ("a", "c")})
    scores = np.array([[0.1, 0.2, 0.3], [0.9, 0.8, 0.7]], np.float32)
    np.testing.assert_allclose(found.translate(scores), [[0.3, 0.2], [0.9, 0.8]])


def test_an_explicit_mapping_stands_above_names() -> None:
    found = map_tags(["rock", "pop"], ["rock", "pop"], {"rock": (), "pop": ("rock",)})
    assert found.sources == {"pop": ("rock",)}
    assert found.uncovered == ("rock",)


def test_nothing_in_common_and_unknown_names() -> None:
    with pytest.raises(EvaluationError, match="knows none of the dataset's tags"):
        map_tags(["a"], ["b"])
    with pytest.raises(UnknownNameError, match="tag of the model 'rok': did you mean 'rock'"):
        map_tags(["rock"], ["pop"], {"pop": ("rok",)})
    with pytest.raises(UnknownNameError, match="tag of the dataset 'jazz'"):
        map_tags(["rock"], ["pop"], {"jazz": ("rock",)})


def test_reading(tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    path.write_text('{"a": "x", "b": ["x", "y"], "c": null}', encoding="utf-8")
    assert read_tag_mapping(path) == {"a": ("x",), "b": ("x", "y"), "c": ()}
    for text, match in (("[1]", "object"), ('{"a": 1}', "'a' must map"), ("{", "cannot be read")):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(EvaluationError, match=match):
            read_tag_mapping(path)
