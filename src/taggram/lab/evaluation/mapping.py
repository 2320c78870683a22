"""From the tags that a model knows to the tags that a dataset asks for.

By name: a tag of the dataset is answered by the model's tag of the same name; failing that, by the model's
tags that mean the same in the merged vocabulary (`taggram.tags.vocabularies.merged_name`: "hiphop" and
"Hip-Hop", "genre---rock" and "rock"). An explicit mapping stands above both. Of several model tags the
strongest counts. A tag of the dataset that nothing answers is uncovered: it is named and not scored.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from taggram.errors import EvaluationError, UnknownNameError
from taggram.tags.vocabularies import merged_name

ExplicitMapping = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class TagMapping:
    """Which tags of the model answer for each tag of the dataset.

    Attributes
    ----------
    sources
        Tag of the dataset → tags of the model, in the order of the dataset's vocabulary.
    uncovered
        Tags of the dataset that no tag of the model answers.
    model_tags
        Ordered vocabulary of the model.
    """

    sources: Mapping[str, tuple[str, ...]]
    uncovered: tuple[str, ...]
    model_tags: tuple[str, ...]

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags of the dataset that are answered: the columns of `translate`."""
        return tuple(self.sources)

    @property
    def renamed(self) -> dict[str, list[str]]:
        """The part of the mapping that is not simply the same name."""
        return {tag: list(names) for tag, names in self.sources.items() if names != (tag,)}

    def translate(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map the model's scores (n_clips, n_model_tags) to the dataset's tags (n_clips, n_covered_tags)."""
        column = {name: index for index, name in enumerate(self.model_tags)}
        columns = [scores[:, [column[name] for name in names]].max(axis=1) for names in self.sources.values()]
        return np.stack(columns, axis=1)


def map_tags(
    model_tags: Sequence[str], vocabulary: Sequence[str], explicit: ExplicitMapping | None = None
) -> TagMapping:
    """Find the model's tags for every tag of a dataset's vocabulary.

    Parameters
    ----------
    model_tags, vocabulary
        Ordered, unique names.
    explicit
        Tag of the dataset → tags of the model; an empty tuple leaves the tag uncovered.

    Raises
    ------
    UnknownNameError
        If `explicit` names a tag that the dataset or the model lacks.
    EvaluationError
        If no tag is covered.
    """
    explicit = explicit or {}
    for tag, names in explicit.items():
        _require("tag of the dataset", tag, vocabulary)
        for name in names:
            _require("tag of the model", name, model_tags)
    meaning: dict[str, list[str]] = {}
    for name in model_tags:
        meaning.setdefault(merged_name(name), []).append(name)
    found = {}
    for tag in vocabulary:
        by_name = (tag,) if tag in model_tags else tuple(meaning.get(merged_name(tag), ()))
        found[tag] = tuple(explicit.get(tag, by_name))
    covered = {tag: names for tag, names in found.items() if names}
    if not covered:
        raise EvaluationError(
            f"the model knows none of the dataset's tags ({', '.join(vocabulary[:8])}, …); it knows "
            f"{', '.join(model_tags[:8])}, …. Give a mapping of tags, or train its last layer on this dataset"
        )
    return TagMapping(covered, tuple(tag for tag in vocabulary if not found[tag]), tuple(model_tags))


def read_tag_mapping(path: Path) -> dict[str, tuple[str, ...]]:
    """Read an explicit mapping from JSON: {"dataset's tag": "model's tag" | ["model's tag", …] | null}.

    Raises
    ------
    EvaluationError
        If the file cannot be read or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EvaluationError(f"{path}: the mapping of tags cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise EvaluationError(f"{path}: a mapping of tags is a JSON object, this is {type(content).__name__}")
    mapping = {}
    for tag, names in content.items():
        listed = [] if names is None else [names] if isinstance(names, str) else names
        if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
            raise EvaluationError(
                f"{path}: {tag!r} must map to a tag of the model, a list of them, or null; got {names!r}"
            )
        mapping[tag] = tuple(listed)
    return mapping


def _require(kind: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise UnknownNameError(kind, name, known)
