"""Scores, arrangements, targets and statistics."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from taggram.chords.decoder import transition_matrix
from taggram.chords.harte import QUALITIES
from taggram.chords.midi_file import DRUMS, Note
from taggram.chords.vocabulary import VOCABULARIES
from taggram.errors import DatasetError
from taggram.lab.chords.arrangement import Condition, arrange, draw_condition
from taggram.lab.chords.score import Score, load_score
from taggram.lab.chords.statistics import count_chords, count_keys, read_key, read_songs
from taggram.lab.chords.targets import IGNORED, NO_ROOT, compute_targets, transpose_targets
from taggram.lab.datasets import Segment, Track, load_dataset


def a_score() -> Score:
    """Eight bars of two chords: a melody on G, chords of three notes, beats every half second."""
    melody = tuple(Note(beat * 0.5, beat * 0.5 + 0.4, 67) for beat in range(32))
    chords = [(0, (48, 52, 55)), (4, (53, 57, 60))] * 4
    piano = tuple(
        Note(bar * 2.0, bar * 2.0 + 1.9, pitch, 70)
        for bar, (_, pitches) in enumerate(chords)
        for pitch in pitches
    )
    segments = tuple(
        Segment(bar * 2.0, bar * 2.0 + 2.0, label) for bar, label in enumerate(("C:maj", "F:maj/5") * 4)
    )
    beats = tuple((beat * 0.5, beat % 4 == 0) for beat in range(32))
    return Score((melody, (), piano), beats, segments, 16.0)


@pytest.fixture
def draw() -> Callable[..., Condition]:
    """Draw a condition of the whole score: draw(seed)."""

    def drawn(seed: int) -> Condition:
        return draw_condition(
            np.random.default_rng(seed),
            sound_fonts=("a.sf2", "b.sf2"),
            score_duration=16.0,
            excerpt=None,
            max_tuning_cents=20.0,
        )

    return drawn


def test_an_excerpt_moves_and_stretches_everything_alike() -> None:
    cut = a_score().excerpt(1.0, 4.0, stretch=2.0)
    assert cut.duration == 8.0
    assert [(chord.start, chord.end, chord.label) for chord in cut.chords] == [
        (0.0, 2.0, "C:maj"),
        (2.0, 6.0, "F:maj/5"),
        (6.0, 8.0, "C:maj"),
    ]
    assert [note.start for note in cut.parts[2]] == [0.0] * 3 + [2.0] * 3 + [6.0] * 3
    assert cut.beats[1] == (1.0, False)
    assert max(note.end for part in cut.parts for note in part) <= 8.0


def test_conditions_are_drawn_by_the_seed_alone_and_json_can_hold_them(
    draw: Callable[..., Condition],
) -> None:
    assert draw(3) == draw(3) != draw(4)
    assert json.loads(json.dumps(asdict(draw(3)))) == asdict(draw(3))
    assert len({draw(seed).sound_font for seed in range(20)}) == 2
    assert all(abs(draw(seed).tuning_cents) <= 20 for seed in range(20))


@pytest.mark.parametrize("seed", range(12))
def test_an_arrangement_adds_no_pitch_class(draw: Callable[..., Condition], seed: int) -> None:
    """What sounds in a chord, drums aside, are the score's own pitch classes in the new key."""
    score, condition = a_score(), draw(seed)
    notes, programs = arrange(score, condition)
    assert {note.channel for note in notes} - {DRUMS} <= set(programs)
    for bar, own in enumerate([{0, 4, 7}, {5, 9, 0, 7}] * 4):
        start, end = bar * 2.0 * condition.stretch, (bar * 2.0 + 1.9) * condition.stretch
        inside = [n for n in notes if start + 0.01 < n.start < end - 0.01 and n.channel != DRUMS]
        assert {(n.pitch - condition.transposition) % 12 for n in inside} <= own
    basses = [n for n in notes if n.channel == 4]
    assert bool(basses) == ("bass" in condition.programs)
    assert all(28 <= n.pitch - condition.transposition < 52 for n in basses)
    assert bool(condition.drums) == any(n.channel == DRUMS for n in notes)


def test_drums_fall_on_the_beats(draw: Callable[..., Condition]) -> None:
    condition = replace(draw(0), drums="rock", stretch=1.0, start=0.0, duration=16.0)
    notes, _ = arrange(a_score(), condition)
    kicks = sorted(note.start for note in notes if note.channel == DRUMS and note.pitch == 36)
    assert kicks[:4] == [0.0, 1.0, 1.25, 2.0]  # beats one, three and a half of a bar of two seconds


