"""Plucked chords, made of sines: what a chord model must be able to hear."""

import numpy as np

from taggram.chords.harte import QUALITIES

RATE = 22_050
SONG = [(0, "maj"), (9, "min"), (5, "maj"), (7, "maj")]  # C Am F G
LABELS = ["C:maj", "A:min", "F:maj", "G:maj"]


def pluck(pitch: float, seconds: float) -> np.ndarray:
    """A string: eight partials that die away, the higher the faster."""
    times = np.arange(int(seconds * RATE)) / RATE
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    partials = (
        np.sin(2 * np.pi * n * frequency * times) / n * np.exp(-times * (0.6 + 0.3 * n)) for n in range(1, 9)
    )
    string: np.ndarray = np.sum(list(partials), axis=0)
    return string


def play(
    chords: list[tuple[int, str]], *, seconds: float = 2.0, tuning: float = 0.0, step: int = 0
) -> np.ndarray:
    """Chords of plucked strings around middle C over a bass, each struck twice."""
    parts = []
    for root, quality in chords:
        pitches = [
            36 + (root + step) % 12,
            *(60 + (root + step + i) % 12 for i in sorted(QUALITIES[quality])),
        ]
        half = np.sum([pluck(pitch + tuning / 100, seconds / 2) for pitch in pitches], axis=0)
        parts += [half, half]
    waveform = np.concatenate(parts)
    scaled: np.ndarray = 0.8 * waveform / np.abs(waveform).max()
    return scaled.astype(np.float32)
