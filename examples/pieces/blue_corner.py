"""Jazz trio, a blues in F with swing: bass and drums alone, one chorus for the piano, an ending."""

import numpy as np

from studio.band import DrumPart, play_drums, walking_bass
from studio.effects import make_room
from studio.instruments import double_bass, piano
from studio.mixing import Mix, master, play
from studio.percussion import brush, hat, kick, ride, snare
from studio.piece import Piece
from studio.score import Clock, Note, humanise, melody
from studio.sound import Sound, low_pass, peak

INTRO_BARS = 4
CHORDS = "F7 Bb7 F7 F7 Bb7 Bb7 F7 D7 Gm7 C7 F7 C7".split()
VOICINGS = {  # rootless, for the left hand: third and seventh with ninth or thirteenth
    "F7": (51, 55, 57, 62),
    "Bb7": (50, 56, 60, 67),
    "D7": (54, 60, 63, 65),
    "Gm7": (53, 58, 62, 65),
    "C7": (52, 58, 62, 69),
}
SOLO = """
    -/.5 C5 Eb5 E5 F5/1 A5/.5 C6 | D6/.5 C6 Ab5 F5 D5/1 -/.5 F5 |
    F#5/.5 G5 A5 C6 Eb6 D6 C6 A5 | F5/1.5 Eb5/.5 C5/1 -/.5 A5 |
    Bb5/.5 D6 F6 D6 Ab5/1 Bb5/.5 C6 | C#6/.5 D6 Bb5 G5 F5/1 -/.5 C5 |
    D#5/.5 E5 G5 A5 C6/1 A5/.5 F5 | F#5/.5 A5 C6 Eb6 D6/1 -/.5 D6 |
    D6/.5 Bb5 A5 G5 F5 D5 Bb4 D5 | E5/.5 G5 Bb5 Db6 C6 Bb5 G5 E5 |
    F5/1 A5/.5 C6 F6/1 -/.5 Ab5 | A5/.5 F5 C5/1 F5+A5+D6/2
"""
BEAT = (
    DrumPart(ride, "x.o-x.o-", -5, pan=0.35, step=0.5),
    DrumPart(hat, "..x...x.", -7, pan=-0.4, step=0.5),
    DrumPart(brush, "o-o-o-o-", -8, step=0.5),
    DrumPart(kick, "-.-.-.-.", -10, step=0.5),
    DrumPart(snare, ".......-|...-....|.....-..|...-...-", -9, pan=-0.1, step=0.5),
)


def _comping(rng: np.random.Generator) -> list[Note]:
    """Left-hand chords, early and late in turn, as an answer to the line."""
    notes = []
    for bar, symbol in enumerate(CHORDS):
        for beat in ((0.0, 1.5), (0.5, 2.5), (1.5, 3.5), (0.0, 2.5))[int(rng.integers(4))]:
            start = 4.0 * (INTRO_BARS + bar) + beat
            notes += [Note(start, 0.45 if beat % 1 else 0.9, pitch, 0.42) for pitch in VOICINGS[symbol]]
    return notes


def _compose(rng: np.random.Generator) -> Sound:
    clock = Clock(bpm=((0, 144), (60, 144), (66, 110)), swing=0.15)
    end = 4.0 * (INTRO_BARS + len(CHORDS))
    mix = Mix(clock.seconds(end + 4) + 1.5, make_room(0.8, rng, damping=4500, predelay=0.012))
    walking = walking_bass([*CHORDS[:2], *CHORDS[10:], *CHORDS], rng)
    bass = play(humanise([*walking, Note(end, 3.0, 41, 0.85)], rng, time=0.015), double_bass, clock, rng)
    mix.add(peak(low_pass(bass, 900, order=1), 95, 5), gain_db=4, room=0.06)
    solo = humanise(melody(SOLO, start=4.0 * INTRO_BARS, velocity=0.8), rng, time=0.02, velocity=0.12)
    ending = melody("Eb4+G4+A4+D5+G5/3.5", start=end, velocity=0.6)
    hands = solo + humanise(_comping(rng), rng, time=0.015) + ending
    mix.add(play(hands, piano, clock, rng, pan=-0.1, spread=0.3), gain_db=0, room=0.16)
    play_drums(mix, BEAT, clock, rng, start=0, beats=end, room=0.12)
    mix.add(play([Note(end, 1, 60, 0.8)], ride, clock, rng, pan=0.35), gain_db=-5, room=0.15)
    return master(mix.mixdown(), level_db=-18, fade_out=1.5)


PIECE = Piece("blue_corner.m4a", "Blue Corner", "Jazz", 64, 7, _compose)
