"""The figures that a shipped model states: agreement with its teachers, and what its embedding knows.

All figures come from the model file itself, through the runtime, on clips cut into 3 s chunks. Intervals
are 95 % percentile intervals over clips drawn anew.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taggram.inference.session import Session
from taggram.lab.training.agreement import (
    bootstrap_interval,
    spearman_per_tag,
    top_decile_auc_per_tag,
    within_song_correlation_per_tag,
)
from taggram.lab.training.corpus import Clip
from taggram.lab.training.default_model import DefaultModelTraining, HeardClip, log_mel, run_file
from taggram.lab.training.probes import LabelledSet, macro_auc, macro_recall, probe_class, probe_labels

MIN_TRAIN_CLIPS, MIN_TEST_CLIPS = 10, 3
"""A label of the corpus is probed if so many clips of either split have it."""

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Figure:
    """One number with its interval."""

    name: str
    value: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Agreement:
    """How far the student agrees with the ensemble on one split.

    Attributes
    ----------
    figures
        Mean over tags of Spearman correlation, top-decile ROC-AUC and within-song correlation.
    per_tag
        Tag → (Spearman, top-decile ROC-AUC, within-song correlation).
    plain_spearman
        Spearman of ridge regression on the mean and spread of the log-mel bands, for comparison.
    """

    figures: tuple[Figure, ...]
    per_tag: Mapping[str, tuple[float, float, float]]
    plain_spearman: Figure


def judge_agreement(
    training: DefaultModelTraining, session: Session, split: str, *, seed: int = 0
) -> Agreement:
    """Compare a model file with the ensemble on a split."""
    clips = training.held_out(split)
    reference = [clip.reference for clip in clips]
    scores = [np.asarray(run_file(session, clip.waveform)[0], np.float32) for clip in clips]
    clip_reference, clip_scores = _means(reference), _means(scores)
    plain = _plain_scores(training, clips)

    def within(rows: Rows) -> NDArray[np.float64]:
        return within_song_correlation_per_tag([reference[i] for i in rows], [scores[i] for i in rows])

    measures: dict[str, Callable[[Rows], NDArray[np.float64]]] = {
        "mean Spearman with the teachers": lambda r: spearman_per_tag(clip_reference[r], clip_scores[r]),
        "mean top-decile ROC-AUC": lambda r: top_decile_auc_per_tag(clip_reference[r], clip_scores[r]),
        "mean within-song correlation": within,
    }
    everything = np.arange(len(clips))
    per_tag = np.stack([measure(everything) for measure in measures.values()], axis=1)
    return Agreement(
        tuple(_figure(name, measure, len(clips), seed) for name, measure in measures.items()),
        {
            tag: (float(a), float(b), float(c))
            for tag, (a, b, c) in zip(training.ensemble.tags, per_tag, strict=True)
        },
        _figure("ridge", lambda r: spearman_per_tag(clip_reference[r], plain[r]), len(clips), seed),
    )


def judge_embedding(
    training: DefaultModelTraining, session: Session, *, seed: int = 0
) -> dict[str, tuple[Figure, ...]]:
    """Probe the embedding of the student and of every teacher with the corpus's own labels.

    Returns
    -------
    Name → figures, the student first as "student".
    """
    clips = {
        split: [clip for clip in training.clips if clip.split == split]
        for split in ("train", "validation", "test")
    }
    student = {
        split: np.stack([_embedding(session, training, clip) for clip in members])
        for split, members in clips.items()
    }
    teachers = {split: training.teacher_embeddings(members) for split, members in clips.items()}
    by_name = {"student": student} | {
        name: {split: teachers[split][name] for split in clips} for name in teachers["test"]
    }
    return {name: _probe_all(clips, embeddings, seed) for name, embeddings in by_name.items()}


def _probe_all(
    clips: Mapping[str, Sequence[Clip]], embeddings: Mapping[str, NDArray[np.float32]], seed: int
) -> tuple[Figure, ...]:
    figures = []
    for dataset, column, name in (
        ("4q", "genres", "4Q genres, ROC-AUC"),
        ("4q", "moods", "4Q moods, ROC-AUC"),
        ("4q", "quadrant", "4Q quadrants, macro recall"),
        ("emotify", "genre", "Emotify genres, macro recall"),
    ):
        sets = _labelled(clips, embeddings, dataset, column)
        truth = sets[2].labels
        multi = truth.ndim == 2
        said = probe_labels(*sets) if multi else probe_class(*sets)
        measure = macro_auc if multi else macro_recall
        figures.append(
            _figure(
                name,
                lambda r, m=measure, t=truth, s=said: np.array([m(t[r], s[r])]),  # type: ignore[misc]
                len(truth),
                seed,
            )
        )
    return tuple(figures)


def _labelled(
    clips: Mapping[str, Sequence[Clip]],
    embeddings: Mapping[str, NDArray[np.float32]],
    dataset: str,
    column: str,
) -> tuple[LabelledSet, LabelledSet, LabelledSet]:
    rows = {
        split: [i for i, clip in enumerate(members) if clip.dataset == dataset]
        for split, members in clips.items()
    }
    cells = {split: [clips[split][i].labels[column] for i in rows[split]] for split in rows}
    if column in ("genres", "moods"):
        sets = {split: [set(cell.split("; ")) for cell in values] for split, values in cells.items()}
        names = _frequent(sets["train"], sets["test"])
        labels = {
            split: np.array([[name in cell for name in names] for cell in values])
            for split, values in sets.items()
        }
    else:
        labels = {split: np.array(values) for split, values in cells.items()}
    train, validation, test = (
        LabelledSet(embeddings[split][rows[split]], labels[split])
        for split in ("train", "validation", "test")
    )
    return train, validation, test


def _frequent(train: Sequence[set[str]], test: Sequence[set[str]]) -> list[str]:
    names = sorted(set().union(*train) - {""})
    return [
        name
        for name in names
        if sum(name in cell for cell in train) >= MIN_TRAIN_CLIPS
        and sum(name in cell for cell in test) >= MIN_TEST_CLIPS
    ]


def _embedding(session: Session, training: DefaultModelTraining, clip: Clip) -> NDArray[np.float32]:
    _, embeddings = run_file(session, training.waveform(clip))
    return np.asarray(embeddings.mean(axis=0))


def _plain_scores(training: DefaultModelTraining, clips: Sequence[HeardClip]) -> NDArray[np.float32]:
    """Scores of ridge regression from mean and spread of the log-mel bands to the targets' logits."""
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train = training.held_out("train")
    target = _means([clip.reference for clip in train]).clip(1e-4, 1 - 1e-4)
    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 4, 11)))
    model.fit(_plain_features(train), np.log(target / (1 - target)))
    return np.asarray(model.predict(_plain_features(clips)), np.float32)


def _plain_features(clips: Sequence[HeardClip]) -> NDArray[np.float32]:
    spectra = [log_mel(clip.waveform).astype(np.float32) for clip in clips]
    return np.stack([np.concatenate([s.mean(axis=0), s.std(axis=0)]) for s in spectra])


def _means(chunk_scores: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.stack([scores.mean(axis=0) for scores in chunk_scores])


def _figure(name: str, measure: Callable[[Rows], NDArray[np.float64]], n_clips: int, seed: int) -> Figure:
    def mean(rows: Rows) -> float:
        return float(np.nanmean(measure(rows)))

    interval = bootstrap_interval(mean, n_clips, rng=np.random.default_rng(seed), n_draws=500)
    return Figure(name, mean(np.arange(n_clips)), interval)
