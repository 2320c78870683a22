"""Judging, fitting and reporting, on plucked chords and the shipped model."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from taggram.chords.constant_q import compute_constant_q
from taggram.chords.recogniser import ChordRecogniser
from taggram.chords.vocabulary import VocabularyName
from taggram.errors import EvaluationError
from taggram.lab.chords.corpus import FRONT_END, SAMPLE_RATE, ChordCorpus, Item
from taggram.lab.chords.evaluation import (
    EVIDENCE_WEIGHTS,
    DecoderFit,
    Judgement,
    fit_decoder,
    judge,
    judge_recordings,
)
from taggram.lab.chords.project import Outcome
from taggram.lab.chords.recipe import ChordRecipe
from taggram.lab.chords.report import write_card, write_results
from taggram.lab.chords.training import Check, TrainingRecord
from taggram.lab.datasets import Segment, Track
from taggram.lab.training.shards import save_arrays
from tests.chords.sounds import LABELS, RATE, SONG, play

ITEMS = ("008-0", "018-0")


def item(name: str, *, tuning: float, transposition: int) -> Item:
    """The song, annotated in C and sounding in another key."""
    sound = play(SONG * 2, tuning=tuning, step=transposition)
    waveform = soxr.resample(sound, RATE, SAMPLE_RATE).astype(np.float32)
    spectrum = np.concatenate(list(compute_constant_q([waveform], FRONT_END, SAMPLE_RATE)))
    chords = tuple(Segment(i * 2.0, i * 2.0 + 2.0, label) for i, label in enumerate(LABELS * 2))
    condition = {"transposition": transposition, "tuning_cents": tuning}
    return Item(name, spectrum.astype(np.float16), chords, transposition, condition, waveform)


@pytest.fixture(scope="module")
def items() -> list[Item]:
    """Two songs in other keys and tunings."""
    return [item(ITEMS[0], tuning=0, transposition=0), item(ITEMS[1], tuning=30, transposition=4)]


@pytest.fixture(scope="module")
def recogniser() -> Iterator[ChordRecogniser]:
    """The shipped model."""
    with ChordRecogniser.load() as shipped:
        yield shipped


@pytest.fixture(scope="module")
def judgements(recogniser: ChordRecogniser, items: list[Item]) -> dict[VocabularyName, Judgement]:
    """What is judged of both songs."""
    return judge(recogniser, items, ("majmin", "sevenths", "full"))


@pytest.fixture(scope="module")
def fit(recogniser: ChordRecogniser, items: list[Item]) -> DecoderFit:
    """The fit of the decoder on both songs."""
    return fit_decoder(recogniser.network, items)


def test_songs_are_judged_in_the_key_in_which_they_sound(judgements: dict[VocabularyName, Judgement]) -> None:
    majmin = judgements["majmin"]
    for song in majmin.songs:
        assert song.scores.values["majmin"] > 0.85
        assert song.scores.values["seg"] > 0.8
    assert [song.result.tuning_cents for song in majmin.songs] == pytest.approx([0, 30], abs=4)
    assert majmin.macro_recall > 0.8
    assert majmin.intervals.sum() == pytest.approx(1)
    assert majmin.intervals[0] > 0.85
    assert judgements["full"].qualities[0, 0] > 0.5
    assert majmin.times_real_time > 1


def test_the_decoder_is_fitted_for_every_vocabulary(fit: DecoderFit) -> None:
    assert set(fit.weights) == {"majmin", "sevenths", "full"}
    assert set(fit.weights.values()) <= set(EVIDENCE_WEIGHTS)
    assert fit.with_decoder["seg"].mean >= fit.without_decoder["seg"].mean


def test_the_page_and_the_card_give_what_was_measured(
    judgements: dict[VocabularyName, Judgement],
    fit: DecoderFit,
    recogniser: ChordRecogniser,
    items: list[Item],
    tmp_path: Path,
) -> None:
    corpus = ChordCorpus(tmp_path)
    for each in items:
        drawn = {
            **each.condition,
            **{"drums": "", "programs": {"accompaniment": 0}, "room": 0, "mp3": {}, "noise_db": None},
        }
        save_arrays(
            tmp_path / "test" / f"{each.id}.npz",
            {
                "spectrum": each.spectrum,
                "starts": np.array([c.start for c in each.chords]),
                "ends": np.array([c.end for c in each.chords]),
                "labels": np.array([c.label for c in each.chords]),
                "condition": np.array(json.dumps(drawn)),
            },
        )
    record = TrainingRecord((Check(100, 0.7, 0.58), Check(200, 0.8, 0.67)), ((0, 1800), (100, 200)))
    outcome = Outcome(
        recogniser.network.specification, 1234, judgements, fit, ChordRecipe(dataset="pop909"), record, 7
    )
    tracks = [Track(name.partition("-")[0], tmp_path / "x.mid") for name in ITEMS]
    page = write_results(outcome, outcome, corpus, tracks)
    figure = judgements["majmin"].figures["root"]
    assert f"{figure.mean:.3f} ({figure.interval.low:.3f}–" in page  # type: ignore[union-attr]
    assert "No recorded music with chord labels was at hand" in page
    assert "nan" not in page
    assert "went from 0.580 to 0.670. It was still learning" in page
    assert "a schedule of 1800 steps, which was 200 from step 100 on" in page
    card = write_card(outcome, 2_000_000)
    assert "1,234 parameters, 2.0 MB" in card
    assert "MIT" in card
    assert "a schedule of 1800 steps" in card
    fresh = replace(outcome, record=TrainingRecord((), ((0, 200),)))
    assert "a schedule of" not in write_card(fresh, 2_000_000) + write_results(fresh, fresh, corpus, tracks)


def test_recordings_are_judged_and_what_is_missing_is_named(
    recogniser: ChordRecogniser, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "a.wav", play(SONG * 2), RATE)
    segments = tuple(Segment(i * 2.0, i * 2.0 + 2.0, label) for i, label in enumerate(LABELS * 2))
    tracks = [
        Track("a", tmp_path / "a.wav", (), segments),
        Track("b", tmp_path / "b.wav", (), segments),
        Track("c", tmp_path / "a.wav", (), (Segment(0, 0, "C:maj"),)),
    ]
    judgements, failed = judge_recordings(recogniser, tracks, ("majmin", "full"), n_replicates=100)
    majmin = judgements["majmin"]
    assert majmin.figures["majmin"].mean > 0.85
    assert majmin.figures["majmin"].n_songs == 1
    assert majmin.macro_recall_interval is not None
    assert majmin.macro_recall_interval.low == pytest.approx(majmin.macro_recall)  # of one song
    assert [song.id for song in judgements["full"].songs] == ["a"]
    assert list(failed) == ["b", "c"]
    assert failed["c"] == "no chord is annotated"
    with pytest.raises(EvaluationError, match="none of 1 songs could be heard"):
        judge_recordings(recogniser, tracks[1:2], ("majmin",))
    with pytest.raises(EvaluationError, match="no songs to judge"):
        judge(recogniser, [], ("majmin",))
