"""Which chords are told apart."""

import numpy as np
import pytest

from taggram.chords.harte import QUALITIES
from taggram.chords.vocabulary import VOCABULARIES, VocabularyName

SIZES = {"majmin": 25, "sevenths": 61, "full": 169}


@pytest.fixture(params=VOCABULARIES)
def name(request: pytest.FixtureRequest) -> VocabularyName:
    """Every vocabulary."""
    chosen: VocabularyName = request.param
    return chosen


def random_evidence(rng: np.random.Generator, n_frames: int = 7) -> tuple[np.ndarray, np.ndarray]:
    root = np.log(rng.dirichlet(np.ones(13), n_frames)).astype(np.float32)
    quality = np.log(rng.dirichlet(np.ones(14), (n_frames, 12))).astype(np.float32)
    return root, quality


def test_states_are_numbered_as_they_are_named(name: VocabularyName) -> None:
    vocabulary = VOCABULARIES[name]
    labels = vocabulary.labels()
    assert vocabulary.n_states == len(set(labels)) == len(labels) == SIZES[name]
    assert labels[0] == "C:maj"
    assert labels[-1] == "N"
    assert vocabulary.split(len(vocabulary.qualities) + 1) == (1, "min")
    assert vocabulary.split(vocabulary.n_states - 1) == (-1, "")


def test_every_quality_counts_once_at_most(name: VocabularyName) -> None:
    members = [member for group in VOCABULARIES[name].groups.values() for member in group]
    assert len(members) == len(set(members))
    assert set(members) <= set(QUALITIES)
    assert set(QUALITIES) - set(members) == (set() if name == "full" else {"sus2", "sus4"})


def test_probabilities_sum_to_one_and_keep_the_root(name: VocabularyName) -> None:
    root, quality = random_evidence(np.random.default_rng(0))
    vocabulary = VOCABULARIES[name]
    p = np.exp(vocabulary.log_probabilities(root, quality))
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)
    by_root = p[:, :-1].reshape(len(p), 12, -1).sum(axis=2)
    np.testing.assert_allclose(by_root, np.exp(root[:, :12]), atol=1e-5)
    np.testing.assert_allclose(p[:, -1], np.exp(root[:, 12]), atol=1e-6)


def test_the_full_vocabulary_is_the_product() -> None:
    root, quality = random_evidence(np.random.default_rng(1))
    p = VOCABULARIES["full"].log_probabilities(root, quality)[:, :-1].reshape(-1, 12, 14)
    np.testing.assert_allclose(p, root[:, :12, None] + quality, atol=1e-4)


def test_a_suspended_chord_is_a_chord_on_its_root() -> None:
    root, quality = random_evidence(np.random.default_rng(2), n_frames=1)
    quality[:] = np.log(1e-4)
    quality[..., list(QUALITIES).index("sus4")] = 0  # nothing else is heard
    p = np.exp(VOCABULARIES["majmin"].log_probabilities(root, quality))
    np.testing.assert_allclose(p[0, :-1].reshape(12, 2).sum(axis=1), np.exp(root[0, :12]), rtol=1e-3)
