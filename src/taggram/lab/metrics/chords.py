"""How well chords are recognised: weighted recall by kind of comparison, and segmentation, as in MIREX.

    root, thirds, majmin, sevenths, tetrads, mirex   share of the time with the right chord, where the
                                                     reference can be compared at all
    overseg, underseg, seg                           1 − directional Hamming distance: against too many
                                                     and too few boundaries, and the worse of the two

The comparisons are those of mir_eval. A figure of one song is a mean over its time; of several songs it is
the mean over songs, or over all their time (weighted by what could be compared).

Conventions: intervals float (n_segments, 2) in seconds, labels in the syntax of Harte; a figure that nothing
in a song can be compared for is NaN.

References
----------
Pauwels & Peeters, "Evaluating automatically estimated chord sequences", ICASSP 2013; Raffel et al.,
"mir_eval: a transparent implementation of common MIR metrics", ISMIR 2014.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taggram.errors import MissingExtraError
from taggram.lab.metrics._tag_metric import divide
from taggram.lab.metrics.bootstrap import N_REPLICATES, Interval, draw_weights, macro, percentile_interval

COMPARISONS = ("root", "thirds", "majmin", "sevenths", "tetrads", "mirex")
SEGMENTATIONS = ("overseg", "underseg", "seg")
FIGURES = (*COMPARISONS, *SEGMENTATIONS)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ChordScores:
    """Figures of one song.

    Attributes
    ----------
    values
        Figure → value in [0, 1], or NaN.
    seconds
        Figure → time over which it is a mean.
    """

    values: Mapping[str, float]
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class Figure:
    """One figure of several songs.

    Attributes
    ----------
    mean, interval
        Over songs, with its bootstrap interval over songs.
    weighted, weighted_interval
        The same over their time.
    n_songs
        For which it is defined.
    """

    mean: float
    interval: Interval | None
    weighted: float
    weighted_interval: Interval | None
    n_songs: int


def score_song(
    reference_intervals: Floats,
    reference_labels: Sequence[str],
    estimated_intervals: Floats,
    estimated_labels: Sequence[str],
) -> ChordScores:
    """Score one song; the estimate is cut, or filled up with no chord, to the time of the reference.

    Raises
    ------
    MissingExtraError
        If mir_eval is not installed.
    """
    try:
        import mir_eval
    except ImportError as error:
        raise MissingExtraError("scoring chords", "train") from error
    chord = mir_eval.chord
    estimated_intervals, labels = mir_eval.util.adjust_intervals(
        estimated_intervals,
        list(estimated_labels),
        reference_intervals.min(),
        reference_intervals.max(),
        chord.NO_CHORD,
        chord.NO_CHORD,
    )
    intervals, reference, estimate = mir_eval.util.merge_labeled_intervals(
        reference_intervals, list(reference_labels), estimated_intervals, labels
    )
    durations = mir_eval.util.intervals_to_durations(intervals)
    values, seconds = {}, {}
    for name in COMPARISONS:
        comparable = getattr(chord, name)(reference, estimate)
        is_comparable = comparable >= 0
        seconds[name] = float(durations[is_comparable].sum())
        right = float((comparable * durations)[is_comparable].sum())
        values[name] = right / seconds[name] if seconds[name] else float("nan")
    merged_reference = chord.merge_chord_intervals(reference_intervals, list(reference_labels))
    merged_estimate = chord.merge_chord_intervals(estimated_intervals, labels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it warns of songs that are one chord long
        values["overseg"] = float(chord.overseg(merged_reference, merged_estimate))
        values["underseg"] = float(chord.underseg(merged_reference, merged_estimate))
    values["seg"] = min(values["overseg"], values["underseg"])
    seconds |= dict.fromkeys(SEGMENTATIONS, float(durations.sum()))
    return ChordScores(values, seconds)


def summarise(
    songs: Sequence[ChordScores], rng: np.random.Generator, *, n_replicates: int = N_REPLICATES
) -> dict[str, Figure]:
    """Return every figure of several songs, with intervals."""
    weights = draw_weights(len(songs), rng, n_replicates=n_replicates)
    summary = {}
    for name in FIGURES:
        values = np.array([song.values[name] for song in songs])
        seconds = np.array([song.seconds[name] for song in songs])
        alike, by_time = np.ones(len(songs)), seconds
        summary[name] = Figure(
            *_mean(values, alike, weights),
            *_mean(values, by_time, weights),
            n_songs=int((~np.isnan(values)).sum()),
        )
    return summary


def frame_macro_recall(y_true: NDArray[np.int64], y_pred: NDArray[np.int64]) -> float:
    """Return the mean over classes of the share of their frames that were recognised.

    Parameters
    ----------
    y_true, y_pred : shape (n_frames,)
        Class of each frame; frames whose true class is negative count nowhere.
    """
    known = y_true >= 0
    recalls = [float((y_pred[y_true == label] == label).mean()) for label in np.unique(y_true[known])]
    return float(np.mean(recalls)) if recalls else float("nan")


def macro_recall_interval(n_right: Floats, n_frames: Floats, weights: Floats) -> Interval | None:
    """Return the interval of the frame macro recall over songs.

    Parameters
    ----------
    n_right, n_frames : shape (n_songs, n_classes)
        Frames of each class that were recognised, and all of them.
    weights : shape (n_replicates, n_songs)
        How often each song was drawn.
    """
    return percentile_interval(macro(divide(weights @ n_right, weights @ n_frames)))


def count_confusions(
    y_true: NDArray[np.int64], y_pred: NDArray[np.int64], n_classes: int
) -> NDArray[np.int64]:
    """Return how often each class was taken for each other, (n_classes, n_classes); rows are the truth."""
    known = y_true >= 0
    flat = y_true[known] * n_classes + y_pred[known]
    return np.bincount(flat, minlength=n_classes**2).reshape(n_classes, n_classes)


def _mean(values: Floats, shares: Floats, weights: Floats) -> tuple[float, Interval | None]:
    defined = ~np.isnan(values)
    if not defined.any():
        return float("nan"), None
    values, shares, weights = values[defined], shares[defined], weights[:, defined]
    total = weights @ shares
    replicates = np.divide(
        weights @ (values * shares), total, out=np.full(len(total), np.nan), where=total > 0
    )
    return float((values * shares).sum() / shares.sum()), percentile_interval(replicates)
