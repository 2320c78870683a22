"""What the published models say about a clip, computed once and stored, and the mean of it.

Every clip is heard on a grid of 3 s chunks. A teacher that takes 3 s scores each chunk; a teacher that
takes 29 s scores as many excerpts, spread evenly, as fit the clip's length best, and says their mean of
every chunk. A clip that is shorter than an excerpt is repeated until it fills one.

The ensemble speaks the vocabulary of the shipped model (`taggram.tags.default_vocabulary`). Its score of a
tag is the mean over all (teacher, source tag) columns that the tag stands for. Where some of the columns deny
the tag ("no vocals"), the score is the mean of those that affirm it over the sum of both means: of the
annotators who would say anything about it, the share that would affirm it. The score of a clip is the mean
over the clip's chunks.

Conventions: scores (n_chunks, n_tags) in [0, 1]; waveforms float32 (n_samples,) at 16 kHz.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from taggram.inference.session import Session
from taggram.lab.export import export_model
from taggram.lab.training.shards import Array
from taggram.lab.weights.published import CHECKPOINTS, PublishedCheckpoint, describe_published, load_published
from taggram.modelfile.reader import load_model_file
from taggram.tags.default_vocabulary import default_vocabulary, is_denial, spoken_tag
from taggram.tags.vocabularies import VOCABULARIES

Scores = NDArray[np.float32]

GRID_LENGTH = 48_000
"""Samples of one chunk of the grid."""

TEACHERS: tuple[PublishedCheckpoint, ...] = tuple(
    checkpoint
    for checkpoint in CHECKPOINTS.values()
    if checkpoint.vocabulary in ("magnatagatune_50", "msd_50", "mtg_jamendo_50")
)


class Teacher:
    """A published model that scores clips, through ONNX Runtime.

    Parameters
    ----------
    checkpoint
        Which weights.
    weights
        Their file.
    folder
        Where the exported network is kept.
    """

    def __init__(self, checkpoint: PublishedCheckpoint, weights: Path, folder: Path) -> None:
        path = folder / f"{checkpoint.name}.onnx"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _export(checkpoint, weights, path)
        self.name = checkpoint.name
        self._session = Session(load_model_file(path))

    def hear(self, waveform: Scores) -> tuple[Scores, Scores]:
        """Return scores and embeddings of the clip's chunks or excerpts, one row each."""
        length = self._session.specification.chunk_length
        if length <= GRID_LENGTH:
            return self._session.run(grid_chunks(waveform)[:, :length])
        # One at a time: an excerpt of 29 s fills the cache.
        outputs = [self._session.run(excerpt[None]) for excerpt in spread_excerpts(waveform, length)]
        scores, embeddings = zip(*outputs, strict=True)
        return np.concatenate(scores), np.concatenate(embeddings)


def grid_chunks(waveform: Scores) -> Scores:
    """Cut a waveform into consecutive chunks, shape (n_chunks, GRID_LENGTH); the rest is left out."""
    n_chunks = len(waveform) // GRID_LENGTH
    return waveform[: n_chunks * GRID_LENGTH].reshape(n_chunks, GRID_LENGTH)


def spread_excerpts(waveform: Scores, length: int) -> list[Scores]:
    """Return excerpts of `length` samples, as many as fit best; one lies in the middle."""
    if len(waveform) < length:
        waveform = np.resize(waveform, length)
    n_excerpts = max(1, round(len(waveform) / length))
    spare = len(waveform) - length
    positions = np.linspace(0, 1, n_excerpts) if n_excerpts > 1 else (0.5,)
    return [waveform[start : start + length] for start in (int(position * spare) for position in positions)]


def _export(checkpoint: PublishedCheckpoint, weights: Path, path: Path) -> None:
    model = load_published(checkpoint, weights)
    export_model(model, describe_published(checkpoint, model), path)


def hear_clip(teachers: Iterable[Teacher], waveform: Scores) -> dict[str, Array]:
    """Return what all teachers say about a clip, as arrays to be stored."""
    said: dict[str, Array] = {}
    for teacher in teachers:
        scores, embeddings = teacher.hear(waveform)
        said[f"{teacher.name}.scores"] = scores
        said[f"{teacher.name}.embedding"] = embeddings.astype(np.float16)
    return said


