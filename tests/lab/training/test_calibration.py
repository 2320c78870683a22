"""Scales are recovered, thresholds keep what they promise, and music is told from other sounds."""

import numpy as np
import pytest
import torch
from scipy.special import expit

from taggram.lab.training.calibration import (
    LIFT,
    PRECISION,
    Scale,
    choose_least_evidence,
    ensemble_thresholds,
    fit_scale,
    fold_scale,
    odds,
    student_thresholds,
)

SLOPE, OFFSET = np.array([0.6, 1.0, 1.7], np.float32), np.array([-1.0, 0.0, 0.8], np.float32)


def make_logits(rng: np.random.Generator, n_clips: int) -> list[np.ndarray]:
    """Clips of 5 to 12 chunks whose tags lie at different heights."""
    heights = np.array([-4.0, -2.0, 0.0])
    return [
        (heights + rng.normal(0, 1, 3) + rng.normal(0, 0.5, (rng.integers(5, 13), 3))).astype(np.float32)
        for _ in range(n_clips)
    ]


def test_scale_of_the_chunks_is_recovered_from_the_means_of_clips(rng: np.random.Generator) -> None:
    logits = make_logits(rng, 200)
    reference = np.stack([expit(SLOPE * clip + OFFSET).mean(axis=0) for clip in logits]).astype(np.float32)
    scale = fit_scale(logits, reference)
    np.testing.assert_allclose(scale.slope, SLOPE, rtol=0.02)
    np.testing.assert_allclose(scale.offset, OFFSET, atol=0.05)


def test_calibrated_scores_have_the_mean_of_the_reference(rng: np.random.Generator) -> None:
    # Also where the student errs: a fit by cross-entropy with an offset is unbiased.
    logits = make_logits(rng, 300)
    noisy = [clip + rng.normal(0, 1, 3) for clip in logits]
    reference = np.stack([expit(clip).mean(axis=0) for clip in noisy]).astype(np.float32)
    scale = fit_scale(logits, reference)
    scores = np.stack([expit(scale.slope * clip + scale.offset).mean(axis=0) for clip in logits])
    np.testing.assert_allclose(scores.mean(axis=0), reference.mean(axis=0), rtol=0.02)
    assert (scale.slope < 1).all(), "what is uncertain is drawn to the mean"


def test_folded_head_gives_the_scaled_logits(rng: np.random.Generator) -> None:
    torch.manual_seed(0)
    head = torch.nn.Linear(4, 3)
    embedding = torch.from_numpy(rng.normal(size=(6, 4)).astype(np.float32))
    before = head(embedding).detach().numpy()
    fold_scale(head, Scale(SLOPE, OFFSET))
    np.testing.assert_allclose(head(embedding).detach().numpy(), SLOPE * before + OFFSET, atol=1e-5)


def test_ensemble_gives_clear_tags_by_f_measure_and_vague_ones_by_lift() -> None:
    clear = np.concatenate([np.full(90, 0.01), np.full(10, 0.9)])
    vague = np.concatenate([np.full(90, 0.018), np.full(10, 0.05)])
    scale = np.linspace(0, 1, 100)
    reference = np.stack([clear, vague, scale], axis=1).astype(np.float32)
    thresholds = ensemble_thresholds(reference, np.array([False, False, True]))
    # Of 9.9 expected clips 9 are found by giving ten: F = 2·9 / (10 + 9.9).
    assert thresholds[0] == pytest.approx(9 / 19.9, rel=1e-3)
    assert odds(thresholds[1]) == pytest.approx(LIFT * odds(vague.mean()), rel=1e-3)
    assert thresholds[2] == 0.5


def test_student_thresholds_reach_the_precision(rng: np.random.Generator) -> None:
    truth = rng.normal(-2, 1.5, (2000, 5))
    reference = expit(truth)
    scores = expit(truth + rng.normal(0, 1.0, truth.shape)).astype(np.float32)
    own = np.full(5, 0.2, np.float32)
    given = reference >= own
    plain = given[scores >= own].mean()
    thresholds, precision = student_thresholds(scores, given, own)
    assert plain < PRECISION <= precision < PRECISION + 0.05
    assert precision == pytest.approx(given[scores >= thresholds].mean())
    np.testing.assert_allclose(odds(thresholds) / odds(own), odds(thresholds[0]) / odds(own[0]), rtol=1e-4)


def test_thresholds_of_a_precise_student_stay() -> None:
    scores = np.array([[0.1], [0.9]], np.float32)
    thresholds, precision = student_thresholds(scores, scores >= 0.5, np.array([0.5], np.float32))
    assert (thresholds[0], precision) == (pytest.approx(0.5), 1.0)


def test_least_evidence_lies_in_the_middle_of_the_gap() -> None:
    assert choose_least_evidence(np.array([2.0, 3, 4]), np.array([0.5, 1.0])) == pytest.approx(1.5)


def test_least_evidence_makes_the_fewest_errors_where_there_is_no_gap(rng: np.random.Generator) -> None:
    music, other = rng.normal(4, 1, 500), rng.normal(1, 1, 100)
    assert choose_least_evidence(music, other) == pytest.approx(2.5, abs=0.5)
