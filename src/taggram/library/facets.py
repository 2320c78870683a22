"""What "similar" means: vectors made of one block per facet, so that any weighting is one inner product.

    sound        the embedding, standardised by the library's mean and deviation
    genre        scores of the tags of that category: their square roots less the library's mean
    mood         likewise
    instrument   likewise, with the tags about voices

Each block has unit length, so the inner product of two blocks is their cosine: 1 alike, 0 nothing in common
against the background of this library, −1 opposite. Square roots weigh a step from 0.01 to 0.04 like one
from 0.64 to 0.81 (Hellinger), which suits scores that are mostly small. A query weighs its blocks; what
is stored need not know the weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from taggram.errors import LibraryError, UnknownNameError
from taggram.library.sample import Sample
from taggram.library.teach import Statistics
from taggram.modelfile.specification import Category, Specification

SOUND = "sound"
CATEGORIES_OF: Mapping[str, tuple[Category, ...]] = {
    "genre": ("genre",),
    "mood": ("mood",),
    "instrument": ("instrument", "voice"),
}
FACETS = (SOUND, *CATEGORIES_OF)
DEFAULT_WEIGHTS: Mapping[str, float] = {SOUND: 2.0, "genre": 1.0, "mood": 1.0, "instrument": 1.0}

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Space:
    """The vectors of one library and model.

    Attributes
    ----------
    statistics
        Of the library's embeddings.
    mean_root : shape (n_tags,)
        Mean square root of the library's scores.
    columns
        Facet of tags → its columns in the scores; only facets that the model has tags of.
    """

    statistics: Statistics
    mean_root: Floats = field(repr=False)
    columns: Mapping[str, NDArray[np.int64]] = field(repr=False)

    @classmethod
    def of(cls, specification: Specification, sample: Sample) -> "Space":
        """Measure a library."""
        return cls.restore(
            specification, Statistics.of(sample.embeddings), np.sqrt(sample.scores).mean(axis=0)
        )

    @classmethod
    def restore(cls, specification: Specification, statistics: Statistics, mean_root: Floats) -> "Space":
        """Put a space together again."""
        columns = {
            facet: np.array([i for i, tag in enumerate(specification.tags) if tag.category in categories])
            for facet, categories in CATEGORIES_OF.items()
        }
        present = {facet: found for facet, found in columns.items() if len(found)}
        return cls(statistics, np.asarray(mean_root, np.float32), present)

    @property
    def blocks(self) -> dict[str, slice]:
        """Facet → its columns in a vector."""
        lengths = {SOUND: len(self.statistics.mean), **{name: len(own) for name, own in self.columns.items()}}
        ends = np.cumsum(list(lengths.values())).tolist()
        return {
            name: slice(end - length, end) for (name, length), end in zip(lengths.items(), ends, strict=True)
        }

    @property
    def n_dimensions(self) -> int:
        """Length of a vector."""
        return len(self.statistics.mean) + sum(map(len, self.columns.values()))

    def vectors(self, embeddings: NDArray[np.floating], scores: Floats) -> Floats:
        """Return the vectors of recordings.

        Parameters
        ----------
        embeddings : shape (n, embedding_dim)
        scores : shape (n, n_tags), in [0, 1]

        Returns
        -------
        shape (n, n_dimensions)
            A block that is nothing but the mean is zero.
        """
        found = np.empty((len(scores), self.n_dimensions), np.float32)
        found[:, self.blocks[SOUND]] = _unit(self.statistics.standardise(embeddings))
        roots = self.centred(scores)
        for facet, columns in self.columns.items():
            found[:, self.blocks[facet]] = _unit(roots[:, columns])
        return found

    def centred(self, scores: Floats) -> Floats:
        """Return square roots of scores less the library's mean: above 0 is more than usual here."""
        return np.asarray(np.sqrt(scores) - self.mean_root, np.float32)

    def weigh(self, weights: Mapping[str, float]) -> dict[str, float]:
        """Return the weight of every facet of this space; they add up to 1.

        Parameters
        ----------
        weights
            Facet → weight from 0 on; what is not named is 0. An empty mapping is `DEFAULT_WEIGHTS`.

        Raises
        ------
        UnknownNameError
            If there is no such facet.
        LibraryError
            If a weight is negative or no number, or nothing is left to compare.
        """
        for facet, weight in weights.items():
            if facet not in FACETS:
                raise UnknownNameError("facet", facet, FACETS)
            if not 0 <= weight < np.inf:
                raise LibraryError(f"the weight of {facet!r} is a number from 0 on, got {weight:g}")
        chosen = {facet: float((weights or DEFAULT_WEIGHTS).get(facet, 0.0)) for facet in self.blocks}
        total = sum(chosen.values())
        if not total:
            raise LibraryError(
                "all weights are 0, or of facets that the model has no tags of; it has "
                f"{', '.join(self.blocks)}"
            )
        return {facet: weight / total for facet, weight in chosen.items()}

    def query(self, vectors: Floats, weights: Mapping[str, float]) -> Floats:
        """Return a vector whose inner product with a recording's is the weighted mean of their cosines.

        Parameters
        ----------
        vectors : shape (n, n_dimensions)
            Of the recordings to be near to; their mean direction counts, block by block.
        weights
            As `weigh` returns them.

        Returns
        -------
        shape (n_dimensions,)
        """
        found = np.asarray(vectors.mean(axis=0), np.float32)
        for facet, block in self.blocks.items():
            found[block] = weights[facet] * _unit(found[None, block])[0]
        return found

    def compare(self, query: Floats, vectors: Floats) -> dict[str, Floats]:
        """Return facet → cosines of a query (any weights but 0) and recordings, each of shape (n,)."""
        return {
            facet: np.asarray(vectors[:, block] @ _unit(query[None, block])[0])
            for facet, block in self.blocks.items()
        }


def _unit(rows: NDArray[np.floating]) -> Floats:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 1e-9, lengths, 1.0), np.float32)
