"""Find datasets and their variants by name."""

from collections.abc import Iterator
from dataclasses import dataclass

from taggram.errors import DatasetError, UnknownNameError
from taggram.lab.datasets._base import Dataset
from taggram.registry import Registry


@dataclass(frozen=True)
class Family:
    """The variants of one dataset; the first is the default."""

    variants: tuple[Dataset, ...]

    def __iter__(self) -> Iterator[Dataset]:
        return iter(self.variants)


DATASETS: Registry[Family] = Registry("dataset", "taggram.lab.datasets", "DATASET")


def list_datasets() -> list[Dataset]:
    """Return every variant of every registered dataset."""
    return [dataset for name in DATASETS.names() for dataset in DATASETS.get(name)]


def load_dataset(name: str, *, allow_artist_leakage: bool = False) -> Dataset:
    """Return the dataset or variant called `name`.

    Parameters
    ----------
    name
        `family` for its default variant, or `family:variant`.
    allow_artist_leakage
        Also accept a variant whose split puts songs of one artist on both sides.

    Raises
    ------
    UnknownNameError
        If there is no such dataset or variant; the message suggests the nearest name.
    DatasetError
        If the split of the variant leaks artists and that was not allowed.
    """
    family = DATASETS.get(name.partition(":")[0])
    variants = {dataset.name: dataset for dataset in family}
    dataset = variants.get(name) if ":" in name else next(iter(family))
    if dataset is None:
        raise UnknownNameError("variant", name, variants)
    if dataset.leaks_artists and not allow_artist_leakage:
        raise DatasetError(
            f"{dataset.name}: {dataset.leaks_artists}. Use {next(iter(variants))}, or say that you want it "
            "nevertheless (allow_artist_leakage, --allow-artist-leakage)"
        )
    return dataset
