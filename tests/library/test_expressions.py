"""The expression language: what it means, what it refuses, and where it says so."""

import operator
from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taggram.errors import ExpressionError
from taggram.library.expressions import (
    MAX_DEPTH,
    And,
    Bounds,
    Expression,
    FieldHolds,
    FieldIn,
    HasTag,
    Not,
    Or,
    ScoreIn,
    could_match,
    holds_text,
    matches,
    named_fields,
    named_tags,
    parse,
    relevance,
)

TAGS: dict[str, float | None] = {
    "piano": None,
    "female vocals": None,
    "vocals": 0.3,
    "r&b": None,
    "hip-hop": None,
    "80s": None,
    "genre": None,
    "drum and bass": None,
    "Élan": None,
}


class Tracks:
    """Four tracks."""

    def __len__(self) -> int:
        return 4

    def scores(self, tag: str) -> np.ndarray:
        columns = {"piano": [0.9, 0.6, 0.5, 0.1], "vocals": [0.1, 0.3, 0.9, 0.0], "80s": [0.0, 0.2, 0.4, 0.8]}
        return np.array(columns.get(tag, [0.0] * 4), np.float32)

    def numbers(self, field: str) -> np.ndarray:
        return np.array({"year": [1969, np.nan, 1985, 1986], "duration": [60, 180, 240, 600]}[field])

    def holds(self, field: str, text: str, *, whole: bool) -> np.ndarray:
        artists: list[tuple[str, ...]] = [("Sigur Rós",), ("Nick Drake", "John Cale"), (), ("Drake",)]
        return holds_text(artists if field == "artist" else [()] * 4, text, whole=whole)


def found(text: str) -> list[int]:
    return np.flatnonzero(matches(parse(text, TAGS), Tracks())).tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("piano", [0, 1, 2]),
        ("PIANO and not Vocals", [0]),
        ("vocals", [1, 2]),
        ("not piano or vocals >= 0.9", [2, 3]),
        ("not (piano or vocals)", [3]),
        ("not not piano", [0, 1, 2]),
        ("piano and vocals or 80s", [1, 2, 3]),
        ("piano and (vocals or 80s)", [1, 2]),
        ("piano > 0.5", [0, 1]),
        ("piano >= .5", [0, 1, 2]),
        ("0.5 < piano", [0, 1]),
        ("0.1 < piano <= 0.6", [1, 2]),
        ("0.6 >= piano > 0.1", [1, 2]),
        ("piano: 0.1..0.5", [2, 3]),
        ("piano = 0.5..", [0, 1, 2]),
        ("80s: ..0.2", [0, 1]),
        ("artist: drake", [1, 3]),
        ("artist = drake", [3]),
        ("artist != drake", [0, 1, 2]),
        ("artist: sigur ros and piano", [0]),
        ('artist: "SIGUR RÓS"', [0]),
        ("artist: *", [0, 1, 3]),
        ("not artist: *", [2]),
        ("genre: *", []),
        ('"genre" < 0.5', [0, 1, 2, 3]),
        ("year < 1985", [0]),
        ("not year < 1985", [1, 2, 3]),
        ("year: 1985..1986", [2, 3]),
        ("year: 1985", [2]),
        ("year != 1985", [0, 1, 3]),
        ("duration > 180", [2, 3]),
    ],
)
def test_meaning(text: str, expected: list[int]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("female   vocals", "female vocals"),
        ("r&b", "r&b"),
        ("hip-hop", "hip-hop"),
        ("80s", "80s"),
        ("elan", "Élan"),
        ('"drum and bass"', "drum and bass"),
    ],
)
def test_names_of_tags(text: str, tag: str) -> None:
    assert parse(text, TAGS) == HasTag(tag, 0.5)


def test_a_tag_brings_its_own_threshold() -> None:
    assert parse("vocals", TAGS) == HasTag("vocals", 0.3)


@pytest.mark.parametrize(
    ("text", "reason", "place"),
    [
        ("", "empty", ""),
        ("piano and", "expected, got the end", ""),
        ("piano and nto vocals", "unknown tag 'nto vocals'", "nto vocals"),
        ("piano and pinao", "did you mean 'piano'", "pinao"),
        ("drum and bass", "'drum and bass' in double quotes", "drum"),
        ("(piano or (vocals)", r"'\(' is never closed", "("),
        ("piano) or vocals", r"'\)' without its", ")"),
        ('artist: "nick', "quotation mark is never closed", '"'),
        ("piano > loud", "number is expected, got 'loud'", "loud"),
        ("piano > 1.5", "between 0 and 1, got 1.5", "piano"),
        ("piano > 1e999", "number is expected", "1e999"),
        ("piano: 0.8..0.2", "range is empty", "0.8..0.2"),
        ("piano: 0.2..x", "two numbers", "0.2..x"),
        ("piano: ..", "two numbers", ".."),
        ("piano: loud", "'piano' is a tag", ":"),
        ("0.2 < piano > 0.1", "point against each other", ">"),
        ("artits: drake", "did you mean 'artist'", "artits"),
        ("artist", "is a field of the file and needs a value", "artist"),
        ("artist > 3", "is a text", "artist"),
        ("year: early", "number is expected", "early"),
        ("piano ! vocals", "unexpected '!'", "!"),
        ("piano (vocals)", r"'\(' is not expected here", "("),
        ("and piano", "expected, got 'and'", "and"),
        ("not", "expected, got the end", ""),
    ],
)
def test_errors_point_at_the_place(text: str, reason: str, place: str) -> None:
    with pytest.raises(ExpressionError, match=reason) as caught:
        parse(text, TAGS)
    error = caught.value
    assert text[error.start : error.end] == place
    message, line, marks = str(error).split("\n")
    assert (message, line) == (error.reason, f"  {text}")
    assert marks.index("^") == 2 + error.start


