"""Million Song Dataset with the tags of Last.fm (Bertin-Mahieux et al. 2011), on 30 s previews.

Layout of the root: the published lists, and the folder `audio` with the previews.

`top50`         The conventional split, of songs: `filtered_list_train.cP` (its first 201,680 songs are for
                training, the rest for validation), `filtered_list_test.cP`, `msd_id_to_tag_vector.cP`,
                `MSD_id_to_7D_id.pkl` and `7D_id_to_path.pkl`, as published by Lee and Nam. A preview is
                `audio/` and the path of `7D_id_to_path.pkl`, such as `audio/8/9/8947470.clip.mp3`.
                Artists stand on both sides.
`artist-clean`  CALS, split by artist, with its own 50 tags (Won, Choi and Serra 2021): `splits/` with
                `train_ids.npy`, `train_binaries.npy`, and the same for `valid` and `test`. A preview is
                `audio/A/B/C/TRABC….wav` after letters 3 to 5 of its id, in any format.

If `unique_tracks.txt` of the Million Song Dataset is in the root, tracks have their artists.

Pickled lists are read as data: nothing but text, numbers and arrays of numbers is accepted.
"""

import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from taggram.errors import DatasetError
from taggram.lab.datasets._base import SPLITS, Annotations, Dataset, ExpectedFile, Split, Track
from taggram.lab.datasets._catalogue import Family
from taggram.lab.datasets._reading import group_by_split, labels_of, with_known_suffix
from taggram.tags.vocabularies import MSD_50

N_TRAIN = 201_680  # where the conventional list of training songs ends and that of validation begins

CALS_50 = (
    "rock", "pop", "indie", "alternative", "electronic", "hip-hop", "metal", "jazz", "punk", "folk",
    "alternative rock", "indie rock", "dance", "hard rock", "00s", "soul", "hardcore", "80s", "country",
    "classic rock", "punk rock", "blues", "chillout", "experimental", "heavy metal", "death metal", "90s",
    "reggae", "progressive rock", "ambient", "acoustic", "beautiful", "british", "rnb", "funk", "metalcore",
    "mellow", "world", "guitar", "trance", "indie pop", "christian", "house", "spanish", "latin",
    "psychedelic", "electro", "piano", "70s", "progressive metal",
)  # fmt: skip

_LISTS = (
    "filtered_list_train.cP",
    "filtered_list_test.cP",
    "msd_id_to_tag_vector.cP",
    "MSD_id_to_7D_id.pkl",
    "7D_id_to_path.pkl",
)
_CALS_NAMES: Mapping[Split, str] = {"train": "train", "validation": "valid", "test": "test"}


@dataclass(frozen=True, kw_only=True)
class MsdConventional(Dataset):
    """The split of most papers."""

    def _read(self, root: Path) -> Annotations:
        train, test, vectors, id_7d, path_of = (read_pickle(root / name) for name in _LISTS)
        artists = _read_artists(root)
        splits: dict[Split, list[str]] = {
            "train": train[:N_TRAIN],
            "validation": train[N_TRAIN:],
            "test": test,
        }
        tracks = (
            (
                split,
                Track(
                    id_,
                    root / "audio" / path_of[id_7d[id_]],
                    labels_of(_as_row(id_, vectors[id_]), MSD_50),
                    artist=artists.get(id_),
                ),
            )
            for split, ids in splits.items()
            for id_ in ids
        )
        return Annotations(MSD_50, group_by_split(tracks))


@dataclass(frozen=True, kw_only=True)
class MsdArtistClean(Dataset):
    """The split by artist."""

    def _read(self, root: Path) -> Annotations:
        return Annotations(CALS_50, group_by_split(_read_cals(root)))


def _read_cals(root: Path) -> Iterator[tuple[Split, Track]]:
    artists = _read_artists(root)
    for split, name in _CALS_NAMES.items():
        ids = np.load(root / "splits" / f"{name}_ids.npy", allow_pickle=False)
        vectors = np.load(root / "splits" / f"{name}_binaries.npy", allow_pickle=False)
        for id_, vector in zip(ids.tolist(), vectors, strict=True):
            sound = with_known_suffix(root / "audio" / id_[2] / id_[3] / id_[4] / id_)
            yield split, Track(id_, sound, labels_of(_as_row(id_, vector), CALS_50), artist=artists.get(id_))


