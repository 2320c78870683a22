"""Eight-bit pop in C major: two pulses, a triangle and noise, as an early game console has them."""

from functools import partial

import numpy as np

from studio.effects import make_room
from studio.instruments import chip
from studio.mixing import Mix, master, play
from studio.percussion import chip_noise
from studio.piece import Piece
from studio.score import Clock, Note, bass_pitch, chord_pitches, melody, repeat, shift, steps, transpose
from studio.sound import Sound

CHORDS = "C G Am F C G F G".split()
VERSE = """
    E5/.5 E5 -/.5 E5 -/.5 C5 E5/1 | G5/1 -/1 G4/1 -/1 |
    A4/.5 C5 E5 A5 G5/1 E5/.5 C5 | G5/.5 A5 B5 C6 D6/1 B5
"""
CHORUS = """
    C6/1.5 B5/.5 C6/.5 G5 E5/1 | D6/1.5 C6/.5 D6/.5 B5 G5/1 |
    E6/1.5 D6/.5 C6/.5 A5 E5/1 | F5/.5 A5 C6 F6 E6/1 C6 |
    G6/1.5 E6/.5 G6/.5 E6 C6/1 | D6/.5 B5 G5 B5 D6/1 G6 |
    F6/.5 E6 D6 C6 A5/.5 C6 D6 F6 | E6/.5 D6 B5 G5 C6/2
"""
INTRO, TUNE, REFRAIN, END = 0.0, 16.0, 32.0, 64.0  # beats


def _arpeggio(start: float, bars: int) -> list[Note]:
    """Chords as the console plays them: one voice, one note after the other, very fast."""
    notes = []
    for bar in range(bars):
        pitches = chord_pitches(CHORDS[bar % 8], low=60)
        notes += [
            Note(start + 4 * bar + step / 4, 0.25, pitches[step % len(pitches)] + 12 * (step % 8 >= 6), 0.5)
            for step in range(16)
        ]
    return notes


def _bass(start: float, bars: int) -> list[Note]:
    notes = []
    for bar in range(bars):
        root = bass_pitch(CHORDS[bar % 8], low=36)
        notes += [Note(start + 4 * bar + step / 2, 0.4, root + 12 * (step % 2), 0.9) for step in range(8)]
    return notes


def _compose(rng: np.random.Generator) -> Sound:
    clock = Clock(bpm=152)
    mix = Mix(clock.seconds(END + 4) + 0.6, make_room(0.35, rng, damping=6000))
    thin, pulse, square = (partial(chip, kind=kind) for kind in ("pulse0.125", "pulse0.25", "square"))
    mix.add(play(_arpeggio(INTRO, 16), thin, clock, rng, pan=-0.35), gain_db=-8, room=0.1)
    lines = melody(VERSE, start=TUNE, velocity=0.8)
    mix.add(play(lines, square, clock, rng, pan=0.15), gain_db=-5, room=0.15)
    high = melody(CHORUS, start=REFRAIN, velocity=0.85)
    mix.add(play(high, pulse, clock, rng, pan=0.1), gain_db=-5, room=0.15)
    mix.add(play(transpose(high, -12), square, clock, rng, pan=0.4), gain_db=-15)
    bass = [*_bass(8, 14), Note(END, 2, 36, 0.9)]
    mix.add(play(bass, partial(chip, kind="triangle"), clock, rng), gain_db=-1)
    final = melody("C5+E5+G5+C6/2", start=END, velocity=0.7)
    mix.add(play(final, pulse, clock, rng), gain_db=-9, room=0.15)
    for pattern, pitch, gain_db in (
        ("x.-.x.-.x.-.x.--", 75, -9),
        ("....x.......x...", 50, -4),
        ("x.....x.x.......", 20, -6),
    ):
        beat = repeat(steps(pattern, pitch=pitch), every=4, times=int((END - TUNE) / 4))
        mix.add(play(shift(beat, TUNE), chip_noise, clock, rng), gain_db=gain_db)
    return master(mix.mixdown(), level_db=-15, fade_out=0.4)


PIECE = Piece("arcade.opus", "Arcade Sunrise", "Chiptune", 56, 8, _compose)
