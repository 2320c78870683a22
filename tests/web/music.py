"""A small real library: pieces of our own example clips, with file tags, in four formats."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from studio.encoding import write_recording
from studio.sound import SAMPLE_RATE
from taggram.audio.decode import decode
from tests.web.conftest import CLIPS

ARTISTS = {
    "adagio": "Ada Lark",
    "arcade": "Pixel Choir",
    "blue_corner": "The Tide Tables",
    "hearth": "Ada Lark",
    "nocturne": "The Tide Tables",
    "overdrive": "Iron Kettle",
    "tide": "North Sea Quartet",
    "warehouse": "Halogen",
}
N_PIECES = 3
PIECE_SECONDS = 5.0
_ENDINGS = (".mp3", ".flac", ".m4a", ".opus")


def write_music(folder: Path) -> list[Path]:
    """Cut pieces of every clip into files of their own; return them."""
    written = []
    for number, (name, artist) in enumerate(ARTISTS.items()):
        clip = next(CLIPS.glob(f"{name}.*"))
        ending = _ENDINGS[number % len(_ENDINGS)]
        for piece, sound in enumerate(_pieces(clip), start=1):
            path = folder / artist / f"{name}_{piece}{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            title = f"{name.replace('_', ' ').title()} {piece}"
            tags = {"title": title, "artist": artist, "album": f"Pieces of {name}"}
            write_recording(sound, path, kbps=96, tags=tags)
            written.append(path)
    return written


def run_taggram(folder: Path, *arguments: str) -> str:
    """Run a command on the library of a site; return what it said."""
    environment = {
        **os.environ,
        "TAGGRAM_CACHE": str(folder / "cache"),
        "TAGGRAM_LIBRARY": str(folder / "library.db"),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "taggram.cli.main", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def _pieces(clip: Path) -> list[np.ndarray]:
    """Return the first pieces of a clip on both channels, each of shape (2, n_samples)."""
    blocks = decode(clip, sample_rate=SAMPLE_RATE, duration=N_PIECES * PIECE_SECONDS)
    return np.split(np.tile(np.concatenate(list(blocks)), (2, 1)), N_PIECES, axis=1)
