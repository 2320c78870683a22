"""Any folder of sound files: labels from folder names, from a manifest, or from the tags in the files.

`folder:names`     The folder that a file lies in is its class. Above it there may be folders `train`,
                   `validation` and `test`: `train/jazz/a.mp3`, or just `jazz/a.mp3`.
`folder:manifest`  `manifest.csv` or `manifest.parquet` with the columns `path` and `labels` (separated by
                   `;`, or a list in Parquet) and optionally `id`, `split` and `artist`.
`folder:tags`      The genre in the metadata of the files (ID3, Vorbis comments, MP4 and so on), in lower
                   case; several are separated by `;`, `/` or `,`. Files without one are left out.

Where nothing says what split a file belongs to, its artist decides, or its path if there is no artist
(`derive_split`): about 80, 10 and 10 in a hundred, whatever else is in the folder. Vocabularies are in
alphabetical order.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from taggram.audio.container import Limits, open_sound
from taggram.errors import AudioError
from taggram.lab.datasets._base import Annotations, Dataset, Split, Task, Track, find_sound
from taggram.lab.datasets._catalogue import Family
from taggram.lab.datasets._manifest import annotations_of, read_manifest
from taggram.lab.datasets._reading import SPLIT_OF, derive_split, group_by_split, split_labels

_MANIFESTS = ("manifest.csv", "manifest.parquet")


@dataclass(frozen=True, kw_only=True)
class FolderNames(Dataset):
    """Classes from the names of folders."""

    def _read(self, root: Path) -> Annotations:
        tracks = [row for path in find_sound(root) if (row := _by_name(root, path))]
        used = {track.path for _, track in tracks}
        return Annotations(
            _vocabulary(track for _, track in tracks),
            group_by_split(tracks),
            frozenset(set(find_sound(root)) - used),
        )


def _by_name(root: Path, path: Path) -> tuple[Split, Track] | None:
    *folders, _ = path.relative_to(root).parts
    named = SPLIT_OF.get(folders[0].lower()) if len(folders) > 1 else None
    if not folders:
        return None
    id_ = path.relative_to(root).as_posix()
    return named or derive_split(id_), Track(id_, path, (folders[-1],))


@dataclass(frozen=True, kw_only=True)
class FolderManifest(Dataset):
    """Tags from a table."""

    def _read(self, root: Path) -> Annotations:
        rows = read_manifest(root)
        labels = [split_labels(row.fields["labels"]) for row in rows]
        return annotations_of(rows, labels, sorted({name for names in labels for name in names}))

    def _missing_files(self, root: Path) -> list[str]:
        missing = super()._missing_files(root)
        has_manifest = any((root / name).is_file() for name in _MANIFESTS)
        return missing if has_manifest else [*missing, " or ".join(_MANIFESTS)]


@dataclass(frozen=True, kw_only=True)
class FolderTags(Dataset):
    """Tags from the metadata in the files."""

    def _read(self, root: Path) -> Annotations:
        files = list(find_sound(root))
        tracks = [row for path in files if (row := _by_metadata(root, path))]
        used = {track.path for _, track in tracks}
        vocabulary = _vocabulary(track for _, track in tracks)
        return Annotations(vocabulary, group_by_split(tracks), frozenset(set(files) - used))


def _by_metadata(root: Path, path: Path) -> tuple[Split, Track] | None:
    metadata = read_metadata(path)
    labels = tuple(sorted(split_labels(metadata.get("genre", "").lower(), (";", "/", ","))))
    if not labels:
        return None
    id_ = path.relative_to(root).as_posix()
    artist = metadata.get("album_artist") or metadata.get("artist") or None
    return derive_split(artist or id_), Track(id_, path, labels, artist=artist)


def read_metadata(path: Path) -> dict[str, str]:
    """Return what is written in a sound file about it, with names in lower case; empty if unreadable.

    Formats keep it for the whole file or for the stream of sound; what stands for the whole file counts.
    """
    try:
        with open_sound(path, Limits()) as sound:
            fields = {**sound.stream.metadata, **sound.container.metadata}
    except AudioError:
        return {}
    return {name.lower(): value for name, value in fields.items()}


def _vocabulary(tracks: Iterable[Track]) -> tuple[str, ...]:
    return tuple(sorted({label for track in tracks for label in track.labels}))


_VARIANTS: tuple[tuple[type[Dataset], str, Task, str], ...] = (
    (FolderNames, "names", "multi_class", "The folder that a file lies in is its class."),
    (FolderManifest, "manifest", "multi_label", "Labels from manifest.csv or manifest.parquet."),
    (FolderTags, "tags", "multi_label", "Genres from the metadata in the files."),
)

DATASET = Family(
    tuple(
        cls(
            name=f"folder:{name}",
            title="Folder of files",
            description=description,
            citation="none: your own files",
            licence="that of your files",
            source="your own files",
            task=task,
        )
        for cls, name, task, description in _VARIANTS
    )
)