@dataclass(frozen=True)
class Ensemble:
    """The mean of several teachers in the merged vocabulary.

    Attributes
    ----------
    vocabularies
        Teacher name → its tag vocabulary.
    """

    vocabularies: Mapping[str, tuple[str, ...]]

    @property
    def sources(self) -> dict[str, tuple[str, ...]]:
        """Each tag's source tags, in order of first appearance."""
        return default_vocabulary(dict.fromkeys(self.vocabularies.values()))

    @property
    def tags(self) -> tuple[str, ...]:
        """The vocabulary, in order of first appearance."""
        return tuple(self.sources)

    @property
    def is_scale(self) -> NDArray[np.bool_]:
        """Which tags have a low end with a name of its own, shape (n_tags,)."""
        return np.array([any(map(is_denial, sources)) for sources in self.sources.values()])

    def shares(self, *, denials: bool = False) -> dict[str, Scores]:
        """Return each teacher's share in the mean: name → (n_source_tags, n_tags).

        The columns of all teachers together sum to 1, or to 0 where nobody affirms (or denies) a tag.
        """
        column = {tag: index for index, tag in enumerate(self.tags)}
        votes = {
            name: np.zeros((len(vocabulary), len(column)), np.float32)
            for name, vocabulary in self.vocabularies.items()
        }
        for name, vocabulary in self.vocabularies.items():
            for row, source in enumerate(vocabulary):
                if (tag := spoken_tag(source)) and is_denial(source) == denials:
                    votes[name][row, column[tag]] = 1
        total = np.sum([vote.sum(axis=0) for vote in votes.values()], axis=0)
        return {name: vote / np.maximum(total, 1) for name, vote in votes.items()}

    def chunk_scores(self, said: Mapping[str, Array]) -> Scores:
        """Return the ensemble's scores of a clip's chunks, shape (n_chunks, n_tags)."""
        affirmed, denied = (self._mean(said, self.shares(denials=denials)) for denials in (False, True))
        ratio = affirmed / np.maximum(affirmed + denied, np.finfo(np.float32).tiny)
        return np.where(self.is_scale, ratio, affirmed)

    def _mean(self, said: Mapping[str, Array], shares: Mapping[str, Scores]) -> Scores:
        own = {name: np.asarray(said[f"{name}.scores"], np.float32) for name in self.vocabularies}
        n_chunks = max(len(scores) for scores in own.values())
        total = np.zeros((n_chunks, len(self.tags)), np.float32)
        for name, share in shares.items():
            total += (own[name] if len(own[name]) == n_chunks else own[name].mean(axis=0)) @ share
        return total

    def single_chunk_scores(self, said: Mapping[str, Array]) -> Scores:
        """Return the scores of each teacher that hears single chunks, (n_teachers, n_chunks, n_tags).

        NaN stands where a teacher does not affirm a tag.
        """
        n_chunks = max(len(said[f"{name}.scores"]) for name in self.vocabularies)
        rows = []
        for name, share in self.shares().items():
            if len(said[f"{name}.scores"]) == n_chunks:
                total = share.sum(axis=0)
                own = np.divide(share, total, out=np.full_like(share, np.nan), where=total > 0)
                rows.append(np.asarray(said[f"{name}.scores"], np.float32) @ own)
        return np.stack(rows)

    def embeddings_to_imitate(self, heard: Sequence[Mapping[str, Array]]) -> list[NDArray[np.float16]]:
        """Return the embeddings of all teachers side by side, one (n_chunks, n_dimensions) array per clip.

        Every dimension is standardised over the clips; a factor per teacher then lets all teachers weigh
        alike in a mean square, with a mean square of 1 for all together. A teacher that hears 29 s has the
        same embedding, its mean, at every chunk.
        """
        blocks = [_standardise([_per_chunk(said, name) for said in heard]) for name in self.vocabularies]
        sizes = np.array([block[0].shape[1] for block in blocks])
        factors = np.sqrt(sizes.mean() / sizes).astype(np.float32)
        return [
            np.concatenate([own * factor for own, factor in zip(clip, factors, strict=True)], axis=1).astype(
                np.float16
            )
            for clip in zip(*blocks, strict=True)
        ]


def _standardise(embeddings: list[Scores]) -> list[Scores]:
    everything = np.concatenate(embeddings)
    mean, spread = everything.mean(axis=0), everything.std(axis=0) + 1e-3
    return [(embedding - mean) / spread for embedding in embeddings]


def _per_chunk(said: Mapping[str, Array], name: str) -> Scores:
    """Return a teacher's embeddings of a clip's chunks, (n_chunks, embedding_dim)."""
    n_chunks = max(len(scores) for key, scores in said.items() if key.endswith(".scores"))
    own = np.asarray(said[f"{name}.embedding"], np.float32)
    return own if len(own) == n_chunks else np.repeat(own.mean(axis=0, keepdims=True), n_chunks, axis=0)


def published_ensemble(checkpoints: Iterable[PublishedCheckpoint] = TEACHERS) -> Ensemble:
    """Return the ensemble of published checkpoints."""
    return Ensemble({checkpoint.name: VOCABULARIES[checkpoint.vocabulary] for checkpoint in checkpoints})
