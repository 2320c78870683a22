"""Techno in A minor at 132 beats per minute: groove, stabs, a break with a riser, the drop."""

import numpy as np

from studio.band import DrumPart, play_drums
from studio.effects import duck, echo, make_room, sweep_low_pass
from studio.instruments import acid, super_saw, synth_bass
from studio.mixing import Mix, master, play
from studio.percussion import clap, club_kick, crash, hat, open_hat, snare
from studio.piece import Piece
from studio.score import Clock, Note, chord_pitches, repeat, steps
from studio.sound import Sound, high_pass, n_samples, noise

BPM = 132
GROOVE, STABS, BREAK, DROP, END = 0.0, 16.0, 32.0, 44.0, 76.0  # beats
ACID_LINE = (45, 45, 57, 45, 48, 45, 60, 55, 45, 57, 45, 52, 48, 57, 43, 55)
ACID_ACCENTS = (0.9, 0.3, 0.6, 0.4, 0.7, 0.3, 1.0, 0.5, 0.4, 0.8, 0.3, 0.6, 0.9, 0.4, 0.5, 1.0)
CHORDS = ("Am7", "Am7", "Fmaj7", "G")
GROOVE_BEAT = (DrumPart(hat, "..o-..o-..o-..ox", -9, pan=0.15),)
STAB_BEAT = (DrumPart(open_hat, "..x...x...x...x.", -9, pan=0.15), DrumPart(clap, "....x.......x...", -5))
DROP_BEAT = (
    DrumPart(open_hat, "..x...x...x...x.", -8, pan=0.15),
    DrumPart(hat, "x-o-x-o-x-o-x-oo", -8, pan=-0.15),
    DrumPart(clap, "....x.......x..o", -4),
)


def _kicks() -> list[Note]:
    return [Note(float(beat), 1, 60, 1.0) for beat in range(int(END)) if not BREAK <= beat < DROP]


def _stab_notes(start: float, bars: int) -> list[Note]:
    """Short chords off the beat."""
    notes = []
    for bar in range(bars):
        for hit in (0.75, 1.5, 2.75, 3.5):
            pitches = chord_pitches(CHORDS[bar % 4], low=57)
            notes += [Note(start + 4 * bar + hit, 0.3, pitch, 0.7) for pitch in pitches]
    return notes


def _riser(seconds: float, rng: np.random.Generator) -> Sound:
    """Noise that brightens and grows until the drop."""
    hiss = np.stack([noise(seconds, rng), noise(seconds, rng)])
    return (
        sweep_low_pass(high_pass(hiss, 400), np.geomspace(500, 14_000, 50))
        * np.linspace(0, 1, n_samples(seconds)) ** 2
    )


def _drums(mix: Mix, clock: Clock, rng: np.random.Generator) -> None:
    mix.add(play(_kicks(), club_kick, clock, rng), gain_db=0)
    for parts, start, bars in ((GROOVE_BEAT, GROOVE, 11), (STAB_BEAT, STABS, 4), (DROP_BEAT, DROP, 8)):
        play_drums(mix, parts, clock, rng, start=start, beats=4 * bars, room=0.08, looseness=0.0)
    # The roll doubles its speed towards the drop.
    roll = [Note(BREAK + 4 + beat, 0.2, 60, 0.3 + 0.03 * beat) for beat in np.arange(0, 4, 0.5)]
    roll += [Note(BREAK + 8 + beat, 0.2, 60, 0.45 + 0.1 * beat) for beat in np.arange(0, 3.5, 0.25)]
    mix.add(play(roll, snare, clock, rng), gain_db=-6, room=0.25)
    mix.add(play([Note(DROP, 1, 60, 1.0), Note(STABS, 1, 60, 0.7)], crash, clock, rng), gain_db=-6, room=0.2)


def _compose(rng: np.random.Generator) -> Sound:
    clock = Clock(bpm=BPM)
    mix = Mix(clock.seconds(END) + 1.2, make_room(1.6, rng, damping=5000))
    _drums(mix, clock, rng)
    beats = [clock.seconds(note.start) for note in _kicks()]

    pattern = repeat(steps(".oxo.oxo.oxo.oxo", pitch=33), every=4, times=int(END / 4))
    bass_notes = [note for note in pattern if not BREAK <= note.start < DROP]
    mix.add(duck(play(bass_notes, synth_bass, clock, rng), beats), gain_db=-5)

    line = [
        Note(beat, 0.22, ACID_LINE[int(beat * 4) % 16], ACID_ACCENTS[int(beat * 4) % 16])
        for beat in np.arange(0, END, 0.25)
    ]
    squelch = play(line, acid, clock, rng, pan=-0.1)
    opening = np.interp(
        np.linspace(0, END, 80), [0, STABS, BREAK, DROP - 1, DROP, END], [350, 900, 700, 6000, 5000, 9000]
    )
    mix.add(
        duck(
            echo(sweep_low_pass(squelch, opening), delay=clock.seconds(0.75), feedback=0.3, repeats=3), beats
        ),
        gain_db=-9,
        room=0.1,
    )

    stabs = play(_stab_notes(STABS, 4) + _stab_notes(DROP, 8), super_saw, clock, rng)
    mix.add(duck(echo(stabs, delay=clock.seconds(0.75), repeats=4), beats, depth=0.6), gain_db=-15, room=0.3)

    held = [
        Note(BREAK + 4 * bar, 4, pitch, 0.6)
        for bar in range(3)
        for pitch in chord_pitches(CHORDS[bar + 1], low=52)
    ]
    veil = sweep_low_pass(play(held, super_saw, clock, rng), np.geomspace(300, 9000, 40))
    mix.add(veil, gain_db=-13, room=0.4)
    mix.add(_riser(clock.seconds(DROP - BREAK), rng), gain_db=-17, room=0.2, start=clock.seconds(BREAK))
    return master(mix.mixdown(), level_db=-13, ratio=2.0, fade_out=1.0)


PIECE = Piece("warehouse.ogg", "Warehouse", "Techno", 80, 5, _compose)
