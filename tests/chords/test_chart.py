"""Names, transposition, capo and simplification."""

from dataclasses import replace

import pytest

from taggram.chords.chart import (
    arrange,
    chord_name,
    list_chord_names,
    play_with_capo,
    simplify,
    transpose,
)
from taggram.chords.harte import FLATS, QUALITIES
from taggram.chords.key import estimate_key
from taggram.chords.result import ChordResult, ChordSegment, Key

PROFILES = {
    "major": tuple(0.2 if i in (0, 5, 7) else 0.1 if i in (14, 16, 21) else 0.005 for i in range(24)),
    "minor": tuple(0.2 if i in (12, 17, 19) else 0.1 if i in (3, 8, 10) else 0.005 for i in range(24)),
}


def segments(*chords: tuple[int, str, int]) -> tuple[ChordSegment, ...]:
    return tuple(
        ChordSegment(float(place), place + 1.0, root, quality, bass, 0.5 + 0.1 * place)
        for place, (root, quality, bass) in enumerate(chords)
    )


def result(*chords: tuple[int, str, int], key: Key | None = None) -> ChordResult:
    return ChordResult(segments(*chords), float(len(chords)), key, 0.0, "full", "test")


def test_transposition_goes_round_and_back() -> None:
    song = result((0, "maj", 4), (-1, "", 0), (9, "min7", 0), key=Key(0, "major"))
    assert transpose(song, 12) == transpose(song, 0) == song
    up = transpose(song, 5)
    assert transpose(up, -5) == song != up
    assert [chord.root for chord in up.chords] == [5, -1, 2]
    assert up.key == Key(5, "major")
    assert up.spelling[10] == "Bb"


def test_a_capo_lowers_the_shapes() -> None:
    song = result((10, "maj", 0), (3, "maj", 0), key=Key(10, "major"))
    shapes = play_with_capo(song, 3)
    assert [chord_name(chord, shapes.spelling) for chord in shapes.chords] == ["G", "C"]
    assert shapes.key is not None
    assert shapes.key.name == "G major"
    with pytest.raises(ValueError, match="from 0 to 11, got 12"):
        play_with_capo(song, 12)


def test_simple_chords_are_triads_and_neighbours_differ() -> None:
    song = result((0, "maj7", 0), (0, "maj", 4), (2, "min7", 0), (7, "sus4", 0), (7, "7", 0), (-1, "", 0))
    simple = simplify(song)
    assert [(c.root, c.quality, c.bass) for c in simple.chords] == [
        (0, "maj", 0),
        (2, "min", 0),
        (7, "maj", 0),
        (-1, "", 0),
    ]
    assert [(c.start, c.end) for c in simple.chords] == [(0.0, 2.0), (2.0, 3.0), (3.0, 5.0), (5.0, 6.0)]
    assert simple.chords[0].confidence == pytest.approx(0.55)
    assert simplify(simple) == simple


def test_every_quality_has_a_name_of_its_own() -> None:
    names = {chord_name(ChordSegment(0, 1, 10, quality, 0, 1), FLATS) for quality in QUALITIES}
    assert len(names) == len(QUALITIES)
    assert {"Bb", "Bbm", "Bb7", "Bbm7b5"} < names


def test_the_chord_that_lasts_longest_comes_first() -> None:
    song = result((0, "maj", 0), (7, "maj", 0), (-1, "", 0), (7, "maj", 0))
    assert list_chord_names(song) == ["G", "C"]


@pytest.mark.parametrize("tonic", range(12))
def test_the_key_moves_with_the_chords(tonic: int) -> None:
    cadence = segments((0, "maj", 0), (5, "maj7", 0), (7, "7", 0), (9, "min", 0), (0, "maj", 0))
    moved = [replace(chord, root=(chord.root + tonic) % 12) for chord in cadence]
    key = estimate_key(moved, PROFILES)  # type: ignore[arg-type]
    assert key is not None
    assert (key.tonic, key.mode) == (tonic, "major")
    assert key.lead > 0


def test_minor_songs_are_minor_and_silence_has_no_key() -> None:
    key = estimate_key(segments((9, "min", 0), (2, "min", 0), (4, "min", 0), (9, "min7", 0)), PROFILES)  # type: ignore[arg-type]
    assert key is not None
    assert key.name == "A minor"
    assert estimate_key(segments((-1, "", 0)), PROFILES) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("tonic", "mode", "name"),
    [(5, "major", "F major"), (10, "major", "Bb major"), (6, "major", "F# major"), (0, "minor", "C minor")],
)
def test_keys_are_spelled_with_few_accidentals(tonic: int, mode: str, name: str) -> None:
    assert Key(tonic, mode).name == name  # type: ignore[arg-type]


def test_chords_are_written_as_musicians_write_them_in_the_key() -> None:
    chords = segments((10, "maj", 0), (4, "7", 4), (8, "dim", 0), (1, "maj", 4), (6, "dim7", 9))
    written = {
        Key(0, "major"): ["Bb", "E7/G#", "Abdim", "Db/F", "F#dim7/Eb"],
        Key(9, "minor"): ["Bb", "E7/G#", "G#dim", "C#/F", "F#dim7/Eb"],
        Key(11, "minor"): ["A#", "E7/G#", "G#dim", "C#/F", "F#dim7/Eb"],
    }
    for key, names in written.items():
        found = [chord_name(chord, key.spelling) for chord in chords]
        assert found == names, key


def test_a_chart_is_moved_then_shaped_then_simplified() -> None:
    song = result((0, "maj7", 4), (9, "min7", 0), (-1, "", 0), key=Key(0, "major"))
    assert arrange(song) == song
    arranged = arrange(song, semitones=5, capo=3, is_simple=True)
    assert arranged == simplify(play_with_capo(transpose(song, 5), 3))
    assert [chord_name(chord, arranged.spelling) for chord in arranged.chords] == ["D", "Bm", "N.C."]