@pytest.mark.parametrize("opening", ["(", "not "])
def test_nesting_has_a_limit(opening: str) -> None:
    with pytest.raises(ExpressionError, match="nested more than"):
        parse(opening * (MAX_DEPTH + 1) + "piano", TAGS)
    wide = parse(" and ".join(["(piano)"] * (MAX_DEPTH + 1)), TAGS)
    assert isinstance(wide, And)


def test_relevance_orders_by_fuzzy_logic() -> None:
    def of(text: str) -> list[float]:
        return [round(float(value), 3) for value in relevance(parse(text, TAGS), Tracks())]

    assert of("piano") == [0.9, 0.6, 0.5, 0.1]
    assert of("not piano") == of("piano < 0.3") == [0.1, 0.4, 0.5, 0.9]
    assert of("piano > 0.2") == of("piano")
    assert of("piano and vocals") == [0.1, 0.3, 0.5, 0.0]
    assert of("piano or vocals") == [0.9, 0.6, 0.9, 0.1]
    assert of("piano and year: 1985") == [0.0, 0.0, 0.5, 0.0]


def test_what_an_expression_names() -> None:
    tree = parse("piano and not (vocals or artist: x) and year > 1970 and piano < 0.9", TAGS)
    assert named_tags(tree) == ("piano", "vocals")
    assert named_fields(tree) == {"artist", "year"}


names = st.sampled_from(sorted(TAGS))
scores = st.floats(0, 1)
bounds = st.one_of(
    st.builds(lambda low, is_open: Bounds(low=low, low_open=is_open), scores, st.booleans()),
    st.builds(lambda high, is_open: Bounds(high=high, high_open=is_open), scores, st.booleans()),
    st.builds(
        lambda ends, low_open, high_open: Bounds(min(ends), max(ends), low_open, high_open),
        st.tuples(scores, scores),
        st.booleans(),
        st.booleans(),
    ),
)
leaves: st.SearchStrategy[Expression] = st.one_of(
    names.map(lambda tag: HasTag(tag, TAGS[tag] or 0.5)),
    st.builds(ScoreIn, names, bounds),
    st.builds(FieldIn, st.sampled_from(["year", "duration"]), bounds),
    st.builds(FieldHolds, st.sampled_from(["artist", "genre"]), st.text(min_size=1), st.booleans()),
    st.builds(FieldHolds, st.sampled_from(["artist", "genre"])),
)


def _several(parts: st.SearchStrategy[Expression]) -> st.SearchStrategy[tuple[Expression, ...]]:
    return st.lists(parts, min_size=2, max_size=4).map(tuple)


trees = st.recursive(
    leaves,
    lambda parts: st.one_of(parts.map(Not), _several(parts).map(And), _several(parts).map(Or)),
    max_leaves=12,
)


@given(trees)
def test_written_and_read_again(tree: Expression) -> None:
    assert parse(str(tree), TAGS) == tree


@given(trees)
def test_matching_is_boolean_algebra(tree: Expression) -> None:
    own = matches(tree, Tracks())
    assert own.shape == (4,)
    assert np.array_equal(matches(Not(tree), Tracks()), ~own)
    if isinstance(tree, And | Or):
        combine = operator.and_ if isinstance(tree, And) else operator.or_
        assert np.array_equal(own, reduce(combine, [matches(part, Tracks()) for part in tree.operands]))


@given(trees)
def test_what_matches_could_match(tree: Expression) -> None:
    possible = could_match(tree, Tracks())
    assert not (matches(tree, Tracks()) & ~possible).any()
    if not named_fields(tree):
        assert np.array_equal(possible, matches(tree, Tracks()))


def test_what_could_match_depends_on_scores_alone() -> None:
    def of(text: str) -> list[int]:
        return np.flatnonzero(could_match(parse(text, TAGS), Tracks())).tolist()

    assert of("piano and artist: nobody") == of("piano and not artist: nobody") == [0, 1, 2]
    assert of("piano or artist: nobody") == [0, 1, 2, 3]
    assert of("not (piano or year < 1900)") == [3]


@given(st.text() | st.text('piano and or not() :=<>"0.5..'))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        tree = parse(text, TAGS)
    except ExpressionError as refused:
        places = (0, refused.start, refused.end, len(text))
        assert places == tuple(sorted(places))
    else:
        assert matches(tree, Tracks()).dtype == bool