def _as_row(id_: str, vector: Any) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    row = np.asarray(vector).ravel() > 0
    if row.shape != (50,):
        raise ValueError(f"track {id_} has {row.size} tags, expected are 50")
    return row


def _read_artists(root: Path) -> dict[str, str]:
    path = root / "unique_tracks.txt"
    if not path.is_file():
        return {}
    rows = (line.split("<SEP>") for line in path.read_text(encoding="utf-8").splitlines() if line)
    return {row[0]: row[2] for row in rows}


def _encode_latin1(text: str, encoding: str) -> bytes:
    """Stand in for `_codecs.encode`, by which Python 3 writes bytes in the format of Python 2."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it asks for the encoding {encoding!r}")
    return text.encode("latin1")


class _DataUnpickler(pickle.Unpickler):
    """Accepts what a list of names or an array of numbers is made of, and nothing that runs code."""

    _ARRAYS: Mapping[tuple[str, str], Any] = {
        ("multiarray", "_reconstruct"): np._core.multiarray._reconstruct,  # type: ignore[attr-defined]
        ("multiarray", "scalar"): np._core.multiarray.scalar,  # type: ignore[attr-defined]
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("_codecs", "encode"): _encode_latin1,
    }

    def find_class(self, module: str, name: str) -> Any:
        part = module.rpartition(".")[2]
        known = module in ("_codecs", "numpy", "numpy.core.multiarray", "numpy._core.multiarray")
        if not known or (part, name) not in self._ARRAYS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return self._ARRAYS[part, name]


def read_pickle(path: Path) -> Any:
    """Read a pickle of Python 2 or 3 as data.

    Raises
    ------
    DatasetError
        If the file is damaged, or holds anything but text, numbers, lists, dictionaries and arrays.
    """
    try:
        with path.open("rb") as file:
            # Python 2 wrote text as bytes; latin-1 keeps the bytes of its arrays.
            return _DataUnpickler(file, encoding="latin1").load()
    except (pickle.UnpicklingError, EOFError, ValueError, AttributeError, IndexError) as error:
        raise DatasetError(
            f"{path}: is not the pickled list that was published ({error}); get it again and do not open it "
            "with anything that trusts it"
        ) from error


_COMMON_CITATION = "Bertin-Mahieux, Ellis, Whitman, Lamere, The Million Song Dataset, ISMIR 2011; split: "
_LICENCE = "tags: Last.fm, for research; previews: 7digital, not distributed any more"

DATASET = Family(
    (
        MsdConventional(
            name="msd:top50",
            title="Million Song Dataset",
            description="Previews of 30 s with the 50 most frequent tags of Last.fm; the conventional split, "
            "with artists on both sides.",
            citation=_COMMON_CITATION
            + "Lee, Park, Kim, Nam, Sample-level deep convolutional neural networks "
            "for music auto-tagging using raw waveforms, SMC 2017",
            licence=_LICENCE,
            source="https://github.com/jongpillee/music_dataset_split/tree/master/MSD_split",
            task="multi_label",
            files=tuple(ExpectedFile(name) for name in _LISTS),
            n_tracks={"train": 201_680, "validation": 11_774, "test": 28_435},
            n_tags=50,
        ),
        MsdArtistClean(
            name="msd:artist-clean",
            title="Million Song Dataset, CALS",
            description="Previews of 30 s with 50 cleaned tags of Last.fm; split by artist.",
            citation=_COMMON_CITATION
            + "Won, Choi, Serra, Semi-supervised music tagging transformer, ISMIR 2021",
            licence=_LICENCE,
            source="https://github.com/minzwon/semi-supervised-music-tagging-transformer",
            task="multi_label",
            files=tuple(
                ExpectedFile(f"splits/{_CALS_NAMES[split]}_{kind}.npy")
                for split in SPLITS
                for kind in ("ids", "binaries")
            ),
            n_tracks={"train": 163_504, "validation": 34_730, "test": 34_913},
            n_tags=50,
        ),
    )
)
