"""The synthetic set: always the same, learnable but not trivial, and free of artist leakage."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from taggram.lab.datasets import AudioCache, label_matrix, load_dataset, prepare
from taggram.lab.datasets.synthetic import (
    DURATION,
    SAMPLE_RATE,
    TAGS,
    Artist,
    draw_artist,
    draw_score,
    render,
    render_clip,
)


def test_rendering_depends_on_the_seed_alone(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        render(tmp_path / name, n_clips=6, seed=seed)
    content = {
        name: {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*.*")}
        for name in "abc"
    }
    assert content["a"] == content["b"]
    assert not set(content["a"].values()) & set(content["c"].values())


def test_clips_are_sound(rng: np.random.Generator) -> None:
    seen: set[str] = set()
    for _ in range(15):
        score = draw_score(rng)
        waveform = render_clip(score, draw_artist(rng), rng)
        assert waveform.shape == (round(DURATION * SAMPLE_RATE),)
        assert waveform.dtype == np.float32
        assert 0.09 < np.abs(waveform).max() < 0.91
        assert list(score.labels) == [tag for tag in TAGS if tag in score.labels]
        seen.update(score.labels)
    assert seen == set(TAGS)


def test_the_tempo_is_heard(rng: np.random.Generator) -> None:
    """The envelope of the drums alone repeats with the beat that was drawn."""
    from dataclasses import replace

    dry = Artist(tuning=0.0, brightness=0.0, reverberation=0.01, floor_db=-90.0)
    for beats_per_minute in (60.0, 100.0, 180.0):
        score = replace(
            draw_score(rng),
            instruments=(),
            has_drums=True,
            has_noise=False,
            beats_per_minute=beats_per_minute,
        )
        loudness = np.square(render_clip(score, dry, rng)).reshape(-1, 160).sum(axis=1)  # 100 frames a second
        loudness -= loudness.mean()
        correlation = np.correlate(loudness, loudness, "full")[len(loudness) - 1 :]
        beat = 6000 / beats_per_minute
        around = slice(round(0.8 * beat), round(1.2 * beat))
        assert abs(int(correlation[around].argmax()) + around.start - beat) <= 2


def test_splits_are_disjoint_by_artist_and_have_every_tag(tmp_path: Path) -> None:
    render(tmp_path, n_clips=90)
    dataset = load_dataset("synthetic")
    annotations = dataset.annotations(tmp_path)
    artists = [{track.artist for track in annotations.tracks[split]} for split in dataset.splits]
    assert sum(map(len, artists)) == len(set().union(*artists)) == 15
    assert [len(annotations.tracks[split]) for split in dataset.splits] == [54, 18, 18]
    for split in dataset.splits:
        y_true = label_matrix(annotations.tracks[split], annotations.vocabulary)
        assert y_true.any(axis=0).all()
        assert not y_true.all(axis=0).any()
    with pytest.raises(ValueError, match="at least 5 are needed"):
        render(tmp_path, n_clips=4)


def _mean_log_spectrum(waveform: np.ndarray) -> np.ndarray:
    """Return the mean over time of the log power in 48 bands of equal width in octaves."""
    frames = np.lib.stride_tricks.sliding_window_view(waveform, 1024)[::512] * np.hanning(1024)
    power = np.square(np.abs(np.fft.rfft(frames)))
    edges = np.unique(np.geomspace(3, 513, 49).astype(int))
    bands = np.stack([power[:, a:b].mean(axis=1) for a, b in pairwise(edges)], axis=1)
    return np.asarray(np.log(bands + 1e-4).mean(axis=0))


def _ranking(y_true: np.ndarray, y_score: np.ndarray) -> float:
    """Return the ROC-AUC: how often a positive clip is above a negative one."""
    return float(np.mean(y_score[y_true][:, None] > y_score[~y_true][None]))


def test_a_linear_model_beats_chance_but_not_everything_is_trivial(tmp_path: Path) -> None:
    render(tmp_path / "set")
    dataset = load_dataset("synthetic")
    annotations = dataset.annotations(tmp_path / "set")
    prepare(annotations, tmp_path / "cache", sample_rate=SAMPLE_RATE)
    cache = AudioCache(tmp_path / "cache")
    features = {track.id: _mean_log_spectrum(cache.read(track.id)) for track in annotations}
    x_train = np.array([features[track.id] for track in annotations.tracks["train"]])
    x_test = np.array([features[track.id] for track in annotations.tracks["test"]])
    y_train = label_matrix(annotations.tracks["train"], TAGS)
    y_test = label_matrix(annotations.tracks["test"], TAGS)
    mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
    x_train, x_test = (np.c_[(x - mean) / deviation, np.ones(len(x))] for x in (x_train, x_test))
    ridge = x_train.T @ x_train + 30 * np.eye(x_train.shape[1])
    y_score = x_test @ np.linalg.solve(ridge, x_train.T @ (y_train - y_train.mean(axis=0)))
    quality = {tag: _ranking(y_test[:, i], y_score[:, i]) for i, tag in enumerate(TAGS)}
    assert np.mean(list(quality.values())) > 0.65
    assert min(quality[tag] for tag in ("piano", "pad", "bass", "drums", "noise")) > 0.65
    assert sum(value > 0.97 for value in quality.values()) <= 3, quality
