"""Decode a dataset once into a cache (`AudioCache`): in parallel, and resumable.

Files are decoded in child processes (`taggram.audio.decoder.Decoder`), several at once, and written in
the order of their ids, so that a cache depends on the files alone and not on which was decoded first.
The memory holds the samples of two tracks for each worker, whatever the size of the dataset.

A track is done when the journal has a line for it; the line is written after the samples. A run that is
killed, at whatever moment, leaves at most one half line in the journal and some samples without a line in
the last shard. The next run drops both and goes on: what is done is neither decoded again nor lost. Only
the tracks that were in hand, two for each worker, are decoded again.

A cache of one variant of a dataset may be extended by another: tracks are known by their ids.
"""

import hashlib
import json
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from taggram.audio.container import Limits, open_sound
from taggram.audio.decoder import Decoder
from taggram.errors import AudioError, ChecksumError, DatasetError
from taggram.inference.session import usable_cores
from taggram.lab.datasets._base import Track
from taggram.lab.datasets._cache import (
    FORMAT,
    FULL_SCALE,
    INDEX,
    SAMPLE,
    BadTrack,
    CachedTrack,
    CacheIndex,
    shard_path,
)

JOURNAL = "journal.jsonl"
LOCK = "prepare.lock"
SHARD_BYTES = 1 << 30
_N_PROBES = 64
_RESERVE = 1.1  # headers round durations, and the journal and index need some room

Samples = NDArray[np.int16]
Watch = Callable[[Iterable[str], int], Iterable[str]]
"""Iterates over the ids of tracks as they are done, of so many in all; a progress bar, say."""


class Decoded(NamedTuple):
    """What became of one file: its samples and notes, or the cause why it has none."""

    id: str
    samples: Samples
    notes: tuple[str, ...] = ()
    cause: BadTrack | None = None


@dataclass(frozen=True)
class Estimate:
    """What a cache will need.

    Attributes
    ----------
    n_bytes
        Of the tracks that are not there yet.
    n_free
        Bytes free on the disk.
    n_tracks
        Tracks that are not there yet.
    """

    n_bytes: int
    n_free: int
    n_tracks: int

    @property
    def fits(self) -> bool:
        """Whether the disk has the room."""
        return self.n_bytes <= self.n_free


