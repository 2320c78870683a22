"""FMA: excerpts of 30 s from the Free Music Archive, one genre each (Defferrard et al. 2017).

Layout of the root: the folder `fma_metadata` with `tracks.csv`, and `fma_small` or `fma_medium` with
`000/000002.mp3` and so on, beside them the list `checksums` of the archive.

`small` has 8 balanced genres, `medium` 16 unbalanced ones and contains `small`. The split is the
official one, by artist. As published, some files are shorter than 30 s and some cannot be decoded;
`prepare` names them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from taggram.lab.datasets._base import Annotations, Checksum, Dataset, ExpectedFile, Track
from taggram.lab.datasets._catalogue import Family
from taggram.lab.datasets._reading import SPLIT_OF, group_by_split, read_checksums, read_lines

Subset = Literal["small", "medium"]

_SUBSETS: dict[Subset, frozenset[str]] = {
    "small": frozenset({"small"}),
    "medium": frozenset({"small", "medium"}),
}
_N_TRACKS = {
    "small": {"train": 6_400, "validation": 800, "test": 800},
    "medium": {"train": 19_922, "validation": 2_505, "test": 2_573},
}
_N_TAGS = {"small": 8, "medium": 16}
_ARCHIVES = {
    "fma_metadata.zip": "f0df49ffe5f2a6008d7dc83c6915b31835dfe733",
    "fma_small.zip": "ade154f733639d52e35e32f5593efe5be76c6d70",
    "fma_medium.zip": "c67b69ea232021025fca9231fc1c7c1a063ab50b",
}


@dataclass(frozen=True, kw_only=True)
class Fma(Dataset):
    """One subset.

    Attributes
    ----------
    subset
        "small" or "medium".
    """

    subset: Subset

    def _read(self, root: Path) -> Annotations:
        # Two lines of column names, group and name, and a third that names the index.
        groups, names, _, *lines = read_lines(root / "fma_metadata" / "tracks.csv", ",")
        column = {key: index for index, key in enumerate(zip(groups, names, strict=True))}
        subset, split = column["set", "subset"], column["set", "split"]
        genre, artist = column["track", "genre_top"], column["artist", "id"]
        tracks = group_by_split(
            (SPLIT_OF[line[split]], self._track(root, line[0], line[genre], line[artist]))
            for line in lines
            if line[subset] in _SUBSETS[self.subset]
        )
        labels = {label for group in tracks.values() for track in group for label in track.labels}
        return Annotations(tuple(sorted(labels)), tracks)

    def _read_checksums(self, root: Path) -> Mapping[Path, Checksum]:
        folder = root / f"fma_{self.subset}"
        return read_checksums(folder / "checksums", folder, "sha1")

    def _track(self, root: Path, id_: str, genre: str, artist: str) -> Track:
        name = f"{int(id_):06}"
        if not genre:
            raise ValueError(f"tracks.csv: track {id_} of {self.subset} has no genre")
        return Track(name, root / f"fma_{self.subset}" / name[:3] / f"{name}.mp3", (genre,), artist=artist)


def _variant(subset: Subset) -> Fma:
    archives = ("fma_metadata.zip", f"fma_{subset}.zip")
    return Fma(
        name=f"fma:{subset}",
        title=f"FMA {subset}",
        description=f"Excerpts of 30 s from the Free Music Archive, one of {_N_TAGS[subset]} genres each; "
        "official split, by artist.",
        citation="Defferrard, Benzi, Vandergheynst, Bresson, FMA: a dataset for music analysis, ISMIR 2017",
        licence="audio: Creative Commons, each track its own; metadata: CC BY 4.0",
        source="https://github.com/mdeff/fma",
        task="multi_class",
        files=(
            ExpectedFile("fma_metadata/tracks.csv"),
            *(ExpectedFile(name, "sha1", _ARCHIVES[name], is_archive=True) for name in archives),
        ),
        n_tracks=_N_TRACKS[subset],
        n_tags=_N_TAGS[subset],
        subset=subset,
    )


DATASET = Family((_variant("small"), _variant("medium")))
