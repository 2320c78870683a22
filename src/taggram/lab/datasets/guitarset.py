"""GuitarSet: 360 excerpts of solo and accompanying guitar with the chords of the lead sheet (Xi et al. 2018).

Layout of the root: `annotation/00_BN1-129-Eb_comp.jams` … and the sound of the microphone as
`audio_mono-mic/00_BN1-129-Eb_comp_mic.wav` …, in any format. A JAMS file holds two annotations of chords:
the lead sheet that was to be played, and what was played. We take the first.

There is no official split. Ours is by player: 04 is for validation, 05 for testing.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from taggram.lab.datasets._base import Annotations, Dataset, Segment, Split, Track
from taggram.lab.datasets._catalogue import Family
from taggram.lab.datasets._chords import MAJOR_MINOR, labels_in, reduce_chord
from taggram.lab.datasets._reading import group_by_split, with_known_suffix

_SPLIT_OF_PLAYER: dict[str, Split] = {"04": "validation", "05": "test"}


@dataclass(frozen=True, kw_only=True)
class GuitarSet(Dataset):
    """The excerpts recorded with the microphone."""

    def _read(self, root: Path) -> Annotations:
        return Annotations(MAJOR_MINOR, group_by_split(_read_excerpts(root)))

    def _missing_files(self, root: Path) -> list[str]:
        missing = super()._missing_files(root)
        return missing if any((root / "annotation").glob("*.jams")) else [*missing, "annotation/*.jams"]


def _read_excerpts(root: Path) -> Iterator[tuple[Split, Track]]:
    for path in (root / "annotation").glob("*.jams"):
        player = path.stem.partition("_")[0]
        if not player.isdigit():
            raise ValueError(f"{path.name!r} does not begin with the number of a player")
        segments = _read_lead_sheet(path)
        sound = with_known_suffix(root / "audio_mono-mic" / f"{path.stem}_mic")
        track = Track(path.stem, sound, labels_in(segments), segments, f"player {player}")
        yield _SPLIT_OF_PLAYER.get(player, "train"), track


def _read_lead_sheet(path: Path) -> tuple[Segment, ...]:
    document = json.loads(path.read_text(encoding="utf-8"))
    sheets = [part["data"] for part in document["annotations"] if part["namespace"] == "chord"]
    if not sheets:
        raise ValueError(f"{path.name}: no annotation of chords")
    segments = tuple(
        Segment(float(said["time"]), float(said["time"]) + float(said["duration"]), str(said["value"]))
        for said in sheets[0]
    )
    for segment in segments:
        reduce_chord(segment.label)  # raises where this is no chord
    return segments


DATASET = Family(
    (
        GuitarSet(
            name="guitarset",
            title="GuitarSet",
            description="Excerpts of acoustic guitar by six players, accompaniment and solo, with the "
            "chords of the lead sheet; split by player (our rule).",
            citation="Xi, Bittner, Pauwels, Ye, Bello, GuitarSet: a dataset for guitar transcription, "
            "ISMIR 2018",
            licence="CC BY 4.0",
            source="https://zenodo.org/records/3371780",
            task="chords",
            n_tracks={"train": 240, "validation": 60, "test": 60},
            n_tags=len(MAJOR_MINOR),
        ),
    )
)
