"""From the corpus to two model files and what is said of them: the steps of `scripts/train_chord_model.py`.

Trained weights lie in the cache (`CACHE/NAME/last.pt`); judging is repeated whenever it is asked for.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from taggram.chords.recogniser import ChordRecogniser
from taggram.chords.vocabulary import VocabularyName
from taggram.lab.chords.corpus import ChordCorpus, fingerprint
from taggram.lab.chords.evaluation import DecoderFit, Judgement, judge
from taggram.lab.chords.export import describe, export_fitted, reseal, window_of
from taggram.lab.chords.models import ChordModel
from taggram.lab.chords.recipe import ChordRecipe
from taggram.lab.chords.statistics import count_chords, count_keys, read_songs
from taggram.lab.chords.training import ChordTraining, TrainingRecord, build_network
from taggram.lab.datasets import load_dataset
from taggram.modelfile.specification import ChordSettings, Metric, Specification

_TRAINING_DATA = (
    "POP909 (MIT), songs rendered by FluidSynth with drawn instruments, bass, drums, keys, tempi, tunings "
    "and rooms; steps and durations of chords: McGill Billboard annotations (CC0). No recorded music"
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """A finished model and what was measured.

    Attributes
    ----------
    specification
        As written.
    n_parameters
        Of the network.
    judgements
        Vocabulary → on the test songs.
    fit
        Of the decoder, on validation songs.
    recipe
        Of the training.
    record
        How the training went.
    n_training
        Renderings that it was trained on.
    """

    specification: Specification
    n_parameters: int
    judgements: Mapping[VocabularyName, Judgement]
    fit: DecoderFit
    recipe: ChordRecipe
    record: TrainingRecord
    n_training: int


class ChordProject:
    """Trains, fits and judges."""

    def __init__(
        self,
        corpus: ChordCorpus,
        *,
        cache: Path,
        billboard: Path,
        pop909: Path,
        recipes: Mapping[str, ChordRecipe],
    ) -> None:
        self._corpus = corpus
        self._cache = cache
        self._billboard = billboard
        self._pop909 = pop909
        self._recipes = recipes

    def train(self, name: str) -> tuple[ChordModel, TrainingRecord]:
        """Train a network, or continue, or return what is trained already."""
        recipe = self._recipes[name]
        begun = time.perf_counter()
        training = ChordTraining(
            build_network(recipe),
            recipe,
            list(self._corpus.items("train")),
            list(self._corpus.items("validation")),
            self._cache / name,
        )
        trained = training.run()
        _log.info("%s: trained in %.0f s", name, time.perf_counter() - begun)
        return trained, training.record

    def finish(self, name: str, output: Path) -> Outcome:
        """Fit the decoder on validation songs, judge on test songs, and write the model file."""
        model, record = self.train(name)
        provisional = self._cache / f"{name}.provisional.onnx"
        described = self._describe(model, name, self._settings(model))
        specification, fit = export_fitted(model, described, self._corpus.items("validation"), provisional)
        _log.info("%s: evidence weights %s", name, fit.weights)
        with ChordRecogniser.load(provisional) as recogniser:
            judgements = judge(recogniser, self._corpus.items("test"), model.vocabularies)
        specification = specification.model_copy(update={"metrics": _metrics(judgements)})
        specification = reseal(provisional, specification, output)
        return Outcome(
            specification=specification,
            n_parameters=sum(p.numel() for p in model.parameters()),
            judgements=judgements,
            fit=fit,
            recipe=self._recipes[name],
            record=record,
            n_training=len(self._corpus.paths("train")),
        )

    def _settings(self, model: ChordModel) -> ChordSettings:
        n_frames, n_context = window_of(model)
        training = load_dataset("pop909").annotations(self._pop909).tracks["train"]
        statistics = count_chords(read_songs(sorted(self._billboard.glob("*.lab"))))
        return ChordSettings(
            n_frames=n_frames,
            n_context=n_context,
            statistics={name: statistics[name] for name in model.vocabularies},
            key_profiles=count_keys(training),
        )

    @staticmethod
    def _describe(model: ChordModel, name: str, settings: ChordSettings) -> Specification:
        return describe(
            model,
            name="chords" if name == "conv_gru" else name,
            architecture=name,
            settings=settings,
            training_data=_TRAINING_DATA,
            licence="MIT",
        )


def _metrics(judgements: Mapping[VocabularyName, Judgement]) -> tuple[Metric, ...]:
    """Return the figures that travel with the weights."""
    metrics = []
    for vocabulary, judgement in judgements.items():
        for name, figure in judgement.figures.items():
            interval = figure.interval
            metrics.append(
                Metric(
                    name=f"{vocabulary}: {name}",
                    value=round(figure.mean, 4),
                    interval=(round(interval.low, 4), round(interval.high, 4)) if interval else None,
                    dataset="pop909, rendered",
                    split="test",
                    split_fingerprint=fingerprint([song.id for song in judgement.songs]),
                )
            )
    return tuple(metrics)
