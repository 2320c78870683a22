"""The classical model: fitted stages behind one another, with the verbs of every other model."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from taggram.errors import ShapeError
from taggram.lab.classical import CLASSIFIERS, SUMMARIES, Summary
from taggram.lab.classical._standardise import Standardise
from taggram.lab.classical.classifiers._base import Task
from taggram.lab.features import FEATURES, Feature
from taggram.lab.models._base import Architecture, TaggingModel
from taggram.lab.models.composed import Part, build_part
from taggram.modelfile.specification import Waveform

_BATCH = 16


@dataclass(frozen=True)
class Plan:
    """What a classical model is made of; each part a name, or a mapping of options and the name.

    Attributes
    ----------
    features
        Stacked on one another; all of one front end (see `Feature.spec`) and one frame rate.
    summary, classifier
        What follows.
    chunk_duration
        Seconds.
    sample_rate
        Hz.
    """

    features: tuple[Part, ...] = ("mfcc",)
    summary: Part = "mean_std"
    classifier: Part = "logistic_regression"
    chunk_duration: float = 10.0
    sample_rate: int = 22_050

    @property
    def chunk_length(self) -> int:
        """Length of a chunk in samples."""
        return round(self.chunk_duration * self.sample_rate)


class StackedFeatures(nn.Module):
    """Several features of one front end as one: their rows, one below the other.

    Raises
    ------
    ShapeError
        If there is none, or their front ends or frame rates differ.
    """

    def __init__(self, features: Sequence[Feature]) -> None:
        super().__init__()
        kinds = {(str(feature.spec), feature.hop_length) for feature in features}
        if len(kinds) != 1:
            raise ShapeError(
                "the features of a classical model need one front end and one frame rate, got "
                f"{sorted(kinds)}: give them the same n_fft and hop_length, and do not mix features of the "
                "waveform with those of the spectrogram"
            )
        self.features = nn.ModuleList(features)
        self.spec = features[0].spec
        self.front_end = features[0].front_end

    def transform(self, inputs: Tensor) -> Tensor:
        """Map what the front end gives to (batch, n_features, n_frames)."""
        return torch.cat([feature.transform(inputs) for feature in _features(self)], dim=1)

    def shape(self, n_samples: int) -> tuple[int, int]:
        """Return (n_features, n_frames) of a waveform of `n_samples` samples."""
        features = list(_features(self))
        return sum(feature.n_features for feature in features), features[0].n_frames(n_samples)


def _features(stack: StackedFeatures) -> Iterable[Feature]:
    for feature in stack.features:
        assert isinstance(feature, Feature)
        yield feature


class ClassicalModel(TaggingModel):
    """Features → summary → standardised → classifier. Made by `fit_classical`; there is nothing to train.

    Parameters
    ----------
    plan
        What it is made of.
    stack, summary, standardise, body, head
        The fitted stages.
    """

    architecture = Architecture(
        name="classical",
        title="Classical pipeline",
        paper="Tzanetakis, Cook, Musical genre classification of audio signals, IEEE TSAP 2002, "
        "for the approach",
        chunk_length=220_500,
        front_end=Waveform(),
        sample_rate=22_050,
    )

    def __init__(
        self,
        plan: Plan,
        stack: StackedFeatures,
        summary: Summary,
        standardise: Standardise,
        body: nn.Module,
        head: nn.Linear,
    ) -> None:
        architecture = replace(
            type(self).architecture,
            chunk_length=plan.chunk_length,
            sample_rate=plan.sample_rate,
            front_end=stack.spec,
        )
        super().__init__(head.out_features, head.in_features, architecture=architecture)
        self.stack = stack
        self.summary = summary
        self.standardise = standardise
        self.body = body
        self.head = head
        self.requires_grad_(False)
        self.eval()

    def embed_features(self, features: Tensor) -> Tensor:
        """Map what the front end gives to what the classifier's linear layer takes."""
        embedding: Tensor = self.body(self.standardise(self.summary(self.stack.transform(features))))
        return embedding


def fit_classical(
    plan: Plan, chunks: Iterable[NDArray[np.float32]], labels: NDArray[np.bool_], task: Task, *, seed: int = 0
) -> ClassicalModel:
    """Fit a classical model.

    Parameters
    ----------
    plan
        What it is made of.
    chunks
        Training waveforms of shape (chunk_length,), read once and not kept: memory holds their features.
    labels : shape (n_chunks, n_tags)
        For a multi-class task exactly one per row.
    task
        Which of the two.
    seed
        Of everything that is drawn.

    Raises
    ------
    ShapeError
        If there is no chunk, or another number of chunks than of labels, or the features do not fit together.
    """
    stack = StackedFeatures(
        [build_part(FEATURES, part, sample_rate=plan.sample_rate) for part in plan.features]
    )
    features = compute_features(stack, chunks)
    if len(features) != len(labels) or not len(labels):
        raise ShapeError(
            f"{len(features)} chunks and {len(labels)} rows of labels: there must be as many, at least one"
        )
    shape = stack.shape(plan.chunk_length)
    summary = build_part(SUMMARIES, plan.summary, shape, sample_rate=plan.sample_rate).eval()
    summary.fit(features, np.random.default_rng(seed))
    vectors = np.concatenate(
        [_summarise(summary, features[at : at + _BATCH]) for at in range(0, len(features), _BATCH)]
    )
    standardise = Standardise(vectors.shape[1])
    classifier: Any = build_part(CLASSIFIERS, plan.classifier, sample_rate=plan.sample_rate)
    body, head = classifier.fit(standardise.fit_transform(vectors), labels, task, seed)
    return ClassicalModel(plan, stack, summary, standardise, body, head)


def compute_features(
    stack: StackedFeatures, chunks: Iterable[NDArray[np.float32]]
) -> list[NDArray[np.float32]]:
    """Compute the stacked features of waveforms, each (n_features, n_frames)."""
    with torch.inference_mode():
        return [
            stack.transform(stack.front_end(torch.from_numpy(chunk)[None]))[0].numpy() for chunk in chunks
        ]


def _summarise(summary: Summary, features: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    with torch.inference_mode():
        vectors: NDArray[np.float32] = summary(torch.from_numpy(np.stack(features))).numpy()
    return vectors
