"""What several readers of datasets share: tables, splits, and matrices of tags.

Conventions: a tag matrix `y` is bool of shape (n_tracks, n_tags); its columns are a vocabulary.
"""

import csv
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from taggram.lab.datasets._base import SOUND_SUFFIXES, SPLITS, Algorithm, Checksum, Split, Track

SPLIT_OF: Mapping[str, Split] = {
    "train": "train",
    "training": "train",
    "valid": "validation",
    "val": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
"""Split by the words that datasets use for it."""

TagMatrix = NDArray[np.bool_]

_LARGEST_FIELD = 1 << 24


def read_table(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    """Return the rows of a table with one line of column names."""
    with path.open(newline="", encoding="utf-8-sig") as file, _long_fields():
        return list(csv.DictReader(file, delimiter=delimiter))


def read_lines(path: Path, delimiter: str) -> Iterator[list[str]]:
    """Yield the lines of a table as they are, the empty ones left out."""
    with path.open(newline="", encoding="utf-8-sig") as file, _long_fields():
        yield from (line for line in csv.reader(file, delimiter=delimiter) if line)


def read_checksums(path: Path, folder: Path, algorithm: Algorithm) -> dict[Path, Checksum]:
    """Return the checksums in a list of lines `HEX NAME`, names below `folder`; none if there is no list."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    rows = (line.split(maxsplit=1) for line in text.splitlines())
    return {folder / row[1].lstrip("*"): (algorithm, row[0].lower()) for row in rows if len(row) == 2}


@contextmanager
def _long_fields() -> Iterator[None]:
    """Accept fields of any sensible length: descriptions of albums exceed the default of 128 KiB."""
    previous = csv.field_size_limit(_LARGEST_FIELD)
    try:
        yield
    finally:
        csv.field_size_limit(previous)


def group_by_split(tracks: Iterable[tuple[Split, Track]]) -> dict[Split, tuple[Track, ...]]:
    """Return split → its tracks, sorted by id.

    Raises
    ------
    ValueError
        If two tracks have the same id.
    """
    groups: dict[Split, dict[str, Track]] = {split: {} for split in SPLITS}
    seen: set[str] = set()
    for split, track in tracks:
        if track.id in seen:
            raise ValueError(f"the id {track.id!r} stands for two tracks")
        seen.add(track.id)
        groups[split][track.id] = track
    return {split: tuple(group[name] for name in sorted(group)) for split, group in groups.items()}


def derive_split(group: str) -> Split:
    """Return a split that depends on nothing but the name of an artist, song or file.

    The SHA-256 of the name decides: of ten groups, eight are for training on average, one for validation
    and one for testing. A group stays where it is when others are added.
    """
    bucket = int.from_bytes(hashlib.sha256(group.encode("utf-8", "surrogateescape")).digest()[:8], "big") % 10
    return "train" if bucket < 8 else "validation" if bucket == 8 else "test"


def with_known_suffix(stem: Path) -> Path:
    """Return the sound file that is called `stem`, whatever its format; `stem`.wav if there is none."""
    for suffix in (".wav", ".mp3", ".flac", *sorted(SOUND_SUFFIXES)):
        path = stem.with_name(stem.name + suffix)
        if path.is_file():
            return path
    return stem.with_name(stem.name + ".wav")


def labels_of(row: TagMatrix, vocabulary: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the columns that are set."""
    return tuple(vocabulary[int(column)] for column in np.flatnonzero(row))


def select_columns(y: TagMatrix, vocabulary: Sequence[str], names: Sequence[str]) -> TagMatrix:
    """Return the columns of `names`, in their order.

    Raises
    ------
    KeyError
        If the vocabulary lacks one.
    """
    column_of = {name: column for column, name in enumerate(vocabulary)}
    return y[:, [column_of[name] for name in names]]


def most_frequent(y: TagMatrix, vocabulary: Sequence[str], n_tags: int) -> tuple[str, ...]:
    """Return the `n_tags` most frequent tags, the most frequent first; of equals, the first by name."""
    counts = y.sum(axis=0)
    order = sorted(range(len(vocabulary)), key=lambda column: (-counts[column], vocabulary[column]))
    return tuple(vocabulary[column] for column in order[:n_tags])


def split_labels(text: str, separators: Collection[str] = (";",)) -> tuple[str, ...]:
    """Return the names in a field that holds several, without blanks, empty ones and repetitions."""
    for separator in separators:
        text = text.replace(separator, "\0")
    return tuple(dict.fromkeys(name for part in text.split("\0") if (name := part.strip())))
