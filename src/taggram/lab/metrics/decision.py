"""Decision metrics: how good yes/no answers per tag, and class answers, are.

Everything is made of counts, so that the same few formulas serve one tag, all tags, and all replicates
of a bootstrap at once: `tag_counts` → `precision`, `recall`, `f1`, `accuracy`, `mcc`; and
`confusion_matrix` → `class_report`. `choose_thresholds` finds thresholds on a validation split.

Conventions: a tag counts as given if its score ≥ threshold. Counts may carry leading axes (replicates);
`weights` (…, n_clips) count a clip more or less than once. What is undefined, and why:

    precision   nothing was given the tag
    recall      no clip has the tag
    f1          neither (with either one it is defined, and 0 if there is no hit)
    mcc         all clips have the tag, or none has. If all answers are alike it is 0, as its limit is
                (Chicco & Jurman 2020): leaving such a tag out would reward a model that is silent on it
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from taggram.errors import ShapeError, UnknownNameError
from taggram.lab.metrics._tag_metric import (
    Bools,
    Floats,
    TagMetric,
    both_present,
    check_bools,
    check_scores,
    divide,
)

Criterion = Literal["f1", "mcc"]


@dataclass(frozen=True, eq=False)
class Counts:
    """Hits and misses of every tag; arrays of one shape (…, n_tags).

    Attributes
    ----------
    true_positives, false_positives, false_negatives, true_negatives
        Clips, weighted if there were weights.
    """

    true_positives: Floats
    false_positives: Floats
    false_negatives: Floats
    true_negatives: Floats

    def pooled(self) -> "Counts":
        """Return the sum over all tags, with one tag left: what micro averages are made of."""
        return Counts(*(values.sum(axis=-1, keepdims=True) for values in vars(self).values()))


def tag_counts(y_true: Bools, y_pred: Bools, *, weights: Floats | None = None) -> Counts:
    """Count hits and misses per tag.

    Parameters
    ----------
    y_true, y_pred : shape (n_clips, n_tags)
    weights : shape (…, n_clips)
        How often each clip counts; None is once.
    """
    y_true, y_pred = check_bools(np.asarray(y_true), "y_true"), check_bools(np.asarray(y_pred), "y_pred")
    if y_true.ndim != 2 or y_true.shape != y_pred.shape:
        raise ShapeError(
            f"y_true and y_pred must both be (n_clips, n_tags), got {y_true.shape}, {y_pred.shape}"
        )
    if weights is None:
        weights = np.ones(len(y_true))
    pairs = (y_true & y_pred, ~y_true & y_pred, y_true & ~y_pred, ~y_true & ~y_pred)
    return Counts(*(weights @ pair.astype(np.float64) for pair in pairs))


def precision(counts: Counts) -> Floats:
    """Return the share of right answers among the clips given the tag; NaN if there are none."""
    return divide(counts.true_positives, counts.true_positives + counts.false_positives)


def recall(counts: Counts) -> Floats:
    """Return the share of the clips with the tag that were given it; NaN if there are none."""
    return divide(counts.true_positives, counts.true_positives + counts.false_negatives)


def f1(counts: Counts) -> Floats:
    """Return the harmonic mean of precision and recall; NaN if no clip has or was given the tag."""
    wrong = counts.false_positives + counts.false_negatives
    return divide(2 * counts.true_positives, 2 * counts.true_positives + wrong)


def accuracy(counts: Counts) -> Floats:
    """Return the share of right answers, yes and no."""
    right = counts.true_positives + counts.true_negatives
    return divide(right, right + counts.false_positives + counts.false_negatives)


def mcc(counts: Counts) -> Floats:
    """Return Matthews' correlation coefficient, in [−1, 1]; NaN if the truth is all alike.

    References
    ----------
    Chicco & Jurman, "The advantages of the Matthews correlation coefficient (MCC) over F1 score and
    accuracy in binary classification evaluation", BMC Genomics 2020.
    """
    hit, false = counts.true_positives, counts.false_positives
    missed, right = counts.false_negatives, counts.true_negatives
    truth = (hit + missed) * (false + right)
    answers = (hit + false) * (missed + right)
    value = np.where(
        answers > 0, divide(hit * right - false * missed, np.sqrt(truth) * np.sqrt(answers)), 0.0
    )
    return np.where(truth > 0, value, np.nan)


def specificity(counts: Counts) -> Floats:
    """Return the share of the clips without the tag that were not given it; NaN if there are none."""
    return divide(counts.true_negatives, counts.true_negatives + counts.false_positives)


def choose_thresholds(y_true: Bools, y_score: Floats, *, criterion: Criterion = "f1") -> TagMetric:
    """Find the threshold of every tag that gives the best F1 or MCC; meant for a validation split.

    Thresholds lie halfway between neighbouring scores; of equally good ones the highest is taken. A tag
    that all clips or none have has no threshold (undefined).

    Returns
    -------
    Thresholds, shape (n_tags,)
    """
    y_true, y_score = check_scores(y_true, y_score)
    formulas = {"f1": f1, "mcc": mcc}
    if criterion not in formulas:
        raise UnknownNameError("criterion", criterion, formulas)
    thresholds = np.full(y_true.shape[1], np.nan)
    for tag in np.flatnonzero(both_present(y_true)):
        candidates, counts = _counts_of_all_thresholds(y_true[:, tag], y_score[:, tag])
        thresholds[tag] = candidates[np.argmax(formulas[criterion](counts))]
    return TagMetric(thresholds)


def _counts_of_all_thresholds(y_true: Bools, y_score: Floats) -> tuple[Floats, Counts]:
    """Return every useful threshold of one tag, falling, with the counts that it gives."""
    order = np.argsort(-y_score, kind="stable")
    scores, truth = y_score[order], y_true[order]
    last_of_equal = np.flatnonzero(np.diff(scores, append=-np.inf))
    hits = np.cumsum(truth)[last_of_equal].astype(np.float64)
    given = last_of_equal + 1.0
    n_true, n_clips = float(truth.sum()), float(len(truth))
    best_left_out = np.append(scores[last_of_equal[1:]], scores[-1])
    upper = scores[last_of_equal]
    # Halfway, but never so close to the lower score that rounding lets it in.
    halfway = (upper + best_left_out) / 2
    thresholds = np.where(halfway > best_left_out, halfway, upper)
    counts = Counts(hits, given - hits, n_true - hits, n_clips - given - n_true + hits)
    return thresholds, counts


def confusion_matrix(
    labels: NDArray[np.integer],
    answers: NDArray[np.integer],
    n_classes: int,
    *,
    weights: Floats | None = None,
) -> Floats:
    """Count clips by true class (rows) and answered class (columns).

    Parameters
    ----------
    labels, answers : shape (n_clips,)
        Class indices.
    n_classes
        Size of the vocabulary.
    weights : shape (…, n_clips)
        How often each clip counts; None is once.

    Returns
    -------
    shape (…, n_classes, n_classes)
    """
    labels, answers = np.asarray(labels), np.asarray(answers)
    if labels.ndim != 1 or labels.shape != answers.shape or not len(labels):
        raise ShapeError(
            f"labels and answers must both be (n_clips,), got {labels.shape} and {answers.shape}"
        )
    for name, values in (("labels", labels), ("answers", answers)):
        if values.min() < 0 or values.max() >= n_classes:
            raise ShapeError(
                f"{name} must be class indices below {n_classes}, got {values.min()}…{values.max()}"
            )
    if weights is None:
        weights = np.ones(len(labels))
    cells = np.zeros((len(labels), n_classes * n_classes))
    cells[np.arange(len(labels)), labels * n_classes + answers] = 1
    counted: Floats = weights @ cells
    return counted.reshape(*counted.shape[:-1], n_classes, n_classes)


def class_counts(confusion: Floats) -> Counts:
    """Return the counts of every class against the rest from confusion matrices (…, n_classes, n_classes)."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    given, actual = confusion.sum(axis=-2), confusion.sum(axis=-1)
    total = confusion.sum(axis=(-2, -1))[..., None]
    return Counts(hits, given - hits, actual - hits, total - given - actual + hits)


def class_accuracy(confusion: Floats) -> Floats:
    """Return the share of clips in their true class, from confusion matrices (…, n_classes, n_classes)."""
    right = np.trace(confusion, axis1=-2, axis2=-1)
    return divide(np.asarray(right), np.asarray(confusion.sum(axis=(-2, -1))))


@dataclass(frozen=True, eq=False)
class ClassReport:
    """What there is to say about a multi-class result.

    Attributes
    ----------
    accuracy
        Share of clips in their true class.
    precision, recall, f1
        Per class; `.macro` is the mean over classes.
    support : shape (n_classes,)
        Clips of every class.
    """

    accuracy: float
    precision: TagMetric
    recall: TagMetric
    f1: TagMetric
    support: NDArray[np.int64]


def class_report(confusion: Floats) -> ClassReport:
    """Summarise one confusion matrix (n_classes, n_classes)."""
    counts = class_counts(confusion)
    return ClassReport(
        accuracy=float(class_accuracy(confusion)),
        precision=TagMetric(precision(counts)),
        recall=TagMetric(recall(counts)),
        f1=TagMetric(f1(counts)),
        support=confusion.sum(axis=1).round().astype(np.int64),
    )
