"""Weights in, model file out: published checkpoints and a user's own.

Both ways end in `export_model`, so no model file exists that was not compared with its model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from taggram.errors import MissingExtraError, ModelFileError, UnknownNameError
from taggram.modelfile.specification import CATEGORIES, Category, Specification, Tag
from taggram.tags.vocabularies import VOCABULARIES, category_of, describe

if TYPE_CHECKING:
    from taggram.lab.models import TaggingModel
    from taggram.lab.weights.readers import State


def require_laboratory(feature: str) -> None:
    """Raise an error that says how to install what is missing, before any work is done.

    Raises
    ------
    MissingExtraError
        If torch or the ONNX packages are not installed.
    """
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(feature, "train") from error


def import_published(name: str, weights: Path, output: Path) -> Specification:
    """Convert a published checkpoint to a model file.

    Parameters
    ----------
    name
        Name in `taggram.lab.weights.published.CHECKPOINTS`.
    weights
        The file as published; its checksum is checked.
    output
        Where the model file goes.

    Raises
    ------
    UnknownNameError
        If no checkpoint has this name.
    ChecksumError
        If `weights` is not the published file.
    ModelFileError
        If it cannot be read, or the exported file does not give the model's numbers.
    """
    require_laboratory("converting published weights")
    from taggram.lab.export import export_model
    from taggram.lab.weights.published import describe_published, find_checkpoint, load_published

    checkpoint = find_checkpoint(name)
    model = load_published(checkpoint, weights)
    return export_model(model, describe_published(checkpoint, model), output)


@dataclass(frozen=True)
class OwnWeights:
    """What a weight file alone does not say.

    Attributes
    ----------
    name
        Name of the model.
    architecture
        Name in the model zoo.
    tags
        Ordered vocabulary of the outputs.
    options
        Constructor options of the architecture that differ from its defaults.
    training_data, licence, paper
        Where the weights come from and under what terms; the paper is the architecture's if empty.
    """

    name: str
    architecture: str
    tags: tuple[Tag, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    training_data: str = "not stated"
    licence: str = "not stated"
    paper: str = ""


def import_own(weights: Path, description: OwnWeights, output: Path) -> Specification:
    """Convert weights trained elsewhere for an architecture of the zoo to a model file.

    The tensors may carry our names or those of the published programs.

    Raises
    ------
    UnknownNameError
        If no architecture has this name.
    ModelFileError
        If the weights cannot be read as data or do not fit the architecture and vocabulary.
    """
    require_laboratory("importing weights")
    from taggram.lab.export import export_model
    from taggram.lab.weights.readers import read_weights

    model = _build(description)
    _load(model, read_weights(weights), source=str(weights))
    architecture = model.architecture
    specification = Specification(
        name=description.name,
        architecture=architecture.name,
        sample_rate=architecture.sample_rate,
        chunk_duration=architecture.chunk_duration,
        chunk_hop=architecture.chunk_duration,
        front_end=architecture.front_end,
        embedding_dim=model.embedding_dim,
        tags=description.tags,
        training_data=description.training_data,
        licence=description.licence,
        paper=description.paper or architecture.paper,
    )
    return export_model(model, specification, output)


def read_vocabulary(name_or_file: str) -> tuple[Tag, ...]:
    """Return a known vocabulary, or the one in a text file.

    A file holds one tag a line, in the order of the model's outputs; a category may follow behind a
    tab, and is guessed from the tag otherwise. Empty lines are left out.

    Raises
    ------
    UnknownNameError
        If it is neither the name of a vocabulary nor a file.
    ModelFileError
        If the file holds no text, an unknown category, or no tag.
    """
    if name_or_file in VOCABULARIES:
        return describe(VOCABULARIES[name_or_file])
    path = Path(name_or_file)
    if not path.is_file():
        raise UnknownNameError("vocabulary (neither a name nor a file)", name_or_file, VOCABULARIES)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelFileError(f"{path}: the vocabulary is not readable as UTF-8 text: {error}") from error
    tags = tuple(_tag(line, f"{path}, line {n}") for n, line in enumerate(lines, 1) if line.strip())
    if not tags:
        raise ModelFileError(f"{path}: the vocabulary holds no tag; write one a line")
    return tags


def _tag(line: str, place: str) -> Tag:
    name, _, category = (part.strip() for part in line.partition("\t"))
    known: Mapping[str, Category] = {known: known for known in get_args(Category)}
    if category and category not in known:
        raise ModelFileError(f"{place}: unknown category {category!r}; known are {', '.join(CATEGORIES)}")
    return Tag(name=name, category=known[category] if category else category_of(name))


def _build(description: OwnWeights) -> "TaggingModel":
    from taggram.lab.models import MODELS

    try:
        return MODELS.get(description.architecture)(len(description.tags), **description.options)
    except TypeError as error:
        raise ModelFileError(
            f"architecture {description.architecture!r} does not take the options "
            f"{dict(description.options)}: {error}"
        ) from error


def _load(model: "TaggingModel", state: "State", *, source: str) -> None:
    """Set the weights by our own names if they are ours, by the published ones otherwise."""
    from taggram.lab.weights.published import load_peer_state

    own = model.state_dict()
    if state.keys() != own.keys():
        try:
            return load_peer_state(model, state, source=source)
        except NotImplementedError:
            different = sorted(state.keys() ^ own.keys())
            raise ModelFileError(
                f"{source}: the names of the tensors are not those of {model.architecture.name!r}; "
                f"only on one side are {', '.join(different[:5])}"
            ) from None
    misfits = [name for name, tensor in state.items() if tensor.shape != own[name].shape]
    if misfits:
        name = misfits[0]
        raise ModelFileError(
            f"{source}: {name} has shape {tuple(state[name].shape)}, {model.architecture.name!r} with "
            f"{model.n_tags} tags needs {tuple(own[name].shape)}. Was it trained with this vocabulary?"
        )
    model.load_state_dict(state)
    return None
