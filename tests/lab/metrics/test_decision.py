"""Decision metrics: against scikit-learn, extremes, undefined tags, thresholds."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sklearn_metrics

from taggram.errors import ShapeError, UnknownNameError
from taggram.lab.metrics.decision import (
    Criterion,
    accuracy,
    choose_thresholds,
    class_accuracy,
    class_report,
    confusion_matrix,
    f1,
    mcc,
    precision,
    recall,
    specificity,
    tag_counts,
)

Metric = Callable[..., Any]
Scored = tuple[np.ndarray, np.ndarray]
REFERENCES = {
    precision: sklearn_metrics.precision_score,
    recall: sklearn_metrics.recall_score,
    f1: sklearn_metrics.f1_score,
    accuracy: sklearn_metrics.accuracy_score,
    mcc: sklearn_metrics.matthews_corrcoef,
}


@pytest.mark.parametrize("metric", REFERENCES, ids=lambda metric: metric.__name__)
def test_agreement_with_scikit_learn(metric: Metric, scored: Scored) -> None:
    y_true, y_pred = scored[0], scored[1] >= 0.5
    expected = [REFERENCES[metric](y_true[:, tag], y_pred[:, tag]) for tag in range(y_true.shape[1])]
    np.testing.assert_allclose(metric(tag_counts(y_true, y_pred)), expected)


def test_micro_agrees_with_scikit_learn(scored: Scored) -> None:
    y_true, y_pred = scored[0], scored[1] >= 0.5
    pooled = tag_counts(y_true, y_pred).pooled()
    assert f1(pooled)[0] == pytest.approx(sklearn_metrics.f1_score(y_true, y_pred, average="micro"))


def test_perfect_inverted_and_silent(scored: Scored) -> None:
    y_true, _ = scored
    perfect, inverted = tag_counts(y_true, y_true), tag_counts(y_true, ~y_true)
    silent = tag_counts(y_true, np.zeros_like(y_true))
    for metric in REFERENCES:
        np.testing.assert_allclose(metric(perfect), 1)
    np.testing.assert_allclose(mcc(inverted), -1)
    np.testing.assert_allclose(accuracy(inverted), 0)
    np.testing.assert_array_equal(mcc(silent), 0)
    np.testing.assert_array_equal(f1(silent), 0)
    np.testing.assert_array_equal(recall(silent), 0)
    np.testing.assert_array_equal(specificity(silent), 1)
    assert np.isnan(precision(silent)).all()


def test_tags_that_nobody_has_are_undefined() -> None:
    counts = tag_counts(np.zeros((3, 1), bool), np.array([[True], [False], [False]]))
    assert np.isnan(recall(counts)).all()
    assert np.isnan(mcc(counts)).all()
    assert f1(counts) == 0
    assert np.isnan(f1(tag_counts(np.zeros((3, 1), bool), np.zeros((3, 1), bool)))).all()


def test_weights_are_repetitions(scored: Scored, rng: np.random.Generator) -> None:
    y_true, y_pred = scored[0], scored[1] >= 0.5
    drawn = rng.integers(0, len(y_true), (5, len(y_true)))
    weights = np.stack([np.bincount(row, minlength=len(y_true)) for row in drawn]).astype(float)
    together = mcc(tag_counts(y_true, y_pred, weights=weights))
    alone = np.stack([mcc(tag_counts(y_true[row], y_pred[row])) for row in drawn])
    assert together.shape == (5, 7)
    np.testing.assert_allclose(together, alone)


@settings(max_examples=60)
@given(
    arrays(np.bool_, 12),
    arrays(np.float64, 12, elements=st.sampled_from([0.1, 0.2, 0.3, 0.30000000000000004, 0.7, 0.9])),
    st.sampled_from(["f1", "mcc"]),
)
def test_chosen_thresholds_are_the_best(
    y_true: np.ndarray, y_score: np.ndarray, criterion: Criterion
) -> None:
    found = choose_thresholds(y_true[:, None], y_score[:, None], criterion=criterion).at(0)
    if y_true.all() or not y_true.any():
        assert found is None
        return
    metric = {"f1": f1, "mcc": mcc}[criterion]

    def at(threshold: float) -> float:
        return float(metric(tag_counts(y_true[:, None], y_score[:, None] >= threshold))[0])

    assert found is not None
    assert at(found) == pytest.approx(max(at(threshold) for threshold in np.unique(y_score)))


def test_unknown_criterion() -> None:
    with pytest.raises(UnknownNameError, match="f1"):
        choose_thresholds(np.eye(2, dtype=bool), np.eye(2), criterion="f2")  # type: ignore[arg-type]


def test_multi_class_agrees_with_scikit_learn(rng: np.random.Generator) -> None:
    labels = rng.integers(0, 4, 200)
    answers = np.where(rng.random(200) < 0.6, labels, rng.integers(0, 4, 200))
    confusion = confusion_matrix(labels, answers, 4)
    np.testing.assert_array_equal(confusion, sklearn_metrics.confusion_matrix(labels, answers))
    report = class_report(confusion)
    expected = sklearn_metrics.classification_report(labels, answers, output_dict=True)
    assert report.accuracy == pytest.approx(expected["accuracy"])
    assert report.precision.macro == pytest.approx(expected["macro avg"]["precision"])
    assert report.recall.macro == pytest.approx(expected["macro avg"]["recall"])
    assert report.f1.macro == pytest.approx(expected["macro avg"]["f1-score"])
    assert report.support.tolist() == [expected[str(c)]["support"] for c in range(4)]


def test_a_class_without_clips_is_undefined() -> None:
    report = class_report(confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 3))
    assert report.recall.is_defined.tolist() == [True, True, False]
    assert report.recall.macro == pytest.approx(0.75)
    assert report.precision.at(2) is None


def test_weighted_confusion_matrices(rng: np.random.Generator) -> None:
    labels, answers = rng.integers(0, 3, 30), rng.integers(0, 3, 30)
    drawn = rng.integers(0, 30, (4, 30))
    weights = np.stack([np.bincount(row, minlength=30) for row in drawn]).astype(float)
    together = class_accuracy(confusion_matrix(labels, answers, 3, weights=weights))
    np.testing.assert_allclose(together, [(labels[row] == answers[row]).mean() for row in drawn])


def test_wrong_arrays_are_refused() -> None:
    with pytest.raises(ShapeError, match="below 2"):
        confusion_matrix(np.array([0, 2]), np.array([0, 1]), 2)
    with pytest.raises(ShapeError, match=r"\(n_clips,\)"):
        confusion_matrix(np.array([0, 1]), np.array([0]), 2)
    with pytest.raises(ShapeError, match=r"\(3, 1\), \(2, 1\)"):
        tag_counts(np.zeros((3, 1), bool), np.zeros((2, 1), bool))
