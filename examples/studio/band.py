"""What several pieces have their players do: drum patterns, rhythm and lead guitar, picking, walking bass."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from studio.effects import amplifier, echo
from studio.instruments import Instrument, electric_guitar
from studio.mixing import Mix, play
from studio.score import Clock, Note, bass_pitch, chord_pitches, humanise, repeat, shift, steps
from studio.sound import Sound, peak

# Chord shapes on a guitar in standard tuning, from the low to the high string.
GUITAR_SHAPES: Mapping[str, tuple[int, ...]] = {
    "G": (43, 47, 50, 55, 59, 67),
    "D/F#": (42, 45, 50, 57, 62, 66),
    "Em": (40, 47, 52, 55, 59, 64),
    "C": (48, 48, 52, 55, 60, 64),
    "Am": (45, 45, 52, 57, 60, 64),
    "D": (50, 45, 50, 57, 62, 66),
    "F": (41, 48, 53, 57, 60, 65),
}
# (beat, string) of two bars of Travis picking: the thumb on low strings, fingers off the beat on high ones.
_PICKING = (
    ((0, 0), (0, 5), (1, 2), (1.5, 4), (2, 1), (2.5, 3), (3, 2), (3.5, 4)),
    ((0, 0), (0.5, 3), (1, 2), (1.5, 5), (2, 1), (2.5, 4), (3, 2), (3.5, 3)),
)


@dataclass(frozen=True)
class DrumPart:
    """One drum's pattern, repeated as long as it is needed, and its place on the desk."""

    drum: Instrument
    pattern: str
    gain_db: float
    pan: float = 0.0
    step: float = 0.25


def play_drums(
    mix: Mix,
    parts: Iterable[DrumPart],
    clock: Clock,
    rng: np.random.Generator,
    *,
    start: float,
    beats: float,
    room: float,
    looseness: float = 0.012,
) -> None:
    """Play patterns from beat `start` for `beats` beats; `looseness` in beats is how human it is."""
    for part in parts:
        written = steps(part.pattern, step=part.step)
        length = part.step * len(part.pattern.replace(" ", "").replace("|", ""))
        repeated = repeat(written, every=length, times=int(np.ceil(beats / length)))
        notes = shift([note for note in repeated if note.start < beats], start)
        played = humanise(notes, rng, time=looseness, velocity=0.1)
        mix.add(play(played, part.drum, clock, rng, pan=part.pan), gain_db=part.gain_db, room=room)


def rhythm_guitar(
    roots: Sequence[Note], clock: Clock, rng: np.random.Generator, *, drive: float = 12.0
) -> Sound:
    """Play power chords on distorted guitars, one take left and one right: small differences make it wide."""
    left, right = (_rhythm_take(roots, clock, rng, drive) for _ in range(2))
    length = min(len(left), len(right))
    near, far = 0.95, 0.3
    return np.stack(
        [near * left[:length] + far * right[:length], far * left[:length] + near * right[:length]]
    )


def _rhythm_take(roots: Sequence[Note], clock: Clock, rng: np.random.Generator, drive: float) -> Sound:
    chords = [
        Note(note.start, note.duration, note.pitch + interval, 0.9 if note.start % 1 == 0 else 0.72)
        for note in roots
        for interval in (0, 7, 12)
    ]
    strings = play(humanise(chords, rng, time=0.018, velocity=0.1), electric_guitar, clock, rng)[0]
    hum = 0.001 * rng.standard_normal(len(strings))
    return amplifier(strings + hum, drive=drive)


def lead_guitar(line: Sequence[Note], clock: Clock, rng: np.random.Generator) -> Sound:
    """Play a melody on a distorted guitar with an echo of three eighths."""
    played = play(humanise(line, rng, time=0.012), electric_guitar, clock, rng)
    solo = amplifier(played[:1], drive=14.0)
    return echo(np.repeat(solo, 2, axis=0), delay=clock.seconds(0.75), feedback=0.3, repeats=3)


def fingerpicking(chords: Sequence[str]) -> list[Note]:
    """Write one bar of Travis picking per chord of `GUITAR_SHAPES`."""
    notes = []
    for bar, name in enumerate(chords):
        for beat, string in _PICKING[bar % 2]:
            velocity = 0.75 if string < 2 else 0.5 if string == 2 else 0.66
            # A string rings until the end of the bar: the hand holds the chord.
            notes.append(Note(4.0 * bar + beat, 4.2 - beat, GUITAR_SHAPES[name][string], velocity))
    return notes


def wooden_body(guitar: Sound) -> Sound:
    """Add the resonances of an acoustic guitar's air and top."""
    return peak(peak(peak(guitar, 105, 6, width=0.4), 210, 5, width=0.4), 3200, 3)


def walking_bass(chords: Sequence[str], rng: np.random.Generator) -> list[Note]:
    """Write quarter notes: the root, two chord tones, and a semitone step into the next root."""
    notes = []
    for bar, symbol in enumerate(chords):
        following = bass_pitch(chords[(bar + 1) % len(chords)], low=36)
        root = bass_pitch(symbol, low=36)
        upper = [pitch for pitch in chord_pitches(symbol, low=root + 2) if pitch <= 53]
        second, third = rng.permutation(upper)[:2]
        line = (root, int(second), int(third), following + int(rng.choice([-1, 1])))
        notes += [Note(4.0 * bar + beat, 0.95, pitch, 0.8) for beat, pitch in enumerate(line)]
    return notes
