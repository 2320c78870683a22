"""Retrieval metrics: small cases by hand, ties, agreement with average precision."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score

from taggram.errors import ShapeError
from taggram.lab.metrics.ranking import pr_auc
from taggram.lab.metrics.retrieval import mean_average_precision, precision_at_k


def test_by_hand() -> None:
    is_relevant = np.array([[True, False, True, False], [False] * 4])
    y_score = np.array([[0.9, 0.8, 0.7, 0.1], [0.1, 0.2, 0.3, 0.4]])
    assert precision_at_k(is_relevant, y_score, 1).at(0) == 1
    assert precision_at_k(is_relevant, y_score, 2).at(0) == 0.5
    assert precision_at_k(is_relevant, y_score, 3).at(0) == pytest.approx(2 / 3)
    assert precision_at_k(is_relevant, y_score, 99).at(0) == 0.5
    assert precision_at_k(is_relevant, y_score, 3).at(1) is None
    found = mean_average_precision(is_relevant, y_score)
    assert found.macro == pytest.approx((1 + 2 / 3) / 2)
    assert found.at(1) is None


@given(
    arrays(np.bool_, 5).filter(lambda row: row.any()),
    arrays(np.float64, 5, elements=st.integers(0, 2)),
    st.integers(1, 5),
)
def test_ties_are_averaged_over_all_orders(is_relevant: np.ndarray, y_score: np.ndarray, k: int) -> None:
    shares = []
    for order in itertools.permutations(range(5)):
        ranked = sorted(order, key=lambda item: -y_score[item])
        shares.append(is_relevant[ranked[:k]].mean())
    found = precision_at_k(is_relevant[None], y_score[None], k).at(0)
    assert found == pytest.approx(np.mean(shares))


def test_map_over_tags_is_the_macro_pr_auc(rng: np.random.Generator) -> None:
    y_true, y_score = rng.random((50, 6)) < 0.3, rng.random((50, 6))
    found = mean_average_precision(y_true.T, y_score.T)
    np.testing.assert_allclose(found.values, pr_auc(y_true, y_score).values)
    assert found.values[2] == pytest.approx(average_precision_score(y_true[:, 2], y_score[:, 2]))


def test_everything_relevant_and_k_of_zero() -> None:
    everything = np.ones((1, 3), bool)
    assert mean_average_precision(everything, np.zeros((1, 3))).at(0) == 1
    with pytest.raises(ShapeError, match="at least 1"):
        precision_at_k(everything, np.zeros((1, 3)), 0)
