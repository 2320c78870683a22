"""Written music: notes, chords, drum steps, and the clock that turns beats into seconds.

Conventions: time in beats until a `Clock` makes it seconds; pitch as MIDI number, 60 is middle C, 69
is A at 440 Hz; velocity in (0, 1].

A melody is text: `"C5/1.5 D5/.5 E5+G5 - | F5/2"` is C5 for one and a half beats, D5 for half a beat,
E5 and G5 together for half a beat (a length holds until the next one), a rest, a bar line (for the eye
only), and F5 for two beats. A drum pattern is text as well, one character a step: `x` loud, `o` medium,
`-` soft, `.` nothing.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

_DEGREES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ACCIDENTALS = {"": 0, "#": 1, "b": -1}
_CHORDS: dict[str, tuple[int, ...]] = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "5": (0, 7, 12),
    "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
    "m7b5": (0, 3, 6, 10),
    "dim7": (0, 3, 6, 9),
    "sus2": (0, 2, 7),
    "sus4": (0, 5, 7),
    "add9": (0, 4, 7, 14),
    "madd9": (0, 3, 7, 14),
    "9": (0, 4, 7, 10, 14),
    "m9": (0, 3, 7, 10, 14),
    "maj9": (0, 4, 7, 11, 14),
    "13": (0, 4, 10, 14, 21),
    "7#9": (0, 4, 10, 15),
}
_LOUDNESS = {"x": 1.0, "o": 0.65, "-": 0.35}


@dataclass(frozen=True)
class Note:
    """One note: when and how long (beats), which pitch (MIDI number), how hard."""

    start: float
    duration: float
    pitch: float
    velocity: float = 0.8

    @property
    def end(self) -> float:
        """Beat at which the note ends."""
        return self.start + self.duration


@dataclass(frozen=True)
class Clock:
    """Beats → seconds.

    Attributes
    ----------
    bpm
        Beats per minute: one number, or (beat, bpm) points with straight lines between them.
    swing
        How late the second half of a beat comes, in beats: 0 is even, 1/6 is triplet swing.
    """

    bpm: float | tuple[tuple[float, float], ...]
    swing: float = 0.0

    def seconds(self, beats: float) -> float:
        """Return the time of a beat."""
        within = beats % 1.0
        beats += self.swing * (1 - abs(2 * within - 1))
        if not isinstance(self.bpm, tuple):
            return beats * 60 / self.bpm
        points, speeds = np.array(self.bpm).T
        grid = np.linspace(0, beats, 2 + int(abs(beats) * 8))
        pace = 60 / np.interp(grid, points, speeds)
        return float(np.trapezoid(pace, grid))


def parse_pitch(name: str) -> int:
    """Return the MIDI number of a name such as "F#3"."""
    match = re.fullmatch(r"([A-G])([#b]?)(-?\d)", name)
    assert match, f"not a pitch: {name!r}"
    letter, accidental, octave = match.groups()
    return _DEGREES[letter] + _ACCIDENTALS[accidental] + 12 * (int(octave) + 1)


def melody(text: str, *, start: float = 0.0, velocity: float = 0.8, transpose: float = 0.0) -> list[Note]:
    """Read a melody; the notation stands at the top of this module."""
    notes: list[Note] = []
    beat, duration = start, 1.0
    for token in text.replace("|", " ").split():
        names, _, length = token.partition("/")
        duration = float(length) if length else duration
        if names != "-":
            pitches = [parse_pitch(name) + transpose for name in names.split("+")]
            notes += [Note(beat, duration, pitch, velocity) for pitch in pitches]
        beat += duration
    return notes


def steps(text: str, *, step: float = 0.25, start: float = 0.0, pitch: float = 60) -> list[Note]:
    """Read a drum pattern: one character a step, blanks for the eye only."""
    pattern = text.replace(" ", "").replace("|", "")
    return [
        Note(start + index * step, step, pitch, _LOUDNESS[character])
        for index, character in enumerate(pattern)
        if character != "."
    ]


def chord_root(symbol: str) -> int:
    """Return the pitch class, 0 to 11, of a chord's root or, behind a slash, of its bass."""
    match = re.fullmatch(r"([A-G])([#b]?).*?(?:/([A-G])([#b]?))?", symbol)
    assert match, f"not a chord: {symbol!r}"
    letter, accidental, bass, bass_accidental = match.groups()
    if bass:
        letter, accidental = bass, bass_accidental
    return (_DEGREES[letter] + _ACCIDENTALS[accidental]) % 12


def chord_pitches(symbol: str, *, low: float) -> list[int]:
    """Return the chord's pitches in close position, the lowest at or just above `low`."""
    symbol = symbol.partition("/")[0]
    match = re.fullmatch(r"([A-G][#b]?)(.*)", symbol)
    assert match, f"not a chord: {symbol!r}"
    root, kind = chord_root(match.group(1)), match.group(2)
    classes = sorted({(root + interval) % 12 for interval in _CHORDS[kind]})
    return sorted(int(low + (pitch_class - low) % 12) for pitch_class in classes)


def bass_pitch(symbol: str, *, low: float) -> int:
    """Return the chord's bass at or just above `low`."""
    return int(low + (chord_root(symbol) - low) % 12)


def repeat(notes: Sequence[Note], *, every: float, times: int) -> list[Note]:
    """Return the notes several times, `every` beats apart."""
    return [replace(note, start=note.start + every * turn) for turn in range(times) for note in notes]


def shift(notes: Iterable[Note], beats: float) -> list[Note]:
    """Return the notes later by `beats`."""
    return [replace(note, start=note.start + beats) for note in notes]


def transpose(notes: Iterable[Note], semitones: float) -> list[Note]:
    """Return the notes higher by `semitones`."""
    return [replace(note, pitch=note.pitch + semitones) for note in notes]


def swell(notes: Iterable[Note], loudness: Callable[[float], float]) -> list[Note]:
    """Return the notes with their velocity multiplied by `loudness(start)`."""
    return [replace(note, velocity=min(1.0, note.velocity * loudness(note.start))) for note in notes]


def humanise(
    notes: Iterable[Note], rng: np.random.Generator, *, time: float = 0.01, velocity: float = 0.08
) -> list[Note]:
    """Return the notes as a person plays them: starts off by `time` beats, velocities by `velocity`."""
    return [
        replace(
            note,
            start=max(0.0, note.start + time * rng.standard_normal()),
            velocity=float(np.clip(note.velocity * (1 + velocity * rng.standard_normal()), 0.05, 1.0)),
        )
        for note in notes
    ]
