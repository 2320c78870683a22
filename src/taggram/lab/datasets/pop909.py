"""POP909: 909 Chinese pop songs as MIDI, with chords aligned to it (Wang et al. 2020).

Layout of the root: one folder for each song, `001/001.mid` and `001/chord_midi.txt` and so on. The
dataset has no sound: a track is the sound file beside the MIDI file (`001/001.wav`, in any format) where
there is one, rendered with any synthesiser, and the MIDI file itself otherwise.

There is no official split. Ours is by number of the song: of each ten, that which ends in 8 is for
validation, in 9 for testing. Several songs are by the same artists.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from taggram.lab.datasets._base import Annotations, Dataset, Split, Track
from taggram.lab.datasets._catalogue import Family
from taggram.lab.datasets._chords import MAJOR_MINOR, labels_in, read_segments
from taggram.lab.datasets._reading import group_by_split, with_known_suffix

_SONG = "[0-9][0-9][0-9]"


@dataclass(frozen=True, kw_only=True)
class Pop909(Dataset):
    """All songs of the copy."""

    def _read(self, root: Path) -> Annotations:
        return Annotations(MAJOR_MINOR, group_by_split(_read_songs(root)))

    def _missing_files(self, root: Path) -> list[str]:
        missing = super()._missing_files(root)
        songs = [path.name for path in sorted(root.glob(_SONG)) if path.is_dir()]
        lacking = [name for song in songs if not (root / (name := f"{song}/chord_midi.txt")).is_file()]
        return [*missing, *lacking] if songs else [*missing, "001 … 909"]


def _read_songs(root: Path) -> Iterator[tuple[Split, Track]]:
    for folder in root.glob(_SONG):
        if folder.is_dir():
            segments = read_segments(folder / "chord_midi.txt")
            track = Track(folder.name, _find_sound(folder), labels_in(segments), segments)
            yield _split_of(int(folder.name)), track


def _find_sound(folder: Path) -> Path:
    sound = with_known_suffix(folder / folder.name)
    return sound if sound.is_file() else folder / f"{folder.name}.mid"


def _split_of(number: int) -> Split:
    return "validation" if number % 10 == 8 else "test" if number % 10 == 9 else "train"


DATASET = Family(
    (
        Pop909(
            name="pop909",
            title="POP909",
            description="Chinese pop songs as MIDI (render them first) with their chords; split by number of "
            "the song (our rule).",
            citation="Wang, Chen, Jiang, Zhang, Xu, Dai, Gu, Xia, POP909: a pop-song dataset for music "
            "arrangement generation, ISMIR 2020",
            licence="MIT",
            source="https://github.com/music-x-lab/POP909-Dataset",
            task="chords",
            n_tracks={"train": 727, "validation": 91, "test": 91},
            n_tags=len(MAJOR_MINOR),
        ),
    )
)
