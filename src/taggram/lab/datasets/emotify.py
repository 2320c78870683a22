"""Emotify: songs of four genres and the emotions that listeners of a game felt (Aljanaki et al. 2016).

Layout of the root: `manifest.csv` (`path`, `track_id`, `artist`, `split`, `genre`, and for each of nine
emotions the share of raters who chose it) and the files that it names. The split is disjoint by artist.

An emotion is a label of a song if at least a quarter of its raters chose it: then every song has one,
and the rarest emotion has 49 songs. Raters chose up to three of the nine emotions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from taggram.lab.datasets._base import Annotations, Dataset, ExpectedFile
from taggram.lab.datasets._catalogue import Family
from taggram.lab.datasets._manifest import Row, annotations_of, read_manifest

GENRES = ("classical", "electronic", "pop", "rock")
EMOTIONS = (
    "amazement",
    "solemnity",
    "tenderness",
    "nostalgia",
    "calmness",
    "power",
    "joyful_activation",
    "tension",
    "sadness",
)
LEAST_SHARE = 0.25


@dataclass(frozen=True, kw_only=True)
class Emotify(Dataset):
    """Genres or emotions as labels.

    Attributes
    ----------
    target
        "genre" or "emotions".
    """

    target: Literal["genre", "emotions"]

    def _read(self, root: Path) -> Annotations:
        rows = read_manifest(root, "track_id")
        if self.target == "genre":
            return annotations_of(rows, [(row.fields["genre"],) for row in rows], GENRES)
        return annotations_of(rows, [tuple(_emotions(row)) for row in rows], EMOTIONS)


def _emotions(row: Row) -> Iterator[str]:
    return (emotion for emotion in EMOTIONS if float(row.fields[emotion]) >= LEAST_SHARE)


def _variant(target: Literal["genre", "emotions"], what: str, n_tags: int) -> Emotify:
    return Emotify(
        name=f"emotify:{target}",
        title="Emotify",
        description=f"Excerpts of 60 s with {what}; split by artist.",
        citation="Aljanaki, Wiering, Veltkamp, Studying emotion induced by music through a crowdsourcing "
        "game, Information Processing and Management, 2016",
        licence="probably CC BY-NC-SA (audio by Magnatune)",
        source="http://www2.projects.science.uu.nl/memotion/emotifydata/",
        task="multi_class" if target == "genre" else "multi_label",
        files=(ExpectedFile("manifest.csv"),),
        n_tracks={"train": 150, "validation": 67, "test": 107},
        n_tags=n_tags,
        target=target,
    )


DATASET = Family(
    (
        _variant("genre", "one of four genres", len(GENRES)),
        _variant("emotions", "the emotions that at least a quarter of the raters felt", len(EMOTIONS)),
    )
)
