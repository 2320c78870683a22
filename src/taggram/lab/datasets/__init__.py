"""Datasets: one per file; the folder listing is the catalogue.

A module `<name>.py` offers under the attribute `DATASET` the variants of the dataset called `<name>`,
made by `Family`; the first is the default. `load_dataset("magnatagatune:all")` gives one variant,
`load_dataset("magnatagatune")` the default one. A third party adds a family through an entry point in
the group `taggram.lab.datasets`.
"""

from taggram.lab.datasets._base import (
    SPLITS,
    Annotations,
    ArtistLeakageWarning,
    Dataset,
    ExpectedFile,
    Segment,
    Split,
    Task,
    Track,
    Validation,
    label_matrix,
)
from taggram.lab.datasets._cache import AudioCache, BadTrack, CachedTrack, CacheIndex
from taggram.lab.datasets._catalogue import DATASETS, Family, list_datasets, load_dataset
from taggram.lab.datasets._merging import MERGES, merge_tags
from taggram.lab.datasets._prepare import Estimate, estimate, prepare
from taggram.lab.datasets._reading import most_frequent

__all__ = [
    "DATASETS",
    "MERGES",
    "SPLITS",
    "Annotations",
    "ArtistLeakageWarning",
    "AudioCache",
    "BadTrack",
    "CacheIndex",
    "CachedTrack",
    "Dataset",
    "Estimate",
    "ExpectedFile",
    "Family",
    "Segment",
    "Split",
    "Task",
    "Track",
    "Validation",
    "estimate",
    "label_matrix",
    "list_datasets",
    "load_dataset",
    "merge_tags",
    "most_frequent",
    "prepare",
]
