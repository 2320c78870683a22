"""Tag expressions: what a person types to find music, as a typed tree that matches columns of tracks.

    piano and not vocals                    a tag is there from its threshold on
    piano >= 0.7 or (organ and slow < 0.2)  scores compared with numbers
    energetic: 0.4..0.8                     a range, both ends included
    artist: "nick drake" and year < 1975    fields of the file: `:` holds the text, `=` is the text
    genre: * and not mood: *                a field that is filled

`and` binds closer than `or`; `not` closest. Names may have spaces (`female vocals`); a name that
holds `and`, `or`, `not` or a sign stands in double quotes, and a quoted name in front of a number is
always a tag. Case and accents of names and texts do not matter. Two names side by side without
a word between them are one name.

Conventions: scores in [0, 1]; a comparison with a number that a file does not state is false, so
`not year < 1975` also matches files without a year. Positions in errors count characters from 0.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from math import inf, isfinite, nan
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from taggram.errors import ExpressionError

DEFAULT_THRESHOLD = 0.5
"""Score from which a tag counts as there, if the model states none of its own."""
TEXT_FIELDS = (
    "title",
    "artist",
    "albumartist",
    "album",
    "composer",
    "genre",
    "mood",
    "key",
    "grouping",
    "language",
    "label",
    "path",
)
NUMBER_FIELDS = ("year", "bpm", "duration")
MAX_DEPTH = 100
"""Nesting of parentheses and `not` that is accepted."""

Bools = NDArray[np.bool_]
Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Bounds:
    """A range of numbers; its ends belong to it unless they are open."""

    low: float = -inf
    high: float = inf
    low_open: bool = False
    high_open: bool = False

    def contains(self, values: Floats) -> Bools:
        """Return which values lie in the range; NaN never does."""
        above = values > self.low if self.low_open else values >= self.low
        below = values < self.high if self.high_open else values <= self.high
        return np.asarray(above & below)

    def of(self, name: str) -> str:
        """Return the range of a name as it is written in an expression."""
        above, below = "<" if self.low_open else "<=", "<" if self.high_open else "<="
        if self.low == -inf:
            return f"{name} {below} {self.high!r}"
        if self.high == inf:
            return f"{name} {_TURNED[above]} {self.low!r}"
        return f"{self.low!r} {above} {name} {below} {self.high!r}"


@dataclass(frozen=True)
class HasTag:
    """The tag's score reaches the tag's own threshold."""

    tag: str
    threshold: float

    def __str__(self) -> str:
        return _quoted(self.tag)


@dataclass(frozen=True)
class ScoreIn:
    """The tag's score lies in a range."""

    tag: str
    bounds: Bounds

    def __str__(self) -> str:
        return self.bounds.of(_quoted(self.tag))


@dataclass(frozen=True)
class FieldIn:
    """A number that the file states lies in a range."""

    field: str
    bounds: Bounds

    def __str__(self) -> str:
        return self.bounds.of(self.field)


@dataclass(frozen=True)
class FieldHolds:
    """One of the field's texts holds `text`, or is `text` if `whole`; an empty text: the field is filled."""

    field: str
    text: str
    whole: bool = False

    def __str__(self) -> str:
        if not self.text:
            return f"{self.field}: *"
        return f"{self.field}{'=' if self.whole else ':'} {_quoted(self.text)}"


@dataclass(frozen=True)
class Not:
    """The operand does not match."""

    operand: "Expression"

    def __str__(self) -> str:
        return f"not {_within(self.operand)}"


@dataclass(frozen=True)
class And:
    """All operands match."""

    operands: tuple["Expression", ...]

    def __str__(self) -> str:
        return " and ".join(_within(operand) for operand in self.operands)


@dataclass(frozen=True)
class Or:
    """At least one operand matches."""

    operands: tuple["Expression", ...]

    def __str__(self) -> str:
        return " or ".join(_within(operand) for operand in self.operands)


