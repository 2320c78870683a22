"""Chord names in the syntax of Harte: what is in a chord, and back to its name.

    N                     no chord
    X                     a chord that cannot be said
    ROOT[:QUALITY][(DEGREES)][/BASS]     C, Bb:min7, F#:maj7/3, D:sus4(b7), A:(1,5)

A chord is a root, a set of intervals above it and a bass; its *quality* here is the one of fourteen that
its third, fifth, sixth and seventh make, so that `C:maj9` is a `maj7` and `C:9` a `7`.

Conventions: pitch classes count semitones from C, intervals from the root, 0–11.

References
----------
Harte, "Towards automatic extraction of harmony information from music signals", PhD thesis, 2010.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

NO_CHORD = "N"
UNKNOWN = "X"
SHARPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
FLATS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")

Spelling = tuple[str, ...]
"""Names of the twelve pitch classes, from C."""

QUALITIES: Mapping[str, frozenset[int]] = {
    "maj": frozenset({0, 4, 7}),
    "min": frozenset({0, 3, 7}),
    "dim": frozenset({0, 3, 6}),
    "aug": frozenset({0, 4, 8}),
    "sus2": frozenset({0, 2, 7}),
    "sus4": frozenset({0, 5, 7}),
    "maj6": frozenset({0, 4, 7, 9}),
    "min6": frozenset({0, 3, 7, 9}),
    "maj7": frozenset({0, 4, 7, 11}),
    "7": frozenset({0, 4, 7, 10}),
    "min7": frozenset({0, 3, 7, 10}),
    "minmaj7": frozenset({0, 3, 7, 11}),
    "hdim7": frozenset({0, 3, 6, 10}),
    "dim7": frozenset({0, 3, 6, 9}),
}
"""Quality → its intervals; the order is that of the columns of every model."""

_MORE: Mapping[str, frozenset[int]] = {
    "": QUALITIES["maj"],
    "6": QUALITIES["maj6"],
    "9": frozenset({0, 2, 4, 7, 10}),
    "maj9": frozenset({0, 2, 4, 7, 11}),
    "min9": frozenset({0, 2, 3, 7, 10}),
    "minmaj9": frozenset({0, 2, 3, 7, 11}),
    "11": frozenset({0, 2, 4, 5, 7, 10}),
    "maj11": frozenset({0, 2, 4, 5, 7, 11}),
    "min11": frozenset({0, 2, 3, 5, 7, 10}),
    "13": frozenset({0, 2, 4, 5, 7, 9, 10}),
    "maj13": frozenset({0, 2, 4, 5, 7, 9, 11}),
    "min13": frozenset({0, 2, 3, 5, 7, 9, 10}),
    "hdim": QUALITIES["hdim7"],
    "aug7": frozenset({0, 4, 8, 10}),
    "sus": QUALITIES["sus4"],
    "7sus4": frozenset({0, 5, 7, 10}),
    "5": frozenset({0, 7}),
    "1": frozenset({0}),
}
_LETTERS: Mapping[str, int] = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_DEGREES = (0, 2, 4, 5, 7, 9, 11)  # of the major scale
_LABEL = re.compile(
    r"(?P<letter>[A-G])(?P<accidentals>[#b]*)"
    r"(?::(?=[a-z0-9(])(?P<quality>[a-z0-9]*)(?:\((?P<degrees>[^)]*)\))?)?(?:/(?P<bass>[#b]*\d+))?"
)
_DEGREE = re.compile(r"(?P<accidentals>[#b]*)(?P<number>\d+)")


@dataclass(frozen=True)
class Chord:
    """One chord; `NOTHING` has neither root nor intervals.

    Attributes
    ----------
    root
        Pitch class; −1 for no chord.
    intervals
        Above the root; the root itself may be missing.
    bass
        Interval of the lowest note above the root.
    """

    root: int
    intervals: frozenset[int] = frozenset()
    bass: int = 0

    @property
    def is_nothing(self) -> bool:
        """Whether this is no chord at all."""
        return self.root < 0

    @property
    def quality(self) -> str | None:
        """The quality that the chord's third, fifth, sixth and seventh make; None if it is none of ours."""
        return _quality_of(self.intervals)

    @property
    def pitch_classes(self) -> frozenset[int]:
        """The sounding pitch classes, the bass included."""
        if self.is_nothing:
            return frozenset()
        return frozenset((self.root + interval) % 12 for interval in self.intervals | {self.bass})

    def transposed(self, semitones: int) -> "Chord":
        """Return the chord so many semitones higher."""
        return self if self.is_nothing else Chord((self.root + semitones) % 12, self.intervals, self.bass)


