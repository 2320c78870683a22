"""Figures of chord recognition: what must hold, and agreement with mir_eval's own evaluation."""

import mir_eval
import numpy as np
import pytest

from taggram.lab.metrics.chords import (
    COMPARISONS,
    FIGURES,
    ChordScores,
    count_confusions,
    frame_macro_recall,
    macro_recall_interval,
    score_song,
    summarise,
)

INTERVALS = np.array([(0.0, 1.0), (1.0, 3.0), (3.0, 4.0), (4.0, 6.0)])
LABELS = ["N", "C:maj7", "F:min", "G:7/3"]


def random_song(rng: np.random.Generator, n_segments: int = 12) -> tuple[np.ndarray, list[str]]:
    edges = np.append(0, np.sort(rng.uniform(0.2, 30, n_segments)))
    roots = rng.choice(["C", "F#", "Bb", "G"], n_segments)
    qualities = rng.choice(["maj", "min", "7", "maj7", "sus4", "dim"], n_segments)
    labels = [f"{root}:{quality}" for root, quality in zip(roots, qualities, strict=True)]
    return np.stack([edges[:-1], edges[1:]], axis=1), labels


def test_the_truth_scores_one() -> None:
    scores = score_song(INTERVALS, LABELS, INTERVALS, LABELS)
    assert scores.values == pytest.approx(dict.fromkeys(FIGURES, 1.0))


def test_what_is_wrong_costs_its_time() -> None:
    wrong = [*LABELS[:3], "A:min"]
    scores = score_song(INTERVALS, LABELS, INTERVALS, wrong)
    assert scores.values["root"] == pytest.approx(4 / 6)
    assert scores.values["seg"] == pytest.approx(1.0)
    triads = ["N", "C:maj", "F:min", "G:maj"]
    coarse = score_song(INTERVALS, LABELS, INTERVALS, triads)
    assert coarse.values["majmin"] == pytest.approx(1.0)
    assert coarse.values["sevenths"] == pytest.approx(2 / 6)


def test_too_many_and_too_few_boundaries_are_told_apart() -> None:
    edges = np.linspace(0, 6, 25)
    many = np.stack([edges[:-1], edges[1:]], axis=1)
    flicker = score_song(INTERVALS, LABELS, many, ["C:maj", "G:maj"] * 12)
    assert flicker.values["overseg"] < 0.5 < flicker.values["underseg"]
    lump = score_song(INTERVALS, LABELS, np.array([(0.0, 6.0)]), ["C:maj"])
    assert lump.values["underseg"] < 0.5 < lump.values["overseg"]
    assert lump.values["seg"] == lump.values["underseg"]


def test_an_estimate_that_ends_early_is_filled_with_no_chord() -> None:
    scores = score_song(INTERVALS, LABELS, INTERVALS[:3], LABELS[:3])
    assert scores.values["root"] == pytest.approx(4 / 6)


def test_what_cannot_be_compared_is_undefined() -> None:
    scores = score_song(INTERVALS[:1], ["C:sus4"], INTERVALS[:1], ["C:maj"])
    assert np.isnan(scores.values["majmin"])
    assert scores.seconds["majmin"] == 0
    assert scores.values["root"] == 1


@pytest.mark.parametrize("seed", range(4))
def test_agreement_with_the_evaluation_of_mir_eval(seed: int) -> None:
    rng = np.random.default_rng(seed)
    reference, estimate = random_song(rng), random_song(rng)
    wanted = mir_eval.chord.evaluate(*reference, *estimate)
    found = score_song(*reference, *estimate).values
    assert found == pytest.approx({name: wanted[name] for name in FIGURES}, nan_ok=True)
    assert 0 < found["root"] < 1


def test_means_over_songs_and_over_time(rng: np.random.Generator) -> None:
    songs = [
        ChordScores(dict.fromkeys(FIGURES, value), dict.fromkeys(FIGURES, seconds))
        for value, seconds in ((1.0, 10.0), (0.5, 30.0), (float("nan"), 0.0))
    ]
    summary = summarise(songs, rng)
    for name in COMPARISONS:
        figure = summary[name]
        assert figure.mean == pytest.approx(0.75)
        assert figure.weighted == pytest.approx(0.625)
        assert figure.n_songs == 2
        assert figure.interval is not None
        assert (figure.interval.low, figure.interval.high) == pytest.approx((0.5, 1.0))


def test_macro_recall_counts_classes_and_not_frames() -> None:
    y_true = np.array([0] * 98 + [1, 1, -1, -1])
    y_pred = np.zeros(102, int)
    assert frame_macro_recall(y_true, y_pred) == pytest.approx(0.5)
    assert np.isnan(frame_macro_recall(np.array([-1]), np.array([0])))


def test_confusions_have_the_truth_in_rows() -> None:
    counts = count_confusions(np.array([0, 0, 2, -1]), np.array([0, 1, 1, 1]), 3)
    assert counts.tolist() == [[1, 1, 0], [0, 0, 0], [0, 1, 0]]


def test_the_interval_of_macro_recall_is_made_of_its_values_on_drawn_songs(
    rng: np.random.Generator,
) -> None:
    n_classes = 4
    songs = [rng.integers(-1, n_classes - 1, (2, 50)) for _ in range(3)]  # no song has the last class
    right = [truth[(truth >= 0) & (truth == heard)] for truth, heard in songs]
    known = [truth[truth >= 0] for truth, _ in songs]
    n_right, n_frames = (
        np.array([np.bincount(part, minlength=n_classes) for part in parts], float)
        for parts in (right, known)
    )
    for drawn in ([0, 1, 2], [0, 0, 2], [1, 1, 1]):
        weights = np.bincount(drawn, minlength=3)[None].astype(float)
        interval = macro_recall_interval(n_right, n_frames, weights)
        assert interval is not None
        truth, heard = np.concatenate([songs[song] for song in drawn], axis=1)
        assert interval.low == interval.high == pytest.approx(frame_macro_recall(truth, heard))
