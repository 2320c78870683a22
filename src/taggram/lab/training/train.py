"""From a recipe and a prepared dataset to a trained model file."""

from pathlib import Path

import torch

from taggram import __version__
from taggram.lab.export import export_model
from taggram.lab.models import TaggingModel
from taggram.lab.training.beginning import build_model, describe_beginning, sample_rate_of
from taggram.lab.training.data import TrainingData, load_data
from taggram.lab.training.processes import join_processes
from taggram.lab.training.recipe import Recipe
from taggram.lab.training.run import RunFolder
from taggram.lab.training.trainer import Progress, Report, Trainer
from taggram.lab.training.transfer import learn_head
from taggram.modelfile.reader import load_model_file
from taggram.modelfile.specification import Metric, Specification
from taggram.tags.vocabularies import describe


def train(
    recipe: Recipe,
    *,
    root: Path,
    cache: Path,
    folder: Path,
    resume: bool = False,
    weights: Path | None = None,
    allow_artist_leakage: bool = False,
    report: Report = lambda figures: None,
) -> Progress:
    """Train a model, or continue a run, and write its best weights as a model file.

    Parameters
    ----------
    recipe
        What to train, and how.
    root
        The user's copy of the dataset.
    cache
        What `taggram datasets prepare` made of it.
    folder
        Of the run; see `taggram.lab.training.run`.
    resume
        Continue what is in `folder`.
    weights
        File of published weights, for `initial_weights`.
    allow_artist_leakage
        Also accept a split with artists on both sides.
    report
        Gets the figures of every epoch.

    Raises
    ------
    RecipeError, DatasetError
        If recipe, data and folder do not fit together.
    """
    join_processes()
    data = load_data(
        recipe.dataset,
        root,
        cache,
        sample_rate=sample_rate_of(recipe),
        allow_artist_leakage=allow_artist_leakage,
    )
    model = build_model(recipe, len(data.annotations.vocabulary), weights)
    run = RunFolder(folder)
    training, validation = data.clips("train"), data.clips("validation")
    trainer = Trainer(model, recipe, data.task, training, validation, run, report)
    run.begin(recipe, data.facts(), resume=resume)  # not before everything about the recipe has proved right
    if recipe.fitted_head and not run.has_state:
        _begin_with_fitted_head(model, recipe, data)
    progress = trainer.run()
    export_model(model, _specification(recipe, data, model, progress), folder / "model.onnx")
    return progress


def _begin_with_fitted_head(model: TaggingModel, recipe: Recipe, data: TrainingData) -> None:
    head, _ = learn_head(load_model_file(Path(str(recipe.initial_weights))), data)
    with torch.no_grad():
        model.head.weight.copy_(torch.from_numpy(head.weight.T))
        model.head.bias.copy_(torch.from_numpy(head.bias))


def _specification(
    recipe: Recipe, data: TrainingData, model: TaggingModel, progress: Progress
) -> Specification:
    about = model.architecture
    loss = Metric(
        name="loss of the best epoch",
        value=progress.best_loss,
        dataset=data.dataset.name,
        split="validation",
        split_fingerprint=data.annotations.fingerprint("validation"),
    )
    beginning = describe_beginning(recipe)
    start = f"; began with {beginning[0]}" if beginning else ""
    licence = f"; its beginning: {beginning[1]}" if beginning else ""
    return Specification(
        name=f"{recipe.model}-{data.dataset.name.replace(':', '-')}",
        architecture=recipe.model,
        task=data.task,
        sample_rate=about.sample_rate,
        chunk_duration=about.chunk_duration,
        chunk_hop=about.chunk_duration,
        front_end=about.front_end,
        embedding_dim=model.embedding_dim,
        tags=describe(data.annotations.vocabulary),
        training_data=f"{data.dataset.title}, split train ({data.dataset.licence}){start}",
        licence=f"of whoever trained it; the data: {data.dataset.licence}{licence}",
        paper=f"{about.paper}; trained by Taggram {__version__}",
        metrics=(loss,),
    )
