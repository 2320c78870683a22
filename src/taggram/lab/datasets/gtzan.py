"""GTZAN: 1,000 excerpts of 30 s in ten genres (Tzanetakis and Cook 2002), with known faults (Sturm 2013).

Layout of the root: the folder `genres` (or `genres_original`) with `blues/blues.00000.wav` and so on,
in any format; beside it, for the default variant, the lists `train_filtered.txt`,
`valid_filtered.txt` and `test_filtered.txt` of Kereliuk, Sturm and Larsen.

The default variant leaves out repetitions, distortions and mislabelled excerpts, and keeps the songs of
one artist on one side. `random` draws from all excerpts regardless of artist, as much of the
literature did; its figures are too good, and it is read only if that is asked for.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from taggram.lab.datasets._base import SPLITS, Annotations, Dataset, ExpectedFile, Split, Track
from taggram.lab.datasets._catalogue import Family
from taggram.lab.datasets._reading import group_by_split, with_known_suffix

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
_LISTS = ("train_filtered.txt", "valid_filtered.txt", "test_filtered.txt")
_ARCHIVE = ExpectedFile("genres.tar.gz", "md5", "5b3d6dddb579ab49814ab86dba69e7c7", is_archive=True)
_N_EXCERPTS = 100  # of each genre


@dataclass(frozen=True, kw_only=True)
class Gtzan(Dataset):
    """One way to split; filtered unless it leaks artists."""

    def _read(self, root: Path) -> Annotations:
        folder = _sound_folder(root)
        names = _draw() if self.leaks_artists else _read_lists(root)
        tracks = group_by_split((split, _track(folder, name)) for split, name in names)
        used = {track.id for group in tracks.values() for track in group}
        others = (name for genre in GENRES for name in _excerpts(genre) if name not in used)
        return Annotations(GENRES, tracks, frozenset(_track(folder, name).path for name in others))


def _sound_folder(root: Path) -> Path:
    kaggle = root / "genres_original"
    return kaggle if kaggle.is_dir() else root / "genres"


def _track(folder: Path, name: str) -> Track:
    genre = name.partition(".")[0]
    if genre not in GENRES:
        raise ValueError(f"{name!r} is no excerpt of GTZAN")
    return Track(name, with_known_suffix(folder / genre / name), (genre,))


def _excerpts(genre: str) -> Iterator[str]:
    return (f"{genre}.{number:05}" for number in range(_N_EXCERPTS))


def _read_lists(root: Path) -> Iterator[tuple[Split, str]]:
    """Yield the excerpts of the published lists, whose lines are `blues/blues.00029.wav`."""
    for split, name in zip(SPLITS, _LISTS, strict=True):
        for line in (root / name).read_text(encoding="utf-8").split():
            yield split, Path(line).name.rpartition(".")[0]


def _draw() -> Iterator[tuple[Split, str]]:
    """Yield 70, 10 and 20 excerpts of each genre, in the order of the SHA-256 of their names."""
    for genre in GENRES:
        order = sorted(_excerpts(genre), key=lambda name: hashlib.sha256(name.encode()).digest())
        for place, name in enumerate(order):
            yield ("train" if place < 70 else "validation" if place < 80 else "test"), name


def _variant(name: str, leaks_artists: str = "") -> Gtzan:
    how = "any 70 / 10 / 20 of each genre" if leaks_artists else "without known faults, split by artist"
    return Gtzan(
        name=f"gtzan:{name}",
        title="GTZAN",
        description=f"Excerpts of 30 s in ten genres; {how}.",
        citation="Tzanetakis, Cook, Musical genre classification of audio signals, IEEE Transactions on "
        "Speech and Audio Processing, 2002; filtered split: Kereliuk, Sturm, Larsen, Deep learning and music "
        "adversaries, IEEE Transactions on Multimedia, 2015; faults: Sturm, The GTZAN dataset, 2013",
        licence="none stated; commercial recordings, for research",
        source="http://marsyas.info/downloads/datasets.html; the lists from "
        "https://github.com/jordipons/sklearn-audio-transfer-learning",
        task="multi_class",
        files=(_ARCHIVE,) if leaks_artists else (*map(ExpectedFile, _LISTS), _ARCHIVE),
        n_tracks={"train": 700, "validation": 100, "test": 200}
        if leaks_artists
        else {"train": 443, "validation": 197, "test": 290},
        n_tags=len(GENRES),
        leaks_artists=leaks_artists,
    )


DATASET = Family(
    (
        _variant("filtered"),
        _variant(
            "random",
            leaks_artists="a random split of GTZAN puts songs of one artist, even copies of one recording, "
            "on both sides",
        ),
    )
)
