"""From an evaluation to its figures: every metric with its value, replicates and chance level.

`compute_figures` gives everything that a report, a comparison or a robustness study needs; they differ only
in what they do with the replicates. Two evaluations of the same clips whose replicates come from the same
weights are paired.

    multi-label   roc_auc, pr_auc (macro and micro), ranking_ap; at 0.5 and at thresholds chosen on
                  validation: precision, recall, f1, accuracy, mcc (macro) and f1_micro;
                  precision_at_k of the search by tag and of each clip's first tags
    multi-class   accuracy, precision, recall, f1 (macro), and roc_auc, pr_auc of every class against the rest

A name ends in `_at_chosen` if the decision was taken at thresholds chosen on another split; without an ending
it was taken at 0.5, or is a matter of order only. Multi-class decisions take the highest score.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from taggram.errors import EvaluationError
from taggram.lab.evaluation.protocol import Evaluation
from taggram.lab.metrics import TagMetric, bootstrap, decision, ranking, retrieval
from taggram.lab.metrics._tag_metric import Bools, Floats

SEARCH_K = 10
"""Clips looked at when one searches by tag."""
FIRST_TAGS_K = 3
"""Tags looked at when a clip is shown."""

_DECISIONS: Mapping[str, Callable[[decision.Counts], Floats]] = {
    "precision": decision.precision,
    "recall": decision.recall,
    "f1": decision.f1,
    "accuracy": decision.accuracy,
    "mcc": decision.mcc,
}

TITLES: Mapping[str, str] = {
    "roc_auc": "ROC-AUC",
    "roc_auc_micro": "ROC-AUC, micro",
    "pr_auc": "PR-AUC",
    "pr_auc_micro": "PR-AUC, micro",
    "ranking_ap": "AP ranking",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "f1_micro": "F1, micro",
    "accuracy": "Accuracy",
    "mcc": "MCC",
    "search_precision_at_10": "Precision at 10, searching by tag",
    "first_tags_precision_at_3": "Precision of a clip's first 3 tags",
}


def title_of(name: str) -> str:
    """Return what a figure is called in a report.

    Examples
    --------
    >>> title_of("f1_at_chosen")
    'F1 at chosen thresholds'
    """
    plain = name.removesuffix("_at_chosen")
    return TITLES[plain] + (" at chosen thresholds" if plain != name else "")


@dataclass(frozen=True, eq=False)
class Figure:
    """One number about the whole evaluation.

    Attributes
    ----------
    value
        None if undefined.
    replicates : shape (n_replicates,)
        The same for every resample of the clips.
    chance
        What guessing gives; None if that depends on more than the truth.
    undefined
        Tags (or for `ranking_ap` clips) that the mean leaves out, since they have no such figure.
    """

    value: float | None
    replicates: Floats = field(repr=False)
    chance: float | None = None
    undefined: tuple[str, ...] = ()

    @property
    def interval(self) -> bootstrap.Interval | None:
        """Percentile interval of the replicates."""
        return None if self.value is None else bootstrap.percentile_interval(self.replicates)


@dataclass(frozen=True, eq=False)
class PerTag:
    """One number about every tag.

    Attributes
    ----------
    metric
        The values.
    replicates : shape (n_replicates, n_tags)
    """

    metric: TagMetric
    replicates: Floats = field(repr=False)

    def interval(self, tag: int) -> bootstrap.Interval | None:
        """Percentile interval of one tag; None if it is undefined."""
        if not self.metric.is_defined[tag]:
            return None
        return bootstrap.percentile_interval(self.replicates[:, tag])

    def macro(self, tags: tuple[str, ...], chance: float | None = None) -> Figure:
        """Return the mean over the tags that have a value."""
        undefined = tuple(tags[index] for index in np.flatnonzero(~self.metric.is_defined))
        return Figure(self.metric.macro, bootstrap.macro(self.replicates), chance, undefined)


@dataclass(frozen=True)
class Thresholds:
    """Thresholds chosen on another split.

    Attributes
    ----------
    split
        On which they were chosen.
    values
        Tag → threshold.
    not_chosen
        Tags that the split has no clip with (or without), and that stay at 0.5.
    criterion
        What they are best for.
    """

    split: str
    values: Mapping[str, float]
    not_chosen: tuple[str, ...] = ()
    criterion: decision.Criterion = "f1"


@dataclass(frozen=True, eq=False)
class Figures:
    """All figures of one evaluation.

    Attributes
    ----------
    overall, per_tag
        Name → figure.
    confusion : shape (n_classes, n_classes)
        True class in rows; None if the task is not multi-class.
    thresholds
        Behind the names that end in `_at_chosen`.
    """

    overall: Mapping[str, Figure]
    per_tag: Mapping[str, PerTag]
    confusion: Floats | None = None
    thresholds: Thresholds | None = None


def choose_thresholds(validation: Evaluation, *, criterion: decision.Criterion = "f1") -> Thresholds:
    """Choose the thresholds of a multi-label task on one evaluation, for use on another."""
    if validation.task != "multi_label":
        raise EvaluationError(
            f"{validation.dataset} is multi-class: the highest score decides, not a threshold"
        )
    found = decision.choose_thresholds(validation.y_true, validation.y_score, criterion=criterion)
    values = {tag: found.at(index) for index, tag in enumerate(validation.tags)}
    return Thresholds(
        split=validation.split,
        values={tag: 0.5 if value is None else value for tag, value in values.items()},
        not_chosen=tuple(tag for tag, value in values.items() if value is None),
        criterion=criterion,
    )


def compute_figures(
    evaluation: Evaluation, weights: Floats, *, thresholds: Thresholds | None = None
) -> Figures:
    """Compute all figures that the task has.

    Parameters
    ----------
    evaluation
        What was said and what is true.
    weights : shape (n_replicates, n_clips)
        From `bootstrap.draw_weights`; the same ones pair two evaluations of the same clips.
    thresholds
        Chosen on another split, for a multi-label task.
    """
    if evaluation.task == "multi_class":
        return _multi_class(evaluation, weights)
    return _multi_label(evaluation, weights, thresholds)


def _areas(evaluation: Evaluation, weights: Floats) -> dict[str, PerTag]:
    truth, scores = evaluation.y_true, evaluation.y_score
    return {
        "roc_auc": PerTag(ranking.roc_auc(truth, scores), bootstrap.weighted_roc_auc(truth, scores, weights)),
        "pr_auc": PerTag(ranking.pr_auc(truth, scores), bootstrap.weighted_pr_auc(truth, scores, weights)),
    }


def _multi_label(evaluation: Evaluation, weights: Floats, thresholds: Thresholds | None) -> Figures:
    truth, scores, tags = evaluation.y_true, evaluation.y_score, evaluation.tags
    per_tag = _areas(evaluation, weights)
    per_tag |= _decisions(truth, scores >= 0.5, weights, "")
    if thresholds is not None:
        limits = np.array([thresholds.values.get(tag, 0.5) for tag in tags])
        per_tag |= _decisions(truth, scores >= limits, weights, "_at_chosen")
    overall = _macro(per_tag, evaluation)
    overall["roc_auc_micro"] = Figure(
        ranking.micro_roc_auc(truth, scores), bootstrap.micro_weighted_roc_auc(truth, scores, weights), 0.5
    )
    overall["pr_auc_micro"] = Figure(
        ranking.micro_pr_auc(truth, scores),
        bootstrap.micro_weighted_pr_auc(truth, scores, weights),
        float(truth.mean()),
    )
    overall["f1_micro"] = _micro_f1(truth, scores >= 0.5, weights)
    if thresholds is not None:
        overall["f1_micro_at_chosen"] = _micro_f1(truth, scores >= limits, weights)
    overall |= _of_clips(evaluation, scores, weights)
    overall[f"search_precision_at_{SEARCH_K}"] = _search(truth, scores, tags, weights)
    order = [f"{name}{ending}" for ending in ("", "_at_chosen") for name in TITLES]
    return Figures({name: overall[name] for name in order if name in overall}, per_tag, thresholds=thresholds)


def _multi_class(evaluation: Evaluation, weights: Floats) -> Figures:
    answers, n_classes = evaluation.y_score.argmax(axis=1), len(evaluation.tags)
    confusion = decision.confusion_matrix(evaluation.labels, answers, n_classes)
    replicates = decision.confusion_matrix(evaluation.labels, answers, n_classes, weights=weights)
    accuracies = decision.class_accuracy(replicates)
    commonest = float(evaluation.y_true.mean(axis=0).max())
    overall = {"accuracy": Figure(float(decision.class_accuracy(confusion)), accuracies, commonest)}
    per_tag = {}
    for name in ("recall", "precision", "f1"):
        values = TagMetric(_DECISIONS[name](decision.class_counts(confusion)))
        per_tag[name] = PerTag(values, _DECISIONS[name](decision.class_counts(replicates)))
    per_tag |= _areas(evaluation, weights)
    return Figures(overall | _macro(per_tag, evaluation), per_tag, confusion)


def _macro(per_tag: Mapping[str, PerTag], evaluation: Evaluation) -> dict[str, Figure]:
    chance: dict[str, float] = {"roc_auc": 0.5, "mcc": 0.0, "mcc_at_chosen": 0.0}
    has_pr_auc = per_tag["pr_auc"].metric.is_defined
    if has_pr_auc.any():
        chance["pr_auc"] = float(evaluation.y_true.mean(axis=0)[has_pr_auc].mean())
    if evaluation.task == "multi_class":
        chance["recall"] = 1 / len(evaluation.tags)
    return {name: values.macro(evaluation.tags, chance.get(name)) for name, values in per_tag.items()}


def _decisions(truth: Bools, answers: Bools, weights: Floats, ending: str) -> dict[str, PerTag]:
    counts = decision.tag_counts(truth, answers)
    replicates = decision.tag_counts(truth, answers, weights=weights)
    return {
        name + ending: PerTag(TagMetric(metric(counts)), metric(replicates))
        for name, metric in _DECISIONS.items()
    }


def _micro_f1(truth: Bools, answers: Bools, weights: Floats) -> Figure:
    value = TagMetric(decision.f1(decision.tag_counts(truth, answers).pooled())).at(0)
    replicates = decision.f1(decision.tag_counts(truth, answers, weights=weights).pooled())
    return Figure(value, replicates[:, 0])


def _of_clips(evaluation: Evaluation, scores: Floats, weights: Floats) -> dict[str, Figure]:
    """Return the figures that are means over clips."""
    first_tags = min(FIRST_TAGS_K, len(evaluation.tags))
    metrics = {
        "ranking_ap": ranking.ranking_ap(evaluation.y_true, scores),
        f"first_tags_precision_at_{FIRST_TAGS_K}": retrieval.precision_at_k(
            evaluation.y_true, scores, first_tags
        ),
    }
    return {
        name: Figure(
            metric.macro,
            bootstrap.weighted_mean(metric.values, weights),
            undefined=tuple(evaluation.ids[clip] for clip in np.flatnonzero(~metric.is_defined)),
        )
        for name, metric in metrics.items()
    }


def _search(truth: Bools, scores: Floats, tags: tuple[str, ...], weights: Floats) -> Figure:
    """Return precision at k of the search by tag. Which clips come first changes with the clips drawn."""
    value = retrieval.precision_at_k(truth.T, scores.T, SEARCH_K)
    replicates = bootstrap.weighted_precision_at_k(truth, scores, weights, SEARCH_K)
    undefined = tuple(tags[tag] for tag in np.flatnonzero(~value.is_defined))
    return Figure(value.macro, bootstrap.macro(replicates), float(truth.mean()), undefined)
