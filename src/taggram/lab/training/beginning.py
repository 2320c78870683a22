"""The model that a run begins with: fresh, or with the weights of a checkpoint, a run or a model file."""

from pathlib import Path

import torch

from taggram.errors import RecipeError
from taggram.lab.models import MODELS, TaggingModel
from taggram.lab.training.model_file_network import ModelFileNetwork
from taggram.lab.training.recipe import Recipe
from taggram.lab.training.run import RunFolder
from taggram.lab.weights.fetch import download_path
from taggram.lab.weights.published import PublishedCheckpoint, find_checkpoint, load_published
from taggram.modelfile.cache import SUFFIX
from taggram.modelfile.reader import load_model_file
from taggram.registry import check_options


def build_model(recipe: Recipe, n_tags: int, weights: Path | None = None) -> TaggingModel:
    """Build the recipe's model; with `initial_weights` only the last layer is fresh.

    Parameters
    ----------
    n_tags
        Size of the tag vocabulary.
    weights
        File of the published weights; None looks where `taggram models pull` keeps them.

    Raises
    ------
    UnknownNameError
        If there is no such model or option.
    RecipeError
        If the weights are not there, or are those of another network.
    ModelFileError
        If the file of the weights is damaged, or a model file holds a network that cannot be trained on.
    """
    torch.manual_seed(recipe.seed)
    if recipe.fitted_head and Path(recipe.initial_weights or "").suffix != SUFFIX:
        raise RecipeError("fitted_head needs a model file (….onnx) as initial_weights")
    if recipe.initial_weights is None:
        if recipe.freeze:
            raise RecipeError("freeze needs initial_weights: a frozen network must have learned something")
        return build_fresh(recipe, n_tags)
    if (path := Path(recipe.initial_weights)).is_dir():
        model = _load_run(path, recipe)
    elif path.suffix == SUFFIX:
        return _load_model_file(path, recipe, n_tags)
    else:
        model = _load_published(find_checkpoint(recipe.initial_weights), recipe, weights)
    model.reset_head(n_tags)
    return model


def sample_rate_of(recipe: Recipe) -> int:
    """Return the sample rate of the recipe's model in Hz; an option may change that of its architecture."""
    if recipe.initial_weights is not None and (path := Path(recipe.initial_weights)).suffix == SUFFIX:
        return load_model_file(path).specification.sample_rate
    return build_fresh(recipe, n_tags=1).architecture.sample_rate


def describe_beginning(recipe: Recipe) -> tuple[str, str] | None:
    """Return name and licence of the weights that a run begins with; None if it begins afresh."""
    if recipe.initial_weights is None:
        return None
    path = Path(recipe.initial_weights)
    if not path.is_dir() and path.suffix != SUFFIX:
        checkpoint = find_checkpoint(recipe.initial_weights)
        return checkpoint.name, checkpoint.licence
    if path.is_dir() and not (path := path / f"model{SUFFIX}").is_file():
        return path.parent.name, "of whoever trained it"
    about = load_model_file(path).specification
    return about.name, about.licence


def build_fresh(recipe: Recipe, n_tags: int) -> TaggingModel:
    """Build the recipe's model with the current randomness of torch."""
    architecture = MODELS.get(recipe.model)
    check_options(f"the model {recipe.model!r}", architecture, recipe.model_options, filled=("n_tags",))
    try:
        return architecture(n_tags, **recipe.model_options)
    except TypeError as error:
        raise RecipeError(
            f"model {recipe.model!r} does not take the options {recipe.model_options}: {error}"
        ) from error


def _load_run(folder: Path, recipe: Recipe) -> TaggingModel:
    """Load the best weights of an earlier run of the same network."""
    saved = RunFolder(folder).load("best.pt")
    if saved is None:
        raise RecipeError(f"{folder}: holds no best.pt; initial_weights takes the folder of a run")
    state = saved["model"]
    model = build_fresh(recipe, len(state["head.weight"]))
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise RecipeError(
            f"{folder}: holds weights of another network than {recipe.model!r} with the options "
            f"{recipe.model_options}; its recipe.yaml says which"
        ) from error
    return model


def _load_model_file(path: Path, recipe: Recipe, n_tags: int) -> TaggingModel:
    model_file = load_model_file(path)
    architecture = model_file.specification.architecture
    if recipe.model != architecture or recipe.model_options:
        raise RecipeError(
            f"{path}: a model file brings its network along: say model={architecture}, without model_options"
        )
    return ModelFileNetwork(model_file, n_tags)


def _load_published(checkpoint: PublishedCheckpoint, recipe: Recipe, weights: Path | None) -> TaggingModel:
    if checkpoint.architecture != recipe.model:
        raise RecipeError(
            f"initial_weights {checkpoint.name!r} are weights of {checkpoint.architecture}, "
            f"not of {recipe.model}"
        )
    if recipe.model_options:
        raise RecipeError("model_options do not go with published weights, which decide the size")
    path = weights or download_path(checkpoint)
    if not path.is_file():
        raise RecipeError(
            f"{path}: the weights of {checkpoint.name} are not there; `taggram models pull {checkpoint.name} "
            "--again` fetches them, --weights names another file"
        )
    return load_published(checkpoint, path)
