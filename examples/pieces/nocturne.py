"""A slow waltz for piano alone in E minor: theme, a middle part that turns to G major, farewell."""

import numpy as np

from studio.effects import make_room
from studio.instruments import piano
from studio.mixing import Mix, master, play
from studio.piece import Piece
from studio.score import Clock, Note, bass_pitch, chord_pitches, humanise, melody, swell
from studio.sound import Sound

CHORDS = (
    "Em Cmaj7 F#m7b5 B7 Em G C#m7b5 B7 "  # theme
    "Am7 D7 Gmaj7 Cmaj7 F#m7b5 B7 Em E7 "  # to G major and back
    "Am7 Em F#m7b5 B7 Em Em"  # farewell
).split()

MELODY = """
    B4/2 E5/1 | G5/2 F#5/1 | E5/1.5 D5/.5 C5/1 | B4/3 |
    E5/2 F#5/1 | G5/1 A5 B5 | A5/1.5 G5/.5 E5/1 | D#5/2 B4/1 |
    C6/2 B5/1 | A5/1 F#5 D5 | B5/2 A5/1 | G5/1 E5 C5 |
    A5/1.5 G5/.5 F#5/1 | E5/1 D#5 F#5 | G5/1.5 F#5/.5 E5/1 | G#5/1 B5 E6 |
    C6/2 A5/1 | B5/1.5 A5/.5 G5/1 | A5/1 F#5 C5 | B4/1 D#5 F#5 |
    E5/1 B5 E6 | G6+E6/3
"""


def _left_hand() -> list[Note]:
    """Bass on the first beat, the chord on the second and third, all held by the pedal."""
    notes = []
    for bar, symbol in enumerate(CHORDS[:-1]):
        beat = 3.0 * bar
        notes.append(Note(beat, 2.9, bass_pitch(symbol, low=33), 0.5))
        for step, upper in ((1, 0.33), (2, 0.28)):
            notes += [Note(beat + step, 2.7 - step, pitch, upper) for pitch in chord_pitches(symbol, low=51)]
    last = 3.0 * (len(CHORDS) - 1)
    return (
        notes
        + melody("E2+B2/5", start=last, velocity=0.5)
        + melody("G3+B3+E4/4", start=last + 0.5, velocity=0.35)
    )


def _phrase(beat: float) -> float:
    """Breathe in four-bar phrases, loudest in the middle part."""
    arch = np.sin(np.pi * min(beat / 58, 1)) ** 0.8
    return float(0.7 + 0.3 * arch + 0.12 * np.sin(2 * np.pi * beat / 12 - 1))


def _compose(rng: np.random.Generator) -> Sound:
    clock = Clock(
        bpm=(
            (0, 84),
            (4, 108),
            (21, 108),
            (24, 84),
            (27, 116),
            (40, 116),
            (47, 82),
            (50, 104),
            (58, 78),
            (66, 48),
        )
    )
    right = swell(humanise(melody(MELODY, velocity=0.78), rng, time=0.02), _phrase)
    left = swell(humanise(_left_hand(), rng, time=0.012), _phrase)
    mix = Mix(clock.seconds(66) + 3.0, make_room(1.9, rng, damping=3500))
    for hand in (right, left):
        mix.add(play(hand, piano, clock, rng, spread=0.45), room=0.28)
    return master(mix.mixdown(), level_db=-19, fade_out=2.0)


PIECE = Piece("nocturne.mp3", "Nocturne in E minor", "Classical", 64, 1, _compose)