Expression = HasTag | ScoreIn | FieldIn | FieldHolds | Not | And | Or


class Columns(Protocol):
    """What an expression asks of the tracks that it is matched with, one value per track."""

    def __len__(self) -> int:
        """Return the number of tracks."""
        ...

    def scores(self, tag: str) -> Floats:
        """Return the scores of a tag, shape (n_tracks,)."""
        ...

    def numbers(self, field: str) -> Floats:
        """Return a field of `NUMBER_FIELDS`, NaN where it is not known, shape (n_tracks,)."""
        ...

    def holds(self, field: str, text: str, *, whole: bool) -> Bools:
        """Return where a field of `TEXT_FIELDS` holds a text (see `holds_text`), shape (n_tracks,)."""
        ...


def parse(text: str, tags: Mapping[str, float | None]) -> Expression:
    """Read an expression.

    Parameters
    ----------
    text
        As in the header of this module.
    tags
        Tag → score from which it is there; None is `DEFAULT_THRESHOLD`.

    Raises
    ------
    ExpressionError
        If the text is no expression, or names a tag or field that is not known; it holds the position.
    """
    return _Parser(text, tags).parse()


def matches(expression: Expression, columns: Columns) -> Bools:
    """Return which tracks match, shape (n_tracks,)."""
    match expression:
        case HasTag(tag, threshold):
            return np.asarray(columns.scores(tag) >= threshold)
        case ScoreIn(tag, bounds):
            return bounds.contains(columns.scores(tag))
        case FieldIn(field, bounds):
            return bounds.contains(columns.numbers(field))
        case FieldHolds(field, text, whole):
            return columns.holds(field, text, whole=whole)
        case Not(operand):
            return ~matches(operand, columns)
        case And(operands):
            return np.asarray(np.all([matches(part, columns) for part in operands], axis=0))
        case Or(operands):
            return np.asarray(np.any([matches(part, columns) for part in operands], axis=0))


def could_match(expression: Expression, columns: Columns) -> Bools:
    """Return which tracks may match, whatever their files say, shape (n_tracks,); asks only for scores."""
    return _assuming(expression, columns, fields_match=True)


def relevance(expression: Expression, columns: Columns) -> Floats:
    """Return how strongly tracks match, shape (n_tracks,), in [0, 1]; only meant to order matches.

    The logic of fuzzy sets (Zadeh 1965): a tag counts with its score, `and` with the least of its operands,
    `or` with the greatest, `not` with the rest to 1. A score that is to lie below a number counts with
    the rest to 1; ranges and fields count 1 or 0.
    """
    match expression:
        case HasTag(tag):
            return columns.scores(tag)
        case ScoreIn(tag, Bounds(high=high)) if high == inf:
            return columns.scores(tag)
        case ScoreIn(tag, Bounds(low=low)) if low == -inf:
            return 1 - columns.scores(tag)
        case Not(operand):
            return 1 - relevance(operand, columns)
        case And(operands):
            return np.asarray(np.min([relevance(part, columns) for part in operands], axis=0))
        case Or(operands):
            return np.asarray(np.max([relevance(part, columns) for part in operands], axis=0))
        case _:
            return matches(expression, columns).astype(np.float32)


def named_tags(expression: Expression) -> tuple[str, ...]:
    """Return the tags that an expression names, each once, in its order."""
    match expression:
        case HasTag(tag) | ScoreIn(tag):
            return (tag,)
        case Not(operand):
            return named_tags(operand)
        case And(operands) | Or(operands):
            return tuple(dict.fromkeys(tag for operand in operands for tag in named_tags(operand)))
        case _:
            return ()


def named_fields(expression: Expression) -> frozenset[str]:
    """Return the file fields that an expression names."""
    match expression:
        case FieldIn(field) | FieldHolds(field):
            return frozenset((field,))
        case Not(operand):
            return named_fields(operand)
        case And(operands) | Or(operands):
            return frozenset().union(*map(named_fields, operands))
        case _:
            return frozenset()


