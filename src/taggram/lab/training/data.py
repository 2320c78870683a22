"""A dataset and its cache of decoded sound, as training takes them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from taggram.errors import DatasetError
from taggram.lab.datasets import Annotations, AudioCache, Dataset, Split, label_matrix, load_dataset
from taggram.lab.training.clips import Clips

Task = Literal["multi_label", "multi_class"]


@dataclass(frozen=True)
class TrainingData:
    """What a run learns from and is judged by.

    Attributes
    ----------
    dataset, annotations
        Description, and what the user's copy says.
    cache
        Its decoded sound.
    """

    dataset: Dataset
    annotations: Annotations
    cache: AudioCache

    @property
    def task(self) -> Task:
        """The task of the dataset."""
        if self.dataset.task == "chords":
            raise DatasetError(f"{self.dataset.name}: is a dataset of chords; this training is for tags")
        return self.dataset.task

    def clips(self, split: Split) -> Clips:
        """Return the clips of a split that could be decoded."""
        tracks = [track for track in self.annotations.tracks[split] if track.id not in self.cache.bad]
        if not tracks:
            raise DatasetError(f"{self.dataset.name}: no clip of the split {split!r} could be decoded")
        labels = label_matrix(tracks, self.annotations.vocabulary)
        return Clips(self.cache, [track.id for track in tracks], labels)

    def facts(self) -> dict[str, Any]:
        """Return what identifies the data of a run."""
        return {
            "dataset": self.dataset.name,
            "task": self.task,
            "fingerprints": {split: self.annotations.fingerprint(split) for split in self.dataset.splits},
            "left_out": {id_: cause.message for id_, cause in self.cache.bad.items()},
        }


def load_data(
    dataset: str, root: Path, cache: Path, *, sample_rate: int, allow_artist_leakage: bool = False
) -> TrainingData:
    """Open a dataset and its cache of decoded sound.

    Parameters
    ----------
    dataset
        Name of a dataset, or of one of its variants.
    root
        The user's copy.
    cache
        What `taggram datasets prepare` made of it.
    sample_rate
        Hz, that the model takes.
    allow_artist_leakage
        Also accept a split with artists on both sides.

    Raises
    ------
    DatasetError
        If the copy is incomplete, or the cache is missing or has another sample rate.
    """
    described = load_dataset(dataset, allow_artist_leakage=allow_artist_leakage)
    sound = AudioCache(cache)
    if sound.sample_rate != sample_rate:
        raise DatasetError(
            f"{cache}: holds sound at {sound.sample_rate} Hz, the model takes {sample_rate} Hz; make "
            f"another with `taggram datasets prepare {dataset} --sample-rate {sample_rate}`"
        )
    return TrainingData(described, described.annotations(root), sound)