def prepare(
    tracks: Iterable[Track],
    directory: Path,
    *,
    sample_rate: int = 16_000,
    workers: int | None = None,
    shard_bytes: int = SHARD_BYTES,
    retry_bad: bool = False,
    watch: Watch | None = None,
) -> CacheIndex:
    """Decode tracks into a cache, or finish or extend one.

    Parameters
    ----------
    tracks
        With unique ids.
    directory
        Of the cache; made if it is not there.
    sample_rate
        Hz.
    workers
        Files decoded at once; None takes one for each core that this process may use.
    shard_bytes
        A shard takes no further track when it has reached this size.
    retry_bad
        Try those again that could not be decoded in an earlier run.
    watch
        Iterates over the ids as they are done, for a progress bar.

    Returns
    -------
    CacheIndex
        With every track of this and earlier runs; bad files are in `bad`, with their outcome.

    Raises
    ------
    DatasetError
        If the disk is too small, the cache has another sample rate, or another run is writing it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with _Writer.open(directory, sample_rate, shard_bytes) as writer:
        lacking = (track for track in tracks if writer.lacks(track.id, retry_bad=retry_bad))
        todo = sorted(lacking, key=lambda track: track.id)
        needed = _estimate(todo, directory, sample_rate)
        if not needed.fits:
            raise DatasetError(
                f"{directory}: {needed.n_tracks} tracks need about {needed.n_bytes / 1e9:.1f} GB, "
                f"{needed.n_free / 1e9:.1f} GB are free; choose another disk or a lower sample rate"
            )
        ids = _write_all(todo, writer, sample_rate, workers or usable_cores())
        for _ in watch(ids, len(todo)) if watch else ids:
            pass
        return writer.finish()


def estimate(tracks: Iterable[Track], directory: Path, *, sample_rate: int = 16_000) -> Estimate:
    """Say what room the tracks need that a cache lacks, from the headers of some of the files."""
    done = _read_state(directory).known if directory.is_dir() else frozenset[str]()
    return _estimate([track for track in tracks if track.id not in done], directory, sample_rate)


def _estimate(todo: Sequence[Track], directory: Path, sample_rate: int) -> Estimate:
    probes = todo[:: max(1, len(todo) // _N_PROBES)]
    durations = [duration for track in probes if (duration := _declared_duration(track.path)) is not None]
    mean = sum(durations) / len(durations) if durations else 0.0
    n_bytes = round(len(todo) * mean * sample_rate * SAMPLE.itemsize * _RESERVE)
    existing = next(path for path in (directory, *directory.resolve().parents) if path.is_dir())
    return Estimate(n_bytes, shutil.disk_usage(existing).free, len(todo))


def _declared_duration(path: Path) -> float | None:
    """Return the seconds that a header promises; None if it promises nothing or cannot be read."""
    try:
        with open_sound(path, Limits()) as sound:
            duration = sound.container.duration  # microseconds
    except AudioError:
        return None
    return duration / 1e6 if duration and duration > 0 else None


def _write_all(todo: Sequence[Track], writer: "_Writer", sample_rate: int, workers: int) -> Iterator[str]:
    for decoded in _decode_all(todo, sample_rate, workers):
        writer.add(decoded)
        yield decoded.id


def _decode_all(todo: Sequence[Track], sample_rate: int, workers: int) -> Iterator[Decoded]:
    """Yield the tracks in order, while those after them are being decoded."""
    with ExitStack() as stack:
        decoders: SimpleQueue[Decoder] = SimpleQueue()
        for _ in range(min(workers, len(todo))):
            decoders.put(stack.enter_context(Decoder()))
        pool = stack.enter_context(ThreadPoolExecutor(workers))
        in_hand: deque[Future[Decoded]] = deque()
        stack.callback(lambda: [future.cancel() for future in in_hand])
        for track in todo:
            in_hand.append(pool.submit(_decode, track, decoders, sample_rate))
            if len(in_hand) >= 2 * workers:
                yield in_hand.popleft().result()
        while in_hand:
            yield in_hand.popleft().result()


def _decode(track: Track, decoders: "SimpleQueue[Decoder]", sample_rate: int) -> Decoded:
    decoder = decoders.get()
    try:
        decoding = decoder.decode(track.path, sample_rate=sample_rate)
        blocks = [to_pcm(block) for block in decoding]
        report = decoding.report
    except AudioError as error:
        return Decoded(track.id, np.empty(0, SAMPLE), cause=BadTrack(error.outcome, str(error)))
    finally:
        decoders.put(decoder)
    samples = np.concatenate(blocks) if blocks else np.empty(0, SAMPLE)
    if not len(samples):
        cause = BadTrack("too_short", f"{track.path}: has no sound in it")
        return Decoded(track.id, samples, cause=cause)
    return Decoded(track.id, samples, tuple(report.notes))


def to_pcm(waveform: NDArray[np.float32]) -> Samples:
    """Return samples in [−1, 1) as 16-bit integers; what is louder is clipped."""
    return np.clip(np.rint(waveform * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(SAMPLE)


class _State(NamedTuple):
    """What earlier runs have done, and how many bytes of the journal say so."""

    settings: dict[str, Any] | None
    tracks: dict[str, CachedTrack]
    bad: dict[str, BadTrack]
    n_journal_bytes: int

    @property
    def known(self) -> frozenset[str]:
        return frozenset(self.tracks.keys() | self.bad.keys())


def _read_state(directory: Path) -> _State:
    """Read the index, if a run has finished, and on top of it the journal of one that has not."""
    settings: dict[str, Any] | None = None
    tracks: dict[str, CachedTrack] = {}
    bad: dict[str, BadTrack] = {}
    if (directory / INDEX).is_file():
        index = CacheIndex.read(directory)
        settings, tracks, bad = _settings(index.sample_rate), dict(index.tracks), dict(index.bad)
    journal = _whole_lines(directory / JOURNAL)
    for line in journal.splitlines():
        entry = json.loads(line)
        if "settings" in entry:
            settings = entry["settings"]
        elif "track" in entry:
            tracks[entry["id"]] = CachedTrack.from_json(entry["track"])
            bad.pop(entry["id"], None)
        else:
            bad[entry["id"]] = BadTrack(*entry["bad"])
    return _State(settings, tracks, bad, len(journal))


def _whole_lines(path: Path) -> bytes:
    """Return a journal without its last line if that was cut off."""
    content = path.read_bytes() if path.is_file() else b""
    return content[: content.rfind(b"\n") + 1]


def _settings(sample_rate: int) -> dict[str, Any]:
    return {"format": FORMAT, "sample_rate": sample_rate}


class _Writer:
    """Appends samples to shards and lines to the journal, in this order."""

    def __init__(
        self, directory: Path, journal: IO[bytes], state: _State, sample_rate: int, shard_bytes: int
    ) -> None:
        self._directory = directory
        self._journal = journal
        self._tracks, self._bad = state.tracks, state.bad
        self._sample_rate = sample_rate
        self._shard_bytes = shard_bytes
        self._number, self._n_bytes, self._shard = self._open_last_shard()
        if state.n_journal_bytes == 0:
            self._log({"settings": _settings(sample_rate)})

    @classmethod
    @contextmanager
    def open(cls, directory: Path, sample_rate: int, shard_bytes: int) -> Iterator["_Writer"]:
        """Open a new, an unfinished or a finished cache for writing; no other run can at the same time."""
        with _lock(directory):
            state = _read_state(directory)
            if state.settings not in (None, _settings(sample_rate)):
                raise DatasetError(
                    f"{directory}: is a cache with {state.settings}, asked for is {_settings(sample_rate)}; "
                    "choose another folder, or delete this one"
                )
            with (directory / JOURNAL).open("ab") as journal:
                journal.truncate(state.n_journal_bytes)
                writer = cls(directory, journal, state, sample_rate, shard_bytes)
                try:
                    yield writer
                finally:
                    writer._shard.close()

    def lacks(self, id_: str, *, retry_bad: bool) -> bool:
        """Whether a track is still to be decoded."""
        return id_ not in self._tracks and (retry_bad or id_ not in self._bad)

    def add(self, decoded: Decoded) -> None:
        """Write one track; when this returns, no kill can undo it."""
        if decoded.cause is not None:
            self._bad[decoded.id] = decoded.cause
            self._log({"id": decoded.id, "bad": decoded.cause})
            return
        self._bad.pop(decoded.id, None)
        content = decoded.samples.tobytes()
        if self._n_bytes >= self._shard_bytes:
            self._shard.close()
            self._number, self._n_bytes = self._number + 1, 0
            self._shard = shard_path(self._directory, self._number).open("wb")
        self._shard.write(content)
        self._shard.flush()
        place = CachedTrack(
            self._number,
            self._n_bytes // SAMPLE.itemsize,
            len(decoded.samples),
            hashlib.sha256(content).hexdigest(),
            decoded.notes,
        )
        self._n_bytes += len(content)
        self._tracks[decoded.id] = place
        self._log({"id": decoded.id, "track": place})

    def finish(self) -> CacheIndex:
        """Write the index and drop the journal."""
        self._shard.flush()
        os.fsync(self._shard.fileno())
        n_shards = self._number + 1
        places: list[list[CachedTrack]] = [[] for _ in range(n_shards)]
        for place in self._tracks.values():
            places[place.shard].append(place)
        shards = tuple(
            _checksum(shard_path(self._directory, number), places[number]) for number in range(n_shards)
        )
        tracks = {id_: self._tracks[id_] for id_ in sorted(self._tracks)}
        bad = {id_: self._bad[id_] for id_ in sorted(self._bad)}
        index = CacheIndex(self._sample_rate, tracks, bad, shards)
        index.write(self._directory)
        self._journal.close()
        (self._directory / JOURNAL).unlink()
        return index

    def _open_last_shard(self) -> tuple[int, int, IO[bytes]]:
        """Open the shard that is being filled, without the samples that no line of the journal has.

        Returns
        -------
        Its number, the bytes in it, and the file.
        """
        number = max((place.shard for place in self._tracks.values()), default=0)
        ends = [place.start + place.length for place in self._tracks.values() if place.shard == number]
        n_bytes = max(ends, default=0) * SAMPLE.itemsize
        path = shard_path(self._directory, number)
        shard = path.open("ab")
        if shard.tell() < n_bytes:
            shard.close()
            raise DatasetError(
                f"{path}: is shorter than the journal says; the file was cut off: delete the folder and "
                "prepare anew"
            )
        shard.truncate(n_bytes)
        return number, n_bytes, shard

    def _log(self, *entries: dict[str, Any]) -> None:
        self._journal.write(b"".join(json.dumps(entry).encode() + b"\n" for entry in entries))
        self._journal.flush()


def _checksum(path: Path, places: Iterable[CachedTrack]) -> str:
    """Return the SHA-256 of a shard, after comparing every track in it with what was written.

    Raises
    ------
    ChecksumError
        If the disk gives back other samples, such as after a power failure.
    """
    whole = hashlib.sha256()
    with path.open("rb") as file:
        for place in sorted(places, key=lambda place: place.start):
            samples = file.read(place.length * SAMPLE.itemsize)
            whole.update(samples)
            if hashlib.sha256(samples).hexdigest() != place.sha256:
                raise ChecksumError(
                    f"{path}: does not hold the samples that were written; the disk is damaged or lost "
                    "power: delete the folder and prepare anew"
                )
    return whole.hexdigest()


@contextmanager
def _lock(directory: Path) -> Iterator[None]:
    """Keep other runs away until this one ends, however it ends, where the system can do that."""
    with (directory / LOCK).open("ab") as file:
        try:
            import fcntl
        except ImportError:  # Windows
            yield
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DatasetError(
                f"{directory}: another run is preparing this cache; wait for it, or choose another folder"
            ) from error
        yield