def fold(text: str) -> str:
    """Return a text without case, accents and repeated spaces, for comparing.

    Examples
    --------
    >>> fold("Sigur  RÓS")
    'sigur ros'
    """
    if not text.isascii():  # most texts are, and need no more
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return " ".join(text.casefold().split())


def holds_text(texts: Sequence[tuple[str, ...]], text: str, *, whole: bool) -> Bools:
    """Return where one of several texts holds a text, or is it if `whole`, shape (len(texts),).

    Case, accents and repeated spaces do not matter; the empty text is held by any other.
    """
    wanted = fold(text)
    if whole:
        found = (any(fold(value) == wanted for value in values) for values in texts)
    else:
        found = (any(wanted in fold(value) for value in values) for values in texts)
    return np.fromiter(found, np.bool_, len(texts))


def _assuming(expression: Expression, columns: Columns, *, fields_match: bool) -> Bools:
    """Match, where all conditions on fields are taken to be true, or all to be false."""
    match expression:
        case FieldIn() | FieldHolds():
            return np.full(len(columns), fields_match)
        case Not(operand):
            return ~_assuming(operand, columns, fields_match=not fields_match)
        case And(operands):
            parts = [_assuming(part, columns, fields_match=fields_match) for part in operands]
            return np.asarray(np.all(parts, axis=0))
        case Or(operands):
            parts = [_assuming(part, columns, fields_match=fields_match) for part in operands]
            return np.asarray(np.any(parts, axis=0))
        case _:
            return matches(expression, columns)


