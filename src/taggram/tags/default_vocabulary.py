"""The vocabulary of the shipped model: which tags of the published vocabularies it says, and their names.

It is the merged vocabulary of `taggram.tags.vocabularies` with four decisions on top:

- What cannot be heard, and what praises or complains instead of describing, is left out (`DROPPED`).
- A tag that denies another one is the low end of the other's scale (`DENIED`): "no vocals" is no tag of
  its own, it speaks against "vocals".
- Two words for one use are one tag (`SAME_USE`).
- Every tag has a name for people (`display_name`); its plain name stays what programs and searches use.

Female and male vocals, and decades, are tags like others: they say what the sound is like, as listeners
named it, and neither who sings nor when it was recorded.
"""

from collections.abc import Iterable, Mapping

from taggram.modelfile.specification import Tag
from taggram.tags.vocabularies import category_of, merged_name

DROPPED: Mapping[str, str] = {
    "beautiful": "praise",
    "catchy": "praise",
    "weird": "a complaint or praise, depending on who says it",
    "computer": "how the music was made, which cannot be heard",
}
"""Merged tag → why it is left out."""

DENIED: Mapping[str, str] = {"no vocals": "vocals"}
"""Merged tag → the tag that it denies."""

SAME_USE: Mapping[str, str] = {"film": "soundtrack"}
"""Merged tag → the tag that it is counted as."""

_DISPLAY_NAMES: Mapping[str, str] = {
    "00s": "2000s",
    "60s": "1960s",
    "70s": "1970s",
    "80s": "1980s",
    "90s": "1990s",
    "beat": "Strong beat",
    "chillout": "Chill-out",
    "indian": "Indian music",
    "new age": "New Age",
    "r&b": "R&B",
    "sexy": "Sensual",
    "solo": "Solo instrument",
    "soundtrack": "Film music",
    "world": "World music",
}


def spoken_tag(source: str) -> str | None:
    """Return the tag under which the shipped model says a source tag; None if it does not.

    Examples
    --------
    >>> spoken_tag("genre---hiphop"), spoken_tag("mood/theme---film"), spoken_tag("no voice")
    ('hip-hop', 'soundtrack', 'vocals')
    >>> spoken_tag("beautiful") is None
    True
    """
    name = merged_name(source)
    if name in DROPPED:
        return None
    return DENIED.get(name) or SAME_USE.get(name, name)


def is_denial(source: str) -> bool:
    """Whether a source tag speaks against the tag under which it is said.

    Examples
    --------
    >>> is_denial("instrumental"), is_denial("female voice")
    (True, False)
    """
    return merged_name(source) in DENIED


def default_vocabulary(vocabularies: Iterable[Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """Unite vocabularies: tag of the shipped model → its source tags, in order of first appearance.

    Examples
    --------
    >>> default_vocabulary([("vocals", "weird"), ("genre---rock", "instrumental")])
    {'vocals': ('vocals', 'instrumental'), 'rock': ('genre---rock',)}
    """
    united: dict[str, dict[str, None]] = {}
    for vocabulary in vocabularies:
        for source in vocabulary:
            if name := spoken_tag(source):
                united.setdefault(name, {})[source] = None
    return {name: tuple(sources) for name, sources in united.items()}


def display_name(tag: str) -> str:
    """Return a tag's name for people.

    Examples
    --------
    >>> display_name("60s"), display_name("r&b"), display_name("female vocals")
    ('1960s', 'R&B', 'Female vocals')
    """
    return _DISPLAY_NAMES.get(tag) or tag[:1].upper() + tag[1:]


def describe_default(tags: Iterable[str]) -> tuple[Tag, ...]:
    """Return tags of the shipped model with their categories and names for people, in the same order."""
    return tuple(Tag(name=tag, category=category_of(tag), display_name=display_name(tag)) for tag in tags)
