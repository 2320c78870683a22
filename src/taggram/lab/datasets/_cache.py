"""Decoded sound on disk: read any stretch of any track without decoding.

    CACHE/index.json        sample rate, tracks, shards with their checksums, and what could not be decoded
    CACHE/shard-00000.pcm   the samples of many tracks, one after another
    CACHE/journal.jsonl     only while a run of `prepare` is unfinished

Samples are 16-bit, little-endian, mono; full scale is 32768, so that 16-bit sound at the cache's sample
rate is kept exactly. Shards are memory-mapped: what the operating system has room for stays in memory,
and several readers share it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from taggram.errors import ChecksumError, DatasetError, ShapeError

FORMAT = 1
FULL_SCALE = 32768
SAMPLE = np.dtype("<i2")
INDEX = "index.json"


class CachedTrack(NamedTuple):
    """Where the samples of one track are.

    Attributes
    ----------
    shard
        Number of the shard.
    start, length
        In samples, from the start of the shard.
    sha256
        Of the samples, hexadecimal.
    notes
        What was wrong with the file, if anything.
    """

    shard: int
    start: int
    length: int
    sha256: str
    notes: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, fields: Sequence[Any]) -> Self:
        """Return the place that was written as a JSON list."""
        shard, start, length, sha256, notes = fields
        return cls(shard, start, length, sha256, tuple(notes))


class BadTrack(NamedTuple):
    """A track that is left out: the outcome its file ended in, and why."""

    outcome: str
    message: str


@dataclass(frozen=True)
class CacheIndex:
    """Content of a cache.

    Attributes
    ----------
    sample_rate
        Hz.
    tracks
        Id → place.
    bad
        Id → why it is left out.
    shards
        SHA-256 of each shard, hexadecimal.
    """

    sample_rate: int
    tracks: Mapping[str, CachedTrack]
    bad: Mapping[str, BadTrack]
    shards: tuple[str, ...]

    def write(self, directory: Path) -> None:
        """Write `index.json` in one step."""
        part = directory / f"{INDEX}.part"
        part.write_text(json.dumps({"format": FORMAT, **asdict(self)}, indent=0) + "\n", encoding="utf-8")
        part.replace(directory / INDEX)

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read `index.json`.

        Raises
        ------
        DatasetError
            If there is none, or it is damaged or of another version.
        """
        try:
            content: dict[str, Any] = json.loads((directory / INDEX).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise DatasetError(
                f"{directory}: is no finished cache of decoded sound; make or finish it with "
                "`taggram datasets prepare`"
            ) from error
        except ValueError as error:
            raise DatasetError(
                f"{directory / INDEX}: is damaged; delete the folder and prepare anew"
            ) from error
        if content["format"] != FORMAT:
            raise DatasetError(
                f"{directory}: is a cache of format {content['format']}, this version reads {FORMAT}; "
                "delete the folder and prepare anew"
            )
        return cls(
            sample_rate=content["sample_rate"],
            tracks={id_: CachedTrack.from_json(place) for id_, place in content["tracks"].items()},
            bad={id_: BadTrack(*cause) for id_, cause in content["bad"].items()},
            shards=tuple(content["shards"]),
        )


def shard_path(directory: Path, number: int) -> Path:
    """Return the file of a shard."""
    return directory / f"shard-{number:05}.pcm"


class AudioCache:
    """Reader of decoded sound; may be passed to other processes, which open it by themselves.

    Parameters
    ----------
    directory
        What `prepare` wrote.

    Raises
    ------
    DatasetError
        If it is no finished cache, or a shard is missing or too short.

    Examples
    --------
    >>> cache = AudioCache("cache")  # doctest: +SKIP
    >>> chunk = cache.read("track_0000214", start=16_000, length=48_000)  # doctest: +SKIP
    """

    def __init__(self, directory: str | Path) -> None:
        self._directory = Path(directory)
        self._index = CacheIndex.read(self._directory)
        ends = [0] * len(self._index.shards)
        for place in self._index.tracks.values():
            ends[place.shard] = max(ends[place.shard], place.start + place.length)
        self._shards = [_map(shard_path(self._directory, number), end) for number, end in enumerate(ends)]

    def __reduce__(self) -> tuple[type[Self], tuple[Path]]:
        """Pickle the name of the folder, not the sound in it."""
        return type(self), (self._directory,)

    def __contains__(self, id_: object) -> bool:
        return id_ in self._index.tracks

    def __len__(self) -> int:
        return len(self._index.tracks)

    @property
    def sample_rate(self) -> int:
        """In Hz."""
        return self._index.sample_rate

    @property
    def ids(self) -> tuple[str, ...]:
        """Every track that has sound."""
        return tuple(self._index.tracks)

    @property
    def bad(self) -> Mapping[str, BadTrack]:
        """Id → outcome and message of every track that has none."""
        return self._index.bad

    def length(self, id_: str) -> int:
        """Return the number of samples of a track."""
        return self._place(id_).length

    def read(self, id_: str, *, start: int = 0, length: int | None = None) -> NDArray[np.float32]:
        """Return a stretch of a track.

        Parameters
        ----------
        id_
            Of the track.
        start, length
            In samples; None reads to the end.

        Returns
        -------
        shape (length,), in [−1, 1)

        Raises
        ------
        DatasetError
            If the cache does not have the track; the message says why, if `prepare` left it out.
        ShapeError
            If the track is not that long.
        """
        place = self._place(id_)
        length = place.length - start if length is None else length
        if start < 0 or length < 0 or start + length > place.length:
            raise ShapeError(
                f"track {id_}: samples {start} to {start + length} were asked for, it has {place.length}"
            )
        first = place.start + start
        samples = self._shards[place.shard][first : first + length]
        return np.multiply(samples, np.float32(1 / FULL_SCALE), dtype=np.float32)

    def verify(self) -> None:
        """Read everything and compare it with the checksums.

        Raises
        ------
        ChecksumError
            If a shard was changed; the message names the file.
        """
        for number, expected in enumerate(self._index.shards):
            path = shard_path(self._directory, number)
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != expected:
                raise ChecksumError(
                    f"{path}: SHA-256 is {found}, in the index it is {expected}; the file was damaged: "
                    "delete the folder and prepare anew"
                )

    def _place(self, id_: str) -> CachedTrack:
        if (place := self._index.tracks.get(id_)) is not None:
            return place
        if (cause := self._index.bad.get(id_)) is not None:
            raise DatasetError(f"track {id_} was left out when the cache was made: {cause.message}")
        raise DatasetError(f"track {id_} is not in the cache {self._directory}; prepare the dataset again")


def _map(path: Path, length: int) -> NDArray[np.int16]:
    """Map a shard of at least `length` samples."""
    needed = length * SAMPLE.itemsize
    n_bytes = path.stat().st_size if path.is_file() else 0
    if n_bytes < needed:
        raise DatasetError(
            f"{path}: has {n_bytes} bytes, the index needs {needed}; the file was cut off or is missing: "
            "delete the folder and prepare anew"
        )
    # A plain array on the same memory: slicing a memmap itself is several times slower.
    return np.asarray(np.memmap(path, SAMPLE, "r")) if needed else np.empty(0, SAMPLE)
