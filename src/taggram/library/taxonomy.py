"""My words: what a model's tags are called in the user's genres, moods and other fields.

A taxonomy is a YAML file; everything in it is optional but the first line:

    taxonomy: taggram-taxonomy/1
    aliases:                        # how a word is to be spelled, or what it is to be called
      hip hop: Hip-Hop
    fields:
      genre:
        from: [genre]               # categories of the model's tags, or names of tags
        min_score: 0.3              # default: the tag's own threshold, or 0.2
        count: 3                    # at most
        whitelist: genres.txt       # a list, or a file with one genre a line, as beets' lastgenre has it
        tree: genres-tree.yaml      # nested lists, general to specific, or such a file, as lastgenre has it
        parents:                    # more parents; a genre may have several
          jazz fusion: [jazz, rock]
        ancestors: false            # also what lies above, if it is in the whitelist
        prefer_specific: false      # leave out what lies above another one that was heard
        title_case: true            # "deep house" becomes "Deep House"; what has a capital letter stays

Paths are relative to the taxonomy. A tag that is not in the whitelist becomes the nearest of its
ancestors that are. Words are compared without regard to case, spaces, hyphens and "&" or "and".
Without a file, genres and moods go to the fields of these names, three at most.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from taggram.audio.container import printable
from taggram.errors import FileTagError, PlanError
from taggram.inference.report import relative_odds
from taggram.inference.result import TagScore
from taggram.modelfile.specification import CATEGORIES

SCHEMA = "taggram-taxonomy/1"
DEFAULT_MIN_SCORE = 0.2
"""For tags without a threshold of their own. Several genres share one score of a multi-label model, so
that the strongest of a typical song lies between 0.2 and 0.5."""

DEFAULT_COUNT = 3

_AND = re.compile(r"\s*(&|\+|(?<=\s)and(?=\s)|(?<=[\s'’])n(?=[\s'’]))\s*")
_NO_LETTER = re.compile(r"[\W_]+")


def normal_form(text: str) -> str:
    """Return what two spellings of a word have in common.

    >>> normal_form("Drum'n'Bass") == normal_form("drum & bass") == normal_form("Drum And Bass")
    True
    >>> normal_form("Hip-Hop") == normal_form("hiphop")
    True
    """
    text = unicodedata.normalize("NFKC", text).casefold()
    return _NO_LETTER.sub("", _AND.sub("&", text).replace("&", "and")) or text


@dataclass(frozen=True)
class Source:
    """One tag of the model that speaks for a value, in words for people."""

    tag: str
    score: float


@dataclass(frozen=True)
class Proposal:
    """One value for a field.

    Attributes
    ----------
    value
        As it is to be written.
    sources
        The model's tags that speak for it, strongest first.
    """

    value: str
    sources: tuple[Source, ...]

    @property
    def score(self) -> float:
        """Score of the strongest source, in [0, 1]."""
        return self.sources[0].score

    @property
    def why(self) -> str:
        """The value and its score, and the model's word if it is another one."""
        source = self.sources[0]
        is_other = normal_form(source.tag) != normal_form(self.value)
        return f"{self.value} {source.score:.2f}" + (f" (as {source.tag})" if is_other else "")


