"""The bootstrap: weights against real resampling, coverage, pairing."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from taggram.errors import ShapeError
from taggram.lab.metrics.bootstrap import (
    draw_weights,
    macro,
    micro_weighted_pr_auc,
    micro_weighted_roc_auc,
    paired_difference,
    percentile_interval,
    weighted_mean,
    weighted_pr_auc,
    weighted_precision_at_k,
    weighted_roc_auc,
)
from taggram.lab.metrics.ranking import pr_auc, roc_auc
from taggram.lab.metrics.retrieval import precision_at_k

Metric = Callable[..., Any]
Scored = tuple[np.ndarray, np.ndarray]
PAIRS = [(weighted_roc_auc, roc_auc_score), (weighted_pr_auc, average_precision_score)]
MICRO_PAIRS = [(micro_weighted_roc_auc, roc_auc_score), (micro_weighted_pr_auc, average_precision_score)]


def resamples(n_clips: int, rng: np.random.Generator, n: int = 6) -> tuple[np.ndarray, np.ndarray]:
    drawn = rng.integers(0, n_clips, (n, n_clips))
    weights = np.stack([np.bincount(row, minlength=n_clips) for row in drawn])
    return drawn, weights.astype(float)


@pytest.mark.parametrize(("fast", "reference"), PAIRS)
def test_weights_agree_with_scikit_learn_on_the_resample(
    fast: Metric, reference: Metric, scored: Scored, rng: np.random.Generator
) -> None:
    y_true, y_score = scored
    drawn, weights = resamples(len(y_true), rng)
    found = fast(y_true, y_score, weights)
    assert found.shape == (6, 7)
    for row, clips in enumerate(drawn):
        for tag in range(7):
            truth = y_true[clips, tag]
            if truth.any() and not truth.all():
                assert found[row, tag] == pytest.approx(reference(truth, y_score[clips, tag]))
            else:
                assert np.isnan(found[row, tag])


@pytest.mark.parametrize(("fast", "reference"), MICRO_PAIRS)
def test_micro_agrees_with_scikit_learn(
    fast: Metric, reference: Metric, scored: Scored, rng: np.random.Generator
) -> None:
    y_true, y_score = scored
    drawn, weights = resamples(len(y_true), rng)
    expected = [reference(y_true[clips].ravel(), y_score[clips].ravel()) for clips in drawn]
    np.testing.assert_allclose(fast(y_true, y_score, weights), expected)


def test_weights_of_one_are_the_metric_itself(scored: Scored) -> None:
    once = np.ones((1, len(scored[0])))
    np.testing.assert_allclose(weighted_roc_auc(*scored, once)[0], roc_auc(*scored).values)
    np.testing.assert_allclose(weighted_pr_auc(*scored, once)[0], pr_auc(*scored).values)


@pytest.mark.parametrize("k", [1, 5, 100])
def test_precision_at_k_of_resamples(scored: Scored, rng: np.random.Generator, k: int) -> None:
    y_true, y_score = scored
    drawn, weights = resamples(len(y_true), rng)
    expected = [precision_at_k(y_true[clips].T, y_score[clips].T, k).values for clips in drawn]
    np.testing.assert_allclose(weighted_precision_at_k(y_true, y_score, weights, k), expected)


def test_blocks_do_not_matter(
    scored: Scored, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = draw_weights(len(scored[0]), rng, n_replicates=25)
    whole = weighted_roc_auc(*scored, weights)
    monkeypatch.setattr("taggram.lab.metrics.bootstrap._BLOCK_ELEMENTS", 200)
    np.testing.assert_allclose(weighted_roc_auc(*scored, weights), whole)


def test_draws(rng: np.random.Generator) -> None:
    weights = draw_weights(40, rng, n_replicates=500)
    assert weights.shape == (500, 40)
    np.testing.assert_array_equal(weights.sum(axis=1), 40)
    # the chance that a clip is left out is (1 − 1/40)⁴⁰ = 0.363
    assert (weights == 0).mean() == pytest.approx((1 - 1 / 40) ** 40, abs=0.01)
    again = draw_weights(40, np.random.default_rng(5), n_replicates=3)
    np.testing.assert_array_equal(again, draw_weights(40, np.random.default_rng(5), n_replicates=3))
    with pytest.raises(ShapeError, match="clips"):
        draw_weights(0, rng)


def test_the_interval_covers_the_truth_as_often_as_it_says(rng: np.random.Generator) -> None:
    # Scores N(0, 1) and N(1, 1): the true area is Φ(1/√2) = 0.7602.
    n_trials, covered = 300, 0
    for _ in range(n_trials):
        y_true = (np.arange(120) < 50)[:, None]
        y_score = rng.normal(size=(120, 1)) + y_true
        weights = draw_weights(120, rng, n_replicates=300)
        interval = percentile_interval(weighted_roc_auc(y_true, y_score, weights)[:, 0])
        assert interval is not None
        covered += interval.low <= 0.7602 <= interval.high
    # A binomial share of 0.95 lies in 0.95 ± 3·0.0126; the percentile interval is a little short.
    assert 0.90 <= covered / n_trials <= 0.985


def test_macro_leaves_undefined_tags_out() -> None:
    found = macro(np.array([[0.5, np.nan], [0.5, 1.0], [np.nan, np.nan]]))
    np.testing.assert_array_equal(found, [0.5, 0.75, np.nan])
    assert percentile_interval(np.full(4, np.nan)) is None


def test_weighted_mean_leaves_undefined_clips_out() -> None:
    weights = np.array([[1.0, 1.0, 1.0], [2.0, 0.0, 1.0]])
    np.testing.assert_allclose(weighted_mean(np.array([1.0, 0.0, np.nan]), weights), [0.5, 1.0])


def test_pairing_sees_what_separate_intervals_do_not(rng: np.random.Generator) -> None:
    y_true = rng.random((150, 4)) < 0.3
    a = rng.normal(size=y_true.shape) + y_true
    b = a + 0.25 * y_true  # always a little better, on the same noise
    weights = draw_weights(150, rng, n_replicates=600)
    of_a, of_b = macro(weighted_roc_auc(y_true, a, weights)), macro(weighted_roc_auc(y_true, b, weights))
    value = (roc_auc(y_true, b).macro or 0) - (roc_auc(y_true, a).macro or 0)
    found = paired_difference(of_a, of_b, value)
    assert found is not None
    assert found.is_clear
    assert found.p_value == pytest.approx(2 / 601)
    assert found.interval.low < value < found.interval.high
    interval_a, interval_b = percentile_interval(of_a), percentile_interval(of_b)
    assert interval_a is not None
    assert interval_b is not None
    assert interval_a.high > interval_b.low, "unpaired, the two cannot be told apart"


def test_a_model_does_not_differ_from_itself(rng: np.random.Generator) -> None:
    replicates = rng.random(100)
    found = paired_difference(replicates, replicates, 0.0)
    assert found is not None
    assert not found.is_clear
    assert found.p_value == 1


def test_unpaired_replicates_are_refused() -> None:
    with pytest.raises(ShapeError, match="same weights"):
        paired_difference(np.zeros(3), np.zeros(4), 0.0)
