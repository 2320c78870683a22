"""RWC Popular: 100 pop songs (Goto et al. 2002) with the chords of Cho and Bello (2011).

Layout of the root: `annotations/AIST.RWC-MDB-P-2001.CHORD/RWC_Pop_Chords/N001-M01-T01.lab` (number of
the piece, disc and track on it) as distributed by AIST, and the sound as `audio/rwc-p-m01/1.wav` (disc,
track) or `audio/RM-P001.wav`, in any format.

There is no official split. Ours is by number of the piece: of each ten, those that end in 4 and 9 are
for validation, in 0 and 5 for testing, the other six for training. Singers sing several pieces.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from taggram.lab.datasets._base import Annotations, Dataset, ExpectedFile, Split, Track
from taggram.lab.datasets._catalogue import Family
from taggram.lab.datasets._chords import MAJOR_MINOR, labels_in, read_segments
from taggram.lab.datasets._reading import group_by_split, with_known_suffix

_FOLDER = Path("annotations", "AIST.RWC-MDB-P-2001.CHORD", "RWC_Pop_Chords")
_NAME = re.compile(r"N(?P<piece>\d{3})-M(?P<disc>\d{2})-T(?P<track>\d{2})\.lab")


@dataclass(frozen=True, kw_only=True)
class RwcPopular(Dataset):
    """The pieces with chord annotations."""

    def _read(self, root: Path) -> Annotations:
        return Annotations(MAJOR_MINOR, group_by_split(_read_pieces(root)))

    def _missing_files(self, root: Path) -> list[str]:
        missing = super()._missing_files(root)
        return missing if any((root / _FOLDER).glob("N*.lab")) else [*missing, f"{_FOLDER.as_posix()}/N*.lab"]


def _read_pieces(root: Path) -> Iterator[tuple[Split, Track]]:
    for path in (root / _FOLDER).glob("N*.lab"):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise ValueError(f"{path.name!r} is not named after piece, disc and track")
        segments = read_segments(path)
        sound = _find_sound(root / "audio", match)
        yield (
            _split_of(int(match["piece"])),
            Track(f"RM-P{match['piece']}", sound, labels_in(segments), segments),
        )


def _find_sound(folder: Path, match: re.Match[str]) -> Path:
    by_piece = with_known_suffix(folder / f"RM-P{match['piece']}")
    if by_piece.is_file():
        return by_piece
    return with_known_suffix(folder / f"rwc-p-m{match['disc']}" / str(int(match["track"])))


def _split_of(piece: int) -> Split:
    return "test" if piece % 5 == 0 else "validation" if piece % 5 == 4 else "train"


DATASET = Family(
    (
        RwcPopular(
            name="rwc_popular",
            title="RWC Popular",
            description="100 pop songs in Japanese and American style with their chords; split by number of "
            "the piece (our rule).",
            citation="Goto, Hashiguchi, Nishimura, Oka, RWC music database, ISMIR 2002; chords: Cho, Bello, "
            "A feature smoothing method for chord recognition using recurrence plots, ISMIR 2011",
            licence="sound: by agreement with AIST, for research; chords: none stated",
            source="https://staff.aist.go.jp/m.goto/RWC-MDB/",
            task="chords",
            files=(
                ExpectedFile(
                    "annotations/AIST.RWC-MDB-P-2001.CHORD.zip",
                    "md5",
                    "68379c88bc8ec3f1907b32a3579197c5",
                    is_archive=True,
                ),
            ),
            n_tracks={"train": 60, "validation": 20, "test": 20},
            n_tags=len(MAJOR_MINOR),
        ),
    )
)
