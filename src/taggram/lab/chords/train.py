"""From a recipe and a dataset of recordings with chords to a model file, by `taggram train`.

    recipe.yaml, run.json, last.pt, epochs.jsonl   as in every run (`taggram.lab.training.run`); an epoch ends
                                                   where the network is judged on the validation songs
    model.onnx                                     the network, with a decoder that was fitted on these songs

The decoder's steps and durations are counted in the annotations of the training songs. The shares of chords
by degree of a key are those of the model that ships: most datasets say nothing of keys.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from taggram import __version__
from taggram.chords.recogniser import SHIPPED_MODEL
from taggram.errors import DatasetError
from taggram.lab.chords.corpus import Item
from taggram.lab.chords.export import describe, export_fitted, window_of
from taggram.lab.chords.models import ChordModel
from taggram.lab.chords.recipe import ChordRecipe
from taggram.lab.chords.recordings import Recordings
from taggram.lab.chords.statistics import count_chords
from taggram.lab.chords.training import Check, ChordTraining, build_network
from taggram.lab.datasets import Annotations, BadTrack, Dataset, Split, load_dataset
from taggram.lab.datasets._base import Watch
from taggram.lab.datasets._chords import reduce_chord
from taggram.lab.training.run import RunFolder
from taggram.modelfile.cache import resolve_model
from taggram.modelfile.reader import load_model_file
from taggram.modelfile.specification import ChordSettings, Metric, Specification

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ChordData:
    """What a run learns from and is judged by.

    Attributes
    ----------
    dataset, annotations
        Description, and what the user's copy says.
    recordings
        Its spectra.
    left_out
        Track id → why it could not be heard, or teaches nothing.
    """

    dataset: Dataset
    annotations: Annotations
    recordings: Recordings
    left_out: dict[str, BadTrack]

    def items(self, split: Split) -> list[Item]:
        """Return the songs of a split that could be heard."""
        tracks = [track for track in self.annotations.tracks[split] if track.id not in self.left_out]
        if not tracks:
            raise DatasetError(f"{self.dataset.name}: no song of the split {split!r} could be heard")
        return [self.recordings.item(track) for track in tracks]

    def facts(self) -> dict[str, Any]:
        """Return what identifies the data of a run."""
        return {
            "dataset": self.dataset.name,
            "task": self.dataset.task,
            "fingerprints": {split: self.annotations.fingerprint(split) for split in self.dataset.splits},
            "left_out": {id_: cause.outcome for id_, cause in self.left_out.items()},
        }


def train_chords(
    recipe: ChordRecipe,
    *,
    root: Path,
    cache: Path,
    folder: Path,
    resume: bool = False,
    allow_artist_leakage: bool = False,
    watch: Watch = iter,
    tell: Callable[[str], None] = _log.warning,
    report: Callable[[dict[str, Any]], None] = lambda figures: None,
) -> Check:
    """Train a chord network, or continue a run, and write the model file.

    Parameters
    ----------
    recipe
        What to train, and how.
    root
        The user's copy of the dataset.
    cache
        Folder for the spectra of its recordings.
    folder
        Of the run.
    resume
        Continue what is in `folder`.
    allow_artist_leakage
        Also accept a split with artists on both sides.
    watch
        Iterates over the recordings that are to be heard, for a progress bar.
    tell
        Gets a sentence for every recording that is left out.
    report
        Gets the figures of every epoch.

    Returns
    -------
    How good the network was that is kept.

    Raises
    ------
    RecipeError, DatasetError
        If recipe, data and folder do not fit together.
    """
    network = build_network(recipe)
    data = _hear(recipe, root, cache, watch, allow_artist_leakage=allow_artist_leakage)
    for id_, cause in data.left_out.items():
        tell(f"left out: {id_}: {cause.message}")
    songs = data.items("validation")
    training = ChordTraining(
        network,
        recipe,
        [as_learned(network, item) for item in data.items("train")],
        [as_learned(network, item) for item in songs],
        folder,
    )
    run = RunFolder(folder)
    run.begin(recipe, data.facts(), resume=resume)  # not before everything about the recipe has proved right
    trained = training.run(watch=_EpochLog(run, training, report))
    specification = _specification(recipe, data, trained, training.kept)
    export_fitted(trained, specification, songs, folder / "model.onnx")
    return training.kept


def as_learned(network: ChordModel, item: Item) -> Item:
    """Name the chords of an item as far as a network tells them apart; what it cannot say teaches nothing."""
    if network.vocabularies != ("majmin",):
        return item
    named = (replace(chord, label=reduce_chord(chord.label) or "X") for chord in item.chords)
    return replace(item, chords=tuple(named))


def _hear(
    recipe: ChordRecipe, root: Path, cache: Path, watch: Watch, *, allow_artist_leakage: bool
) -> ChordData:
    dataset = load_dataset(recipe.dataset, allow_artist_leakage=allow_artist_leakage)
    if dataset.task != "chords":
        raise DatasetError(f"{dataset.name}: is a dataset of tags; this training is for chords")
    annotations = dataset.annotations(root)
    recordings = Recordings(cache, dataset)
    tracks = [*annotations.tracks["train"], *annotations.tracks["validation"]]
    annotated = [track for track in tracks if any(chord.end > chord.start for chord in track.segments)]
    left_out = recordings.hear(annotated, watch=watch)
    for track in tracks:
        if track not in annotated:
            left_out[track.id] = BadTrack("not_annotated", "no chord is annotated")
    return ChordData(dataset, annotations, recordings, left_out)


class _EpochLog:
    """Notes every check as an epoch of the run."""

    def __init__(
        self, run: RunFolder, training: ChordTraining, report: Callable[[dict[str, Any]], None]
    ) -> None:
        self._run, self._training, self._report = run, training, report
        self._begun = time.perf_counter()

    def __call__(self, check: Check) -> None:
        now = time.perf_counter()
        figures = {
            "epoch": len(self._training.record.checks) - 1,
            "step": check.step,
            "training_loss": check.training_loss,
            "validation_loss": check.loss,
            "validation_root": check.root,
            "validation_triad": check.triad,
            "time": {"seconds": round(now - self._begun, 2)},
        }
        self._begun = now
        self._run.log_epoch(figures)
        self._report(figures)


def _specification(recipe: ChordRecipe, data: ChordData, network: ChordModel, kept: Check) -> Specification:
    dataset = data.dataset
    shipped = load_model_file(resolve_model(SHIPPED_MODEL)).specification.chords
    assert shipped is not None
    statistics = count_chords(track.segments for track in data.annotations.tracks["train"])
    n_frames, n_context = window_of(network)
    specification = describe(
        network,
        name=f"{recipe.model}-{dataset.name.replace(':', '-')}",
        architecture=recipe.model,
        settings=ChordSettings(
            n_frames=n_frames,
            n_context=n_context,
            statistics={name: statistics[name] for name in network.vocabularies},
            key_profiles=shipped.key_profiles,
        ),
        training_data=f"{dataset.title}, split train ({dataset.licence})",
        licence=f"of whoever trained it; the data: {dataset.licence}",
    )
    loss = Metric(
        name="loss of the kept network",
        value=kept.loss,
        dataset=dataset.name,
        split="validation",
        split_fingerprint=data.annotations.fingerprint("validation"),
    )
    paper = f"{specification.paper}; trained by Taggram {__version__}"
    return specification.model_copy(update={"paper": paper, "metrics": (loss,)})
