"""Names of chords."""

import pytest

from taggram.chords.harte import (
    FLATS,
    NOTHING,
    QUALITIES,
    SHARPS,
    format_degree,
    format_label,
    parse_chord,
    parse_degree,
    transpose_label,
)


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("root", range(12))
def test_labels_are_a_round_trip(quality: str, root: int) -> None:
    for bass in QUALITIES[quality]:
        for spelling in (SHARPS, FLATS):
            chord = parse_chord(format_label(root, quality, bass, spelling=spelling))
            assert chord is not None
            assert (chord.root, chord.quality, chord.bass) == (root, quality, bass)
            assert chord.intervals == QUALITIES[quality]


@pytest.mark.parametrize(
    ("label", "root", "quality", "bass"),
    [
        ("C", 0, "maj", 0),
        ("Cb", 11, "maj", 0),
        ("B#:min", 0, "min", 0),
        ("D:7(#9)", 2, "7", 0),
        ("Eb:min9/b7", 3, "min7", 10),
        ("A:sus4(b7)", 9, "sus4", 0),
        ("F#:maj6(9)", 6, "maj6", 0),
        ("G:13", 7, "7", 0),
        ("G:maj(*3)", 7, None, 0),
        ("C:5", 0, None, 0),
        ("C:(1,b3,5)", 0, "min", 0),
        ("C:aug(b7)", 0, "aug", 0),
    ],
)
def test_labels_of_the_collections(label: str, root: int, quality: str | None, bass: int) -> None:
    chord = parse_chord(label)
    assert chord is not None
    assert (chord.root, chord.quality, chord.bass) == (root, quality, bass)


def test_no_chord_and_unknown_are_told_apart() -> None:
    assert parse_chord("N") is NOTHING
    assert parse_chord("X") is None
    assert NOTHING.transposed(5) is NOTHING
    assert not NOTHING.pitch_classes


@pytest.mark.parametrize("label", ["", "H", "c", "C:", "C:major", "C/", "C:min7/0", "N:maj", "C:(x)"])
def test_what_is_no_label_is_an_error(label: str) -> None:
    with pytest.raises(ValueError, match="is no "):
        parse_chord(label)


def test_transposition_moves_every_note_and_nothing_else() -> None:
    for label in ("C", "F#:min7/b3", "Bb:7(#9)"):
        before = parse_chord(label)
        for semitones in (-7, 0, 5, 13):
            after = parse_chord(transpose_label(label, semitones))
            assert before is not None
            assert after == before.transposed(semitones)
    assert transpose_label("N", 3) == "N"
    assert transpose_label("X", 3) == "X"


def test_degrees_are_a_round_trip() -> None:
    for quality in QUALITIES:
        for interval in range(12):
            assert parse_degree(format_degree(interval, quality)) == interval
    assert parse_degree("13") == 9


def test_both_spellings_name_the_same_pitch_classes() -> None:
    assert [parse_chord(name).root for name in SHARPS] == list(range(12))  # type: ignore[union-attr]
    assert [parse_chord(name).root for name in FLATS] == list(range(12))  # type: ignore[union-attr]
