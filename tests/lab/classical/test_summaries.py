"""Summaries over time: their contract, and what each of them says."""

import numpy as np
import pytest
import scipy.fft
import torch

from taggram.lab.classical import SUMMARIES, Summary
from taggram.lab.classical._standardise import Standardise
from taggram.lab.classical.summaries._base import draw_frames

SHAPE = (5, 40)
OPTIONS = {"codebook": {"n_words": 6}, "gmm": {"n_components": 4}, "pca": {"n_components": 3}}

every_summary = pytest.mark.parametrize("name", SUMMARIES.names())


def features(rng: np.random.Generator, n: int = 12) -> list[np.ndarray]:
    """Features that differ in mean, size and movement."""
    times = np.arange(SHAPE[1])
    return [
        (
            rng.normal(0, 3, (SHAPE[0], 1))
            + np.sin(times * rng.uniform(0.05, 1, (SHAPE[0], 1)))
            + 0.3 * rng.standard_normal(SHAPE)
        ).astype(np.float32)
        for _ in range(n)
    ]


def fitted(name: str, rng: np.random.Generator, given: list[np.ndarray]) -> Summary:
    summary = SUMMARIES.get(name)(SHAPE, **OPTIONS.get(name, {})).eval()
    summary.fit(given, rng)
    return summary


def apply(summary: Summary, given: list[np.ndarray]) -> np.ndarray:
    with torch.inference_mode():
        found: np.ndarray = summary(torch.from_numpy(np.stack(given))).numpy()
    return found


@every_summary
def test_gives_one_vector_per_feature_whatever_the_batch(name: str, rng: np.random.Generator) -> None:
    given = features(rng)
    summary = fitted(name, rng, given)
    together = apply(summary, given)
    assert together.ndim == 2
    assert len(together) == len(given)
    assert np.isfinite(together).all()
    assert together.std(axis=0).max() > 0.01
    for index in (0, 7):
        np.testing.assert_allclose(apply(summary, given[index : index + 1])[0], together[index], atol=1e-4)


@every_summary
def test_fitting_depends_on_data_and_seed_only(name: str, rng: np.random.Generator) -> None:
    given = features(rng)
    first, second = (fitted(name, np.random.default_rng(3), given) for _ in range(2))
    np.testing.assert_array_equal(apply(first, given), apply(second, given))


@every_summary
def test_constant_rows_stay_finite(name: str, rng: np.random.Generator) -> None:
    given = features(rng)
    for feature in given:
        feature[2] = 7.0
    assert np.isfinite(apply(fitted(name, rng, given), [*given, np.zeros(SHAPE, np.float32)])).all()


def test_mean_and_deviation(rng: np.random.Generator) -> None:
    given = features(rng, 1)
    found = apply(fitted("mean_std", rng, given), given)[0]
    np.testing.assert_allclose(found, np.concatenate([given[0].mean(1), given[0].std(1)]), atol=1e-5)


@pytest.mark.parametrize("name", ["dct_1d", "dct_2d"])
def test_a_dct_has_no_more_coefficients_than_the_feature_has_numbers(
    name: str, rng: np.random.Generator
) -> None:
    given = [feature[:, :4] for feature in features(rng, 2)]
    assert apply(SUMMARIES.get(name)((SHAPE[0], 4)).eval(), given).shape == (2, SHAPE[0] * 4)


def test_dct_agrees_with_scipy(rng: np.random.Generator) -> None:
    given = features(rng, 1)
    one = apply(fitted("dct_1d", rng, given), given)[0].reshape(SHAPE[0], 8)
    np.testing.assert_allclose(one, scipy.fft.dct(given[0], norm="ortho")[:, :8], atol=1e-4)
    two = apply(fitted("dct_2d", rng, given), given)[0].reshape(SHAPE[0], 16)
    np.testing.assert_allclose(two, scipy.fft.dctn(given[0], norm="ortho")[:, :16], atol=1e-4)


def test_pca_keeps_what_varies(rng: np.random.Generator) -> None:
    direction = rng.standard_normal(SHAPE)
    amounts = rng.normal(0, 5, 20)
    given = [
        (amount * direction + 0.01 * rng.standard_normal(SHAPE)).astype(np.float32) for amount in amounts
    ]
    found = apply(fitted("pca", rng, given), given)
    assert abs(np.corrcoef(found[:, 0], amounts)[0, 1]) > 0.9999
    assert found[:, 0].std() > 100 * found[:, 1].std()


@pytest.mark.parametrize("name", ["codebook", "gmm"])
def test_shares_find_the_kinds_of_frames(name: str, rng: np.random.Generator) -> None:
    """Two kinds of frames in known shares: some words answer for one kind, the others for the other."""
    kinds = 4.0 * np.array([[1.0, 1, 1, 1, 1], [-1, -1, -1, -1, -1]])
    shares = rng.uniform(0.1, 0.9, 15)
    given = []
    for share in shares:
        which = (np.arange(SHAPE[1]) >= share * SHAPE[1]).astype(int)
        given.append((kinds[which].T + 0.1 * rng.standard_normal(SHAPE)).astype(np.float32))
    found = apply(fitted(name, rng, given), given)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    with_share = np.array([np.corrcoef(column, shares)[0, 1] > 0 for column in found.T])
    np.testing.assert_allclose(found[:, with_share].sum(axis=1), shares, atol=1 / SHAPE[1])


def test_frames_are_drawn_evenly(rng: np.random.Generator) -> None:
    given = [np.full(SHAPE, index, np.float32) for index in range(10)]
    drawn = draw_frames(given, 50, rng)
    assert drawn.shape == (50, SHAPE[0])
    np.testing.assert_array_equal(np.unique(drawn[:, 0], return_counts=True)[1], 5)
    assert draw_frames(given, 4, rng).shape == (4, SHAPE[0])
    assert draw_frames(given, 10**6, rng).shape == (400, SHAPE[0])


def test_standardising_leaves_mean_zero_and_deviation_one(rng: np.random.Generator) -> None:
    rows = rng.normal(5, 3, (200, 4)).astype(np.float32)
    rows[:, 1] = 9.0
    found = Standardise(4).fit_transform(rows)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(found.std(axis=0), [1, 0, 1, 1], atol=1e-5)
