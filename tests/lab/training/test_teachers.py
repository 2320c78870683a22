from pathlib import Path

import numpy as np
import pytest

from taggram.lab.training.default_model import find_weights
from taggram.lab.training.shards import Array
from taggram.lab.training.teachers import (
    GRID_LENGTH,
    TEACHERS,
    Ensemble,
    Teacher,
    hear_clip,
    published_ensemble,
    spread_excerpts,
)
from taggram.lab.weights.published import find_checkpoint

ENSEMBLE = Ensemble({"short": ("beat", "rock"), "long": ("genre---rock", "beats", "piano")})


def test_merged_tag_is_the_mean_of_all_columns_it_stands_for() -> None:
    said = {
        "short.scores": np.array([[0.2, 0.4], [0.6, 0.0]], np.float32),
        "long.scores": np.array([[0.8, 0.4, 0.5]], np.float32),
    }
    assert ENSEMBLE.tags == ("beat", "rock", "piano")
    expected = [[0.3, 0.6, 0.5], [0.5, 0.4, 0.5]]
    np.testing.assert_allclose(ENSEMBLE.chunk_scores(said), expected, atol=1e-6)


def test_two_spellings_in_one_vocabulary_both_count() -> None:
    ensemble = Ensemble({"one": ("vocal", "voice", "singing", "rock"), "two": ("voice", "pop")})
    said = {
        "one.scores": np.array([[0.1, 0.2, 0.3, 0.9]], np.float32),
        "two.scores": np.array([[0.6, 0.7]], np.float32),
    }
    np.testing.assert_allclose(ensemble.chunk_scores(said), [[0.3, 0.9, 0.7]], atol=1e-6)


def test_denied_tag_is_the_share_of_those_who_say_anything() -> None:
    ensemble = Ensemble({"one": ("voice", "no voice", "rock"), "two": ("instrumental", "singing", "weird")})
    said = {
        "one.scores": np.array([[0.3, 0.1, 0.9], [0.0, 0.3, 0.5]], np.float32),
        "two.scores": np.array([[0.1, 0.5, 0.8], [0.1, 0.0, 0.8]], np.float32),
    }
    assert ensemble.tags == ("vocals", "rock")
    assert ensemble.is_scale.tolist() == [True, False]
    np.testing.assert_allclose(ensemble.chunk_scores(said), [[0.4 / 0.5, 0.9], [0.0, 0.5]], atol=1e-6)


def test_single_chunk_scores_are_each_teachers_own() -> None:
    ensemble = Ensemble({"one": ("vocal", "voice", "rock"), "two": ("rock", "pop"), "long": ("pop", "rock")})
    said = {
        "one.scores": np.array([[0.1, 0.3, 0.9], [0.2, 0.2, 0.8]], np.float32),
        "two.scores": np.array([[0.6, 0.7], [0.5, 0.4]], np.float32),
        "long.scores": np.array([[0.1, 0.2]], np.float32),
    }
    own = ensemble.single_chunk_scores(said)
    nothing = np.nan
    expected = [[[0.2, 0.9, nothing], [0.2, 0.8, nothing]], [[nothing, 0.6, 0.7], [nothing, 0.5, 0.4]]]
    np.testing.assert_allclose(own, expected, rtol=1e-6)


def test_all_teachers_are_imitated_with_equal_weight(rng: np.random.Generator) -> None:
    def said(n_chunks: int) -> dict[str, Array]:
        return {
            "short.scores": np.zeros((n_chunks, 2), np.float32),
            "long.scores": np.zeros((1, 3), np.float32),
            "short.embedding": (5 + 3 * rng.standard_normal((n_chunks, 12))).astype(np.float16),
            "long.embedding": rng.standard_normal((1, 3)).astype(np.float16),
        }

    embeddings = ENSEMBLE.embeddings_to_imitate([said(4), said(3), said(5)])
    assert [clip.shape for clip in embeddings] == [(4, 15), (3, 15), (5, 15)]
    together = np.concatenate(embeddings).astype(np.float64)
    assert np.square(together).mean() == pytest.approx(1, rel=0.01)
    assert np.square(together[:, :12]).sum() == pytest.approx(np.square(together[:, 12:]).sum(), rel=0.01)
    for clip in embeddings:
        assert (clip[:, 12:] == clip[0, 12:]).all(), "the excerpt of 29 s is the same at every chunk"


def test_published_ensemble_has_90_tags_and_counts_every_source_column_once() -> None:
    ensemble = published_ensemble()
    affirmed, denied = ensemble.shares(), ensemble.shares(denials=True)
    assert len(TEACHERS) == 12
    assert len(ensemble.tags) == 90
    np.testing.assert_allclose(sum(share.sum(axis=0) for share in affirmed.values()), 1, atol=1e-6)
    total = sum(share.sum(axis=0) for share in denied.values())
    np.testing.assert_allclose(total, ensemble.is_scale, atol=1e-6)
    assert [ensemble.tags[i] for i in np.flatnonzero(ensemble.is_scale)] == ["vocals"]
    for teacher, vocabulary in ensemble.vocabularies.items():
        uses = (affirmed[teacher] > 0).sum(axis=1) + (denied[teacher] > 0).sum(axis=1)
        left_out = {source for source, used in zip(vocabulary, uses, strict=True) if not used}
        assert left_out <= {"beautiful", "catchy", "weird", "instrument---computer"}
        assert set(uses) <= {0, 1}


def test_excerpts_are_spread_over_the_clip() -> None:
    ramp = np.arange(100, dtype=np.float32)
    assert [excerpt[0] for excerpt in spread_excerpts(ramp, 29)] == [
        0,
        35,
        71,
    ]  # 3 fit best; none beyond the end
    assert [excerpt[0] for excerpt in spread_excerpts(ramp, 70)] == [15]
    np.testing.assert_array_equal(spread_excerpts(ramp[:4], 10)[0], [0, 1, 2, 3, 0, 1, 2, 3, 0, 1])


def test_teacher_hears_every_chunk_by_itself(shared: Path, tmp_path: Path, rng: np.random.Generator) -> None:
    chosen = find_checkpoint("pons-vgg-magnatagatune")
    weights = find_weights(shared / "peers" / "weights", [chosen])
    teacher = Teacher(chosen, weights[chosen.name], tmp_path)
    waveform = (0.1 * rng.standard_normal(2 * GRID_LENGTH + 100)).astype(np.float32)
    said = hear_clip([teacher], waveform)
    assert said["pons-vgg-magnatagatune.scores"].shape == (2, 50)
    assert said["pons-vgg-magnatagatune.embedding"].shape == (2, 256)
    alone = hear_clip([teacher], waveform[GRID_LENGTH:])
    np.testing.assert_allclose(
        said["pons-vgg-magnatagatune.scores"][1], alone["pons-vgg-magnatagatune.scores"][0], atol=1e-6
    )
