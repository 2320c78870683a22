"""Reliability: scores that are probabilities, scores that are not, and the bins."""

import numpy as np
import pytest

from taggram.errors import ShapeError
from taggram.lab.metrics.calibration import reliability


def test_probabilities_are_calibrated_and_sharpened_ones_are_not(rng: np.random.Generator) -> None:
    y_score = rng.random((5000, 10))
    y_true = rng.random(y_score.shape) < y_score
    assert reliability(y_true, y_score).expected_calibration_error < 0.01
    # E|s − s³| for s uniform in [0, 1] is 1/2 − 1/4
    assert reliability(y_true, y_score**3).expected_calibration_error == pytest.approx(0.25, abs=0.01)


def test_bins() -> None:
    y_score = np.array([[0.0, 0.25, 0.5], [0.5, 0.9, 1.0]])
    y_true = np.array([[False, False, True], [True, False, True]])
    found = reliability(y_true, y_score, n_bins=4)
    assert found.counts.tolist() == [1, 1, 2, 2]
    np.testing.assert_allclose(found.edges, [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(found.mean_score, [0, 0.25, 0.5, 0.95])
    np.testing.assert_allclose(found.share_true, [0, 0, 1, 0.5])
    assert found.expected_calibration_error == pytest.approx((0 + 0.25 + 2 * 0.5 + 2 * 0.45) / 6)


def test_an_empty_bin_says_nothing() -> None:
    found = reliability(np.array([[True]]), np.array([[0.9]]), n_bins=2)
    assert np.isnan(found.share_true[0])
    assert found.expected_calibration_error == pytest.approx(0.1)


def test_logits_are_refused() -> None:
    with pytest.raises(ShapeError, match="sigmoid"):
        reliability(np.array([[True]]), np.array([[3.0]]))
