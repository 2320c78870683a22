"""The figures that a shipped model states: agreement with its teachers, and what its embedding knows.

All figures come from the model file itself, through the runtime, on clips cut into 3 s chunks. Intervals
are 95 % percentile intervals over clips drawn anew.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from taggram.inference.session import Session
from taggram.lab.deformations import DEFORMATIONS, Strength
from taggram.lab.models.lean_cnn import LeanShape
from taggram.lab.training.agreement import (
    bootstrap_interval,
    spearman_per_tag,
    top_decile_auc_per_tag,
    within_song_correlation_per_tag,
)
from taggram.lab.training.calibration import odds
from taggram.lab.training.corpus import SAMPLE_RATE, Clip
from taggram.lab.training.default_model import (
    Calibration,
    DefaultModelTraining,
    HeardClip,
    clip_means,
    log_mel,
    run_file,
)
from taggram.lab.training.non_music import TAUGHT, UNSEEN
from taggram.lab.training.probes import (
    LabelledSet,
    fit_class_probe,
    fit_label_probe,
    macro_auc,
    macro_recall,
)

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
    clip_reference, clip_scores = clip_means(reference), clip_means(scores)
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


def judge_teachers_within_songs(training: DefaultModelTraining, split: str, *, seed: int = 0) -> Figure:
    """Measure how far the teachers that hear 3 s agree with each other on where in a song a tag is.

    Every teacher is correlated with the mean of the others that say the tag; the figure is the mean over
    teachers, then over the tags that at least two of them say.
    """
    songs = training.single_chunk_scores(split)
    says = ~np.isnan(songs[0][:, 0])
    pairs = [(int(teacher), int(tag)) for teacher, tag in np.argwhere(says) if says[:, tag].sum() > 1]
    tag_of = np.array([tag for _, tag in pairs])

    def others(song: NDArray[np.float32], teacher: int, tag: int) -> NDArray[np.float32]:
        colleagues = [i for i in np.flatnonzero(says[:, tag]) if i != teacher]
        return np.asarray(song[colleagues, :, tag].mean(axis=0))

    own = [np.stack([song[teacher, :, tag] for teacher, tag in pairs], axis=1) for song in songs]
    rest = [np.stack([others(song, teacher, tag) for teacher, tag in pairs], axis=1) for song in songs]

    def measure(rows: Rows) -> NDArray[np.float64]:
        found = within_song_correlation_per_tag([own[i] for i in rows], [rest[i] for i in rows])
        return np.array([np.nanmean(found[tag_of == tag]) for tag in np.unique(tag_of)])

    return _figure("teachers that hear 3 s, with each other", measure, len(songs), seed)


@dataclass(frozen=True)
class Bin:
    """The (clip, tag) pairs with a score in one range: how many, their mean score, and the ensemble's."""

    n_pairs: int
    score: float
    reference: float


@dataclass(frozen=True)
class Reliability:
    """Whether scores mean what they say, and what the thresholds give, on one split.

    Attributes
    ----------
    bins
        Of all pairs of clip and tag, by score.
    error, error_of_base_rate
        Mean over tags of the root mean square difference from the ensemble's clip score, and of what it
        would be if every clip got the tag's mean on the training clips.
    precision, recall
        Share of the tags given that the ensemble gives, and of those that it gives that are given.
    n_given
        Mean number of tags that are given to a clip.
    """

    bins: tuple[Bin, ...]
    error: float
    error_of_base_rate: float
    precision: Figure
    recall: Figure
    n_given: float


BIN_EDGES = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)


def judge_reliability(
    training: DefaultModelTraining,
    session: Session,
    calibration: Calibration,
    split: str,
    *,
    seed: int = 0,
) -> Reliability:
    """Compare a model file's probabilities and tags with the ensemble's on a split."""
    clips = training.held_out(split)
    reference = clip_means(clip.reference for clip in clips)
    scores = clip_means(run_file(session, clip.waveform)[0] for clip in clips)
    base = clip_means(clip.reference for clip in training.held_out("train")).mean(axis=0)
    thresholds = np.array([tag.threshold for tag in session.specification.tags], np.float32)
    given, wanted = scores >= thresholds, reference >= calibration.ensemble_thresholds

    def share(of: NDArray[np.bool_]) -> Callable[[Rows], NDArray[np.float64]]:
        return lambda rows: np.array([(given & wanted)[rows].sum() / max(1, of[rows].sum())])

    return Reliability(
        tuple(_bins(scores.ravel(), reference.ravel())),
        _root_mean_square(scores - reference),
        _root_mean_square(base - reference),
        _figure("precision", share(given), len(clips), seed),
        _figure("recall", share(wanted), len(clips), seed),
        float(given.sum(axis=1).mean()),
    )


def _bins(scores: NDArray[np.float32], reference: NDArray[np.float32]) -> Iterator[Bin]:
    for low, high in pairwise(BIN_EDGES):
        if (rows := (scores >= low) & (scores < high)).any():
            yield Bin(int(rows.sum()), float(scores[rows].mean()), float(reference[rows].mean()))


def _root_mean_square(difference: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.square(difference).mean(axis=0)).mean())


