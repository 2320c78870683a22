"""Compose, play, mix and encode the example clips: `python examples/compose.py --output examples/clips`.

Needs numpy and PyAV, which Taggram itself needs. The recordings are the same for every run on one
machine; on another one they may differ in the last bit, as floating-point sums do.
"""

import argparse
from importlib import import_module
from multiprocessing import Pool
from pathlib import Path
from pkgutil import iter_modules

import numpy as np

import pieces
from studio.encoding import write_recording
from studio.piece import Piece
from studio.sound import SAMPLE_RATE

LICENCE = "CC0 1.0, https://creativecommons.org/publicdomain/zero/1.0/"


def list_pieces() -> list[str]:
    """Return the names of all pieces."""
    return sorted(module.name for module in iter_modules(pieces.__path__))


def load_piece(name: str) -> Piece:
    """Return one piece by name."""
    piece = import_module(f"pieces.{name}").PIECE
    assert isinstance(piece, Piece)
    return piece


def render(name: str, folder: Path) -> str:
    """Render one piece into `folder`; return a line about it."""
    piece = load_piece(name)
    recording = piece.compose(np.random.default_rng(piece.seed))
    path = folder / piece.file
    tags = {
        "title": piece.title,
        "artist": "Taggram",
        "album": "Taggram example clips",
        "genre": piece.genre,
        "copyright": LICENCE,
        "comment": "Composed and rendered by examples/compose.py of Taggram",
    }
    write_recording(recording, path, kbps=piece.kbps, tags=tags)
    peak_db = 20 * np.log10(np.abs(recording).max())
    level_db = 10 * np.log10(np.mean(recording**2))
    seconds, kilobytes = recording.shape[1] / SAMPLE_RATE, path.stat().st_size / 1000
    return (
        f"{piece.file:16} {seconds:5.1f} s  {kilobytes:4.0f} kB  "
        f"peak {peak_db:5.1f} dBFS  level {level_db:5.1f} dBFS"
    )


def main() -> None:
    """Render all pieces, or the named ones."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "names", nargs="*", help=f"pieces to render, of {', '.join(list_pieces())}; default: all"
    )
    parser.add_argument("--output", type=Path, required=True, help="folder for the clips")
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.names) - set(list_pieces())):
        parser.error(f"no such piece: {', '.join(unknown)}")
    arguments.output.mkdir(parents=True, exist_ok=True)
    with Pool() as pool:
        jobs = [(name, arguments.output) for name in arguments.names or list_pieces()]
        for line in pool.starmap(render, jobs, chunksize=1):
            print(line)


if __name__ == "__main__":
    main()