@dataclass(frozen=True)
class Rule:
    """How one field is filled; see the head of the module.

    Attributes
    ----------
    name
        Of the field.
    sources, min_score, count, ancestors, prefer_specific, title_case
        As in the file.
    whitelist
        Normal form → spelling of all values that are allowed; empty if all are.
    parents
        Normal form → normal forms of what lies directly above.
    spelling
        Normal form → spelling, of the tree.
    aliases
        Normal form → what it is to be called.
    """

    name: str
    sources: frozenset[str]
    min_score: float | None = None
    count: int = DEFAULT_COUNT
    ancestors: bool = False
    prefer_specific: bool = False
    title_case: bool = True
    whitelist: Mapping[str, str] = field(default_factory=dict, repr=False)
    parents: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    spelling: Mapping[str, str] = field(default_factory=dict, repr=False)
    aliases: Mapping[str, str] = field(default_factory=dict, repr=False)

    def normal_form(self, value: str) -> str:
        """Return what all spellings and aliases of a value have in common."""
        key = normal_form(value)
        return normal_form(self.aliases.get(key, value))

    def is_listed(self, value: str) -> bool:
        """Whether the whitelist allows a value, in any spelling; all are allowed without one."""
        return not self.whitelist or self.normal_form(value) in self.whitelist

    def resolve(self, tag: str) -> tuple[str, ...]:
        """Return what a tag is called in this field, the most specific first."""
        return tuple(self.spell(key, tag) for key in self._resolve(self.normal_form(tag)))

    def takes(self, tag: TagScore) -> bool:
        """Whether a tag of the model goes to this field."""
        return tag.category in self.sources or tag.name in self.sources

    def implies(self, tag: str) -> frozenset[str]:
        """Return the normal forms of all that a tag speaks for: what it is called here, and all above."""
        keys = self._resolve(self.normal_form(tag))
        return frozenset(keys).union(*map(self._above, keys))

    def propose(self, tags: Iterable[TagScore], thresholds: Mapping[str, float] = {}) -> tuple[Proposal, ...]:
        """Return values for this field, strongest first: farthest above the score from which they count.

        Parameters
        ----------
        tags
            What a model heard.
        thresholds
            Scores from which its tags count, where the rule names none.
        """
        found: dict[str, list[tuple[float, Source]]] = {}
        for tag in tags:
            least = self.least_score(tag.name, thresholds)
            if not self.takes(tag) or tag.score < least:
                continue
            # A score of 0.1 may be much for one tag and little for another.
            strength = relative_odds(tag.score, least)
            word = self.word(tag)
            for key in self._resolve(self.normal_form(word)):
                found.setdefault(key, []).append((strength, Source(word, tag.score)))
        if self.prefer_specific:
            general = {above for key in found for above in self._above(key)}
            found = {key: sources for key, sources in found.items() if key not in general}
        for sources in found.values():
            sources.sort(key=lambda source: -source[0])
        strongest = sorted(found.items(), key=lambda item: -item[1][0][0])
        return tuple(
            Proposal(self.spell(key, sources[0][1].tag), tuple(source for _, source in sources))
            for key, sources in strongest[: self.count]
        )

    def word(self, tag: TagScore) -> str:
        """Return what a tag is called here before anything else: by the taxonomy, or for people."""
        key = normal_form(tag.name)
        return tag.name if key in self.aliases or key in self.whitelist or key in self.parents else tag.label

    def least_score(self, tag: str, thresholds: Mapping[str, float] = {}) -> float:
        """Return the score from which a tag of the model counts here."""
        return thresholds.get(tag, DEFAULT_MIN_SCORE) if self.min_score is None else self.min_score

    def _resolve(self, key: str) -> list[str]:
        is_listed = not self.whitelist or key in self.whitelist
        nearest = [key] if is_listed else self._nearest_listed(key)
        if not self.ancestors:
            return nearest
        above = [a for k in nearest for a in self._above(k) if not self.whitelist or a in self.whitelist]
        return list(dict.fromkeys(nearest + above))

    def _nearest_listed(self, key: str) -> list[str]:
        """Return the listed ancestors on the lowest level that has any."""
        seen, level = {key}, [key]
        while level:
            level = [above for k in level for above in self.parents.get(k, ()) if above not in seen]
            seen.update(level)
            if listed := [above for above in dict.fromkeys(level) if above in self.whitelist]:
                return listed
        return []

    def _above(self, key: str) -> list[str]:
        """Return all ancestors, the nearest first."""
        found: dict[str, None] = {}
        level = [key]
        while level:
            level = [above for k in level for above in self.parents.get(k, ()) if above not in found]
            found.update(dict.fromkeys(level))
        return [above for above in found if above != key]

    def spell(self, key: str, word: str) -> str:
        """Return how the value with a normal form is written.

        Parameters
        ----------
        key
            The normal form.
        word
            What the model or a file calls it, if neither whitelist nor aliases nor tree know it.
        """
        own = word if self.normal_form(word) == key else key
        known = self.whitelist.get(key) or self.aliases.get(normal_form(own)) or self.spelling.get(key)
        return _title_case(known or own) if self.title_case else known or own


