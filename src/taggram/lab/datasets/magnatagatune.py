"""MagnaTagATune: 25,863 clips of 29 s, tagged by the players of an online game (Law et al. 2009).

Layout of the root: `annotations_final.csv` and `clip_info_final.csv` (separated by tabs), and the
folders `0` … `f` with the mp3 files.

The split is by folder: 0–b for training, c for validation, d–f for testing. Three files are empty as
distributed and belong to no variant. *Cleaned* keeps the clips that have at least one of the 50 most
frequent tags: 15,247 / 1,529 / 4,332 clips, the split of most papers; *full* keeps every clip, also
those without any tag: 18,706 / 1,825 / 5,329. Figures on the two cannot be compared. Clips of one
artist, even of one piece, lie in several folders.

Variants: `top50` in the order of the published models; `all` 188 tags in the order of the file;
`merged50` merges synonyms (`MERGES`) and takes the 50 most frequent of the merged tags, counted over
all clips, most frequent first. All are on the cleaned clips; each has a `-full` sibling.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from taggram.lab.datasets._base import Annotations, Dataset, ExpectedFile, Split, Track
from taggram.lab.datasets._catalogue import Family
from taggram.lab.datasets._merging import merge_tags
from taggram.lab.datasets._reading import (
    TagMatrix,
    group_by_split,
    labels_of,
    most_frequent,
    read_lines,
    read_table,
    select_columns,
)
from taggram.tags.vocabularies import MAGNATAGATUNE_50

Selection = Literal["top50", "all", "merged50"]

EMPTY_FILES = frozenset(
    {
        "6/norine_braun-now_and_zen-08-gently-117-146.mp3",
        "8/jacob_heringman-josquin_des_prez_lute_settings-19-gintzler__pater_noster-204-233.mp3",
        "9/american_baroque-dances_and_suites_of_rameau_and_couperin-25-le_petit_rien_xiveme_ordre_couperin-88-117.mp3",
    }
)
_CLEANED = {"train": 15_247, "validation": 1_529, "test": 4_332}
_FULL = {"train": 18_706, "validation": 1_825, "test": 5_329}
_N_TAGS = {"top50": 50, "all": 188, "merged50": 50}


@dataclass(frozen=True, kw_only=True)
class MagnaTagATune(Dataset):
    """One selection of tags on one selection of clips.

    Attributes
    ----------
    selection
        Which tags.
    is_cleaned
        Leave out clips without any of the 50 most frequent tags.
    """

    selection: Selection
    is_cleaned: bool

    def _read(self, root: Path) -> Annotations:
        clips, y, names = _read_annotations(root / "annotations_final.csv")
        artists = {row["clip_id"]: row["artist"] for row in read_table(root / "clip_info_final.csv", "\t")}
        is_used = select_columns(y, names, MAGNATAGATUNE_50).any(axis=1) | (not self.is_cleaned)
        is_used &= np.array([path not in EMPTY_FILES for _, path in clips])
        y, vocabulary = self._select(y, names)
        tracks = [
            (_split_of(path), Track(id_, root / path, labels_of(y[i], vocabulary), artist=artists.get(id_)))
            for i, (id_, path) in enumerate(clips)
            if is_used[i]
        ]
        unused = {root / path for (_, path), used in zip(clips, is_used, strict=True) if not used}
        return Annotations(vocabulary, group_by_split(tracks), frozenset(unused))

    def _select(self, y: TagMatrix, names: tuple[str, ...]) -> tuple[TagMatrix, tuple[str, ...]]:
        if self.selection == "all":
            return y, names
        vocabulary: tuple[str, ...] = MAGNATAGATUNE_50
        if self.selection == "merged50":
            y, names = merge_tags(y, names)
            vocabulary = most_frequent(y, names, 50)
        return select_columns(y, names, vocabulary), vocabulary


def _read_annotations(path: Path) -> tuple[list[tuple[str, str]], TagMatrix, tuple[str, ...]]:
    """Return (clip id, path) of every clip, the tag matrix, and the names of its columns."""
    (_, *names, last), *lines = read_lines(path, "\t")
    if last != "mp3_path":
        raise ValueError(f"{path.name}: the last column is {last!r}, not 'mp3_path'")
    y = np.array([[field == "1" for field in line[1:-1]] for line in lines], np.bool_)
    return [(line[0], line[-1]) for line in lines], y.reshape(len(lines), len(names)), tuple(names)


def _split_of(path: str) -> Split:
    folder = int(path[0], 16)
    return "train" if folder < 0xC else "validation" if folder == 0xC else "test"


def _variant(selection: Selection, *, is_cleaned: bool) -> MagnaTagATune:
    which = "the clips that have a top-50 tag" if is_cleaned else "all clips, also those without a tag"
    tags = {
        "top50": "the 50 most frequent tags",
        "all": "all 188 tags",
        "merged50": "the 50 most frequent tags after synonyms are merged",
    }
    return MagnaTagATune(
        name=f"magnatagatune:{selection}{'' if is_cleaned else '-full'}",
        title="MagnaTagATune",
        description=f"Clips of 29 s, tagged by the players of an online game: {tags[selection]}, on {which}. "
        "Train is folders 0–b, validation c, test d–f; artists stand on both sides.",
        citation="Law, West, Mandel, Bay, Downie, Evaluation of algorithms using games: the case of music "
        "tagging, ISMIR 2009",
        licence="CC BY-NC-SA 3.0 (audio by Magnatune)",
        source="https://mirg.city.ac.uk/codeapps/the-magnatagatune-dataset",
        task="multi_label",
        files=(ExpectedFile("annotations_final.csv"), ExpectedFile("clip_info_final.csv")),
        n_tracks=_CLEANED if is_cleaned else _FULL,
        n_tags=_N_TAGS[selection],
        selection=selection,
        is_cleaned=is_cleaned,
    )


_SELECTIONS: tuple[Selection, ...] = ("top50", "all", "merged50")
DATASET = Family(
    tuple(_variant(selection, is_cleaned=cleaned) for cleaned in (True, False) for selection in _SELECTIONS)
)
