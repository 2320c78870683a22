"""Hard rock in E minor: a riff alone, the band, a chorus with a guitar melody, the riff once more."""

import numpy as np

from studio.band import DrumPart, lead_guitar, play_drums, rhythm_guitar
from studio.effects import compress, make_room
from studio.instruments import bass_guitar
from studio.mixing import Mix, master, play
from studio.percussion import crash, hat, kick, ride, snare, tom
from studio.piece import Piece
from studio.score import Clock, Note, humanise, melody, shift
from studio.sound import Sound, low_pass

CLOCK = Clock(bpm=132)
INTRO, VERSE, CHORUS, RETURN, END = 0.0, 16.0, 32.0, 64.0, 80.0  # beats
RIFF = "E2/.5 E2 E2 G2 E2 E2 A2 G2 | E2/.5 E2 E2 B2 A2 A2 G2 D3"  # roots of power chords
CHORUS_ROOTS = "C3 G2 D3 E3 C3 G2 D3 B2".split()
LEAD = """
    G5/1.5 F#5/.5 E5/1 G5 | B5/1.5 A5/.5 G5/1 D5 | F#5/1 A5 D6 C#6 | B5/3 -/1 |
    E6/1.5 D6/.5 C6/1 B5 | D6/1.5 C6/.5 B5/1 G5 | A5/1 F#5 A5 D6 | D#6/2 F#6
"""
VERSE_BEAT = (
    DrumPart(kick, "x.....x.x...o...|x.o...x.x.......", -3),
    DrumPart(snare, "....x.......x...|....x.......x..o", -4),
    DrumPart(hat, "x.o.x.o.x.o.x.o.|x.o.x.o.x.o.x.x.", -13, pan=0.3),
)
CHORUS_BEAT = (
    DrumPart(kick, "x...o.x.x..o....|x...o.x.x..oo...", -3),
    DrumPart(snare, "....x.......x...|....x.......x...", -4),
    DrumPart(ride, "x.o.x.o.x.o.x.o.", -14, pan=0.3),
)


def _roots() -> list[Note]:
    """Write the line that guitars and bass have in common."""
    riffs = (INTRO, INTRO + 8, VERSE, VERSE + 8, RETURN, RETURN + 8)
    notes = [note for start in riffs for note in melody(RIFF, start=start)]
    for bar, root in enumerate(CHORUS_ROOTS):
        notes += melody(f"{root}/1.5 {root}/1 {root}/.5 {root} {root}", start=CHORUS + 4 * bar)
    return [*notes, Note(END, 5.0, 40, 0.9)]


def _bass(rng: np.random.Generator) -> Sound:
    line = [
        Note(note.start, note.duration, note.pitch - 12, 0.85) for note in _roots() if note.start >= VERSE
    ]
    dark = low_pass(play(humanise(line, rng), bass_guitar, CLOCK, rng), 420)
    return compress(dark, threshold_db=-22, ratio=3)


def _drums(mix: Mix, rng: np.random.Generator) -> None:
    for beat, start, end in (
        (VERSE_BEAT, VERSE, CHORUS),
        (CHORUS_BEAT, CHORUS, RETURN),
        (VERSE_BEAT, RETURN, END),
    ):
        play_drums(mix, beat, CLOCK, rng, start=start, beats=end - start, room=0.25)
    fill = [Note(VERSE - 2 + 0.25 * step, 0.25, 50 - 2 * (step // 2), 0.7 + 0.04 * step) for step in range(8)]
    fills = fill + shift(fill, CHORUS - VERSE) + shift(fill, RETURN - VERSE)
    mix.add(play(fills, tom, CLOCK, rng, spread=-0.8), gain_db=-6, room=0.25)
    accents = [Note(beat, 1, 60, 0.9) for beat in (VERSE, CHORUS, CHORUS + 16, RETURN, END)]
    mix.add(play(accents, crash, CLOCK, rng, pan=-0.3), gain_db=-15, room=0.3)
    mix.add(play([Note(END, 1, 60, 1.0)], kick, CLOCK, rng), gain_db=-3, room=0.2)


def _compose(rng: np.random.Generator) -> Sound:
    mix = Mix(CLOCK.seconds(END + 4) + 1.0, make_room(1.1, rng, damping=3500, predelay=0.01))
    mix.add(rhythm_guitar(_roots(), CLOCK, rng), gain_db=-9, room=0.15)
    mix.add(lead_guitar(melody(LEAD, start=CHORUS, velocity=0.9), CLOCK, rng), gain_db=-15, room=0.15)
    mix.add(_bass(rng), gain_db=4)
    _drums(mix, rng)
    return master(mix.mixdown(), level_db=-14, ratio=2.0, fade_out=1.2)


PIECE = Piece("overdrive.mp3", "Overdrive", "Rock", 80, 4, _compose)
