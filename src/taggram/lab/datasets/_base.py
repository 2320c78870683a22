"""What a dataset is: a description that is frozen in code, and tracks read from the user's copy.

    Dataset.annotations(root) → Annotations: vocabulary, tracks of every split, fingerprints
    Dataset.validate(root)    → Validation: what is missing, damaged, left over or counted differently

`root` is the folder of the dataset as its authors distribute it; nothing is written into it. Nothing
of a dataset is in the package: neither sound nor labels nor split lists.

Conventions: a track id is unique in its dataset and never depends on where the copy lies; a split is
"train", "validation" or "test"; a vocabulary is ordered and unique, and index = column everywhere;
times are seconds.
"""

import csv
import hashlib
import json
import sys
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from taggram.audio.container import Limits, open_sound
from taggram.errors import AudioError, DatasetError

Split = Literal["train", "validation", "test"]
Task = Literal["multi_label", "multi_class", "chords"]
Algorithm = Literal["md5", "sha1", "sha256"]
Checksum = tuple[Algorithm, str]
"""Algorithm and hexadecimal value."""
Watch = Callable[[Sequence["Track"]], Iterable["Track"]]
"""Iterates over tracks for its caller, who may show how far it is."""

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
SOUND_SUFFIXES = frozenset(
    {".aac", ".aif", ".aiff", ".au", ".flac", ".m4a", ".mp3", ".mp4", ".oga", ".ogg", ".opus", ".wav", ".wma"}
)
SCORE_SUFFIXES = frozenset({".mid", ".midi"})  # no sound yet: to be rendered first


class ArtistLeakageWarning(UserWarning):
    """Songs of one artist stand on both sides of a split, so its figures flatter every model."""


@dataclass(frozen=True)
class Segment:
    """One label over a stretch of time, such as a chord.

    Attributes
    ----------
    start, end
        Seconds from the start of the track; `end` is excluded.
    label
        As annotated; for chords in the syntax of Harte (`C:min7/b3`, `N` for no chord).
    """

    start: float
    end: float
    label: str


@dataclass(frozen=True)
class Track:
    """One annotated recording or excerpt.

    Attributes
    ----------
    id
        Unique in the dataset.
    path
        The sound file; it need not be there.
    labels
        Names of the vocabulary, in its order; exactly one if the task is "multi_class".
    segments
        The annotation over time of a dataset of chords.
    artist
        Who must not stand on both sides of a split; None if the dataset does not say.
    """

    id: str
    path: Path
    labels: tuple[str, ...] = ()
    segments: tuple[Segment, ...] = ()
    artist: str | None = None


@dataclass(frozen=True)
class ExpectedFile:
    """A file of labels or of splits that the dataset consists of, besides the sound.

    Attributes
    ----------
    path
        Relative to the root, with `/`.
    algorithm, checksum
        The published checksum, hexadecimal; None where the authors publish none.
    is_archive
        The file is what the dataset came in: it need not be there, and is checked if it is.
    """

    path: str
    algorithm: Algorithm = "sha256"
    checksum: str | None = None
    is_archive: bool = False


@dataclass(frozen=True)
class Annotations:
    """What a user's copy of a dataset says.

    Attributes
    ----------
    vocabulary
        Ordered, unique names; index = column.
    tracks
        Split → tracks, sorted by id.
    unused
        Sound files that belong to the dataset but to no split of this variant.
    """

    vocabulary: tuple[str, ...]
    tracks: Mapping[Split, tuple[Track, ...]]
    unused: frozenset[Path] = field(default=frozenset(), repr=False)

    def fingerprint(self, split: Split) -> str:
        """Return the SHA-256, hexadecimal, of the sorted ids of a split and of the vocabulary in order.

        Two results may stand in one column if the fingerprints of what they were scored on are equal.
        """
        content = json.dumps([sorted(track.id for track in self.tracks[split]), list(self.vocabulary)])
        return hashlib.sha256(content.encode()).hexdigest()

    def __iter__(self) -> Iterator[Track]:
        """Iterate over the tracks of all splits."""
        for split in SPLITS:
            yield from self.tracks.get(split, ())