@dataclass(frozen=True)
class Taxonomy:
    """Rules of all fields."""

    rules: tuple[Rule, ...]

    def rule(self, name: str) -> Rule:
        """Return the rule of one field."""
        return next(rule for rule in self.rules if rule.name == name)

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields, in order."""
        return tuple(rule.name for rule in self.rules)

    def propose(
        self, tags: Iterable[TagScore], thresholds: Mapping[str, float] = {}
    ) -> dict[str, tuple[Proposal, ...]]:
        """Return values for all fields, strongest first; see `Rule.propose`."""
        tags = tuple(tags)
        return {rule.name: rule.propose(tags, thresholds) for rule in self.rules}


def default_taxonomy() -> Taxonomy:
    """Return the rules that hold without a file."""
    return Taxonomy(tuple(Rule(name, frozenset({name})) for name in ("genre", "mood")))


def make_rule(
    name: str,
    sources: Iterable[str],
    *,
    whitelist: Iterable[str] = (),
    tree: Mapping[str, Iterable[str]] = {},
    aliases: Mapping[str, str] = {},
    **options: Any,
) -> Rule:
    """Make a rule from words as they are spelled.

    Parameters
    ----------
    name, sources
        Of the field, and categories or names of the model's tags.
    whitelist, aliases
        As in the file.
    tree
        Every name → the names directly above, as `read_tree` returns.
    options
        The other fields of `Rule`.
    """
    return Rule(
        name=name,
        sources=frozenset(sources),
        whitelist=_by_normal_form(whitelist),
        parents=_join_spellings(tree),
        spelling=_by_normal_form([*tree, *(above for parents in tree.values() for above in parents)]),
        aliases={normal_form(word): value for word, value in aliases.items()},
        **options,
    )


def load_taxonomy(path: Path) -> Taxonomy:
    """Read a taxonomy.

    Raises
    ------
    PlanError
        If it, or a file that it names, cannot be read or is not valid; names the place.
    """
    content = _read_yaml(path)
    name = printable(path)
    if not isinstance(content, dict) or content.get("taxonomy") != SCHEMA:
        raise PlanError(f"{name}: a taxonomy begins with the line `taxonomy: {SCHEMA}`")
    _check_keys(name, content, {"taxonomy", "aliases", "fields"})
    aliases = _texts_by_text(f"{name}, aliases", content.get("aliases") or {})
    fields = content.get("fields") or {"genre": None, "mood": None}
    if not isinstance(fields, dict):
        raise PlanError(f"{name}, fields: is a mapping of names to rules")
    rules = [_load_rule(path, str(key), rule or {}, aliases) for key, rule in fields.items()]
    return Taxonomy(tuple(rules))


def read_whitelist(path: Path) -> tuple[str, ...]:
    """Read a whitelist as beets' lastgenre has it: one genre a line; lines with `#` in front are comments.

    Raises
    ------
    PlanError
        If it cannot be read.
    """
    lines = (line.strip() for line in _read_text(path).splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def read_tree(path: Path) -> dict[str, tuple[str, ...]]:
    """Read a tree as beets' lastgenre has it: nested YAML lists, general to specific.

    Returns
    -------
    dict
        Every name, as it is spelled → the names directly above; several, if it stands in several places.

    Raises
    ------
    PlanError
        If it cannot be read.
    """
    return flatten_tree(_read_yaml(path))


def flatten_tree(tree: Any) -> dict[str, tuple[str, ...]]:
    """Return the parents of every name in nested lists and mappings."""
    parents: dict[str, tuple[str, ...]] = {}
    for name, above in _walk(tree, None):
        known = parents.get(name, ())
        parents[name] = known if above is None or above in known else (*known, above)
    return parents


def _walk(node: Any, above: str | None) -> Iterator[tuple[str, str | None]]:
    if isinstance(node, dict):
        for name, below in node.items():
            yield str(name), above
            yield from _walk(below, str(name))
    elif isinstance(node, list):
        for item in node:
            yield from _walk(item, above)
    elif node is not None:
        yield str(node), above


_OPTIONS: dict[str, type | tuple[type, ...]] = {
    "from": list,
    "min_score": (int, float),
    "count": int,
    "whitelist": (str, list),
    "tree": (str, list, dict),
    "parents": dict,
    "ancestors": bool,
    "prefer_specific": bool,
    "title_case": bool,
}
_KEPT = ("min_score", "count", "ancestors", "prefer_specific", "title_case")


def _load_rule(path: Path, name: str, options: Any, aliases: Mapping[str, str]) -> Rule:
    from taggram.library.file_tags.fields import find_writable_field

    where = f"{printable(path)}, field {name}"
    try:
        find_writable_field(name)
    except FileTagError as error:
        raise PlanError(f"{where}: {error}") from error
    if not isinstance(options, dict):
        raise PlanError(f"{where}: a rule is a mapping, got {options!r}")
    _check_keys(where, options, set(_OPTIONS))
    for key, value in options.items():
        if not isinstance(value, _OPTIONS[key]) or (isinstance(value, bool) and _OPTIONS[key] is not bool):
            raise PlanError(f"{where}, {key}: got {value!r}")
    least, count = options.get("min_score"), options.get("count", DEFAULT_COUNT)
    if (least is not None and not 0 <= least <= 1) or count < 1:
        raise PlanError(f"{where}: min_score lies in [0, 1] and count is at least 1, got {least} and {count}")
    sources = [str(source) for source in options.get("from", [name])]
    if not sources or ("from" not in options and name not in CATEGORIES):
        raise PlanError(f"{where}: `from` names categories ({', '.join(CATEGORIES)}) or tags of the model")
    kept = {key: options[key] for key in _KEPT if key in options}
    return make_rule(
        name,
        sources,
        whitelist=_load_whitelist(path, options.get("whitelist", [])),
        tree=_load_tree(path, where, options),
        aliases=aliases,
        **kept,
    )


def _load_whitelist(path: Path, listed: str | list[Any]) -> Iterable[str]:
    return read_whitelist(path.parent / listed) if isinstance(listed, str) else map(str, listed)


def _load_tree(path: Path, where: str, options: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    tree = options.get("tree", [])
    parents = read_tree(path.parent / tree) if isinstance(tree, str) else flatten_tree(tree)
    for name, above in options.get("parents", {}).items():
        if not isinstance(above, list):
            raise PlanError(f"{where}, parents of {name}: is a list, got {above!r}")
        parents[str(name)] = tuple(dict.fromkeys([*parents.get(str(name), ()), *map(str, above)]))
    return parents


def _join_spellings(tree: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    parents: dict[str, tuple[str, ...]] = {}
    for name, above in tree.items():
        key = normal_form(name)
        parents[key] = tuple(dict.fromkeys([*parents.get(key, ()), *map(normal_form, above)]))
    return parents


def _by_normal_form(words: Iterable[str]) -> dict[str, str]:
    """Return normal form → spelling, the first that is given."""
    spelled: dict[str, str] = {}
    for word in words:
        spelled.setdefault(normal_form(word), word)
    return spelled


def _title_case(text: str) -> str:
    """Begin each word with a capital letter, unless the spelling has capitals already."""
    if text != text.lower():
        return text
    return re.sub(r"(?<![^\W_])(?<!['’])[^\W\d_]", lambda match: match[0].upper(), text)


def _texts_by_text(where: str, content: Any) -> dict[str, str]:
    if not isinstance(content, dict) or not all(v and isinstance(v, str) for v in content.values()):
        raise PlanError(f"{where}: is a mapping of words to words")
    return {str(word): value for word, value in content.items()}


def _check_keys(where: str, content: Mapping[Any, Any], known: set[str]) -> None:
    if unknown := sorted(map(str, content.keys() - known)):
        raise PlanError(f"{where}: unknown {', '.join(unknown)}; known are {', '.join(sorted(known))}")


def _read_yaml(path: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(_read_text(path))
    except yaml.YAMLError as error:
        raise PlanError(f"{printable(path)}: is no valid YAML: {error}") from error


def _read_text(path: Path) -> str:
    try:
        return path.expanduser().read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"{printable(path)}: cannot be read: {error}") from error
