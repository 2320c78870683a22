"""4Q: excerpts of 30 s in the quadrants of Russell's plane, with genres and moods (Panda et al. 2018).

Layout of the root: `manifest.csv` (`path`, `id`, `artist`, `split`, `quadrant`, `genres`, `moods`; several
names are separated by `;`) and the files that it names. The split is disjoint by artist.

Quadrants: Q1 happy, energetic; Q2 tense, angry; Q3 sad, bitter; Q4 calm, tender. Genres and moods come
from the pages of albums, written by editors: a mood that is not named may be there all the same.

A genre or mood is in the vocabulary if at least 19 excerpts have it, two of them in validation and
one in test, so that it can be learned and scored: 18 genres and 78 moods.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from taggram.lab.datasets._base import Annotations, Dataset, ExpectedFile
from taggram.lab.datasets._catalogue import Family
from taggram.lab.datasets._manifest import Row, annotations_of, read_manifest
from taggram.lab.datasets._reading import split_labels

Column = Literal["quadrant", "genres", "moods"]

QUADRANTS = ("Q1", "Q2", "Q3", "Q4")
_LEAST = {"": 19, "validation": 2, "test": 1}  # the empty name stands for all splits together


@dataclass(frozen=True, kw_only=True)
class FourQ(Dataset):
    """One column of the manifest as labels.

    Attributes
    ----------
    column
        "quadrant", "genres" or "moods".
    """

    column: Column

    def _read(self, root: Path) -> Annotations:
        rows = read_manifest(root, "id")
        labels = [split_labels(row.fields[self.column]) for row in rows]
        vocabulary = QUADRANTS if self.column == "quadrant" else _frequent(rows, labels)
        return annotations_of(rows, labels, vocabulary)


def _frequent(rows: Iterable[Row], labels: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    counts: Mapping[str, Counter[str]] = {split: Counter() for split in ("", "train", "validation", "test")}
    for row, names in zip(rows, labels, strict=True):
        counts[""].update(names)
        counts[row.split].update(names)
    return tuple(
        sorted(
            name
            for name in counts[""]
            if all(counts[split][name] >= least for split, least in _LEAST.items())
        )
    )


def _variant(column: Column, what: str, n_tags: int) -> FourQ:
    return FourQ(
        name=f"four_q:{column}",
        title="4Q audio emotion dataset",
        description=f"Excerpts of 30 s with {what}; split by artist.",
        citation="Panda, Malheiro, Paiva, Musical texture and expressivity features for music emotion "
        "recognition, ISMIR 2018",
        licence="none stated; commercial previews, for research",
        source="http://mir.dei.uc.pt/downloads.html",
        task="multi_class" if column == "quadrant" else "multi_label",
        files=(ExpectedFile("manifest.csv"),),
        n_tracks={"train": 448, "validation": 117, "test": 141},
        n_tags=n_tags,
        column=column,
    )


DATASET = Family(
    (
        _variant("quadrant", "their quadrant of valence and arousal", 4),
        _variant("genres", "the 18 genres that are frequent enough", 18),
        _variant("moods", "the 78 moods that are frequent enough", 78),
    )
)
