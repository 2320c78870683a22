"""The bounds hold for every ranking, are reached where they should be, and are concave."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from taggram.lab.metrics.bounds import (
    greatest_mcc,
    greatest_mcc_from_ap,
    greatest_mcc_from_roc_auc,
    least_ap,
    least_ap_from_roc_auc,
)
from taggram.lab.metrics.decision import f1, mcc, tag_counts
from taggram.lab.metrics.ranking import pr_auc, roc_auc

SCORES = arrays(np.float64, 25, elements=st.integers(0, 12))
TRUTH = arrays(np.bool_, 25).filter(lambda truth: truth.any() and not truth.all())


@settings(max_examples=300)
@given(TRUTH, SCORES)
def test_no_ranking_breaks_a_bound(y_true: np.ndarray, y_score: np.ndarray) -> None:
    truth, scores = y_true[:, None], y_score[:, None]
    ap, area = pr_auc(truth, scores).values[0], roc_auc(truth, scores).values[0]
    prevalence = float(y_true.mean())
    assert ap >= least_ap_from_roc_auc(area, prevalence) - 1e-9
    for threshold in range(13):
        counts = tag_counts(truth, scores >= threshold)
        found = float(mcc(counts)[0])
        assert found <= greatest_mcc_from_ap(ap) + 1e-9
        assert found <= greatest_mcc_from_roc_auc(area) + 1e-9
        assert float(f1(counts)[0]) <= greatest_mcc_from_ap(ap) + 1e-9


@settings(max_examples=40)
@given(TRUTH, SCORES)
def test_no_ranking_breaks_the_bound_at_its_prevalence(y_true: np.ndarray, y_score: np.ndarray) -> None:
    truth, scores = y_true[:, None], y_score[:, None]
    ap, area = pr_auc(truth, scores).values[0], roc_auc(truth, scores).values[0]
    best = max(float(mcc(tag_counts(truth, scores >= threshold))[0]) for threshold in range(13))
    assert best <= greatest_mcc(float(y_true.mean()), ap=ap, roc_auc=area) + 0.01  # the grid's step


def worst_order(n_hits: int, n_false: int, n_missed: int, n_clips: int) -> np.ndarray:
    """Truth in falling order of score: false ones, hits, then all others, and the missed ones last."""
    n_others = n_clips - n_false - n_hits - n_missed
    return np.repeat([False, True, False, True], [n_false, n_hits, n_others, n_missed])


@pytest.mark.parametrize(("n_hits", "n_false", "n_missed"), [(500, 200, 0), (400, 100, 200), (900, 900, 100)])
def test_the_worst_order_has_the_least_ap(n_hits: int, n_false: int, n_missed: int) -> None:
    n_clips = 20_000
    truth = worst_order(n_hits, n_false, n_missed, n_clips)[:, None]
    scores = -np.arange(n_clips, dtype=float)[:, None]
    ap = pr_auc(truth, scores).values[0]
    n_true = n_hits + n_missed
    bound = least_ap(n_hits / n_true, n_hits / (n_hits + n_false), n_true / n_clips)
    assert ap == pytest.approx(bound, abs=2e-3)
    assert ap >= bound


def test_the_bound_from_ap_is_nearly_reached_for_rare_tags() -> None:
    n_clips, n_hits, n_false = 200_000, 1000, 500
    truth = worst_order(n_hits, n_false, 0, n_clips)[:, None]
    scores = -np.arange(n_clips, dtype=float)[:, None]
    ap = pr_auc(truth, scores).values[0]
    found = mcc(tag_counts(truth, scores > -(n_hits + n_false)))[0]
    assert found == pytest.approx(greatest_mcc_from_ap(ap), abs=3e-3)


def test_the_bounds_are_concave_and_rise_so_that_they_hold_for_means() -> None:
    ap = np.linspace(0, 1, 400)
    bound = np.array([greatest_mcc_from_ap(value) for value in ap])
    assert (np.diff(bound) > 0).all()
    assert (np.diff(bound, 2) < 1e-9).all()


def test_sharper_at_a_prevalence_than_at_any() -> None:
    for prevalence in (0.001, 0.07, 0.4):
        for ap in (0.2, 0.41, 0.8):
            if ap > prevalence:
                assert greatest_mcc(prevalence, ap=ap) <= greatest_mcc_from_ap(ap) + 2e-3
    assert greatest_mcc(0.3, ap=0.5) < greatest_mcc_from_ap(0.5) - 0.02
    assert greatest_mcc(1e-4, ap=0.5) == pytest.approx(greatest_mcc_from_ap(0.5), abs=0.01)


def test_ends() -> None:
    assert greatest_mcc_from_ap(0) == 0
    assert greatest_mcc_from_ap(1) == 1
    assert greatest_mcc_from_ap(1e-6) == pytest.approx(np.sqrt(2e-6), rel=1e-2)
    assert least_ap(1, 1, 0.2) == pytest.approx(1)
