"""Chord labels: files of segments, and the reduction to the 25 classes that are usually scored.

Labels are in the syntax of Harte (2010), `ROOT[:QUALITY][(DEGREES)][/BASS]`, or `N` for no chord.
A segment keeps its label as annotated. The vocabulary of a chord dataset is `MAJOR_MINOR`: a major and
a minor triad on each of twelve roots, spelled with sharps, and `N`.
"""

from pathlib import Path

from taggram.chords.harte import NO_CHORD, SHARPS, parse_chord
from taggram.lab.datasets._base import Segment

MAJOR_MINOR = (*(f"{root}:{quality}" for root in SHARPS for quality in ("maj", "min")), NO_CHORD)


def reduce_chord(label: str) -> str | None:
    """Return the class of `MAJOR_MINOR` that a chord belongs to; None if it belongs to none.

    The root and the triad count; sevenths, added notes and the bass do not. A chord that leaves out its
    third or fifth (`C:maj(*3)`, `C:(1,5)`) belongs to none.

    Raises
    ------
    ValueError
        If the label is not in the syntax of Harte.

    Examples
    --------
    >>> reduce_chord("Bb:min7/b3"), reduce_chord("C"), reduce_chord("N"), reduce_chord("C:sus4")
    ('A#:min', 'C:maj', 'N', None)
    """
    chord = parse_chord(label)
    if chord is None or chord.is_nothing:
        return None if chord is None else NO_CHORD
    if 7 not in chord.intervals or not chord.intervals & {3, 4}:
        return None
    return f"{SHARPS[chord.root]}:{'maj' if 4 in chord.intervals else 'min'}"


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
