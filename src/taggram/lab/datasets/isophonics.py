"""Isophonics: chords of songs by the Beatles, Queen, Zweieck and Carole King (Harte 2010; Mauch et al. 2009).

Layout of the root: the archives of Isophonics unpacked beside each other, in each a folder `chordlab`, such
as `The Beatles Annotations/chordlab/The Beatles/01_-_Please_Please_Me/01_-_I_Saw_Her_Standing_There.lab`,
and the sound under the same names below `audio/`, in any format:
`audio/The Beatles/01_-_Please_Please_Me/01_-_I_Saw_Her_Standing_There.mp3`.

There is no official split. Ours is by the name of the album; the artists are too few to split by them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from taggram.lab.datasets._base import Annotations, Dataset, Split, Track
from taggram.lab.datasets._catalogue import Family
from taggram.lab.datasets._chords import MAJOR_MINOR, labels_in, read_segments
from taggram.lab.datasets._reading import derive_split, group_by_split, with_known_suffix

_FOLDER = "chordlab"


@dataclass(frozen=True, kw_only=True)
class Isophonics(Dataset):
    """The songs with chord annotations."""

    def _read(self, root: Path) -> Annotations:
        return Annotations(MAJOR_MINOR, group_by_split(_read_songs(root)))

    def _missing_files(self, root: Path) -> list[str]:
        missing = super()._missing_files(root)
        found = any(_FOLDER in path.parts for path in root.rglob("*.lab"))
        return missing if found else [*missing, f"{_FOLDER}/ARTIST/ALBUM/*.lab"]


def _read_songs(root: Path) -> Iterator[tuple[Split, Track]]:
    for path in root.rglob("*.lab"):
        parts = path.relative_to(root).parts
        if _FOLDER not in parts:
            continue
        # Behind `chordlab`: artist, then albums, of which Zweieck's songs have none.
        name = Path(*parts[parts.index(_FOLDER) + 1 :]).with_suffix("")
        segments = read_segments(path)
        sound = with_known_suffix(root / "audio" / name)
        yield (
            derive_split(name.parent.as_posix()),
            Track(name.as_posix(), sound, labels_in(segments), segments, name.parts[0]),
        )


DATASET = Family(
    (
        Isophonics(
            name="isophonics",
            title="Isophonics",
            description="Songs by the Beatles, Queen, Zweieck and Carole King with their chords; split by "
            "album (our rule).",
            citation="Harte, Towards automatic extraction of harmony information from music signals, PhD "
            "thesis, 2010; Mauch et al., OMRAS2 metadata project 2009, ISMIR 2009 late breaking",
            licence="none stated; the sound is commercial",
            source="http://isophonics.net/datasets",
            task="chords",
            n_tags=len(MAJOR_MINOR),
        ),
    )
)
