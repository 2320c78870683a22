"""Manifests: tables with one row per sound file, as of `folder:manifest`, 4Q, Emotify and `synthetic`.

A manifest is `manifest.csv` (or `manifest.parquet`, with pyarrow) in the root. The column `path` is
relative to the root; `split` and `artist` are optional. Without `split`, the artist decides
(`derive_split`), and without `artist` the path.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from taggram.errors import MissingExtraError
from taggram.lab.datasets._base import Annotations, Split, Track
from taggram.lab.datasets._reading import SPLIT_OF, derive_split, group_by_split, read_table


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes
    ----------
    id
        Of the track.
    path
        The sound file.
    split, artist
        As said or derived; None if nobody says whose it is.
    fields
        All columns as text; of several names in one field, `;` stands between them.
    """

    id: str
    path: Path
    split: Split
    artist: str | None
    fields: Mapping[str, str]


def read_manifest(root: Path, id_column: str = "id") -> list[Row]:
    """Read the manifest of a folder.

    Parameters
    ----------
    root
        Folder of the manifest.
    id_column
        Column of the id; where the manifest has none, the path without its suffix is the id.

    Raises
    ------
    KeyError
        If there is no column `path`.
    ValueError
        If a path leads out of the folder, or a split is none.
    """
    return [_row(root, fields, id_column) for fields in _read_fields(root)]


def annotations_of(
    rows: Sequence[Row], labels: Iterable[Iterable[str]], vocabulary: Sequence[str]
) -> Annotations:
    """Return the tracks of a manifest with the labels that the vocabulary has."""
    tracks = [
        (row.split, Track(row.id, row.path, _in_order(names, vocabulary), artist=row.artist))
        for row, names in zip(rows, labels, strict=True)
    ]
    return Annotations(tuple(vocabulary), group_by_split(tracks))


def _in_order(names: Iterable[str], vocabulary: Sequence[str]) -> tuple[str, ...]:
    present = set(names)
    return tuple(name for name in vocabulary if name in present)


def _row(root: Path, fields: Mapping[str, str], id_column: str) -> Row:
    path = PurePosixPath(fields["path"])
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"the path {str(path)!r} leads out of the folder; give it relative to the folder")
    artist = fields.get("artist") or None
    named = fields.get("split", "")
    if named and named.lower() not in SPLIT_OF:
        raise ValueError(f"{path}: {named!r} is no split; accepted are {', '.join(SPLIT_OF)}")
    split = SPLIT_OF[named.lower()] if named else derive_split(artist or str(path))
    return Row(fields.get(id_column) or str(path.with_suffix("")), root / path, split, artist, fields)


def _read_fields(root: Path) -> list[dict[str, str]]:
    parquet = root / "manifest.parquet"
    return _read_parquet(parquet) if parquet.is_file() else read_table(root / "manifest.csv")


def _read_parquet(path: Path) -> list[dict[str, str]]:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError(f"reading {path.name}", "parquet") from error
    rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    return [{column: _text(value) for column, value in row.items()} for row in rows]


def _text(value: Any) -> str:
    if value is None:
        return ""
    return ";".join(map(str, value)) if isinstance(value, list) else str(value)
