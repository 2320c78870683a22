"""MTG-Jamendo: 55,525 full songs under Creative Commons, tagged by their artists (Bogdanov et al. 2019).

Layout of the root: the repository of the dataset (`data/splits/split-N/autotagging_*-*.tsv`), and
beside it the folder `audio` with `NN/ID.mp3`, or `NN/ID.low.mp3` of the low-quality edition. Sound is
checked against the lists of checksums in the repository (`data/download/*_sha256_tracks.txt`).

Variants: `top50`, `genre`, `instrument`, `moodtheme` and `all`, on split 0; `top50-split3` and so on
for the other four splits. Splits are by artist. The vocabulary is in alphabetical order, prefixes
included (`genre---rock`), as in the published models.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from taggram.lab.datasets._base import SPLITS, Annotations, Checksum, Dataset, ExpectedFile, Split, Track
from taggram.lab.datasets._catalogue import Family
from taggram.lab.datasets._reading import group_by_split, read_checksums, read_lines

# Subset → (part of the file name, published number of tags).
_SUBSETS: Mapping[str, tuple[str, int]] = {
    "top50": ("_top50tags", 50),
    "genre": ("_genre", 87),
    "instrument": ("_instrument", 40),
    "moodtheme": ("_moodtheme", 56),
    "all": ("", 183),
}
_N_SPLITS = 5
# Of split 0, where published.
_N_TRACKS: Mapping[str, Mapping[str, int]] = {
    "top50": {"train": 32_136, "validation": 10_888, "test": 11_356},
    "moodtheme": {"train": 9_949, "validation": 3_802, "test": 4_231},
}
# Of all splits together: every one of the five holds the same tracks.
_N_TRACKS_TOGETHER: Mapping[str, int] = {"top50": 54_380, "all": 55_525}
_CHECKSUM_LISTS = tuple(
    f"{collection}_{edition}_sha256_tracks.txt"
    for collection in ("autotagging_moodtheme", "raw_30s")
    for edition in ("audio", "audio-low")
)


@dataclass(frozen=True, kw_only=True)
class MtgJamendo(Dataset):
    """One subset of tags on one of the five splits."""

    def _read(self, root: Path) -> Annotations:
        paths = zip(SPLITS, self.files, strict=True)
        tracks = group_by_split(row for split, file in paths for row in _read_split(root, file.path, split))
        vocabulary = sorted({label for group in tracks.values() for track in group for label in track.labels})
        return Annotations(tuple(vocabulary), tracks)

    def _read_checksums(self, root: Path) -> Mapping[Path, Checksum]:
        checksums: dict[Path, Checksum] = {}
        for name in _CHECKSUM_LISTS:
            checksums |= read_checksums(root / "data" / "download" / name, root / "audio", "sha256")
        return checksums


def _read_split(root: Path, file: str, split: Split) -> Iterator[tuple[Split, Track]]:
    _, *lines = read_lines(root / file, "\t")
    for id_, artist, _, path, _, *tags in lines:
        yield split, Track(id_, _find_audio(root, path), tuple(sorted(tags)), artist=artist)


def _find_audio(root: Path, path: str) -> Path:
    low = root / "audio" / path.replace(".mp3", ".low.mp3")
    return low if low.is_file() else root / "audio" / path


def _variant(subset: str, number: int) -> MtgJamendo:
    part, n_tags = _SUBSETS[subset]
    return MtgJamendo(
        name=f"mtg_jamendo:{subset}{f'-split{number}' if number else ''}",
        title="MTG-Jamendo",
        description=f"Full songs, tagged by their artists: {n_tags} tags ({subset}), split {number} of five, "
        "by artist.",
        citation="Bogdanov, Won, Tovstogan, Porter, Serra, The MTG-Jamendo dataset for automatic music "
        "tagging, Machine Learning for Music Discovery workshop, ICML 2019",
        licence="audio: Creative Commons, each song its own; metadata: CC BY-NC-SA 4.0",
        source="https://github.com/MTG/mtg-jamendo-dataset",
        task="multi_label",
        files=tuple(
            ExpectedFile(f"data/splits/split-{number}/autotagging{part}-{split}.tsv") for split in SPLITS
        ),
        n_tracks=_N_TRACKS.get(subset, {}) if number == 0 else {},
        n_tracks_together=_N_TRACKS_TOGETHER.get(subset),
        n_tags=n_tags,
    )


DATASET = Family(tuple(_variant(subset, number) for number in range(_N_SPLITS) for subset in _SUBSETS))
