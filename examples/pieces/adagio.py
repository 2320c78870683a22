"""Adagio for string orchestra in B minor: a falling bass under long lines, a climb, a close in major."""

import numpy as np

from studio.effects import make_room
from studio.instruments import strings
from studio.mixing import Mix, master, play
from studio.piece import Piece
from studio.score import Clock, humanise, melody, swell
from studio.sound import Sound

VOICES = {
    "first violins": """
        F#5/4 | F#5/2 E5/1 C#5 | D5/2 A5 | G#5/2 A5/1 B5 | B5/3 A5/1 |
        G5/2 A5/1 B5 | D6/2 C#6 | E6/3 D6/1 | C#6/1 B5 A#5/2 | B5/5
    """,
    "second violins": """
        D5/4 | C#5/2 A#4 | A4/2 D5 | E5/4 | D5/4 |
        B4/2 E5/1 G5 | F#5/4 | G5/3 F#5/1 | E5/2 C#5 | D#5/5
    """,
    "violas": "B4/4 | F#4/4 | F#4/4 | B4/4 | G4/4 | E4/2 G4 | A4/2 F#4 | B4/4 | F#4/4 | F#4/5",
    "cellos": "B3/4 | A#3/4 | A3/4 | G#3/4 | G3/4 | E3/4 | D3/2 A3 | E3/2 G3 | F#3/4 | B2/5",
    "double basses": "B2/4 | A#2/4 | A2/4 | G#2/4 | G2/4 | E2/4 | D2/2 A2 | E2/2 G2 | F#2/4 | B1/5",
}
SEATS = {"first violins": -0.55, "second violins": -0.2, "violas": 0.15, "cellos": 0.5, "double basses": 0.65}
GAINS_DB = {
    "first violins": 0.0,
    "second violins": -3.0,
    "violas": -3.0,
    "cellos": -1.0,
    "double basses": -5.0,
}


def _swelling(beat: float) -> float:
    """Grow towards the climb."""
    return float(0.55 + 0.45 * np.sin(np.pi * min(1, (beat + 4) / 64)) ** 2)


def _compose(rng: np.random.Generator) -> Sound:
    clock = Clock(bpm=((0, 66), (20, 66), (26, 72), (32, 66), (36, 48)))
    mix = Mix(clock.seconds(41) + 2.5, make_room(2.6, rng, damping=3000, predelay=0.03))
    for name, line in VOICES.items():
        notes = humanise(swell(melody(line, velocity=0.8), _swelling), rng, time=0.02, velocity=0.04)
        mix.add(play(notes, strings, clock, rng, pan=SEATS[name]), gain_db=GAINS_DB[name], room=0.42)
    return master(mix.mixdown(), level_db=-17, fade_in=0.1, fade_out=2.0)


PIECE = Piece("adagio.m4a", "Adagio for Strings in B minor", "Classical", 72, 2, _compose)
