"""Merging synonyms: the table, and the tool for any tag matrix."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taggram.errors import ShapeError
from taggram.lab.datasets import MERGES, merge_tags
from taggram.lab.datasets._reading import most_frequent
from taggram.tags.vocabularies import MAGNATAGATUNE_50, SYNONYMS


def test_the_table_merges_every_tag_into_one_and_no_chains() -> None:
    sources = [tag for tags in MERGES.values() for tag in tags]
    assert len(set(sources)) == len(sources)
    for merged, tags in MERGES.items():
        others = {tag for name, group in MERGES.items() if name != merged for tag in group}
        assert merged not in others, f"{merged!r} is merged further"
        assert tags
    for merged, tags in SYNONYMS.items():
        assert set(tags) <= set(MERGES[merged]), "the table extends that of the shipped vocabularies"


def test_merging_magnatagatune() -> None:
    y = np.eye(50, dtype=np.bool_)
    merged, names = merge_tags(y, MAGNATAGATUNE_50)
    assert "female vocals" in names
    assert not {"female", "woman", "classic", "beats", "choral"} & set(names)
    assert "fast" in names
    assert merged.shape == (50, len(names))
    assert merged.sum() == 50, "every tag is in exactly one merged tag"


@given(st.data())
def test_a_merged_tag_is_true_where_a_source_is(data: st.DataObject) -> None:
    vocabulary = ("a", "b", "c", "d")
    rows = data.draw(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=5))
    groups = data.draw(st.lists(st.sampled_from("xyd"), min_size=4, max_size=4))
    merges: dict[str, list[str]] = {}
    for tag, group in zip(vocabulary, groups, strict=True):
        merges.setdefault(group, []).append(tag)
    y = np.array(rows, np.bool_)
    merged, names = merge_tags(y, vocabulary, merges)
    assert set(names) == set(groups)
    for column, name in enumerate(names):
        sources = [vocabulary.index(tag) for tag in merges[name]]
        np.testing.assert_array_equal(merged[:, column], y[:, sources].any(axis=1))


def test_order_and_case_without_merges() -> None:
    y = np.array([[True, False, True]])
    same, names = merge_tags(y, ("c", "a", "b"), {})
    assert names == ("c", "a", "b")
    np.testing.assert_array_equal(same, y)


def test_errors_say_what_is_wrong() -> None:
    with pytest.raises(ShapeError, match=r"shape \(1, 2\) cannot have the 3 names"):
        merge_tags(np.zeros((1, 2), np.bool_), ("a", "b", "c"))
    with pytest.raises(ValueError, match="'a' is merged into both 'x' and 'y'"):
        merge_tags(np.zeros((1, 1), np.bool_), ("a",), {"x": ("a",), "y": ("a",)})


def test_most_frequent_breaks_ties_by_name() -> None:
    y = np.array([[1, 1, 0, 1], [0, 1, 1, 1]], np.bool_)
    assert most_frequent(y, ("z", "y", "b", "x"), 3) == ("x", "y", "b")
