"""The evaluation protocol, one for all models and datasets.

Every clip is heard as the product hears it, by `taggram.inference.tagger`: chunks start at 0, hop, 2·hop …
over the **whole** clip (the model's own `chunk_hop` unless said), one more chunk ends with the clip, and the
clip's scores are the **mean** over its chunks. Nothing depends on batch size, threads or the order of
clips. (The peers' protocols, some of which do, are in `peer_protocol`, for parity only.)

What was scored is named by a fingerprint over clip ids and tags, as in `Annotations.fingerprint`. If every
clip could be heard and every tag is covered, it is that of the split; otherwise it is another one, so that
figures over different things never stand in one column.

Conventions: `y_true`, `y_score` (n_clips, n_tags), rows sorted by id, columns in the order of the
dataset's vocabulary without uncovered tags. A multi-class row of `y_true` holds exactly one true.
"""

import hashlib
import json
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from taggram import __version__
from taggram.audio.decoder import Decoder
from taggram.errors import AudioError, EvaluationError, UnknownNameError
from taggram.inference.result import Outcome, TagResult
from taggram.lab.datasets import Dataset, Split, Track, label_matrix
from taggram.lab.evaluation.mapping import ExplicitMapping, map_tags
from taggram.modelfile.specification import Specification
from taggram.tags.aggregation import Aggregation

Deform = Callable[[NDArray[np.float32], int], NDArray[np.float32]]
"""(waveform (n_samples,), sample rate in Hz) → deformed waveform at the same rate."""
Watch = Callable[[Iterable[TagResult], int], Iterable[TagResult]]
"""Iterates over results, of which so many are to come, for a caller who shows how far it is."""
EvaluationTask = Literal["multi_label", "multi_class"]

_VERSIONED = ("numpy", "onnxruntime", "av", "soxr", "scikit-learn")


class ClipTagger(Protocol):
    """What is evaluated: `taggram.inference.tagger.Tagger`, or anything that hears clips as it does."""

    @property
    def specification(self) -> Specification:
        """What the model takes and says."""

    def tag(
        self,
        source: NDArray[np.floating],
        *,
        sample_rate: int | None = None,
        chunk_hop: float | None = None,
        aggregation: Aggregation = "mean",
    ) -> TagResult:
        """Tag one waveform."""

    def tag_many(
        self, paths: Iterable[Path], *, chunk_hop: float | None = None, aggregation: Aggregation = "mean"
    ) -> Iterator[TagResult]:
        """Tag files, in order."""


@dataclass(frozen=True)
class Subject:
    """Who was evaluated: name and architecture of the model, and the checksum of its weights."""

    name: str
    architecture: str
    weights_sha256: str