def test_targets_follow_the_segments() -> None:
    segments = (
        Segment(0.0, 1.0, "N"),
        Segment(1.0, 2.0, "Bb:min7/b3"),
        Segment(2.0, 3.0, "X"),
        Segment(3.0, 4.0, "C:5"),
    )
    targets = compute_targets(segments, np.arange(0, 5, 0.5), transposition=3)
    assert targets.root.tolist() == [NO_ROOT, NO_ROOT, 1, 1, IGNORED, IGNORED, 3, 3, IGNORED, IGNORED]
    assert targets.bass.tolist()[2:4] == [4, 4]
    minor_seventh = list(QUALITIES).index("min7")
    assert targets.quality.tolist()[2:4] == [minor_seventh] * 2
    assert targets.quality.tolist()[6] == IGNORED
    moved = transpose_targets(targets.root, 11)
    assert moved.tolist()[:4] == [NO_ROOT, NO_ROOT, 0, 0]
    assert moved.tolist()[4] == IGNORED


def test_statistics_of_one_cadence(tmp_path: Path) -> None:
    bars = ["C:maj", "F:maj", "G:7", "C:maj7", "C:maj"] * 40
    lines = [f"{bar * 2} {bar * 2 + 2} {label}" for bar, label in enumerate(bars)]
    (tmp_path / "a.lab").write_text("\n".join(lines), encoding="utf-8")
    statistics = count_chords(read_songs([tmp_path / "a.lab"]))
    majmin = statistics["majmin"]
    table = np.array(majmin.transitions).reshape(2, 12, 2)
    # C→F, F→G and G→C are all there is, up to smoothing; C:maj7 to C is no step between triads.
    assert table[0, 5, 0] == pytest.approx(0.6, abs=0.1)
    assert table[0, 2, 0] == pytest.approx(0.3, abs=0.1)
    assert not table[0, 0, 0]
    assert majmin.n_stages * majmin.stage_duration == pytest.approx(np.mean([2, 2, 6]), rel=0.1)
    full = np.array(statistics["full"].transitions).reshape(14, 12, 14)
    columns = {quality: column for column, quality in enumerate(QUALITIES)}
    assert full[columns["maj7"], 0, columns["maj"]] > 0.6
    for name, vocabulary in VOCABULARIES.items():
        matrix = transition_matrix(statistics[name], vocabulary.n_states)
        np.testing.assert_allclose(matrix.sum(axis=1), 1)
    with pytest.raises(DatasetError, match="no songs with annotated chords"):
        count_chords([])
    with pytest.raises(DatasetError, match="none of 1 songs has a chord"):
        count_chords([(Segment(0, 0, "C:maj"),)])


def test_keys_are_counted_relative_to_the_tonic(tmp_path: Path) -> None:
    (tmp_path / "key_audio.txt").write_text("0.1 20.0 D:maj\n", encoding="utf-8")
    segments = (Segment(0, 15, "D:maj"), Segment(15, 20, "E:min7"), Segment(20, 30, "N"))
    track = Track("001", tmp_path / "001.mid", (), segments)
    assert read_key(track) == (2, "major")
    shares = count_keys([track])["major"]
    assert (shares[0], shares[14]) == pytest.approx((16 / 44, 6 / 44), abs=1e-6)
    (tmp_path / "key_audio.txt").write_text("0.1 9.0 D:maj\n9.0 20.0 E:maj\n", encoding="utf-8")
    assert read_key(track) is None


def test_scores_of_pop909_hold_their_chords(shared: Path) -> None:
    """Most of what the accompaniment plays lies in the chord that is annotated at the time."""
    from taggram.chords.harte import parse_chord

    track = load_dataset("pop909").tracks(shared / "music" / "pop909", "validation")[0]
    score = load_score(track)
    inside = outside = 0
    for chord in score.chords:
        said = parse_chord(chord.label)
        for note in score.parts[2]:
            if said is not None and not said.is_nothing and chord.start <= note.start < chord.end - 0.05:
                inside += note.pitch % 12 in said.pitch_classes
                outside += note.pitch % 12 not in said.pitch_classes
    assert inside > 5 * outside
