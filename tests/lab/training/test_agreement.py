import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from taggram.lab.training.agreement import (
    bootstrap_interval,
    spearman_per_tag,
    top_decile_auc_per_tag,
    within_song_correlation_per_tag,
)


def test_spearman_agrees_with_scipy(rng: np.random.Generator) -> None:
    reference = rng.normal(size=(40, 3))
    scores = np.round(reference + rng.normal(size=(40, 3)))  # rounding makes ties
    expected = [spearmanr(reference[:, i], scores[:, i]).statistic for i in range(3)]
    np.testing.assert_allclose(spearman_per_tag(reference, scores), expected, atol=1e-12)


def test_spearman_sees_order_only(rng: np.random.Generator) -> None:
    reference = rng.normal(size=(30, 2))
    np.testing.assert_allclose(spearman_per_tag(reference, np.exp(3 * reference)), 1)
    np.testing.assert_allclose(spearman_per_tag(reference, -reference), -1)


def test_tag_without_variation_has_no_figure() -> None:
    reference = np.array([[1.0, 1.0], [1.0, 2.0], [1.0, 3.0]])
    result = spearman_per_tag(reference, reference)
    assert np.isnan(result[0])
    assert result[1] == pytest.approx(1)


def test_top_decile_auc_agrees_with_scikit_learn(rng: np.random.Generator) -> None:
    reference = rng.normal(size=(45, 2))
    scores = np.round(reference + rng.normal(size=(45, 2)), 1)
    is_top = reference >= np.sort(reference, axis=0)[-5]  # a tenth of 45, rounded up
    expected = [roc_auc_score(is_top[:, i], scores[:, i]) for i in range(2)]
    np.testing.assert_allclose(top_decile_auc_per_tag(reference, scores), expected, atol=1e-12)


def test_within_song_correlation_ignores_what_songs_are_like(rng: np.random.Generator) -> None:
    movement = [rng.normal(size=(n, 2)) for n in (5, 9)]
    reference = [song + 10 for song in movement]
    opposite_levels = [movement[0] + 100, movement[1] - 100]
    np.testing.assert_allclose(within_song_correlation_per_tag(reference, opposite_levels), 1)
    constant = [np.full_like(song, level) for song, level in zip(movement, (1.0, 2.0), strict=True)]
    assert np.isnan(within_song_correlation_per_tag(reference, constant)).all()


def test_bootstrap_interval_of_a_mean(rng: np.random.Generator) -> None:
    values = rng.normal(size=400)
    low, high = bootstrap_interval(lambda rows: float(values[rows].mean()), 400, rng=rng)
    error = values.std() / 20
    # 1000 draws give the ends to a few per cent of the interval's half width.
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.3 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.3 * error)
