"""A recipe: what to train, on what, and how; a YAML file holds only the differences from the defaults.

    dataset: magnatagatune:top50
    model: short_chunk_cnn
    schedule: {name: published, epochs: 100}

An unknown key is an error that names the nearest known one. The resolved recipe – every default
written out – is stored with the run.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from taggram.errors import RecipeError


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class StrictRecipe(_Strict):
    """What recipes of every kind can: be read, say what is wrong with them, be written out."""

    @classmethod
    def load(cls, path: Path, changes: Iterable[str] = ()) -> Self:
        """Read a recipe file, with changes from the command line such as `schedule.epochs=5`.

        Raises
        ------
        RecipeError
            If the file cannot be read or is no valid recipe.
        """
        return cls.parse(read_document(path, changes), source=str(path))

    @classmethod
    def parse(cls, document: Mapping[str, Any], *, source: str) -> Self:
        """Validate a recipe; `source` is named in errors.

        Raises
        ------
        RecipeError
            If it is not valid; for an unknown key the message suggests the nearest one.
        """
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            raise RecipeError(f"{source}: {_explain(cls, error)}") from error

    def to_yaml(self) -> str:
        """Return the recipe with every default written out."""
        import yaml

        text: str = yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)
        return text


class Published(_Strict):
    """The schedule of Won et al., 2020: Adam, then Nesterov SGD at falling rates.

    The published 80, 20, 20 and 80 epochs are scaled to `epochs`; at each switch the weights of the
    best epoch so far are loaded.
    """

    name: Literal["published"] = "published"
    epochs: int = Field(default=200, ge=4)
    learning_rate: float = Field(default=1e-4, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)


class Tutorial(_Strict):
    """The schedule of the ISMIR 2024 tutorial: Adam at a constant rate, with early stopping."""

    name: Literal["tutorial"] = "tutorial"
    epochs: int = Field(default=500, ge=1)
    learning_rate: float = Field(default=1e-2, gt=0)
    patience: int = Field(default=10, ge=1)


class Cosine(_Strict):
    """AdamW whose rate rises over the first epochs and falls as a cosine (Loshchilov, Hutter, 2017)."""

    name: Literal["cosine"] = "cosine"
    epochs: int = Field(default=60, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    warm_up: float = Field(default=0.05, ge=0, lt=1)


Schedule = Annotated[Published | Tutorial | Cosine, Field(discriminator="name")]


class Augmentation(_Strict):
    """One deformation, drawn afresh for each chunk with some probability.

    `options` are arguments of the deformation that differ from its defaults, such as `max_semitones`.
    """

    name: str
    options: dict[str, Any] = {}
    probability: float = Field(default=0.5, gt=0, le=1)


class Recipe(StrictRecipe):
    """Everything that decides the result of a training run, besides the data itself.

    Attributes
    ----------
    dataset
        Name of a dataset or of one of its variants.
    model, model_options
        Architecture, and the arguments of its constructor that differ from its defaults.
    initial_weights
        Published checkpoint, folder of an earlier run, or model file (`….onnx`), to start from; None is a
        fresh start.
    freeze
        Train only a new last layer; needs `initial_weights`.
    fitted_head
        Begin with the last layer that a logistic regression on the embedding gives, and not with a random
        one, which distorts what the network knows (Kumar et al., Fine-tuning can distort pretrained
        features, 2022); needs a model file as `initial_weights`.
    unit
        "chunk": a random chunk of a clip answers for the clip. "song": the mean of the scores of
        `chunks_per_clip` chunks does.
    chunks_per_clip
        Random chunks of one clip in one epoch.
    batch_size
        Clips in one step ("song") or chunks ("chunk").
    schedule
        Optimiser, learning rate and number of epochs.
    balance
        "none"; "loss": tags (or classes) weigh in the loss against their frequency; "sampling": clips
        with rare tags are drawn more often.
    augmentations
        Deformations that training chunks go through, in order. After "mixing" two pieces sound at once, and
        the tags of both are true.
    mixing
        Share of chunks that are averaged with another one, labels with them (Zhang et al., mixup, 2018).
    validation_hop
        Seconds from chunk to chunk in validation after each epoch; None lays them side by side. A network
        that hears a fraction of a second at a time learns in less time than it takes to hear all of it.
    precision
        "bfloat16" computes the network in mixed precision.
    seed
        Of weights, order, chunks, augmentations and dropout.
    """

    dataset: str
    model: str
    model_options: dict[str, Any] = {}
    initial_weights: str | None = None
    freeze: bool = False
    fitted_head: bool = False
    unit: Literal["chunk", "song"] = "chunk"
    chunks_per_clip: int = Field(default=1, ge=1)
    batch_size: int = Field(default=16, ge=2)
    schedule: Schedule = Cosine()
    balance: Literal["none", "loss", "sampling"] = "none"
    augmentations: tuple[Augmentation, ...] = ()
    mixing: float = Field(default=0.0, ge=0, le=1)
    validation_hop: float | None = Field(default=None, gt=0)
    precision: Literal["float32", "bfloat16"] = "float32"
    seed: int = 0

    @field_validator("schedule", mode="before")
    @classmethod
    def _name_schedule(cls, value: Any) -> Any:
        """Take a schedule without a name for the default one, with other settings."""
        return {"name": Cosine().name, **value} if isinstance(value, Mapping) else value


def read_document(path: Path, changes: Iterable[str] = ()) -> dict[str, Any]:
    """Read a recipe file of any kind, with changes from the command line, without validating it.

    Raises
    ------
    RecipeError
        If the file cannot be read or holds no keys.
    """
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecipeError(f"{path}: the recipe cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise RecipeError(f"{path}: a recipe is a list of `key: value`, found {type(document).__name__}")
    for change in changes:
        apply_change(document, change)
    return document


def apply_change(document: dict[str, Any], change: str) -> None:
    """Set one dotted key of a document: `schedule.epochs=5`."""
    import yaml

    key, found, value = change.partition("=")
    if not found or not key:
        raise RecipeError(f"a change has the form key=value, such as schedule.epochs=5, got {change!r}")
    *path, last = key.split(".")
    for part in path:
        document = document.setdefault(part, {})
        if not isinstance(document, dict):
            raise RecipeError(f"{change}: {part!r} holds a value, not further keys")
    document[last] = yaml.safe_load(value)


def _explain(recipe: type[BaseModel], error: ValidationError) -> str:
    """Say what is wrong first in a recipe, and for an unknown key which one may have been meant."""
    first = error.errors(include_url=False)[0]
    where, known = _locate(recipe, first["loc"])
    if first["type"] != "extra_forbidden":
        return f"{where}: {first['msg']}, got {first['input']!r}"
    nearest = get_close_matches(str(first["loc"][-1]), known, n=1)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    return f"unknown key {where!r}: {hint}known are {', '.join(known)}"


def _locate(recipe: type[BaseModel], location: tuple[int | str, ...]) -> tuple[str, list[str]]:
    """Return the dotted key of a place in a recipe, and the keys that could stand there."""
    path: list[str] = []
    known: list[str] = []
    models = [recipe]
    for part in location:
        # pydantic puts the name of the schedule between it and its key.
        named = [model for model in models if len(models) > 1 and model.model_fields["name"].default == part]
        if named:
            models = named
            continue
        path.append(str(part))
        fields = models[0].model_fields if models else {}
        known = list(fields)
        if part in fields:
            models = _models_in(fields[str(part)].annotation)
    return ".".join(path), known


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the models that an annotation names, such as those of a union or of a tuple."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]