NOTHING = Chord(-1)


@lru_cache(maxsize=4096)
def parse_chord(label: str) -> Chord | None:
    """Read a label; None for `X`, a chord that nobody can say.

    Raises
    ------
    ValueError
        If the label is not in the syntax of Harte.

    Examples
    --------
    >>> chord = parse_chord("Bb:min7/b3")
    >>> chord.root, sorted(chord.intervals), chord.bass, chord.quality
    (10, [0, 3, 7, 10], 3, 'min7')
    """
    if label in (NO_CHORD, UNKNOWN):
        return NOTHING if label == NO_CHORD else None
    match = _LABEL.fullmatch(label)
    quality = (match["quality"] or "") if match else None
    if match is None or quality not in {*QUALITIES, *_MORE}:
        raise ValueError(f"{label!r} is no chord label such as C, Bb:min7 or F#:maj/3")
    is_bare = not quality and match["degrees"] is not None
    intervals = set() if is_bare else set(QUALITIES.get(quality) or _MORE[quality])
    for degree in filter(None, (match["degrees"] or "").replace(" ", "").split(",")):
        if degree.startswith("*"):
            intervals.discard(parse_degree(degree[1:]))
        else:
            intervals.add(parse_degree(degree))
    root = (_LETTERS[match["letter"]] + _sharps(match["accidentals"])) % 12
    bass = parse_degree(match["bass"]) if match["bass"] else 0
    return Chord(root, frozenset(intervals), bass)


def parse_degree(degree: str) -> int:
    """Return the interval of a degree such as `b3` or `9`, 0–11.

    Raises
    ------
    ValueError
        If this is no degree.
    """
    match = _DEGREE.fullmatch(degree)
    if match is None or int(match["number"]) < 1:
        raise ValueError(f"{degree!r} is no degree of a chord such as b3 or 9")
    return (_DEGREES[(int(match["number"]) - 1) % 7] + _sharps(match["accidentals"])) % 12


def format_label(root: int, quality: str, bass: int = 0, *, spelling: Spelling = SHARPS) -> str:
    """Return the label of a chord of one of `QUALITIES`; a root of −1 is no chord.

    Examples
    --------
    >>> format_label(10, "min7", 3, spelling=FLATS), format_label(-1, "")
    ('Bb:min7/b3', 'N')
    """
    if root < 0:
        return NO_CHORD
    return f"{spelling[root]}:{quality}" + (f"/{format_degree(bass, quality)}" if bass else "")


def transpose_label(label: str, semitones: int) -> str:
    """Return a label so many semitones higher, its root spelled with sharps; the rest stays as it is.

    Examples
    --------
    >>> transpose_label("Bb:min7(11)/b3", 3), transpose_label("N", 3)
    ('C#:min7(11)/b3', 'N')
    """
    match = _LABEL.fullmatch(label)
    if match is None:
        return label
    root = (_LETTERS[match["letter"]] + _sharps(match["accidentals"]) + semitones) % 12
    return SHARPS[root] + label[match.end("accidentals") :]


def format_degree(interval: int, quality: str) -> str:
    """Return the usual name of an interval in a chord: the sixth of a `dim7` is its `bb7`."""
    if interval == 6 and 6 not in QUALITIES[quality]:
        return "#4"
    if interval == 8 and 8 in QUALITIES[quality]:
        return "#5"
    if interval == 9 and quality == "dim7":
        return "bb7"
    return ("1", "b2", "2", "b3", "3", "4", "b5", "5", "b6", "6", "b7", "7")[interval]


@lru_cache(maxsize=4096)
def _quality_of(intervals: frozenset[int]) -> str | None:
    """Name the quality by what is there: third or suspension, then fifth, then seventh or sixth."""
    if 4 in intervals and (7 in intervals or 8 in intervals):
        if 7 not in intervals:
            return "aug"
        return "7" if 10 in intervals else "maj7" if 11 in intervals else "maj6" if 9 in intervals else "maj"
    if 3 in intervals and 7 in intervals:
        if 10 in intervals:
            return "min7"
        return "minmaj7" if 11 in intervals else "min6" if 9 in intervals else "min"
    if 3 in intervals and 6 in intervals:
        return "hdim7" if 10 in intervals else "dim7" if 9 in intervals else "dim"
    if 7 in intervals and not intervals & {3, 4}:
        return "sus4" if 5 in intervals else "sus2" if 2 in intervals else None
    return None


def _sharps(accidentals: str) -> int:
    return accidentals.count("#") - accidentals.count("b")
