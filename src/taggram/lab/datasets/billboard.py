"""McGill Billboard: chords of songs from the American charts, 1958 to 1991 (Burgoyne et al. 2011).

Layout of the root: `billboard-2.0-index.csv` and `McGill-Billboard/0003/full.lab` … as in the release with
.lab files, or `index.csv` and `0003.lab` … in one folder. The sound is commercial: your own copies as
`audio/0003.mp3` …, named after the index, in any format.

There is no official split of what was published. Ours is by artist. Some songs stand in the index several
times; all entries of a song are in one split, since its artist is.

In `0974` the last segments run backwards in time; it is left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from taggram.lab.datasets._base import Annotations, Dataset, Split, Track
from taggram.lab.datasets._catalogue import Family
from taggram.lab.datasets._chords import MAJOR_MINOR, labels_in, read_segments
from taggram.lab.datasets._reading import derive_split, group_by_split, read_table, with_known_suffix

_INDEXES = ("billboard-2.0-index.csv", "index.csv")
_RUNS_BACKWARDS = frozenset({"0974"})


@dataclass(frozen=True, kw_only=True)
class Billboard(Dataset):
    """The songs with chord annotations."""

    def _read(self, root: Path) -> Annotations:
        return Annotations(MAJOR_MINOR, group_by_split(_read_songs(root)))

    def _missing_files(self, root: Path) -> list[str]:
        missing = super()._missing_files(root)
        if not any((root / name).is_file() for name in _INDEXES):
            missing.append(_INDEXES[0])
        return missing if any(_find_annotations(root)) else [*missing, "McGill-Billboard/*/full.lab"]


def _read_songs(root: Path) -> Iterator[tuple[Split, Track]]:
    index = next(root / name for name in _INDEXES if (root / name).is_file())
    artists = {f"{int(row['id']):04}": row["artist"] for row in read_table(index)}
    for name, path in _find_annotations(root):
        if name in _RUNS_BACKWARDS:
            continue
        segments = read_segments(path)
        sound = with_known_suffix(root / "audio" / name)
        track = Track(name, sound, labels_in(segments), segments, artists[name])
        yield derive_split(artists[name]), track


def _find_annotations(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield number and file of each annotated entry."""
    for path in root.glob("McGill-Billboard/[0-9][0-9][0-9][0-9]/full.lab"):
        yield path.parent.name, path
    for path in root.glob("[0-9][0-9][0-9][0-9].lab"):
        yield path.stem, path


DATASET = Family(
    (
        Billboard(
            name="billboard",
            title="McGill Billboard",
            description="Songs from the American charts with their chords, without sound; split by artist "
            "(our rule).",
            citation="Burgoyne, Wild, Fujinaga, An expert ground truth set for audio chord recognition "
            "and music analysis, ISMIR 2011",
            licence="CC0; the sound is commercial",
            source="https://ddmal.music.mcgill.ca/research/The_McGill_Billboard_Project_(Chord_Analysis_Dataset)/",
            task="chords",
            n_tags=len(MAJOR_MINOR),
        ),
    )
)
