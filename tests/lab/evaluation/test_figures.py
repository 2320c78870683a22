"""Figures: the metrics under their names, chance, what is left out, thresholds from another split."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics

from taggram.errors import EvaluationError
from taggram.lab.evaluation.figures import Thresholds, choose_thresholds, compute_figures, title_of
from taggram.lab.evaluation.protocol import Evaluation
from taggram.lab.metrics.bootstrap import draw_weights

Make = Callable[..., Evaluation]


@pytest.fixture
def weights(rng: np.random.Generator) -> np.ndarray:
    return draw_weights(80, rng, n_replicates=150)


def test_multi_label_agrees_with_scikit_learn(make_evaluation: Make, weights: np.ndarray) -> None:
    found = make_evaluation()
    overall = compute_figures(found, weights).overall
    truth, scores = found.y_true, found.y_score
    expected = {
        "roc_auc": metrics.roc_auc_score(truth, scores),
        "pr_auc": metrics.average_precision_score(truth, scores),
        "roc_auc_micro": metrics.roc_auc_score(truth, scores, average="micro"),
        "pr_auc_micro": metrics.average_precision_score(truth, scores, average="micro"),
        "recall": metrics.recall_score(truth, scores >= 0.5, average="macro"),
        "f1": metrics.f1_score(truth, scores >= 0.5, average="macro"),
        "f1_micro": metrics.f1_score(truth, scores >= 0.5, average="micro"),
    }
    for name, value in expected.items():
        assert overall[name].value == pytest.approx(value), name
    assert overall["roc_auc"].chance == 0.5
    assert overall["pr_auc"].chance == pytest.approx(truth.mean())
    for name, figure in overall.items():
        assert figure.replicates.shape == (150,), name
        assert figure.interval is not None
        assert figure.interval.low <= figure.interval.high
        assert title_of(name)


def test_multi_class_agrees_with_scikit_learn(make_evaluation: Make, weights: np.ndarray) -> None:
    found = make_evaluation(task="multi_class")
    figures = compute_figures(found, weights)
    answers = found.y_score.argmax(axis=1)
    assert figures.overall["accuracy"].value == pytest.approx((answers == found.labels).mean())
    assert figures.overall["recall"].value == pytest.approx(
        metrics.balanced_accuracy_score(found.labels, answers)
    )
    assert figures.overall["f1"].value == pytest.approx(
        metrics.f1_score(found.labels, answers, average="macro")
    )
    assert figures.overall["recall"].chance == pytest.approx(1 / 6)
    np.testing.assert_array_equal(figures.confusion, metrics.confusion_matrix(found.labels, answers))


def test_a_better_model_has_better_figures(make_evaluation: Make, weights: np.ndarray) -> None:
    poor, good = (compute_figures(make_evaluation(skill=skill), weights).overall for skill in (0.5, 3.0))
    for name in ("roc_auc", "pr_auc", "ranking_ap", "mcc", "search_precision_at_10"):
        assert (good[name].value or 0) > (poor[name].value or 0) + 0.05, name


def test_undefined_tags_are_named(make_evaluation: Make, weights: np.ndarray) -> None:
    found = make_evaluation()
    truth = found.y_true.copy()
    truth[:, 2] = False
    figures = compute_figures(replace(found, y_true=truth), weights)
    assert figures.overall["roc_auc"].undefined == (found.tags[2],)
    kept = [0, 1, 3, 4, 5]
    assert figures.overall["roc_auc"].value == pytest.approx(
        metrics.roc_auc_score(truth[:, kept], found.y_score[:, kept])
    )
    assert figures.per_tag["roc_auc"].interval(2) is None


def test_thresholds_come_from_another_split(make_evaluation: Make, weights: np.ndarray) -> None:
    validation, test = make_evaluation(n_clips=200), make_evaluation()
    thresholds = choose_thresholds(replace(validation, split="validation"))
    assert thresholds.split == "validation"
    figures = compute_figures(test, weights, thresholds=thresholds)
    answers = test.y_score >= np.array([thresholds.values[tag] for tag in test.tags])
    assert figures.overall["f1_at_chosen"].value == pytest.approx(
        metrics.f1_score(test.y_true, answers, average="macro")
    )
    assert (figures.overall["f1_at_chosen"].value or 0) > (figures.overall["f1"].value or 0)
    halves = compute_figures(test, weights, thresholds=Thresholds("x", dict.fromkeys(test.tags, 0.5)))
    assert halves.overall["f1_at_chosen"].value == halves.overall["f1"].value


def test_a_tag_without_a_threshold_stays_at_a_half(make_evaluation: Make) -> None:
    found = make_evaluation()
    truth = found.y_true.copy()
    truth[:, 0] = False
    chosen = choose_thresholds(replace(found, y_true=truth))
    assert chosen.not_chosen == (found.tags[0],)
    assert chosen.values[found.tags[0]] == 0.5
    with pytest.raises(EvaluationError, match="multi-class"):
        choose_thresholds(make_evaluation(task="multi_class"))
