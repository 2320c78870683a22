"""Many sounds from one score: instruments, bass, drums, key, tempo and tuning, drawn at random.

POP909 is a piano reduction. An arrangement gives its parts other instruments, may double the
accompaniment, takes a bass line from the lowest notes of the accompaniment and drums from the beats. It
adds no note that the score does not have (but for octaves of the bass), so the chords stay what they are.

Conventions: drawing a `Condition` is apart from applying it; everything that was drawn is in it, and JSON
can hold it. Programs are those of General MIDI, counted from 0.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from taggram.chords.midi_file import DRUMS, Note
from taggram.lab.chords.score import Score
from taggram.lab.deformations.equalisation import Equalisation
from taggram.lab.deformations.mp3 import Mp3

_ACCOMPANIMENT = (
    (0.40, (0, 1, 2, 3, 4, 5, 6)),  # pianos
    (0.30, (24, 25, 25, 26, 27, 28, 29, 30)),  # guitars
    (0.10, (16, 17, 18, 19)),  # organs
    (0.20, (48, 49, 50, 51, 88, 89, 90, 91, 94, 95)),  # strings and pads
)
_MELODY = (0, 11, 22, 26, 40, 52, 53, 54, 56, 65, 66, 68, 71, 73, 75, 80, 81, 82, 85)
_BRIDGE = (0, 4, 11, 24, 25, 26, 27, 46, 48, 61, 73, 81, 88)
_DOUBLE = (16, 24, 25, 48, 49, 50, 52, 88, 89, 90, 91, 94)
_BASS = (32, 33, 34, 35, 36, 38, 39, 43)
_BASS_RHYTHMS = ("sustained", "beats", "eighths", "octaves")

_KICK, _STICK, _SNARE, _CLAP, _CLOSED_HAT, _OPEN_HAT, _RIDE, _SHAKER = 36, 37, 38, 39, 42, 46, 51, 70
_DRUM_PATTERNS: Mapping[str, tuple[tuple[float, int, int], ...]] = {
    # place in a bar of four beats, drum, velocity
    "rock": (
        (0, _KICK, 110),
        (1, _SNARE, 105),
        (2, _KICK, 100),
        (2.5, _KICK, 80),
        (3, _SNARE, 108),
        *((eighth / 2, _CLOSED_HAT, 70) for eighth in range(8)),
    ),
    "dance": (
        *((beat, _KICK, 115) for beat in range(4)),
        *((beat + 0.5, _OPEN_HAT, 80) for beat in range(4)),
        (1, _CLAP, 100),
        (3, _CLAP, 100),
    ),
    "ballad": (
        (0, _KICK, 90),
        (2, _STICK, 80),
        *((eighth / 2, _RIDE, 55) for eighth in range(8)),
    ),
    "shaker": tuple((quarter / 4, _SHAKER, 75 if quarter % 4 == 0 else 45) for quarter in range(16)),
}
_PARTS = ("melody", "bridge", "accompaniment", "double", "bass")  # channels 0 to 4


@dataclass(frozen=True)
class Condition:
    """How a score is to sound.

    Attributes
    ----------
    sound_font
        File name of the samples.
    programs
        Part → instrument; a part that is missing is silent.
    levels
        Part → factor of the velocities.
    bass_rhythm
        One of "sustained", "beats", "eighths", "octaves".
    drums
        Name of the pattern, "" for none.
    transposition
        Semitones.
    stretch
        Factor of all times.
    tuning_cents
        Deviation from A = 440 Hz.
    room
        Seconds in which its echo falls by 60 dB; 0 for none.
    equalisation, mp3
        States of these deformations; empty for none.
    noise_db
        Level of white noise below the loudest sample; None for none.
    start, duration
        The excerpt, in seconds of the score.
    """

    sound_font: str
    programs: Mapping[str, int]
    levels: Mapping[str, float]
    bass_rhythm: str
    drums: str
    transposition: int
    stretch: float
    tuning_cents: float
    room: float
    equalisation: Mapping[str, Any]
    mp3: Mapping[str, Any]
    noise_db: float | None
    start: float
    duration: float


def draw_condition(
    rng: np.random.Generator,
    *,
    sound_fonts: tuple[str, ...],
    score_duration: float,
    excerpt: float | None,
    max_tuning_cents: float,
) -> Condition:
    """Draw a condition.

    Parameters
    ----------
    rng
        Source of randomness.
    sound_fonts
        What to choose from.
    score_duration
        Seconds of the score.
    excerpt
        Seconds to render; None is all.
    max_tuning_cents
        Tunings are drawn between this much below and above.
    """
    duration = score_duration if excerpt is None else min(excerpt, score_duration)
    shares = [share for share, _ in _ACCOMPANIMENT]
    accompaniment = _ACCOMPANIMENT[rng.choice(len(shares), p=shares)][1]
    programs = {
        "melody": _choose(rng, _MELODY),
        "bridge": _choose(rng, _BRIDGE),
        "accompaniment": _choose(rng, accompaniment),
    }
    if rng.random() < 0.4:
        programs["double"] = _choose(rng, _DOUBLE)
    if rng.random() < 0.75:
        programs["bass"] = _choose(rng, _BASS)
    if rng.random() < 0.1:
        del programs["melody"]
    return Condition(
        sound_font=sound_fonts[rng.integers(len(sound_fonts))],
        programs=programs,
        levels={part: float(rng.uniform(0.6, 1.1)) for part in _PARTS},
        bass_rhythm=_BASS_RHYTHMS[rng.integers(len(_BASS_RHYTHMS))],
        drums=str(rng.choice(list(_DRUM_PATTERNS))) if rng.random() < 0.7 else "",
        transposition=int(rng.integers(-5, 7)),
        stretch=float(np.exp(rng.uniform(np.log(0.8), np.log(1.25)))),
        tuning_cents=float(rng.uniform(-max_tuning_cents, max_tuning_cents)),
        room=float(rng.uniform(0.3, 1.5)) if rng.random() < 0.4 else 0.0,
        equalisation=Equalisation().draw(rng) if rng.random() < 0.6 else {},
        mp3=Mp3((64, 96, 128)).draw(rng) if rng.random() < 0.2 else {},
        noise_db=float(rng.uniform(25, 60)) if rng.random() < 0.3 else None,
        start=float(rng.uniform(0, score_duration - duration)),
        duration=duration,
    )


def arrange(score: Score, condition: Condition) -> tuple[list[Note], dict[int, int]]:
    """Return the notes of the excerpt on their channels, and channel → program."""
    cut = score.excerpt(condition.start, condition.duration, stretch=condition.stretch)
    melody, bridge, accompaniment = cut.parts
    sources = {
        "melody": melody,
        "bridge": bridge,
        "accompaniment": accompaniment,
        "double": accompaniment,
        "bass": tuple(_bass_line(cut, condition.bass_rhythm)),
    }
    notes = [
        _voiced(note, channel, condition.levels[part], condition.transposition)
        for channel, part in enumerate(_PARTS)
        if part in condition.programs
        for note in sources[part]
    ]
    if condition.drums:
        notes += _drum_line(cut, condition.drums)
    programs = {_PARTS.index(part): program for part, program in condition.programs.items()}
    return notes, programs


def _choose(rng: np.random.Generator, programs: tuple[int, ...]) -> int:
    return programs[rng.integers(len(programs))]


def _voiced(note: Note, channel: int, level: float, transposition: int) -> Note:
    velocity = int(np.clip(round(note.velocity * level), 1, 127))
    pitch = int(np.clip(note.pitch + transposition, 0, 127))
    return note._replace(channel=channel, velocity=velocity, pitch=pitch)


def _bass_line(score: Score, rhythm: str) -> Iterator[Note]:
    """Yield the lowest note of the accompaniment in every beat, two octaves above the lowest E at most."""
    runs: list[Note] = []
    for (start, _), (end, _) in pairwise((*score.beats, (score.duration, False))):
        sounding = [n.pitch for n in score.parts[2] if n.start < start + 0.1 and n.end > start + 0.1]
        if not sounding:
            continue
        pitch = 28 + (min(sounding) - 28) % 12
        if rhythm == "sustained" and runs and runs[-1].pitch == pitch and runs[-1].end == start:
            runs[-1] = runs[-1]._replace(end=end)
        elif rhythm in ("sustained", "beats"):
            runs.append(Note(start, end, pitch, 90))
        else:
            middle = (start + end) / 2
            upper = pitch + 12 if rhythm == "octaves" else pitch
            runs += [Note(start, middle, pitch, 92), Note(middle, end, upper, 84)]
    yield from runs


def _drum_line(score: Score, pattern: str) -> Iterator[Note]:
    """Yield drums in every bar; bars count four beats from where the score says that one opens."""
    beats = [time for time, _ in score.beats]
    first = next((index for index, (_, opens_bar) in enumerate(score.beats) if opens_bar), 0)
    for index, (start, end) in enumerate(pairwise(beats)):
        place_of_beat = (index - first) % 4
        for place, drum, velocity in _DRUM_PATTERNS[pattern]:
            if int(place) == place_of_beat:
                time = start + (place - place_of_beat) * (end - start)
                yield Note(time, time + 0.1, drum, velocity, DRUMS)
