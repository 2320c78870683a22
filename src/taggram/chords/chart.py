"""The chart: names that musicians read, fewer and simpler chords, other keys, and the capo.

Every function takes a result and returns another one, so that every format shows what was asked for.

Conventions: transposition in semitones, up is positive; a capo in fret 3 makes the shape of G sound as Bb.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import groupby

from taggram.chords.harte import Spelling, format_degree
from taggram.chords.result import ChordResult, ChordSegment
from taggram.chords.spelling import name_degree
from taggram.chords.vocabulary import VOCABULARIES

NO_CHORD_NAME = "N.C."
MOST_FRETS = 11

_SUFFIXES: Mapping[str, str] = {
    "maj": "",
    "min": "m",
    "dim": "dim",
    "aug": "aug",
    "sus2": "sus2",
    "sus4": "sus4",
    "maj6": "6",
    "min6": "m6",
    "maj7": "maj7",
    "7": "7",
    "min7": "m7",
    "minmaj7": "m(maj7)",
    "hdim7": "m7b5",
    "dim7": "dim7",
}


def chord_name(chord: ChordSegment, spelling: Spelling) -> str:
    """Return the name as in a song book.

    Examples
    --------
    >>> from taggram.chords.spelling import spell_key
    >>> chord_name(ChordSegment(0, 1, 10, "min7", 3, 1.0), spell_key("F"))
    'Bbm7/Db'
    """
    if chord.is_nothing:
        return NO_CHORD_NAME
    root = spelling[chord.root]
    bass = f"/{name_degree(root, format_degree(chord.bass, chord.quality))}" if chord.bass else ""
    return f"{root}{_SUFFIXES[chord.quality]}{bass}"


def transpose(result: ChordResult, semitones: int) -> ChordResult:
    """Return the chart in another key; the spelling follows the new key."""
    key = result.key and replace(result.key, tonic=(result.key.tonic + semitones) % 12)
    return replace(result, key=key, chords=tuple(_moved(chord, semitones) for chord in result.chords))


def simplify(result: ChordResult) -> ChordResult:
    """Return a chart of major and minor triads in root position.

    A suspended chord is played as the major triad on its root. Chords that become equal become one; its
    confidence is the mean over its time, of what it was.
    """
    return replace(result, chords=tuple(_join(_simple(chord) for chord in result.chords)))


def play_with_capo(result: ChordResult, capo: int) -> ChordResult:
    """Return the shapes to play with a capo in a fret, so that the song sounds as before.

    Raises
    ------
    ValueError
        If the fret is not between 0 and 11.
    """
    if not 0 <= capo <= MOST_FRETS:
        raise ValueError(f"a capo stands in a fret from 0 to {MOST_FRETS}, got {capo}")
    return transpose(result, -capo)


def arrange(
    result: ChordResult, *, semitones: int = 0, capo: int = 0, is_simple: bool = False
) -> ChordResult:
    """Return the chart so many semitones higher, as the shapes to play with a capo, simplified or not.

    Raises
    ------
    ValueError
        As of `play_with_capo`.
    """
    moved = play_with_capo(transpose(result, semitones), capo)
    return simplify(moved) if is_simple else moved


def list_chord_names(result: ChordResult) -> list[str]:
    """Return the names of the chords, the one that lasts longest first."""
    seconds: dict[str, float] = {}
    for chord in result.chords:
        if not chord.is_nothing:
            name = chord_name(chord, result.spelling)
            seconds[name] = seconds.get(name, 0.0) + chord.duration
    return sorted(seconds, key=lambda name: -seconds[name])


def _moved(chord: ChordSegment, semitones: int) -> ChordSegment:
    return chord if chord.is_nothing else replace(chord, root=(chord.root + semitones) % 12)


def _simple(chord: ChordSegment) -> ChordSegment:
    if chord.is_nothing:
        return chord
    return replace(chord, quality=VOCABULARIES["majmin"].reduce(chord.quality) or "maj", bass=0)


def _join(chords: Iterable[ChordSegment]) -> Iterable[ChordSegment]:
    for _, group in groupby(chords, key=lambda chord: (chord.root, chord.quality)):
        members = list(group)
        first, last = members[0], members[-1]
        weighted = sum(chord.confidence * chord.duration for chord in members)
        yield replace(first, end=last.end, confidence=weighted / (last.end - first.start))
