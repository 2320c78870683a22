"""The tagger: a file or a waveform in; tags, taggram and embedding out.

The work of one file is a pipeline in flat memory: a decoder in a process of its own streams mono
blocks at the model's sample rate, they are cut into chunks, and batches of chunks run on a pool of
one thread per core that all files share. Scores do not depend on batch size, threads or workers.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from os import PathLike, fspath
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from taggram.audio.chunk import Chunker
from taggram.audio.decode import DecodeReport, Decoding
from taggram.audio.decoder import Decoder
from taggram.errors import AudioError, ShapeError
from taggram.inference.result import Outcome, TagResult, TagScore
from taggram.inference.session import Session, usable_cores
from taggram.modelfile.cache import resolve_model
from taggram.modelfile.reader import ModelFile, load_model_file
from taggram.modelfile.specification import Specification
from taggram.tags.aggregation import Aggregation, aggregate_taggram

MIN_DURATION = 1.0
"""Seconds of sound that a file must have; shorter ones are `too_short`."""
SILENCE_PEAK = 10 ** (-60 / 20)
"""A file in which no sample exceeds this (−60 dBFS) is `silent`."""
NO_MUSIC = "no music, or not sure."
"""What is said of a sound in which hardly any tag is heard."""
MAX_BATCH_DURATION = 60.0
"""Seconds of sound in one batch at most, which bounds memory for models with long chunks."""

Path = str | PathLike[str]
Scores = tuple[NDArray[np.float32], NDArray[np.float32]]


class Tagger:
    """Says what it hears, with one model.

    A tagger may be shared by threads. Close it, or use it as a context manager, to end its decoder
    processes early; they end with the program in any case.
    """

    def __init__(
        self,
        model_file: ModelFile,
        *,
        batch_size: int = 16,
        n_threads: int | None = None,
        timeout: float = 600.0,
    ) -> None:
        self._session = Session(model_file)
        self._n_threads = n_threads or usable_cores()
        self._timeout = timeout
        longest = int(MAX_BATCH_DURATION / self.specification.chunk_duration)
        self._batch_size = max(1, min(batch_size, longest))
        self._pool = ThreadPoolExecutor(self._n_threads, "taggram-network")
        self._decoders = _DecoderPool()

    @classmethod
    def load(
        cls,
        model: Path | None = None,
        *,
        batch_size: int = 16,
        n_threads: int | None = None,
        timeout: float = 600.0,
    ) -> Self:
        """Load a model by name or from a file.

        Parameters
        ----------
        model
            Name of a shipped or pulled model, or the path of a model file; None is the model that
            ships with Taggram.
        batch_size
            Chunks in one run of the network; fewer for long chunks.
        n_threads
            Threads for the network; None is the number of cores that the process may use.
        timeout
            Seconds that decoding one file may take.

        Raises
        ------
        ModelFileError
            If there is no such model, or its file cannot be used.
        """
        model_file = load_model_file(resolve_model(model))
        return cls(model_file, batch_size=batch_size, n_threads=n_threads, timeout=timeout)

    @property
    def specification(self) -> Specification:
        """What the model takes and says."""
        return self._session.specification

    def tag(
        self,
        source: Path | NDArray[np.floating],
        *,
        sample_rate: int | None = None,
        chunk_hop: float | None = None,
        aggregation: Aggregation = "mean",
        start: float = 0.0,
        duration: float | None = None,
        watch: Callable[[NDArray[np.float32]], None] | None = None,
    ) -> TagResult:
        """Tag one file or waveform.

        A file that cannot be tagged gives a result that says so in `outcome` and `message`; it does
        not raise.

        Parameters
        ----------
        source
            Path of a sound file, or a waveform of shape (n_samples,) or (n_channels, n_samples).
        sample_rate
            Of the waveform, in Hz; only for a waveform, and then required.
        chunk_hop
            Seconds between chunk starts; None is the model's own.
        aggregation
            How the chunks' scores become the clip's.
        start, duration
            Part of the source to tag, in seconds; a duration of None is to the end.
        watch
            Called with every block of the sound as it streams by, mono at the model's sample rate; what it
            raises ends the work.

        Raises
        ------
        ShapeError
            If a waveform comes without a sample rate or in another shape.
        ValueError
            If hop, start or duration are not positive numbers.
        """
        hop_length = self._hop_length(chunk_hop)
        if start < 0 or (duration is not None and not duration > 0):
            raise ValueError(f"start must be ≥ 0 and duration > 0 seconds, got {start} and {duration}")
        if isinstance(source, np.ndarray):
            waveform = self._prepare(source, sample_rate, start, duration)
            return self._tag_blocks([waveform], hop_length, aggregation, watch)
        if sample_rate is not None:
            raise ValueError("sample_rate belongs to a waveform; a file states its own")
        with self._decoders.borrow() as decoder:
            decoding = decoder.decode(
                source,
                sample_rate=self.specification.sample_rate,
                start=start,
                duration=duration,
                total_timeout=self._timeout,
            )
            try:
                result = self._tag_blocks(decoding, hop_length, aggregation, watch)
            finally:
                decoding.close()
        return replace(result, path=fspath(source))

    def tag_many(
        self,
        paths: Iterable[Path],
        *,
        workers: int | None = None,
        chunk_hop: float | None = None,
        aggregation: Aggregation = "mean",
        stop: Callable[[], bool] = lambda: False,
    ) -> Iterator[TagResult]:
        """Tag files side by side and yield their results in the order of `paths`.

        Memory is bounded: only a few files are in hand at a time, and `paths` is read as needed.

        Parameters
        ----------
        paths
            Sound files.
        workers
            Files in hand at once; None is one per core.
        chunk_hop, aggregation
            As for `tag`.
        stop
            Asked before a file is begun; once it is true, the files in hand are finished and
            yielded, and no other is begun.
        """
        workers = workers or self._n_threads
        if workers < 1:
            raise ValueError(f"workers must be at least 1, got {workers}")
        self._hop_length(chunk_hop)

        def tag(path: Path) -> TagResult:
            return self.tag(path, chunk_hop=chunk_hop, aggregation=aggregation)

        return _in_order(tag, paths, workers, stop)

    def close(self) -> None:
        """End the decoder processes and threads."""
        self._decoders.close()
        self._pool.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        type_: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _hop_length(self, chunk_hop: float | None) -> int:
        spec = self.specification
        hop_length = round((spec.chunk_hop if chunk_hop is None else chunk_hop) * spec.sample_rate)
        if hop_length < 1:
            raise ValueError(f"chunk_hop must be a positive number of seconds, got {chunk_hop}")
        return hop_length

    def _prepare(
        self, waveform: NDArray[np.floating], sample_rate: int | None, start: float, duration: float | None
    ) -> NDArray[np.float32]:
        """Cut, downmix and resample a waveform as the decoder does with a file."""
        if sample_rate is None:
            raise ShapeError(
                "a waveform needs its sample_rate in Hz, such as tag(waveform, sample_rate=44100)"
            )
        if waveform.ndim not in (1, 2) or not np.issubdtype(waveform.dtype, np.floating):
            raise ShapeError(
                "a waveform is a float array of shape (n_samples,) or (n_channels, n_samples), "
                f"got {waveform.dtype} {waveform.shape}"
            )
        stop = None if duration is None else round((start + duration) * sample_rate)
        waveform = waveform[..., round(start * sample_rate) : stop]
        mono = np.nan_to_num(waveform.mean(axis=0) if waveform.ndim == 2 else waveform, posinf=0, neginf=0)
        if sample_rate != self.specification.sample_rate:
            import soxr

            mono = soxr.resample(mono, sample_rate, self.specification.sample_rate, quality="HQ")
        return np.asarray(mono, np.float32)

    def _tag_blocks(
        self,
        blocks: Iterable[NDArray[np.float32]],
        hop_length: int,
        aggregation: Aggregation,
        watch: Callable[[NDArray[np.float32]], None] | None,
    ) -> TagResult:
        sound = _Sound(self.specification.sample_rate, watch)
        try:
            starts, scores, embeddings = self._score(sound.listen(blocks), hop_length)
        except AudioError as error:
            return self._without_tags(sound, Outcome(error.outcome), str(error))
        report = blocks.report if isinstance(blocks, Decoding) else None
        outcome, message = sound.outcome(report)
        if not outcome.has_tags:
            return self._without_tags(sound, outcome, message)
        clip_scores = aggregate_taggram(scores, method=aggregation)
        least = self.specification.least_evidence
        is_unsure = least is not None and float(scores.mean(axis=0).sum()) < least
        return TagResult(
            outcome=outcome,
            duration=sound.duration,
            tags=_ranked(self.specification, clip_scores),
            clip_scores=clip_scores,
            taggram=scores,
            chunk_times=starts / self.specification.sample_rate,
            embedding=embeddings.mean(axis=0),
            message=" ".join(filter(None, (NO_MUSIC if is_unsure else "", message))),
            is_unsure=is_unsure,
        )

    def _without_tags(self, sound: "_Sound", outcome: Outcome, message: str) -> TagResult:
        spec = self.specification
        return TagResult(
            outcome=outcome,
            duration=sound.duration,
            tags=(),
            clip_scores=np.full(spec.n_tags, np.nan, np.float32),
            taggram=np.empty((0, spec.n_tags), np.float32),
            chunk_times=np.empty(0),
            embedding=np.full(spec.embedding_dim, np.nan, np.float32),
            message=message,
        )

    def _score(
        self, blocks: Iterable[NDArray[np.float32]], hop_length: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
        """Return chunk starts (samples), scores and embeddings of all chunks."""
        chunks = _chunks(blocks, Chunker(self.specification.chunk_length, hop_length))
        starts: list[int] = []
        done: list[Scores] = []
        running: deque[Future[Scores]] = deque()
        for batch in _batches(chunks, self._batch_size):
            starts += [start for start, _ in batch]
            running.append(self._pool.submit(self._session.run, np.stack([chunk for _, chunk in batch])))
            if len(running) > self._n_threads:
                done.append(running.popleft().result())
        done += [future.result() for future in running]
        spec = self.specification
        scores = [np.empty((0, spec.n_tags), np.float32), *(s for s, _ in done)]
        embeddings = [np.empty((0, spec.embedding_dim), np.float32), *(e for _, e in done)]
        return np.array(starts, np.int64), np.concatenate(scores), np.concatenate(embeddings)


class _Sound:
    """Keeps account of the sound that passes: how much of it, and how loud."""

    def __init__(self, sample_rate: int, watch: Callable[[NDArray[np.float32]], None] | None = None) -> None:
        self._sample_rate = sample_rate
        self._watch = watch
        self._n_samples = 0
        self._peak = 0.0

    @property
    def duration(self) -> float:
        """Seconds heard so far."""
        return self._n_samples / self._sample_rate

    def listen(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Pass the blocks on."""
        for block in blocks:
            self._n_samples += len(block)
            self._peak = max(self._peak, float(np.abs(block).max(initial=0)))
            if self._watch is not None:
                self._watch(block)
            yield block

    def outcome(self, report: DecodeReport | None) -> tuple[Outcome, str]:
        """Return the outcome of what was heard, and what to say about it."""
        if self.duration < MIN_DURATION:
            return (
                Outcome.TOO_SHORT,
                f"{self.duration:.2f} s of sound; at least {MIN_DURATION:g} s are needed",
            )
        if self._peak < SILENCE_PEAK:
            return Outcome.SILENT, f"no sample is louder than {20 * np.log10(SILENCE_PEAK):.0f} dBFS"
        if report is None:
            return Outcome.TAGGED, ""
        return Outcome.TRUNCATED if report.is_truncated else Outcome.TAGGED, " ".join(report.notes)


