"""Ranking metrics: against scikit-learn, and what must and must not change them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score, label_ranking_average_precision_score, roc_auc_score

from taggram.errors import ShapeError
from taggram.lab.metrics import TagMetric
from taggram.lab.metrics.ranking import (
    micro_pr_auc,
    micro_roc_auc,
    pr_auc,
    pr_curve,
    ranking_ap,
    roc_auc,
    roc_curve,
)

Metric = Callable[..., Any]
Scored = tuple[np.ndarray, np.ndarray]
PER_TAG = [roc_auc, pr_auc]


def test_agreement_with_scikit_learn(scored: Scored) -> None:
    y_true, y_score = scored
    assert roc_auc(*scored).macro == pytest.approx(roc_auc_score(y_true, y_score, average="macro"))
    assert pr_auc(*scored).macro == pytest.approx(average_precision_score(y_true, y_score, average="macro"))
    assert micro_roc_auc(*scored) == pytest.approx(roc_auc_score(y_true, y_score, average="micro"))
    assert micro_pr_auc(*scored) == pytest.approx(average_precision_score(y_true, y_score, average="micro"))
    np.testing.assert_allclose(roc_auc(*scored).values, roc_auc_score(y_true, y_score, average=None))


def test_ranking_ap_agrees_with_scikit_learn(scored: Scored) -> None:
    y_true, y_score = scored
    kept = y_true.any(axis=1) & ~y_true.all(axis=1)
    expected = label_ranking_average_precision_score(y_true[kept], y_score[kept])
    assert ranking_ap(*scored).macro == pytest.approx(expected)


@pytest.mark.parametrize("metric", [*PER_TAG, micro_roc_auc, micro_pr_auc, ranking_ap])
def test_monotone_rescaling_changes_nothing(metric: Metric, scored: Scored) -> None:
    y_true, y_score = scored
    before, after = metric(y_true, y_score), metric(y_true, np.exp(5 * y_score) - 3)
    if isinstance(before, TagMetric):
        before, after = before.values, after.values
    np.testing.assert_allclose(after, before, rtol=1e-12)


@pytest.mark.parametrize("metric", PER_TAG)
def test_order_of_clips_and_tags(metric: Metric, scored: Scored, rng: np.random.Generator) -> None:
    y_true, y_score = scored
    clips, tags = rng.permutation(len(y_true)), rng.permutation(y_true.shape[1])
    expected = metric(y_true, y_score).values
    np.testing.assert_allclose(metric(y_true[clips], y_score[clips]).values, expected)
    np.testing.assert_allclose(metric(y_true[:, tags], y_score[:, tags]).values, expected[tags])


def test_perfect_inverted_and_constant(scored: Scored) -> None:
    y_true, _ = scored
    perfect = y_true.astype(float)
    np.testing.assert_array_equal(roc_auc(y_true, perfect).values, 1)
    np.testing.assert_array_equal(pr_auc(y_true, perfect).values, 1)
    assert ranking_ap(y_true, perfect).macro == 1
    np.testing.assert_array_equal(roc_auc(y_true, -perfect).values, 0)
    constant = np.zeros(y_true.shape)
    np.testing.assert_allclose(roc_auc(y_true, constant).values, 0.5)
    np.testing.assert_allclose(pr_auc(y_true, constant).values, y_true.mean(axis=0))


def test_random_scores_are_at_chance(rng: np.random.Generator) -> None:
    y_true = rng.random((4000, 20)) < 0.2
    y_score = rng.random(y_true.shape)
    assert roc_auc(y_true, y_score).macro == pytest.approx(0.5, abs=0.01)
    assert pr_auc(y_true, y_score).macro == pytest.approx(0.2, abs=0.01)


@given(arrays(np.bool_, (9, 3)), arrays(np.float64, (9, 3), elements=st.integers(0, 5)))
def test_undefined_tags_are_named_and_left_out(y_true: np.ndarray, y_score: np.ndarray) -> None:
    found = roc_auc(y_true, y_score)
    has_both = y_true.any(axis=0) & ~y_true.all(axis=0)
    np.testing.assert_array_equal(found.is_defined, has_both)
    np.testing.assert_array_equal(pr_auc(y_true, y_score).is_defined, has_both)
    if has_both.any():
        assert found.macro == pytest.approx(found.values[has_both].mean())
    else:
        assert found.macro is None
    for tag in np.flatnonzero(~has_both):
        assert found.at(int(tag)) is None


@given(arrays(np.bool_, (9, 3)), arrays(np.float64, (9, 3), elements=st.integers(0, 5)))
def test_ranking_ap_of_every_clip(y_true: np.ndarray, y_score: np.ndarray) -> None:
    found = ranking_ap(y_true, y_score)
    for clip in range(len(y_true)):
        if not y_true[clip].any() or y_true[clip].all():
            assert found.at(clip) is None
        else:
            alone = label_ranking_average_precision_score(y_true[clip : clip + 1], y_score[clip : clip + 1])
            assert found.at(clip) == pytest.approx(alone)


def test_areas_under_the_curves(scored: Scored) -> None:
    y_true, y_score = scored
    for tag in range(y_true.shape[1]):
        roc = roc_curve(y_true[:, tag], y_score[:, tag])
        pr = pr_curve(y_true[:, tag], y_score[:, tag])
        assert roc is not None
        assert pr is not None
        assert np.trapezoid(roc.y, roc.x) == pytest.approx(roc_auc(*scored).values[tag])
        assert (np.diff(pr.x) * pr.y[1:]).sum() == pytest.approx(pr_auc(*scored).values[tag])
    assert roc_curve(np.ones(3, bool), np.arange(3.0)) is None
    assert pr_curve(np.zeros(3, bool), np.arange(3.0)) is None


def test_wrong_arrays_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"\(2, 3\) and \(2, 2\)"):
        roc_auc(np.zeros((2, 3), bool), np.zeros((2, 2)))
    with pytest.raises(ShapeError, match="clip 1, tag 0"):
        pr_auc(np.zeros((2, 1), bool), np.array([[0.5], [np.nan]]))
    with pytest.raises(ShapeError, match="true and false"):
        roc_auc(np.full((2, 1), 2), np.zeros((2, 1)))
