"""The models on this machine: by name only, because a name from a client never becomes a path."""

from pathlib import Path
from typing import NamedTuple

from taggram.chords.recogniser import SHIPPED_MODEL as CHORD_MODEL
from taggram.errors import ModelFileError, UnknownNameError
from taggram.modelfile.cache import DEFAULT_MODEL, list_model_files, resolve_model
from taggram.modelfile.reader import load_model_file
from taggram.modelfile.specification import Specification
from taggram.server.schemas import Model, TagInfo


class KnownModel(NamedTuple):
    """A model that can be used: its name here, the hash of its weights, and its specification."""

    name: str
    weights_sha256: str
    specification: Specification


class ModelList:
    """Reads specifications, each once as long as its file stays as it is."""

    def __init__(self) -> None:
        self._known: dict[tuple[Path, int], Specification] = {}

    def find(self, name: str | None) -> KnownModel:
        """Return a model; None is the one that ships.

        Raises
        ------
        UnknownNameError
            If none on this machine has the name.
        ModelFileError
            If its file cannot be used.
        """
        files = list_model_files()
        name = DEFAULT_MODEL.stem if name is None else name
        if name not in files:
            raise UnknownNameError("model", name, files)
        specification = self._read(files[name])
        if specification.task == "chords":
            raise ModelFileError(f"{files[name]}: a model of chords, not of tags; choose another model")
        return KnownModel(name, specification.weights_sha256, specification)

    def chords(self) -> KnownModel:
        """Return the model of chords that ships."""
        path = resolve_model(CHORD_MODEL)
        specification = self._read(path)
        return KnownModel(CHORD_MODEL, specification.weights_sha256, specification)

    def all(self) -> list[Model]:
        """Return the models that can be used, the default first."""
        found = []
        for name in list_model_files():
            try:
                found.append(_describe(self.find(name)))
            except ModelFileError:  # it is named where somebody asks for it
                continue
        return sorted(found, key=lambda model: not model.is_default)

    def _read(self, path: Path) -> Specification:
        key = path, path.stat().st_mtime_ns
        if key not in self._known:
            self._known[key] = load_model_file(path).specification
        return self._known[key]


def describe_tags(specification: Specification) -> list[TagInfo]:
    """Return the tags of a model, in its order."""
    return [
        TagInfo(name=tag.name, display_name=tag.label, category=tag.category, threshold=tag.threshold)
        for tag in specification.tags
    ]


def _describe(model: KnownModel) -> Model:
    specification = model.specification
    return Model(
        name=model.name,
        weights_sha256=model.weights_sha256,
        is_default=model.name == DEFAULT_MODEL.stem,
        n_tags=specification.n_tags,
        chunk_duration=specification.chunk_duration,
        chunk_hop=specification.chunk_hop,
        licence=specification.licence,
        tags=describe_tags(specification),
    )