@dataclass(frozen=True)
class Conditions:
    """How clips were heard.

    Attributes
    ----------
    sample_rate
        Hz.
    chunk_duration, chunk_hop
        Seconds.
    aggregation
        From chunks to the clip.
    deformation
        What was done to the waveforms before; empty if nothing.
    tag_mapping
        Dataset's tag → model's tags, where that is not the same name.
    """

    sample_rate: int
    chunk_duration: float
    chunk_hop: float
    aggregation: Aggregation = "mean"
    deformation: str = ""
    tag_mapping: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What one model said about one split, beside what is true. Everything else follows from it.

    Attributes
    ----------
    model, conditions
        Who was evaluated, and how.
    dataset, split, split_fingerprint
        On what; the fingerprint is that of the whole split.
    task
        "multi_class" if every clip has exactly one label.
    tags
        Columns.
    ids : length n_clips
        Rows, sorted.
    y_true : shape (n_clips, n_tags), bool
    y_score : shape (n_clips, n_tags), in [0, 1]
    uncovered
        Tags of the dataset that the model does not know, and that are not in the columns.
    failed
        Clip id → why it could not be heard; these clips are not in the rows.
    remarks
        Clip id → what a person should know about a clip that was heard, such as a truncated file.
    versions
        Package → version.
    """

    model: Subject
    conditions: Conditions
    dataset: str
    split: str
    split_fingerprint: str
    task: EvaluationTask
    tags: tuple[str, ...]
    ids: tuple[str, ...]
    y_true: NDArray[np.bool_] = field(repr=False)
    y_score: NDArray[np.float64] = field(repr=False)
    uncovered: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    remarks: Mapping[str, str] = field(default_factory=dict, repr=False)
    versions: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        shape = (len(self.ids), len(self.tags))
        if self.y_true.shape != shape or self.y_score.shape != shape:
            raise EvaluationError(
                f"{shape[0]} clips and {shape[1]} tags need arrays of shape {shape}, "
                f"got y_true {self.y_true.shape} and y_score {self.y_score.shape}"
            )
        if self.task == "multi_class" and not (self.y_true.sum(axis=1) == 1).all():
            raise EvaluationError(f"{self.dataset}: a multi-class clip must have exactly one label")

    @property
    def scored_fingerprint(self) -> str:
        """SHA-256, hexadecimal, of the clips and tags that were scored."""
        return fingerprint(self.ids, self.tags)

    @property
    def labels(self) -> NDArray[np.int64]:
        """True class of every clip, for a multi-class task: shape (n_clips,)."""
        return np.asarray(self.y_true.argmax(axis=1))


def fingerprint(ids: Iterable[str], tags: Sequence[str]) -> str:
    """Return the SHA-256, hexadecimal, of the sorted clip ids and the ordered tags."""
    return hashlib.sha256(json.dumps([sorted(ids), list(tags)]).encode()).hexdigest()


def evaluate(
    model: ClipTagger,
    dataset: Dataset,
    root: Path,
    split: Split = "test",
    *,
    chunk_hop: float | None = None,
    aggregation: Aggregation = "mean",
    tag_mapping: ExplicitMapping | None = None,
    deform: Deform | None = None,
    deformation: str = "",
    watch: Watch = lambda results, total: results,
) -> Evaluation:
    """Let a model hear every clip of a split.

    Parameters
    ----------
    model
        A tagger; see `ClipTagger`.
    dataset, root, split
        What is heard, and the folder of the user's copy.
    chunk_hop
        Seconds between chunk starts; None is the model's own.
    aggregation
        How chunks make a clip.
    tag_mapping
        Tag of the dataset → tags of the model, above the mapping by name.
    deform, deformation
        Applied to every waveform (mono, at the model's sample rate) before it is cut into chunks, and
        what to call it.
    watch
        Iterates over the results, for a progress bar.

    Raises
    ------
    EvaluationError
        If no clip could be heard, no tag is covered, a class of a multi-class dataset is not covered, or the
        dataset is of another kind.
    DatasetError
        If the copy is not complete.
    """
    if dataset.task == "chords":
        raise EvaluationError(
            f"{dataset.name} has chords over time, not tags of clips: evaluate a model of chords on it, such "
            f"as by `taggram evaluate chords {dataset.name}`"
        )
    annotations = dataset.annotations(root)
    if split not in annotations.tracks:
        raise EvaluationError(
            f"{dataset.name} has no split {split!r}: it has {', '.join(annotations.tracks)}"
        )
    tracks = sorted(annotations.tracks[split], key=lambda track: track.id)
    specification = model.specification
    mapping = map_tags([tag.name for tag in specification.tags], annotations.vocabulary, tag_mapping)
    if dataset.task == "multi_class" and mapping.uncovered:
        raise EvaluationError(
            f"{dataset.name} asks which one of {len(annotations.vocabulary)} classes a clip is, but "
            f"{specification.name} does not know {', '.join(mapping.uncovered)}: give a mapping of tags, or "
            "train its last layer on this dataset"
        )
    results = _hear(model, tracks, chunk_hop, aggregation, deform)
    heard = _Heard()
    for track, result in zip(tracks, watch(results, len(tracks)), strict=True):
        heard.add(track, result)
    if not heard.tracks:
        raise EvaluationError(
            f"{dataset.name}, {split}: none of {len(tracks)} clips could be heard"
            + "".join(f"; {track_id}: {why}" for track_id, why in list(heard.failed.items())[:1])
        )
    y_true = label_matrix(heard.tracks, annotations.vocabulary)
    covered = [annotations.vocabulary.index(tag) for tag in mapping.tags]
    return Evaluation(
        model=Subject(specification.name, specification.architecture, specification.weights_sha256),
        conditions=Conditions(
            sample_rate=specification.sample_rate,
            chunk_duration=specification.chunk_duration,
            chunk_hop=specification.chunk_hop if chunk_hop is None else chunk_hop,
            aggregation=aggregation,
            deformation=deformation,
            tag_mapping=mapping.renamed,
        ),
        dataset=dataset.name,
        split=split,
        split_fingerprint=annotations.fingerprint(split),
        task=dataset.task,
        tags=mapping.tags,
        ids=tuple(track.id for track in heard.tracks),
        y_true=y_true[:, covered],
        y_score=mapping.translate(np.stack(heard.scores)).astype(np.float64),
        uncovered=mapping.uncovered,
        failed=heard.failed,
        remarks=heard.remarks,
        versions=list_versions(),
    )


def check_split(dataset: Dataset, split: str) -> Split:
    """Return `split` if the dataset has it.

    Raises
    ------
    UnknownNameError
        If it has not; the message names those it has.
    """
    for known in dataset.splits:
        if known == split:
            return known
    raise UnknownNameError(f"split of {dataset.name}", split, dataset.splits)


def list_versions() -> dict[str, str]:
    """Return the versions of what figures depend on."""
    found = {"taggram": __version__, "python": platform.python_version()}
    return found | {name: version(name) for name in _VERSIONED}


@dataclass
class _Heard:
    """Sorts results into clips that count and clips that failed."""

    tracks: list[Track] = field(default_factory=list)
    scores: list[NDArray[np.float32]] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)

    def add(self, track: Track, result: TagResult) -> None:
        said = ": ".join(part for part in (result.outcome.value, result.message) if part)
        if not result.outcome.has_tags:
            self.failed[track.id] = said
            return
        self.tracks.append(track)
        self.scores.append(result.clip_scores)
        if result.outcome is not Outcome.TAGGED:
            self.remarks[track.id] = said


def _hear(
    model: ClipTagger,
    tracks: Sequence[Track],
    chunk_hop: float | None,
    aggregation: Aggregation,
    deform: Deform | None,
) -> Iterator[TagResult]:
    if deform is None:
        paths = (track.path for track in tracks)
        return model.tag_many(paths, chunk_hop=chunk_hop, aggregation=aggregation)
    return _hear_deformed(model, tracks, chunk_hop, aggregation, deform)


def _hear_deformed(
    model: ClipTagger,
    tracks: Sequence[Track],
    chunk_hop: float | None,
    aggregation: Aggregation,
    deform: Deform,
) -> Iterator[TagResult]:
    sample_rate = model.specification.sample_rate
    with Decoder() as decoder:
        for track in tracks:
            try:
                blocks = list(decoder.decode(track.path, sample_rate=sample_rate))
            except AudioError as error:
                yield _unheard(model.specification, error)
                continue
            waveform = np.concatenate([np.empty(0, np.float32), *blocks])
            yield model.tag(
                deform(waveform, sample_rate),
                sample_rate=sample_rate,
                chunk_hop=chunk_hop,
                aggregation=aggregation,
            )


def _unheard(specification: Specification, error: AudioError) -> TagResult:
    return TagResult(
        outcome=Outcome(error.outcome),
        duration=0.0,
        tags=(),
        clip_scores=np.full(specification.n_tags, np.nan, np.float32),
        taggram=np.empty((0, specification.n_tags), np.float32),
        chunk_times=np.empty(0),
        embedding=np.full(specification.embedding_dim, np.nan, np.float32),
        message=str(error),
    )
