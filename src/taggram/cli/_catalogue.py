"""Which models there are: shipped, cached, and published but not pulled yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from taggram.errors import ModelFileError
from taggram.modelfile.cache import SHIPPED_MODELS, list_model_files
from taggram.modelfile.reader import load_model_file
from taggram.modelfile.specification import Specification
from taggram.tags.vocabularies import VOCABULARIES


class State(StrEnum):
    """Where a model stands."""

    SHIPPED = "shipped"
    CACHED = "cached"
    DAMAGED = "damaged"
    PUBLISHED = "published"


@dataclass(frozen=True)
class Entry:
    """One model of the catalogue.

    Attributes
    ----------
    name
        What `--model`, `show`, `pull` and `export` call it.
    architecture, vocabulary, licence
        Empty if the file is damaged.
    n_bytes
        Size of the model file, or of the published weights if there is none yet.
    state
        Whether it can be used now.
    """

    name: str
    architecture: str
    vocabulary: str
    licence: str
    n_bytes: int
    state: State


def list_entries() -> list[Entry]:
    """Return every model: those on this machine first, then those that can be pulled."""
    here = {name: _of_file(name, path) for name, path in list_model_files().items()}
    return [*here.values(), *(entry for name, entry in _published().items() if name not in here)]


def _of_file(name: str, path: Path) -> Entry:
    n_bytes = path.stat().st_size
    try:
        spec = load_model_file(path).specification
    except ModelFileError:
        return Entry(name, "", "", "", n_bytes, State.DAMAGED)
    state = State.SHIPPED if path.parent == SHIPPED_MODELS else State.CACHED
    return Entry(name, spec.architecture, vocabulary_name(spec), spec.licence, n_bytes, state)


def _published() -> Mapping[str, Entry]:
    from taggram.lab.weights.published import CHECKPOINTS  # a table: it needs no torch

    return {
        c.name: Entry(c.name, c.architecture, c.vocabulary, c.licence, c.n_bytes, State.PUBLISHED)
        for c in CHECKPOINTS.values()
    }


def vocabulary_name(spec: Specification) -> str:
    """Return the name of the tag vocabulary, or how many tags it has if it has no name."""
    names = tuple(tag.name for tag in spec.tags)
    known = (key for key, vocabulary in VOCABULARIES.items() if vocabulary == names)
    return next(known, f"{len(names)} tags")
