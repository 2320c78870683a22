"""The clips that models are trained on and judged by, with their splits, and their decoded sound.

A corpus folder holds one folder per dataset with a `manifest.csv` (columns `path` and `split`, and the
dataset's own labels). Splits are `train`, `validation` and `test`, disjoint by artist.

Conventions: waveforms are mono at `SAMPLE_RATE`, stored as int16 (full scale 32767) outside the tree.
"""

import csv
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from taggram.lab.training.shards import load_arrays, save_arrays

Split = Literal["train", "validation", "test"]

SAMPLE_RATE = 16_000
DATASETS = ("4q", "emotify")


@dataclass(frozen=True)
class Clip:
    """One annotated excerpt.

    Attributes
    ----------
    dataset, name
        Together unique in a corpus.
    path
        The sound file.
    split
        "train", "validation" or "test".
    labels
        The manifest's row as it stands.
    """

    dataset: str
    name: str
    path: Path
    split: str
    labels: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def key(self) -> str:
        """Relative path, without extension, of whatever is stored about this clip."""
        return f"{self.dataset}/{self.name}"


def read_corpus(folder: Path, datasets: Iterable[str] = DATASETS) -> list[Clip]:
    """Return the clips of all `datasets` under `folder`, in the order of their manifests."""
    return [clip for dataset in datasets for clip in _read_manifest(folder / dataset)]


def _read_manifest(folder: Path) -> list[Clip]:
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [
        Clip(folder.name, Path(row["path"]).stem, folder / row["path"], row["split"], row) for row in rows
    ]


def fingerprint(clips: Iterable[Clip], tags: Iterable[str]) -> str:
    """Return the SHA-256 that names an evaluation: sorted clip keys, then the tags in order."""
    text = "\n".join([*sorted(clip.key for clip in clips), "--", *tags])
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class WaveformCache:
    """Sounds as int16 files in a folder; what is missing is made and stored."""

    folder: Path

    def load(self, key: str, make: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return the waveform that `make` makes, shape (n_samples,), nominally in [−1, 1].

        Parameters
        ----------
        key
            Its file's path in the folder, without extension.
        make
            Called where the file is not there.
        """
        path = self.folder / f"{key}.npz"
        if not path.exists():
            samples = np.round(make() * 32767).clip(-32768, 32767)
            save_arrays(path, {"samples": samples.astype(np.int16)})
        return np.asarray(load_arrays(path)["samples"], np.float32) / np.float32(32767)
