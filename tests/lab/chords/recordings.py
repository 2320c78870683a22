"""A tiny copy of RWC Popular in its own layout: plucked songs whose chords are known."""

from pathlib import Path

import numpy as np
import soundfile

from tests.chords.sounds import LABELS, RATE, SONG, play

SECONDS = 1.0  # of a chord
SPLITS = {"train": (1, 2, 3), "validation": (4,), "test": (5, 10)}
TUNINGS = {2: 30.0, 5: -20.0}  # cents


def render(root: Path) -> None:
    """Write songs of eight chords, a pause at the end, with their annotations."""
    folder = root / "annotations" / "AIST.RWC-MDB-P-2001.CHORD" / "RWC_Pop_Chords"
    folder.mkdir(parents=True)
    (root / "audio").mkdir()
    for piece in (number for numbers in SPLITS.values() for number in numbers):
        order = [(place + piece) % len(SONG) for place in range(2 * len(SONG))]
        sound = play([SONG[i] for i in order], seconds=SECONDS, tuning=TUNINGS.get(piece, 0.0))
        silence = np.zeros(int(RATE * SECONDS), np.float32)
        soundfile.write(root / "audio" / f"RM-P{piece:03}.wav", np.append(sound, silence), RATE)
        lines = [
            f"{place * SECONDS}\t{(place + 1) * SECONDS}\t{label}\n"
            for place, label in enumerate([*(LABELS[i] for i in order), "N"])
        ]
        path = folder / f"N{piece:03}-M01-T{piece:02}.lab"
        path.write_text("".join(lines), encoding="utf-8")
