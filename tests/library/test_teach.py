"""Learning a tag from examples: the optimum, honest quality, useful suggestions."""

import time

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from taggram.errors import ShapeError
from taggram.library.teach import (
    PENALTY,
    Classifier,
    Statistics,
    auc_interval,
    cross_validate,
    fit,
    roc_auc,
    suggest,
    to_logits,
    to_scores,
)

DIM = 64


def sounds(rng: np.random.Generator, n: int, *, shift: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings whose first four dimensions tell the two kinds apart, and the answers."""
    is_accepted = np.arange(n) % 2 == 0
    embeddings = rng.normal(3.0, 0.5, (n, DIM))
    embeddings[is_accepted, :4] += shift
    return embeddings.astype(np.float16), is_accepted


def statistics_of(rng: np.random.Generator) -> Statistics:
    return Statistics.of(sounds(rng, 2000)[0])


@pytest.mark.parametrize("n", [20, 300], ids=["fewer examples than dimensions", "more"])
def test_the_optimum_is_that_of_scikit_learn(rng: np.random.Generator, n: int) -> None:
    statistics = statistics_of(rng)
    embeddings, is_accepted = sounds(rng, n)
    is_accepted[:4] = True  # unequal numbers, so that the weighting matters
    ours = fit(embeddings, is_accepted, statistics)
    inputs = statistics.standardise(embeddings)
    theirs = LogisticRegression(C=1 / PENALTY, class_weight="balanced", tol=1e-10, max_iter=10_000)
    theirs.fit(inputs, is_accepted)
    others = sounds(rng, 100)[0]
    expected = theirs.decision_function(statistics.standardise(others))
    assert np.ptp(expected) > 1
    np.testing.assert_allclose(ours.logits(others), expected, atol=2e-3)


def test_a_correction_adds_to_the_model(rng: np.random.Generator) -> None:
    statistics = statistics_of(rng)
    embeddings, is_accepted = sounds(rng, 40)
    others, truth = sounds(rng, 400)
    told, told_others = rng.normal(truth[:40] * 1.0, 1), rng.normal(truth * 1.0, 1)
    corrected = fit(embeddings, is_accepted, statistics, model_logits=told)
    assert corrected.adds_to_model
    with pytest.raises(ShapeError, match="needs the model's logits"):
        corrected.logits(others)
    value = roc_auc(truth, corrected.logits(others, told_others))
    assert value > roc_auc(truth, told_others) + 0.05
    stubborn = fit(embeddings, is_accepted, statistics, model_logits=told, penalty=1e6)
    np.testing.assert_allclose(np.ptp(stubborn.logits(others, told_others) - told_others), 0, atol=1e-3)


def test_separable_examples_have_a_finite_answer(rng: np.random.Generator) -> None:
    embeddings, is_accepted = sounds(rng, 10, shift=100.0)
    classifier = fit(embeddings, is_accepted, Statistics.of(embeddings), penalty=1e-4)
    assert np.isfinite(classifier.weights).all()
    assert roc_auc(is_accepted, classifier.logits(embeddings)) == 1.0


def test_a_dimension_that_never_changes_does_no_harm(rng: np.random.Generator) -> None:
    embeddings, is_accepted = sounds(rng, 30)
    embeddings[:, 5] = 1.0
    statistics = Statistics.of(embeddings)
    before = fit(embeddings, is_accepted, statistics)
    embeddings[:, 5] = 1.0 + 1e-3
    assert np.isfinite(before.logits(embeddings)).all()


def test_training_takes_less_than_a_second(rng: np.random.Generator) -> None:
    embeddings = rng.normal(size=(200, 512)).astype(np.float16)
    is_accepted = np.arange(200) % 2 == 0
    statistics = Statistics.of(embeddings)
    begun = time.process_time()
    fit(embeddings, is_accepted, statistics)
    assert time.process_time() - begun < 1


def test_quality_predicts_the_quality_on_new_sounds(rng: np.random.Generator) -> None:
    statistics = statistics_of(rng)
    others, truth = sounds(rng, 4000)
    said, came = [], []
    for _ in range(20):
        embeddings, is_accepted = sounds(rng, 20)
        quality = cross_validate(embeddings, is_accepted, statistics)
        assert quality.roc_auc is not None
        said.append(quality.roc_auc)
        came.append(roc_auc(truth, fit(embeddings, is_accepted, statistics).logits(others)))
    assert 0.7 < np.mean(came) < 0.99
    assert abs(np.mean(said) - np.mean(came)) < 0.06


def test_chance_is_called_chance(rng: np.random.Generator) -> None:
    statistics = statistics_of(rng)
    values = []
    for seed in range(20):
        embeddings, _ = sounds(rng, 20, shift=0.0)
        quality = cross_validate(embeddings, np.arange(20) < 10, statistics, seed=seed)
        assert quality.roc_auc is not None
        values.append(quality.roc_auc)
        if quality.roc_auc < 0.7:
            assert "do not rely on it" in " ".join(quality.warnings)
    assert abs(np.mean(values) - 0.5) < 0.08


def test_a_good_tag_has_no_warnings(rng: np.random.Generator) -> None:
    embeddings, is_accepted = sounds(rng, 30, shift=1.5)
    quality = cross_validate(embeddings, is_accepted, statistics_of(rng))
    assert quality.warnings == ()
    assert quality.is_trustworthy
    assert quality.interval is not None
    assert quality.roc_auc is not None
    assert quality.interval[0] < quality.roc_auc <= quality.interval[1]


def test_artists_are_held_out_together(rng: np.random.Generator) -> None:
    """Each artist has a sound and an answer of his own, which tells nothing about the next artist."""
    n_artists = 12
    artists = np.repeat(np.arange(n_artists), 4)
    centres = rng.normal(0, 3, (n_artists, DIM))
    embeddings = centres[artists] + rng.normal(0, 0.1, (len(artists), DIM))
    is_accepted = artists % 2 == 0
    statistics = Statistics.of(embeddings)
    blind = cross_validate(embeddings, is_accepted, statistics)
    seeing = cross_validate(embeddings, is_accepted, statistics, artists=artists.tolist())
    assert blind.roc_auc == 1.0
    assert seeing.roc_auc is not None
    assert seeing.roc_auc < 0.8


def test_warnings_say_what_is_missing(rng: np.random.Generator) -> None:
    embeddings, is_accepted = sounds(rng, 6)
    quality = cross_validate(embeddings, is_accepted, statistics_of(rng), artists=["x", None] * 3)
    said = " ".join(quality.warnings)
    assert "only 3 accepted examples" in said
    assert "only 3 rejected examples" in said
    assert "by one artist" in said
    assert (quality.roc_auc, quality.interval) == (None, None)
    told = np.where(np.arange(20) % 2 == 0, 5.0, -5.0)
    embeddings, is_accepted = sounds(rng, 20, shift=0.2)
    corrected = cross_validate(embeddings, is_accepted, statistics_of(rng), model_logits=told)
    assert corrected.model_roc_auc == 1.0
    assert "the model alone (1.00) is as good" in " ".join(corrected.warnings)


def test_the_interval_covers_the_truth(rng: np.random.Generator) -> None:
    truth = 0.8  # of two normal distributions this far apart
    apart = 1.1902
    covered = 0
    for _ in range(400):
        values = np.concatenate([rng.normal(apart, 1, 10), rng.normal(0, 1, 10)])
        low, high = auc_interval(roc_auc(np.arange(20) < 10, values), 10, 10)
        covered += low <= truth <= high
    assert 0.86 < covered / 400 < 0.96


def test_suggestions_are_unsure_and_unlike(rng: np.random.Generator) -> None:
    statistics = Statistics(np.zeros(DIM), np.ones(DIM))
    embeddings = rng.normal(size=(500, DIM))
    logits = rng.normal(0, 3, 500)
    logits[:3] = 0.0
    embeddings[:3] = embeddings[0] + rng.normal(0, 1e-3, (3, DIM))  # three copies, all unsure
    chosen = suggest(logits, embeddings, 10, statistics)
    assert len(set(chosen.tolist())) == 10
    assert np.abs(logits[chosen]).mean() < np.abs(logits).mean() / 2
    assert len({0, 1, 2} & set(chosen.tolist())) == 1
    assert len(suggest(logits[:4], embeddings[:4], 10, statistics)) == 4


def test_scores_and_logits_are_inverse() -> None:
    scores = np.array([0.001, 0.3, 0.5, 0.999], np.float32)
    np.testing.assert_allclose(to_scores(to_logits(scores)), scores, atol=1e-6)
    assert np.abs(to_logits(np.array([0.0, 1.0]))).max() == 10


@pytest.mark.parametrize(
    ("embeddings", "is_accepted", "reason"),
    [
        (np.ones((3, 4)), np.array([True, True, True]), "both kinds"),
        (np.ones((3, 4)), np.array([True, False]), "as many answers"),
        (np.full((2, 4), np.nan), np.array([True, False]), "not finite"),
    ],
)
def test_refused_examples(embeddings: np.ndarray, is_accepted: np.ndarray, reason: str) -> None:
    with pytest.raises(ShapeError, match=reason):
        fit(embeddings, is_accepted, Statistics(np.zeros(4), np.ones(4)))


def test_an_embedding_of_another_model_is_refused() -> None:
    with pytest.raises(ShapeError, match="another model"):
        Classifier(np.ones(4, np.float32), 0.0).logits(np.ones((2, 5)))