class _DecoderPool:
    """Lends decoder processes, each to one file at a time; begins as many as are in use at once."""

    def __init__(self) -> None:
        self._idle: list[Decoder] = []
        self._lock = threading.Lock()

    @contextmanager
    def borrow(self) -> Iterator[Decoder]:
        with self._lock:
            decoder = self._idle.pop() if self._idle else Decoder()
        try:
            yield decoder
        finally:
            with self._lock:
                self._idle.append(decoder)

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for decoder in idle:
            decoder.close()


def _ranked(specification: Specification, clip_scores: NDArray[np.float32]) -> tuple[TagScore, ...]:
    order = np.argsort(-clip_scores, kind="stable")
    tags = specification.tags
    return tuple(
        TagScore(tags[i].name, tags[i].category, float(clip_scores[i]), tags[i].display_name) for i in order
    )


def _chunks(
    blocks: Iterable[NDArray[np.float32]], chunker: Chunker
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    for block in blocks:
        yield from chunker.add(block)
    yield from chunker.flush()


def _batches(
    chunks: Iterable[tuple[int, NDArray[np.float32]]], size: int
) -> Iterator[list[tuple[int, NDArray[np.float32]]]]:
    remaining = iter(chunks)
    while batch := list(islice(remaining, size)):
        yield batch


def _in_order(
    work: Callable[[Path], TagResult], paths: Iterable[Path], workers: int, stop: Callable[[], bool]
) -> Iterator[TagResult]:
    """Map `work` over `paths` on `workers` threads; yield in order, holding few results."""
    remaining = iter(paths)
    running: deque[Future[TagResult]] = deque()
    pool = ThreadPoolExecutor(workers, "taggram-file")
    try:
        while True:
            # Some files wait behind the workers, so that a long file in front does not idle them.
            while len(running) < 4 * workers and not stop() and (path := next(remaining, None)) is not None:
                running.append(pool.submit(work, path))
            if stop():
                running = deque(future for future in running if not future.cancel())
            if not running:
                return
            yield running.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
