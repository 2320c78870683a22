"""Ambient in D: slow pads over a drone, waves of filtered noise, glass bells far away."""

import numpy as np

from studio.effects import echo, make_room, sweep_low_pass
from studio.instruments import bell, humming_choir, pad
from studio.mixing import Mix, master, play
from studio.piece import Piece
from studio.score import Clock, Note, chord_pitches, humanise, melody
from studio.sound import SAMPLE_RATE, Sound, low_pass, n_samples, noise, time_axis

CHORDS = ("Dmaj9", "Bm9", "Gmaj9", "Em9", "Dmaj9")
BELLS = "-/6 F#5/3 A5/5 - D6/2 C#6/4 E5/3 B5/5 - F#6/2 E6/3 D6/6"


def _waves(seconds: float, rng: np.random.Generator) -> Sound:
    """Surf: noise that opens and closes every nine seconds, differently left and right."""
    hiss = low_pass(np.stack([noise(seconds, rng), noise(seconds, rng)]), 3000, order=1)
    turn = np.linspace(0, seconds / 9, 60)
    swept = sweep_low_pass(hiss, 250 + 1400 * np.sin(np.pi * turn) ** 4)
    time = np.arange(n_samples(seconds)) / SAMPLE_RATE
    loudness = np.stack([np.sin(np.pi * time / 9 + shift) ** 4 for shift in (0.0, 0.35)])
    return swept * (0.15 + loudness)


def _compose(rng: np.random.Generator) -> Sound:
    seconds, clock = 38.0, Clock(bpm=60)
    mix = Mix(seconds, make_room(5.0, rng, damping=2500, predelay=0.04))
    held = [
        Note(8.0 * bar, 8.5, pitch, 0.6)
        for bar, symbol in enumerate(CHORDS)
        for pitch in chord_pitches(symbol, low=50)
    ]
    mix.add(play(held, pad, clock, rng), gain_db=-6, room=0.5)
    voices = [
        Note(8.0 * bar + 1, 6.5, pitch, 0.5)
        for bar, symbol in enumerate(CHORDS)
        for pitch in chord_pitches(symbol, low=62)[::2]
    ]
    mix.add(play(voices, humming_choir, clock, rng), gain_db=-17, room=0.9)
    time = time_axis(seconds)
    drone = sum(
        np.sin(2 * np.pi * frequency * time) * (1 + 0.3 * np.sin(2 * np.pi * slow * time))
        for frequency, slow in ((36.71, 0.07), (73.42, 0.05), (110.0, 0.11))
    )
    mix.add(np.stack([drone, drone]) * 0.08 * np.minimum(1, time / 4), room=0.1)
    bells = play(humanise(melody(BELLS, velocity=0.5), rng, time=0.1), bell, clock, rng, spread=-0.9)
    mix.add(echo(bells, delay=0.75, feedback=0.5, repeats=5), gain_db=-14, room=0.9)
    mix.add(_waves(seconds, rng), gain_db=-24, room=0.2)
    return master(mix.mixdown(), level_db=-17.5, fade_in=2.0, fade_out=4.0)


PIECE = Piece("tide.opus", "Tide", "Ambient", 56, 6, _compose)
