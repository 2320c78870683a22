"""How notes are written in a key: Bb in C major, but A# in B minor.

Degrees are 1 b2 2 b3 3 4 #4 5 b6 6 b7 7, in minor as in major: the notes from five fifths below the tonic to
six above it, which is how borrowed chords and those that lead elsewhere are mostly meant. Names that hardly
anybody reads from a chart (E#, Cb, double accidentals) give way to the plain ones.

Conventions: a spelling is twelve names, by pitch class from C.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

from taggram.chords.harte import FLATS, SHARPS, Spelling, parse_chord, parse_degree

TONICS: Mapping[Literal["major", "minor"], Spelling] = {
    "major": ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"),
    "minor": ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B"),
}
"""Mode → usual names of its tonics."""

_DEGREES = ("1", "b2", "2", "b3", "3", "4", "#4", "5", "b6", "6", "b7", "7")
_LETTERS = "CDEFGAB"
_USUAL = {*SHARPS, *FLATS}


@lru_cache(maxsize=32)
def spell_key(tonic: str) -> Spelling:
    """Return the names of all notes in the keys on a tonic.

    Examples
    --------
    >>> spell_key("C")
    ('C', 'Db', 'D', 'Eb', 'E', 'F', 'F#', 'G', 'Ab', 'A', 'Bb', 'B')
    >>> spell_key("B")[10], spell_key("D")[1]
    ('A#', 'C#')
    """
    names = {_pitch_class(name): name for name in (name_degree(tonic, degree) for degree in _DEGREES)}
    return tuple(names[pitch_class] for pitch_class in range(12))


@lru_cache(maxsize=512)
def name_degree(root: str, degree: str) -> str:
    """Return the name of the note on a degree above a root, such as that of a chord's bass.

    Examples
    --------
    >>> name_degree("E", "3"), name_degree("F", "b7"), name_degree("C#", "3")
    ('G#', 'Eb', 'F')
    """
    pitch_class = (_pitch_class(root) + parse_degree(degree)) % 12
    letter = _LETTERS[(_LETTERS.index(root[0]) + int(degree.lstrip("#b")) - 1) % 7]
    sharps = (pitch_class - _pitch_class(letter) + 6) % 12 - 6
    name = letter + ("#" * sharps if sharps > 0 else "b" * -sharps)
    return name if name in _USUAL else SHARPS[pitch_class]


def _pitch_class(name: str) -> int:
    chord = parse_chord(name)
    assert chord is not None
    return chord.root