# ── reading ──────────────────────────────────────────────────────────────────────────────────────

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>"(?:[^"\\]|\\.)*")
      | (?P<sign><=|>=|!=|[<>=:()])
      | (?P<word>[^\s()<>=:"!]+)
      | (?P<other>\S)
    )""",
    re.VERBOSE,
)
_KEYWORDS = ("and", "or", "not")
_COMPARISONS = ("<", "<=", ">", ">=")
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True)
class _Token:
    kind: str  # "string", "sign", "word" or "end"
    text: str
    start: int
    end: int

    @property
    def keyword(self) -> str:
        """Which keyword the token is; empty if none."""
        lowered = self.text.lower()
        return lowered if self.kind == "word" and lowered in _KEYWORDS else ""

    def is_sign(self, *signs: str) -> bool:
        """Whether the token is one of these signs."""
        return self.kind == "sign" and self.text in signs


class _Parser:
    """Recursive descent, one method per rule.

    either     = both {"or" both}
    both       = negation {"and" negation}
    negation   = "not" negation | "(" either ")" | comparison
    comparison = name [sign number | ":" number ".." number | (":" | "=" | "!=") text]
               | number sign name [sign number]
    """

    def __init__(self, text: str, tags: Mapping[str, float | None]) -> None:
        self._text = text
        self._thresholds = tags
        self._tags = {fold(tag): tag for tag in tags}
        self._tokens = _tokenise(text)
        self._next = 0
        self._depth = 0

    def parse(self) -> Expression:
        if self._peek().kind == "end":
            raise self._error("the expression is empty; name a tag, such as: piano", self._peek())
        tree = self._either()
        if self._peek().kind != "end":
            what = self._peek()
            said = "a ')' without its '('" if what.is_sign(")") else f"{what.text!r} is not expected here"
            raise self._error(f"{said}; join conditions with 'and' or 'or'", what)
        return tree

    def _either(self) -> Expression:
        operands = [self._both()]
        while self._peek().keyword == "or":
            self._take()
            operands.append(self._both())
        return operands[0] if len(operands) == 1 else Or(tuple(operands))

    def _both(self) -> Expression:
        operands = [self._negation()]
        while self._peek().keyword == "and":
            self._take()
            operands.append(self._negation())
        return operands[0] if len(operands) == 1 else And(tuple(operands))

    def _negation(self) -> Expression:
        token = self._peek()
        if token.keyword != "not" and not token.is_sign("("):
            return self._comparison()
        self._take()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(f"nested more than {MAX_DEPTH} deep; write it simpler", token)
        tree: Expression
        if token.keyword:
            tree = Not(self._negation())
        else:
            tree = self._either()
            if not self._peek().is_sign(")"):
                raise self._error("this '(' is never closed; add a ')'", token)
            self._take()
        self._depth -= 1
        return tree

    def _comparison(self) -> Expression:
        name = self._name()
        sign = self._peek()
        if _number(name.text) is not None and sign.is_sign(*_COMPARISONS) and not self._is_tag(name):
            return self._number_first(name)
        if sign.is_sign(*_COMPARISONS):
            return self._in(name, _bounds(self._take().text, self._number()))
        if sign.is_sign(":", "=", "!="):
            return self._field_or_range(name)
        tag = self._tag(name)
        threshold = self._thresholds[tag]
        return HasTag(tag, DEFAULT_THRESHOLD if threshold is None else threshold)

    def _number_first(self, first: _Token) -> Expression:
        """Read `0.3 < piano` or `0.3 < piano <= 0.8`."""
        sign = self._take().text
        number = _number(first.text)
        assert number is not None, "the caller has looked"
        name = self._name()
        bounds = _bounds(_TURNED[sign], number)
        if self._peek().is_sign(*_COMPARISONS):
            second = self._take()
            if (second.text[0] == "<") != (sign[0] == "<"):
                raise self._error(f"{sign!r} and {second.text!r} point against each other", second)
            other = _bounds(second.text, self._number())
            low, high = (bounds, other) if sign[0] == "<" else (other, bounds)
            bounds = Bounds(low.low, high.high, low.low_open, high.high_open)
        return self._in(name, bounds)

    def _field_or_range(self, name: _Token) -> Expression:
        """Read `name: 0.2..0.8`, `field: text`, `field = text` or `field != text`."""
        sign = self._take()
        low, dots, high = self._peek().text.partition("..")
        if dots and self._peek().kind == "word" and fold(name.text) not in TEXT_FIELDS:
            return self._in(name, self._range(low, high))
        if (tag := self._is_tag(name)) and (name.kind == "string" or fold(name.text) not in TEXT_FIELDS):
            raise self._error(
                f"{tag!r} is a tag: compare its score, such as {tag} >= 0.5 or {tag}: 0.2..0.8", sign
            )
        if self._field(name) in NUMBER_FIELDS:
            number = self._number()
            bounds = FieldIn(self._field(name), Bounds(number, number))
            return Not(bounds) if sign.text == "!=" else bounds
        value = self._name(what="a text")
        text = "" if value.text == "*" and value.kind == "word" else value.text
        condition = FieldHolds(self._field(name), text, whole=bool(text) and sign.text != ":")
        return Not(condition) if sign.text == "!=" else condition

    def _range(self, low: str, high: str) -> Bounds:
        token = self._take()
        least, most = _number(low) if low else -inf, _number(high) if high else inf
        if least is None or most is None or not (low or high):
            raise self._error("a range is written with two numbers, such as 0.2..0.8", token)
        if least > most:
            raise self._error("the range is empty: its first number is the greater one", token)
        return Bounds(least, most)

    def _in(self, name: _Token, bounds: Bounds) -> Expression:
        if name.kind != "string" and fold(name.text) in NUMBER_FIELDS:
            return FieldIn(fold(name.text), bounds)
        if name.kind != "string" and fold(name.text) in TEXT_FIELDS and not self._is_tag(name):
            raise self._error(f"the field {name.text!r} is a text: use ':' or '='", name)
        tag = self._tag(name)
        for end in (bounds.low, bounds.high):
            if abs(end) != inf and not 0 <= end <= 1:
                raise self._error(f"scores lie between 0 and 1, got {end:g}", name)
        return ScoreIn(tag, bounds)

    def _name(self, what: str = "a tag or field") -> _Token:
        """Take one name: a string, or all words up to the next keyword or sign."""
        first = self._peek()
        if first.kind == "string":
            self._take()
            text = re.sub(r"\\(.)", r"\1", first.text[1:-1])
            return _Token("string", text, first.start, first.end)
        if first.kind != "word" or first.keyword:
            got = "the end" if first.kind == "end" else repr(first.text)
            raise self._error(f"{what} is expected, got {got}", first)
        words = []
        while self._peek().kind == "word" and not self._peek().keyword:
            words.append(self._take())
        return _Token("word", " ".join(word.text for word in words), first.start, words[-1].end)

    def _number(self) -> float:
        token = self._peek()
        number = _number(token.text) if token.kind == "word" else None
        if number is None:
            got = "the end" if token.kind == "end" else repr(token.text)
            raise self._error(f"a number is expected, got {got}", token)
        self._take()
        return number

    def _is_tag(self, name: _Token) -> str | None:
        return self._tags.get(fold(name.text))

    def _tag(self, name: _Token) -> str:
        tag = self._is_tag(name)
        if tag is None:
            raise self._error(self._unknown(name), name)
        return tag

    def _field(self, name: _Token) -> str:
        field = fold(name.text)
        if field not in (*TEXT_FIELDS, *NUMBER_FIELDS):
            nearest = get_close_matches(field, [*TEXT_FIELDS, *NUMBER_FIELDS], n=1)
            hint = f"did you mean {nearest[0]!r}? " if nearest else ""
            known = ", ".join((*TEXT_FIELDS, *NUMBER_FIELDS))
            raise self._error(f"unknown field {name.text!r}: {hint}known are {known}", name)
        return field

    def _unknown(self, name: _Token) -> str:
        folded = fold(name.text)
        if folded in (*TEXT_FIELDS, *NUMBER_FIELDS):
            sign = "such as year < 1975" if folded in NUMBER_FIELDS else f'such as {folded}: "text"'
            return f"{folded!r} is a field of the file and needs a value, {sign}"
        quoted = [tag for known, tag in self._tags.items() if known.startswith(f"{folded} ")]
        quoted = [tag for tag in quoted if set(fold(tag).split()) & set(_KEYWORDS)]
        if quoted:
            return f"unknown tag {name.text!r}: write {quoted[0]!r} in double quotes"
        nearest = get_close_matches(folded, self._tags, n=1)
        hint = (
            f"did you mean {self._tags[nearest[0]]!r}?" if nearest else "`taggram models show` lists the tags"
        )
        return f"unknown tag {name.text!r}: {hint}"

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _error(self, message: str, token: _Token) -> ExpressionError:
        return ExpressionError(message, text=self._text, start=token.start, end=token.end)


def _tokenise(text: str) -> list[_Token]:
    tokens = []
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup or ""
        start, end = found.span(kind)
        if kind == "other":
            said = (
                "this quotation mark is never closed" if found[kind] == '"' else f"unexpected {found[kind]!r}"
            )
            raise ExpressionError(said, text=text, start=start, end=end)
        tokens.append(_Token(kind, found[kind], start, end))
    return [*tokens, _Token("end", "", len(text), len(text))]


def _number(text: str) -> float | None:
    number = float(text) if re.fullmatch(r"-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", text, re.ASCII) else nan
    return number if isfinite(number) else None


def _bounds(sign: str, number: float) -> Bounds:
    is_open = len(sign) == 1
    return Bounds(high=number, high_open=is_open) if sign[0] == "<" else Bounds(low=number, low_open=is_open)


def _quoted(text: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def _within(operand: Expression) -> str:
    return f"({operand})" if isinstance(operand, And | Or) else str(operand)