def judge_other_sounds(
    training: DefaultModelTraining, session: Session, split: str
) -> dict[str, tuple[int, int]]:
    """Count what is said to be no music: kind of sound → (so many, of so many).

    "music" are the clips of the split, which should give none. The other sounds are other ones than
    those that were trained on and that the least evidence was chosen on.
    """
    least = session.specification.least_evidence
    assert least is not None, "a calibrated model states its least evidence"

    def count(sounds: Iterable[NDArray[np.float32]]) -> tuple[int, int]:
        unsure = [run_file(session, sound)[0].mean(axis=0).sum() < least for sound in sounds]
        return sum(map(int, unsure)), len(unsure)

    found = {"music": count(clip.waveform for clip in training.held_out(split))}
    for kind, maker in {**TAUGHT, **UNSEEN}.items():
        found[kind] = count(training.other_sounds({kind: maker}, seed=2))
    return found


CONDITIONS: Mapping[str, tuple[str, Strength]] = {
    "as it is": ("gain", 0),
    "20 dB softer": ("gain", -20),
    "40 dB softer": ("gain", -40),
    "mp3 of 32 kbit/s": ("mp3", 32),
    "telephone-like, 8 kHz": ("low_sample_rate", 8000),
    "darker by 12 dB": ("equalisation", -12),
    "white noise, a tenth": ("white_noise", 0.1),
    "a semitone higher": ("pitch_shift", 1),
}
"""Name of a change of the sound → deformation and strength."""


def judge_robustness(
    training: DefaultModelTraining, session: Session, split: str, *, seed: int = 0
) -> dict[str, Figure]:
    """Compare scores of altered clips with the ensemble's of the clips as they are: condition → figure."""
    clips = training.held_out(split)
    reference = clip_means(clip.reference for clip in clips)

    def judge(condition: str) -> Figure:
        name, strength = CONDITIONS[condition]
        deformation = DEFORMATIONS.get(name)()
        states = [deformation.fix(strength, np.random.default_rng((seed, i))) for i in range(len(clips))]
        altered = (
            deformation.apply(clip.waveform, SAMPLE_RATE, state)
            for clip, state in zip(clips, states, strict=True)
        )
        scores = clip_means(run_file(session, waveform)[0] for waveform in altered)
        return _figure(condition, lambda r: spearman_per_tag(reference[r], scores[r]), len(clips), seed)

    return {condition: judge(condition) for condition in CONDITIONS}


def judge_confusions(
    training: DefaultModelTraining,
    session: Session,
    calibration: Calibration,
    split: str,
    category: str,
    *,
    n_shown: int = 8,
) -> list[tuple[str, str, int]]:
    """Return the commonest differences of the strongest tag: the ensemble's, the student's, how many clips.

    Strongest is the tag with the largest odds in units of those of its threshold; only clips count to which
    either gives a tag of the category.
    """
    tags = session.specification.tags
    columns = [column for column, tag in enumerate(tags) if tag.category == category]
    own = np.array([tag.threshold for tag in tags], np.float32)[columns]
    pairs: Counter[tuple[str, str]] = Counter()
    for clip in training.held_out(split):
        wanted = odds(clip.reference.mean(axis=0)[columns]) / odds(calibration.ensemble_thresholds[columns])
        said = odds(run_file(session, clip.waveform)[0].mean(axis=0)[columns]) / odds(own)
        if max(wanted.max(), said.max()) >= 1 and wanted.argmax() != said.argmax():
            pairs[tags[columns[wanted.argmax()]].label, tags[columns[said.argmax()]].label] += 1
    return [(wanted, said, count) for (wanted, said), count in pairs.most_common(n_shown)]


def judge_embedding(
    training: DefaultModelTraining, session: Session, *, seed: int = 0
) -> tuple[dict[str, tuple[Figure, ...]], dict[str, tuple[Figure, ...]]]:
    """Probe the embedding of the student and of every teacher with the corpus's own labels.

    Returns
    -------
    Name → figures, the student first as "student"; with probes fitted on train, and on train and validation.
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
    on_train, on_both = (
        {name: _probe_all(clips, embeddings, seed, refit=refit) for name, embeddings in by_name.items()}
        for refit in (False, True)
    )
    return on_train, on_both


def _probe_all(
    clips: Mapping[str, Sequence[Clip]],
    embeddings: Mapping[str, NDArray[np.float32]],
    seed: int,
    *,
    refit: bool,
) -> tuple[Figure, ...]:
    figures = []
    for dataset, column, name in (
        ("4q", "genres", "4Q genres, ROC-AUC"),
        ("4q", "moods", "4Q moods, ROC-AUC"),
        ("4q", "quadrant", "4Q quadrants, macro recall"),
        ("emotify", "genre", "Emotify genres, macro recall"),
    ):
        train, validation, test = _labelled(clips, embeddings, dataset, column)
        truth = test.labels
        multi = truth.ndim == 2
        fit = fit_label_probe if multi else fit_class_probe
        said = fit(train, validation, refit=refit)(test.embeddings)
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
    target = clip_means(clip.reference for clip in train).clip(1e-4, 1 - 1e-4)
    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 4, 11)))
    model.fit(_plain_features(train), np.log(target / (1 - target)))
    return np.asarray(model.predict(_plain_features(clips)), np.float32)


def _plain_features(clips: Sequence[HeardClip]) -> NDArray[np.float32]:
    spectra = [log_mel(clip.waveform, LeanShape()).astype(np.float32) for clip in clips]
    return np.stack([np.concatenate([s.mean(axis=0), s.std(axis=0)]) for s in spectra])


def _figure(name: str, measure: Callable[[Rows], NDArray[np.float64]], n_clips: int, seed: int) -> Figure:
    def mean(rows: Rows) -> float:
        return float(np.nanmean(measure(rows)))

    interval = bootstrap_interval(mean, n_clips, rng=np.random.default_rng(seed), n_draws=500)
    return Figure(name, mean(np.arange(n_clips)), interval)
