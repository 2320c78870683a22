"""From a recipe and a prepared dataset to a classical model file, by `taggram fit`.

    dataset: synthetic
    features: [mfcc, spectral_contrast]
    summary: {name: codebook, n_words: 64}
    classifier: {name: knn, n_neighbours: 10}

A recipe holds only what differs from the defaults; a part is a name, or a mapping of options and the name.
The folder of the fit:

    recipe.yaml   the recipe with every default written out
    run.json      versions, git state, command, dataset, split fingerprints
    model.onnx    the model, through the door
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from taggram import __version__
from taggram.errors import DatasetError, RecipeError
from taggram.lab.classical.classifiers._base import Task
from taggram.lab.classical.model import ClassicalModel, Plan, fit_classical
from taggram.lab.datasets import Annotations, AudioCache, Dataset, label_matrix, load_dataset
from taggram.lab.export import export_model
from taggram.lab.training.clips import Clips
from taggram.lab.training.recipe import StrictRecipe
from taggram.lab.training.run import describe_environment
from taggram.modelfile.specification import Specification
from taggram.tags.vocabularies import describe

Part = str | dict[str, Any]


class ClassicalRecipe(StrictRecipe):
    """Everything that decides the result of a fit, besides the data itself.

    Attributes
    ----------
    dataset
        Name of a dataset or of one of its variants.
    features, summary, classifier
        Parts of the model.
    chunk_duration
        Seconds.
    sample_rate
        Hz; that of the prepared dataset.
    chunks_per_clip
        Chunks of a clip that are learned from, spread evenly over it.
    seed
        Of everything that is drawn.
    """

    dataset: str
    features: tuple[Part, ...] = ("mfcc",)
    summary: Part = "mean_std"
    classifier: Part = "logistic_regression"
    chunk_duration: float = Field(default=10.0, gt=0, le=600)
    sample_rate: int = Field(default=22_050, ge=1000)
    chunks_per_clip: int = Field(default=3, ge=1)
    seed: int = Field(default=0, ge=0)

    @property
    def plan(self) -> Plan:
        """What the model is made of."""
        return Plan(self.features, self.summary, self.classifier, self.chunk_duration, self.sample_rate)


def fit(
    recipe: ClassicalRecipe, *, root: Path, cache: Path, folder: Path, allow_artist_leakage: bool = False
) -> Specification:
    """Fit a classical model on the split "train" and write it as a model file.

    Parameters
    ----------
    recipe
        What to fit.
    root
        The user's copy of the dataset.
    cache
        What `taggram datasets prepare` made of it.
    folder
        For the results; must not hold a model yet.
    allow_artist_leakage
        Also accept a split with artists on both sides.

    Returns
    -------
    The specification of the model file `folder / "model.onnx"`.

    Raises
    ------
    RecipeError, DatasetError
        If recipe, data and folder do not fit together.
    """
    if (folder / "model.onnx").exists():
        raise RecipeError(f"{folder}: holds a model already; name another folder")
    dataset = load_dataset(recipe.dataset, allow_artist_leakage=allow_artist_leakage)
    task = _task_of(dataset)
    annotations = dataset.annotations(root)
    clips = _open_clips(dataset, annotations, AudioCache(cache), recipe)
    starts = _Chunks(clips, recipe)
    labels = np.repeat(clips.labels, [len(place) for place in starts.places], axis=0)
    model = fit_classical(recipe.plan, starts, labels, task, seed=recipe.seed)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
    facts = {
        "dataset": dataset.name,
        "task": task,
        "fingerprints": {split: annotations.fingerprint(split) for split in dataset.splits},
        "n_clips": len(clips),
        "n_chunks": len(labels),
        **describe_environment(),
    }
    (folder / "run.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    specification = _specification(recipe, dataset, annotations, model, task)
    return export_model(model, specification, folder / "model.onnx")


class _Chunks:
    """The training chunks of all clips, read one after the other."""

    def __init__(self, clips: Clips, recipe: ClassicalRecipe) -> None:
        self._clips = clips
        self._length = recipe.plan.chunk_length
        lengths = [clips.source.length(id_) for id_ in clips.ids]
        self.places = [_spread(n_samples, self._length, recipe.chunks_per_clip) for n_samples in lengths]

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        for id_, starts in zip(self._clips.ids, self.places, strict=True):
            for start in starts:
                waveform = self._clips.source.read(id_, start=start)[: self._length]
                # A clip shorter than a chunk is repeated, as training by chunks does.
                yield np.ascontiguousarray(np.resize(waveform, self._length), np.float32)


def _spread(n_samples: int, length: int, n_chunks: int) -> Sequence[int]:
    """Return starts of at most `n_chunks` chunks that do not overlap, spread evenly over a clip.

    Examples
    --------
    >>> _spread(100, 30, 2)
    [0, 70]
    >>> _spread(20, 30, 2)
    [0]
    """
    n_chunks = max(1, min(n_chunks, n_samples // length))
    last = max(0, n_samples - length)
    if n_chunks == 1:
        return [last // 2]
    return [round(last * index / (n_chunks - 1)) for index in range(n_chunks)]


def _open_clips(
    dataset: Dataset, annotations: Annotations, cache: AudioCache, recipe: ClassicalRecipe
) -> Clips:
    if cache.sample_rate != recipe.sample_rate:
        raise DatasetError(
            f"the cache holds sound at {cache.sample_rate} Hz, the recipe asks for {recipe.sample_rate} Hz: "
            f"change sample_rate, or run `taggram datasets prepare {dataset.name} "
            f"--sample-rate {recipe.sample_rate}`"
        )
    tracks = [track for track in annotations.tracks["train"] if track.id not in cache.bad]
    if not tracks:
        raise DatasetError(f"{dataset.name}: no clip of the split 'train' could be decoded")
    labels = label_matrix(tracks, annotations.vocabulary)
    return Clips(cache, [track.id for track in tracks], labels)


def _task_of(dataset: Dataset) -> Task:
    if dataset.task == "chords":
        raise RecipeError(f"{dataset.name} is a dataset of chords; a classical model is for tags")
    return dataset.task


def _specification(
    recipe: ClassicalRecipe, dataset: Dataset, annotations: Annotations, model: ClassicalModel, task: Task
) -> Specification:
    about = model.architecture
    parts = [*recipe.features, recipe.summary, recipe.classifier]
    names = [part if isinstance(part, str) else str(part["name"]) for part in parts]
    return Specification(
        name="-".join([*names, dataset.name.replace(":", "-")]),
        architecture=about.name,
        task=task,
        sample_rate=about.sample_rate,
        chunk_duration=about.chunk_duration,
        chunk_hop=about.chunk_duration,
        front_end=about.front_end,
        embedding_dim=model.embedding_dim,
        tags=describe(annotations.vocabulary),
        training_data=f"{dataset.title}, split train ({dataset.licence})",
        licence=f"of whoever fitted it; the data: {dataset.licence}",
        paper=f"{about.paper}; fitted by Taggram {__version__}",
    )
