"""Chord labels: files of segments, and the reduction to the 25 classes that are usually scored.

Labels are in the syntax of Harte (2010), `ROOT[:QUALITY][(DEGREES)][/BASS]`, or `N` for no chord.
A segment keeps its label as annotated. The vocabulary of a chord dataset is `MAJOR_MINOR`: a major and
a minor triad on each of twelve roots, spelled with sharps, and `N`.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from taggram.lab.datasets._base import Segment

ROOTS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
NO_CHORD = "N"
MAJOR_MINOR = (*(f"{root}:{quality}" for root in ROOTS for quality in ("maj", "min")), NO_CHORD)

_LABEL = re.compile(
    r"(?P<letter>[A-G])(?P<accidentals>[#b]*)"
    r"(?::(?=[a-z0-9(])(?P<quality>[a-z0-9]*)(?:\((?P<degrees>[^)]*)\))?)?(?:/(?P<bass>[#b]*\d+))?"
)
_PITCH_CLASS: Mapping[str, int] = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
# Qualities whose third and fifth make a major or a minor triad. What has neither (dim, aug, sus, a
# bare fifth) is in no class.
_TRIAD: Mapping[str, str] = {
    **dict.fromkeys(("", "maj", "maj6", "6", "7", "maj7", "9", "maj9", "11", "maj11", "13", "maj13"), "maj"),
    **dict.fromkeys(("min", "min6", "min7", "minmaj7", "min9", "minmaj9", "min11", "min13"), "min"),
}
_OTHER = frozenset(
    {"dim", "dim7", "hdim7", "hdim", "aug", "aug7", "sus2", "sus4", "sus4(b7)", "sus", "5", "1", "7sus4"}
)


def reduce_chord(label: str) -> str | None:
    """Return the class of `MAJOR_MINOR` that a chord belongs to; None if it belongs to none.

    The root and the triad count; sevenths, added notes and the bass do not. A chord that leaves out its
    third or fifth (`C:maj(*3)`) or is built of bare degrees (`C:(1,5)`) belongs to none.

    Raises
    ------
    ValueError
        If the label is not in the syntax of Harte.

    Examples
    --------
    >>> reduce_chord("Bb:min7/b3"), reduce_chord("C"), reduce_chord("N"), reduce_chord("C:sus4")
    ('A#:min', 'C:maj', 'N', None)
    """
    if label in (NO_CHORD, "X"):
        return NO_CHORD if label == NO_CHORD else None
    match = _LABEL.fullmatch(label)
    quality = match["quality"] or "" if match else ""
    if match is None or (quality not in _TRIAD and quality not in _OTHER):
        raise ValueError(f"{label!r} is no chord label")
    degrees = (match["degrees"] or "").replace(" ", "").split(",")
    is_bare = match["quality"] == "" and match["degrees"] is not None
    if is_bare or any(degree.startswith("*") and degree[-1] in "35" for degree in degrees):
        return None
    triad = _TRIAD.get(quality)
    return f"{ROOTS[_root_of(match)]}:{triad}" if triad else None


def _root_of(match: re.Match[str]) -> int:
    accidentals = match["accidentals"]
    return (_PITCH_CLASS[match["letter"]] + accidentals.count("#") - accidentals.count("b")) % 12


def read_segments(path: Path) -> tuple[Segment, ...]:
    """Read lines of start, end and label, separated by blanks or tabs.

    Raises
    ------
    ValueError
        If a line has another form, a segment ends before it starts, or a label is no chord.
    """
    segments = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            start, end, label = line.split()
            segment = Segment(float(start), float(end), label)
            reduce_chord(label)
        except ValueError as error:
            raise ValueError(f"{path.name}, line {number}: {error}") from error
        if segment.end < segment.start:
            raise ValueError(f"{path.name}, line {number}: ends before it starts")
        segments.append(segment)
    return tuple(segments)


def labels_in(segments: tuple[Segment, ...]) -> tuple[str, ...]:
    """Return the classes that occur, in the order of `MAJOR_MINOR`."""
    present = {reduce_chord(segment.label) for segment in segments}
    return tuple(name for name in MAJOR_MINOR if name in present)
