"""One tune walks through eight rooms: piano, strings, techno, folk, rock, flute and harp, jazz, space.

The tune has four bars in A minor; every room plays it for about ten seconds in its own way, so a
taggram of this piece changes eight times.
"""

from collections.abc import Callable

import numpy as np

from studio.band import (
    DrumPart,
    fingerpicking,
    lead_guitar,
    play_drums,
    rhythm_guitar,
    walking_bass,
    wooden_body,
)
from studio.effects import compress, duck, echo, make_room, sweep_low_pass
from studio.instruments import (
    acid,
    acoustic_guitar,
    bass_guitar,
    bell,
    double_bass,
    flute,
    harp,
    humming_choir,
    pad,
    piano,
    strings,
    super_saw,
    synth_bass,
)
from studio.mixing import Mix, master, play
from studio.percussion import brush, clap, club_kick, crash, hat, kick, open_hat, ride, snare
from studio.piece import Piece
from studio.score import (
    Clock,
    Note,
    bass_pitch,
    chord_pitches,
    humanise,
    melody,
    repeat,
    shift,
    steps,
    transpose,
)
from studio.sound import Sound, low_pass, n_samples, peak

Room = Callable[[np.random.Generator], tuple[Sound, float]]  # → what sounds, seconds until the next room

TUNE = "A4/1 C5 E5/1.5 D5/.5 | C5/1 A4 F5/2 | E5/1.5 D5/.5 C5/1 G4 | B4/1.5 C5/.5 D5/1 B4"
CHORDS = ("Am", "F", "C", "G")


def _piano_room(rng: np.random.Generator) -> tuple[Sound, float]:
    """Broken chords under the tune."""
    clock = Clock(bpm=((0, 84), (3, 96), (12, 92), (16, 76)))
    left = []
    for bar, symbol in enumerate(CHORDS):
        low = bass_pitch(symbol, low=40)
        upper = chord_pitches(symbol, low=low + 5)
        pattern = (low, *upper[:2], upper[2], upper[1], upper[0], upper[2], upper[1])
        left += [Note(4 * bar + step / 2, 4.3 - step / 2, pitch, 0.42) for step, pitch in enumerate(pattern)]
    right = melody(TUNE, velocity=0.72, transpose=12)
    mix = Mix(clock.seconds(16) + 1.5, make_room(1.8, rng, damping=3500))
    mix.add(play(humanise(left + right, rng, time=0.02), piano, clock, rng, spread=0.45), room=0.28)
    return master(mix.mixdown(), level_db=-19), clock.seconds(16)


def _string_room(rng: np.random.Generator) -> tuple[Sound, float]:
    """The tune in octaves over held chords."""
    clock = Clock(bpm=86)
    mix = Mix(clock.seconds(16) + 2.0, make_room(2.4, rng, damping=3000, predelay=0.03))
    tune = melody(TUNE, velocity=0.8)
    inner = [Note(4 * bar, 4, p, 0.6) for bar, c in enumerate(CHORDS) for p in chord_pitches(c, low=55)]
    low = [Note(4 * bar, 4, bass_pitch(c, low=36), 0.75) for bar, c in enumerate(CHORDS)]
    parts = ((transpose(tune, 12), -0.5, 0.0), (tune, -0.2, -3.0), (inner, 0.2, -6.0))
    for notes, pan, gain_db in (*parts, (low, 0.5, -2.0), (transpose(low, 12), 0.4, -4.0)):
        track = play(humanise(notes, rng, time=0.02), strings, clock, rng, pan=pan)
        mix.add(track, gain_db=gain_db, room=0.4)
    return master(mix.mixdown(), level_db=-18, fade_in=0.05), clock.seconds(16)


