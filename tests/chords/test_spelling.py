"""Every note of every key has a name, the right one, and one that can be read."""

import pytest

from taggram.chords.harte import FLATS, QUALITIES, SHARPS, format_degree, parse_chord
from taggram.chords.result import Key
from taggram.chords.spelling import TONICS, name_degree, spell_key

KEYS = [Key(tonic, mode) for mode in TONICS for tonic in range(12)]
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}


def pitch_class(name: str) -> int:
    chord = parse_chord(name)
    assert chord is not None
    return chord.root


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_every_name_means_its_note(key: Key) -> None:
    assert [pitch_class(name) for name in key.spelling] == list(range(12))
    assert set(key.spelling) <= {*SHARPS, *FLATS}, "no E#, no Cb, no double accidentals"
    assert key.spelling[key.tonic] == key.tonic_name


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_a_scale_has_one_kind_of_accidentals(key: Key) -> None:
    scale = "".join(key.spelling[(key.tonic + step) % 12] for step in SCALES[key.mode])
    assert not ("#" in scale and "b" in scale)


def test_what_is_borrowed_is_lowered_and_what_leads_is_raised() -> None:
    assert [spell_key("C")[note] for note in (1, 3, 6, 8, 10)] == ["Db", "Eb", "F#", "Ab", "Bb"]
    assert [spell_key("A")[note] for note in (1, 3, 6, 8, 10)] == ["C#", "D#", "F#", "G#", "Bb"]
    assert Key(3, "minor").name == "Eb minor"
    assert Key(6, "major").name == "F# major"


@pytest.mark.parametrize("root", sorted({*SHARPS, *FLATS}))
def test_basses_are_notes_of_their_chords(root: str) -> None:
    for quality, intervals in QUALITIES.items():
        for interval in intervals:
            name = name_degree(root, format_degree(interval, quality))
            assert pitch_class(name) == (pitch_class(root) + interval) % 12
            assert name in {*SHARPS, *FLATS}
