"""Folk in G major: a fingerpicked steel-string guitar alone, then a wooden flute joins with the tune."""

import numpy as np

from studio.band import GUITAR_SHAPES, fingerpicking, wooden_body
from studio.effects import make_room
from studio.instruments import acoustic_guitar, flute
from studio.mixing import Mix, master, play
from studio.piece import Piece
from studio.score import Clock, Note, humanise, melody
from studio.sound import Sound

CHORDS = "G G G D/F# Em C G D C G Am D Em C D G".split()
TUNE = """
    D5/1 G5 B5 A5/.5 G5 | G5/1.5 E5/.5 D5/1 B4 | C5/1 E5 G5 E5 | D5/3 -/.5 D5 |
    E5/1.5 F#5/.5 G5/1 C6 | B5/1 A5/.5 G5 D5/2 | E5/1 A5 C6/1.5 B5/.5 | A5/3 -/.5 B5 |
    B5/1 G5 E5 F#5/.5 G5 | E5/1.5 D5/.5 C5/1 E5 | D5/1 F#5 A5 C6 | B5/1.5 A5/.5 G5/2
"""


def _compose(rng: np.random.Generator) -> Sound:
    end = 4.0 * len(CHORDS)
    clock = Clock(bpm=((0, 112), (end - 4, 112), (end + 2, 80)), swing=0.04)
    mix = Mix(clock.seconds(end + 4) + 2.0, make_room(1.1, rng, damping=5000))
    strum = [Note(end + 0.06 * place, 4, pitch, 0.7) for place, pitch in enumerate(GUITAR_SHAPES["G"])]
    picking = humanise(fingerpicking(CHORDS) + strum, rng, time=0.012)
    mix.add(wooden_body(play(picking, acoustic_guitar, clock, rng, spread=0.5)), room=0.15)
    tune = humanise(melody(TUNE, start=16.0, velocity=0.75), rng, time=0.015)
    mix.add(play(tune, flute, clock, rng, pan=0.15), gain_db=-3.5, room=0.3)
    return master(mix.mixdown(), level_db=-18, fade_out=1.5)


PIECE = Piece("hearth.m4a", "By the Hearth", "Folk", 64, 3, _compose)