def _techno_room(rng: np.random.Generator) -> tuple[Sound, float]:
    """Kick, clap and hats, an acid line, the tune on detuned saws."""
    clock = Clock(bpm=132)
    beats = 24.0
    mix = Mix(clock.seconds(beats) + 1.0, make_room(1.4, rng, damping=5000))
    parts = (
        DrumPart(club_kick, "x...", 0),
        DrumPart(open_hat, "..x.", -8, pan=0.15),
        DrumPart(hat, "x-o-x-oo", -9, pan=-0.15),
        DrumPart(clap, "....x...", -4),
    )
    play_drums(mix, parts, clock, rng, start=0, beats=beats, room=0.08, looseness=0.0)
    kicks = [clock.seconds(beat) for beat in range(int(beats))]
    chords = [CHORDS[int(beat // 4) % 4] for beat in range(int(beats))]
    offbeats = repeat(steps(".oxo", pitch=0), every=1, times=int(beats))
    low = [Note(n.start, 0.22, bass_pitch(chords[int(n.start)], low=33), n.velocity) for n in offbeats]
    mix.add(duck(play(low, synth_bass, clock, rng), kicks), gain_db=-5)
    sixteenths = np.arange(0, beats, 0.25)
    squelch = [
        Note(beat, 0.22, bass_pitch(chords[int(beat)], low=45) + 12 * (i % 3 == 1), 0.4 + 0.5 * (i % 7 == 3))
        for i, beat in enumerate(sixteenths)
    ]
    opening = sweep_low_pass(play(squelch, acid, clock, rng), np.geomspace(500, 6000, 30))
    mix.add(duck(opening, kicks), gain_db=-9)
    tune = melody(TUNE, velocity=0.8)
    line = play(tune + [note for note in shift(tune, 16) if note.start < beats], super_saw, clock, rng)
    mix.add(duck(echo(line, delay=clock.seconds(0.75), repeats=3), kicks, depth=0.5), gain_db=-11, room=0.25)
    return master(mix.mixdown(), level_db=-13, ratio=2.0), clock.seconds(beats)


def _folk_room(rng: np.random.Generator) -> tuple[Sound, float]:
    """Two guitars: one picks, one sings the tune."""
    clock = Clock(bpm=100, swing=0.04)
    mix = Mix(clock.seconds(16) + 1.5, make_room(1.1, rng, damping=5000))
    for notes, pan, gain_db in (
        (fingerpicking(CHORDS), -0.25, 0.0),
        (melody(TUNE, velocity=0.85), 0.3, 1.0),
    ):
        guitar = play(humanise(notes, rng, time=0.012), acoustic_guitar, clock, rng, pan=pan, spread=0.3)
        mix.add(wooden_body(guitar), gain_db=gain_db, room=0.15)
    return master(mix.mixdown(), level_db=-18), clock.seconds(16)


def _rock_room(rng: np.random.Generator) -> tuple[Sound, float]:
    """Power chords in eighths, drums, the tune on a distorted guitar."""
    clock = Clock(bpm=144)
    beats = 24.0
    mix = Mix(clock.seconds(beats) + 1.2, make_room(1.1, rng, damping=3500, predelay=0.01))
    chords = [CHORDS[bar % 4] for bar in range(int(beats / 4))]
    roots = [
        Note(4 * bar + step / 2, 0.5, bass_pitch(symbol, low=40), 0.9)
        for bar, symbol in enumerate(chords)
        for step in range(8)
    ]
    mix.add(rhythm_guitar(roots, clock, rng), gain_db=-9, room=0.15)
    tune = melody(TUNE, velocity=0.9, transpose=12)
    solo = tune + [note for note in shift(tune, 16) if note.start < beats]
    mix.add(lead_guitar(solo, clock, rng), gain_db=-16, room=0.15)
    bass = low_pass(play(humanise(transpose(roots, -12), rng), bass_guitar, clock, rng), 420)
    mix.add(compress(bass, threshold_db=-22, ratio=3), gain_db=4)
    parts = (
        DrumPart(kick, "x...o.x.x..o....", -3),
        DrumPart(snare, "....x.......x...", -4),
        DrumPart(ride, "x.o.x.o.x.o.x.o.", -14, pan=0.3),
    )
    play_drums(mix, parts, clock, rng, start=0, beats=beats, room=0.25)
    accents = [Note(beat, 1, 60, 0.9) for beat in (0, 16)]
    mix.add(play(accents, crash, clock, rng, pan=-0.3), gain_db=-15, room=0.3)
    return master(mix.mixdown(), level_db=-14, ratio=2.0), clock.seconds(beats)


def _flute_room(rng: np.random.Generator) -> tuple[Sound, float]:
    """The tune on a flute over a harp."""
    clock = Clock(bpm=((0, 92), (12, 92), (16, 72)))
    mix = Mix(clock.seconds(16) + 2.0, make_room(2.0, rng, damping=4000))
    arpeggio = []
    for bar, symbol in enumerate(CHORDS):
        upper = chord_pitches(symbol, low=60)
        strings_of_bar = (bass_pitch(symbol, low=43), *upper, *(pitch + 12 for pitch in upper))
        order = (0, 1, 2, 3, 4, 3, 2, 1)
        arpeggio += [
            Note(4 * bar + i / 2, 2.5, strings_of_bar[string], 0.6) for i, string in enumerate(order)
        ]
    tune = humanise(melody(TUNE, velocity=0.75, transpose=12), rng, time=0.015)
    mix.add(play(tune, flute, clock, rng, pan=0.1), room=0.3)
    mix.add(play(humanise(arpeggio, rng, time=0.015), harp, clock, rng, spread=0.4), gain_db=-6, room=0.3)
    return master(mix.mixdown(), level_db=-19), clock.seconds(16)


def _jazz_room(rng: np.random.Generator) -> tuple[Sound, float]:
    """A swinging trio; the tune with seventh chords on the piano."""
    clock = Clock(bpm=138, swing=0.15)
    chords = ("Am7", "Fmaj7", "Cmaj7", "G13", "Am7", "E7#9")
    beats = 4.0 * len(chords)
    mix = Mix(clock.seconds(beats) + 1.5, make_room(0.8, rng, damping=4500, predelay=0.012))
    bass = play(humanise(walking_bass(chords, rng), rng, time=0.015), double_bass, clock, rng)
    mix.add(peak(low_pass(bass, 900, order=1), 95, 5), gain_db=2, room=0.06)
    answer = "C6/.5 B5 A5 G5 E5 D5 C5 A4 | B4/.5 D5 F5 G#5 C6/1 B5"
    line = melody(TUNE, velocity=0.75, transpose=12) + melody(answer, start=16, velocity=0.75)
    comping = [
        Note(4 * bar + beat, 0.6, pitch, 0.4)
        for bar, symbol in enumerate(chords)
        for beat in ((0.0, 1.5), (0.5, 2.5))[bar % 2]
        for pitch in chord_pitches(symbol, low=52)[1:]
    ]
    hands = humanise(line + comping, rng, time=0.02, velocity=0.1)
    mix.add(play(hands, piano, clock, rng, pan=-0.1, spread=0.3), gain_db=3, room=0.16)
    parts = (
        DrumPart(ride, "x.o-x.o-", -7, pan=0.35, step=0.5),
        DrumPart(hat, "..x...x.", -9, pan=-0.4, step=0.5),
        DrumPart(brush, "o-o-o-o-", -11, step=0.5),
    )
    play_drums(mix, parts, clock, rng, start=0, beats=beats, room=0.12)
    return master(mix.mixdown(), level_db=-18), clock.seconds(beats)


def _space_room(rng: np.random.Generator) -> tuple[Sound, float]:
    """Slow pads and a humming choir; bells remember the tune."""
    clock = Clock(bpm=72)
    mix = Mix(clock.seconds(16) + 5.0, make_room(4.5, rng, damping=2500, predelay=0.04))
    chords = ("Am7", "Fmaj9", "Cmaj7", "Gsus2")
    held = [Note(4 * bar, 4.2, p, 0.6) for bar, c in enumerate(chords) for p in chord_pitches(c, low=48)]
    mix.add(play(held, pad, clock, rng), gain_db=-6, room=0.5)
    hummed = [
        Note(4 * bar, 3.8, p, 0.5) for bar, c in enumerate(chords) for p in chord_pitches(c, low=60)[::2]
    ]
    mix.add(play(hummed, humming_choir, clock, rng), gain_db=-16, room=0.9)
    bells = play(
        humanise(melody(TUNE, velocity=0.5, transpose=12), rng, time=0.05), bell, clock, rng, spread=-0.9
    )
    mix.add(echo(bells, delay=clock.seconds(0.75), feedback=0.5, repeats=4), gain_db=-16, room=0.9)
    return master(mix.mixdown(), level_db=-18, fade_in=0.3, fade_out=3.0), clock.seconds(16)


ROOMS: tuple[Room, ...] = (
    _piano_room,
    _string_room,
    _techno_room,
    _folk_room,
    _rock_room,
    _flute_room,
    _jazz_room,
    _space_room,
)


def _compose(rng: np.random.Generator) -> Sound:
    """Walk through the rooms; each one's last echo reaches into the next."""
    whole, start = np.zeros((2, 0)), 0
    for room in ROOMS:
        sound, seconds = room(rng)
        whole = np.pad(whole, ((0, 0), (0, max(0, start + sound.shape[1] - whole.shape[1]))))
        whole[:, start : start + sound.shape[1]] += sound
        start += n_samples(seconds)
    return np.clip(whole, -0.84, 0.84)


PIECE = Piece("medley.m4a", "Eight Rooms", "Medley", 64, 9, _compose)
