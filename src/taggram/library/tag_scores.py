"""The scores of all tags a library knows: those of the model, those the user corrected, and the user's own.

A bare tag such as `piano` needs a line between there and not there. In order: the threshold that the
model states for it; else the score that only a tenth of the library reaches, but 0.5 at most, because the
scores of a model that was not calibrated mean more beside each other than beside a fixed number. For a
tag that the user taught or corrected, it is 0.5.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from taggram.library.expressions import fold
from taggram.library.own_tags import OwnTags
from taggram.library.sample import draw_sample
from taggram.library.store import Library
from taggram.library.teach import to_logits, to_scores
from taggram.library.tracks import ModelRow
from taggram.modelfile.specification import Category, Specification

TOP_SHARE = 0.1
"""Part of the library that a bare tag finds at least, where the model states no threshold."""
LARGEST_THRESHOLD = 0.5
_SAMPLE_SIZE = 5000  # tells a share of a tenth to within half a hundredth


class TagScores:
    """Tags by name, with categories, thresholds and scores.

    Where a tag of the model has another name for people, both names are known.

    Attributes
    ----------
    categories
        Tag → category: the model's tags in its order, then the user's.
    thresholds
        Tag → score from which it is there.
    """

    def __init__(self, library: Library, model: ModelRow) -> None:
        self._library = library
        self._model = model
        self._columns = _columns(model.specification)
        self._taught = {
            spelling: taught
            for name, taught in OwnTags(library).taught(model).items()
            for spelling in self._spellings(name)
        }
        self.thresholds: Mapping[str, float] = _Thresholds(library, model, self._taught)
        self.categories: Mapping[str, Category] = {
            **{tag.name: tag.category for tag in model.specification.tags},
            **{
                name: taught.tag.category
                for name, taught in self._taught.items()
                if name not in self._columns
            },
        }

    def is_taught(self, tag: str) -> bool:
        """Whether the user taught or corrected the tag."""
        return tag in self._taught

    def of(
        self, tag: str, scores: NDArray[np.float32], embeddings: NDArray[np.floating]
    ) -> NDArray[np.float32]:
        """Return the scores of one tag.

        Parameters
        ----------
        tag
            One of `thresholds`.
        scores : shape (n, n_tags)
            Of the model.
        embeddings : shape (n, embedding_dim)
            Of the model; only looked at for a tag that was taught.

        Returns
        -------
        shape (n,), in [0, 1]
        """
        taught = self._taught.get(tag)
        if taught is None:
            return scores[:, self._columns[tag]]
        told = to_logits(scores[:, self._columns[tag]]) if taught.classifier.adds_to_model else None
        return to_scores(taught.classifier.logits(embeddings, told))

    def _spellings(self, name: str) -> tuple[str, ...]:
        """Return the model's spellings of a tag that the user corrected; its own name if it is new."""
        columns = {column for tag, column in self._columns.items() if fold(tag) == fold(name)}
        return tuple(tag for tag, column in self._columns.items() if column in columns) or (name,)


class _Thresholds(Mapping[str, float]):
    """Tag → threshold; the library is looked at when a tag is first asked for that needs it."""

    def __init__(self, library: Library, model: ModelRow, taught: Iterable[str]) -> None:
        self._library = library
        self._model = model
        self._known: dict[str, float | None] = {
            **{tag.label: tag.threshold for tag in model.specification.tags},
            **{tag.name: tag.threshold for tag in model.specification.tags},
            **dict.fromkeys(taught, LARGEST_THRESHOLD),
        }

    def __getitem__(self, tag: str) -> float:
        threshold = self._known[tag]
        return self._of_library[tag] if threshold is None else threshold

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    @cached_property
    def _of_library(self) -> dict[str, float]:
        scores = draw_sample(self._library, self._model, _SAMPLE_SIZE).scores
        n_tags = self._model.specification.n_tags
        top = np.quantile(scores, 1 - TOP_SHARE, axis=0) if len(scores) else np.ones(n_tags)
        lines = np.minimum(LARGEST_THRESHOLD, top)
        return {tag: float(lines[i]) for tag, i in _columns(self._model.specification).items()}


def _columns(specification: Specification) -> dict[str, int]:
    """Return tag → column, for the model's names and for the names that people read."""
    labels = {tag.label: column for column, tag in enumerate(specification.tags)}
    return {**labels, **{tag.name: column for column, tag in enumerate(specification.tags)}}