@dataclass(frozen=True)
class Validation:
    """How a user's copy differs from the published dataset.

    Attributes
    ----------
    missing
        Files that should be there, relative to the root.
    damaged
        File → what is wrong with it.
    extra
        Sound files that the dataset does not know.
    counts
        Split → tracks found.
    differences
        One sentence for each count that is not the published one.
    """

    missing: tuple[str, ...] = ()
    damaged: Mapping[str, str] = field(default_factory=dict)
    extra: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    differences: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing, damaged or counted differently; extra files do no harm."""
        return not (self.missing or self.damaged or self.differences)


@dataclass(frozen=True, kw_only=True)
class Dataset(ABC):
    """Description of one dataset, or of one variant of it, and the reader of its original layout.

    Attributes
    ----------
    name
        Of the registry; a variant is called `family:variant`.
    title, description
        In words.
    citation, licence, source
        What to cite, on what terms it may be used, and where to get it.
    task
        "multi_label": any number of labels; "multi_class": exactly one; "chords": segments.
    files
        Expected files other than sound.
    n_tracks
        Split → published number of tracks; empty if nobody has published one.
    n_tracks_together
        Published number of tracks of all splits together; None if nobody has published one.
    n_tags
        Published size of the vocabulary; None if it depends on the copy.
    splits
        Those that the dataset has.
    leaks_artists
        Why artists stand on both sides of the split; empty if they do not. Reading such a dataset warns.
    """

    name: str
    title: str
    description: str
    citation: str
    licence: str
    source: str
    task: Task
    files: tuple[ExpectedFile, ...] = ()
    n_tracks: Mapping[str, int] = field(default_factory=dict)
    n_tracks_together: int | None = None
    n_tags: int | None = None
    splits: tuple[Split, ...] = SPLITS
    leaks_artists: str = ""

    @abstractmethod
    def _read(self, root: Path) -> Annotations:
        """Read the copy; the expected files are there."""

    def _read_checksums(self, root: Path) -> Mapping[Path, Checksum]:
        """Read the checksums of sound files from lists in the copy, where its authors put some."""
        return {}

    @property
    def documentation(self) -> str:
        """Layout of the root, splits and rules, as the module of the dataset states them."""
        return (sys.modules[type(self).__module__].__doc__ or "").strip()

    def annotations(self, root: Path) -> Annotations:
        """Read vocabulary and tracks of a user's copy, without touching its sound.

        Raises
        ------
        DatasetError
            If the folder or an expected file is missing, or its content is not in the published layout.
        """
        missing = self._missing_files(root)
        if missing:
            raise DatasetError(
                f"{root}: this copy of {self.name} lacks {', '.join(missing)}; get it from {self.source} "
                f"(how it is to lie there: `taggram datasets show {self.name}`)"
            )
        if self.leaks_artists:
            warnings.warn(f"{self.name}: {self.leaks_artists}", ArtistLeakageWarning, stacklevel=2)
        try:
            return self._read(root)
        except (KeyError, IndexError, ValueError, OSError, csv.Error) as error:
            raise DatasetError(
                f"{root}: a file of {self.name} is not in its published layout "
                f"({type(error).__name__}: {error}); get it again from {self.source}"
            ) from error

    def tracks(self, root: Path, split: Split) -> list[Track]:
        """Return the tracks of one split, sorted by id."""
        if split not in self.splits:
            raise DatasetError(f"{self.name} has no split {split!r}; it has {', '.join(self.splits)}")
        return list(self.annotations(root).tracks[split])

    def vocabulary(self, root: Path) -> tuple[str, ...]:
        """Return the ordered, unique names of the labels."""
        return self.annotations(root).vocabulary

    def fingerprint(self, root: Path, split: Split) -> str:
        """Return the SHA-256 that names an evaluation on this split; see `Annotations.fingerprint`."""
        return self.annotations(root).fingerprint(split)

    def validate(self, root: Path, *, check_sound: bool = True, watch: Watch = iter) -> Validation:
        """Compare a copy with the published dataset.

        Parameters
        ----------
        root
            Folder of the copy.
        check_sound
            Compare every sound file with its checksum if the copy has a list of them, and look at the header
            of every other one; else only see that it is there.
        watch
            Iterates over the tracks, for a progress bar.
        """
        missing = self._missing_files(root)
        damaged = _find_wrong_checksums(root, self.files)
        if missing or damaged:
            return Validation(missing=tuple(missing), damaged=damaged)
        try:
            annotations = self.annotations(root)
        except DatasetError as error:
            return Validation(damaged={".": str(error)})
        checksums = self._read_checksums(root) if check_sound else {}
        sound = _find_bad_sound(root, watch(list(annotations)), check_sound, checksums)
        counts: dict[str, int] = {split: len(annotations.tracks[split]) for split in self.splits}
        return Validation(
            missing=tuple(sorted(name for name, cause in sound.items() if cause is None)),
            damaged={name: cause for name, cause in sorted(sound.items()) if cause is not None},
            extra=tuple(_find_extra(root, annotations)),
            counts=counts,
            differences=tuple(self._differences(counts, len(annotations.vocabulary))),
        )

    def _missing_files(self, root: Path) -> list[str]:
        if not root.is_dir():
            raise DatasetError(
                f"{root}: no such folder; give that of your copy of {self.name} ({self.source})"
            )
        return [file.path for file in self.files if not (file.is_archive or (root / file.path).is_file())]

    def _differences(self, counts: Mapping[str, int], n_tags: int) -> Iterator[str]:
        for split, published in self.n_tracks.items():
            if counts.get(split, 0) != published:
                yield f"{split} has {counts.get(split, 0)} tracks, published are {published}"
        together = sum(counts.values())
        if self.n_tracks_together not in (None, together):
            yield f"the splits have {together} tracks together, published are {self.n_tracks_together}"
        if self.n_tags not in (None, n_tags):
            yield f"the vocabulary has {n_tags} names, published are {self.n_tags}"


def label_matrix(tracks: Sequence[Track], vocabulary: Sequence[str]) -> NDArray[np.bool_]:
    """Return the labels of tracks as `y_true`, bool of shape (n_clips, n_tags).

    Raises
    ------
    DatasetError
        If a track has a label that the vocabulary lacks.

    Examples
    --------
    >>> label_matrix([Track("1", Path("1.mp3"), ("rock",))], ("pop", "rock"))
    array([[False,  True]])
    """
    columns = {name: column for column, name in enumerate(vocabulary)}
    y_true = np.zeros((len(tracks), len(vocabulary)), np.bool_)
    for row, track in enumerate(tracks):
        unknown = set(track.labels) - columns.keys()
        if unknown:
            raise DatasetError(
                f"track {track.id}: the vocabulary lacks its labels {', '.join(sorted(unknown))}"
            )
        y_true[row, [columns[label] for label in track.labels]] = True
    return y_true


def checksum_of(path: Path, algorithm: Algorithm = "sha256") -> str:
    """Return the checksum of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def relative_name(path: Path, root: Path) -> str:
    """Return `path` relative to `root` with `/`, or as it is if it lies elsewhere."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def find_sound(root: Path) -> Iterator[Path]:
    """Yield the files below `root` whose names look like sound, sorted; hidden ones are left out."""
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() in SOUND_SUFFIXES and not path.name.startswith(".") and path.is_file():
            yield path


def _find_wrong_checksums(root: Path, files: Iterable[ExpectedFile]) -> dict[str, str]:
    wrong = {}
    for file in files:
        if file.checksum is None or not (root / file.path).is_file():
            continue
        if cause := _difference_of(root / file.path, file.algorithm, file.checksum):
            wrong[file.path] = cause
    return wrong


def _difference_of(path: Path, algorithm: Algorithm, published: str) -> str | None:
    found = checksum_of(path, algorithm)
    return None if found == published else f"its {algorithm} is {found}, published is {published}"


def _find_bad_sound(
    root: Path, tracks: Iterable[Track], check_sound: bool, checksums: Mapping[Path, Checksum]
) -> dict[str, str | None]:
    """Return file → what is wrong with it, or None if it is missing."""
    bad: dict[str, str | None] = {}
    for track in tracks:
        if not track.path.is_file():
            bad[relative_name(track.path, root)] = None
        elif not check_sound or track.path.suffix in SCORE_SUFFIXES:
            continue
        elif cause := _fault_of(track.path, checksums.get(track.path)):
            bad[relative_name(track.path, root)] = cause
    return bad


def _fault_of(path: Path, checksum: Checksum | None) -> str | None:
    """Return what is wrong; a file that is as published is not damaged, even if nobody can decode it."""
    if checksum is not None:
        return _difference_of(path, *checksum)
    try:
        with open_sound(path, Limits()):
            return None
    except AudioError as error:
        return error.outcome


def _find_extra(root: Path, annotations: Annotations) -> list[str]:
    known = {track.path for track in annotations} | annotations.unused
    return [relative_name(path, root) for path in find_sound(root) if path not in known]
