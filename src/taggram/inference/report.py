r"""The report of a run: every input with its outcome, in one documented, versioned form.

Schema `taggram/1`, as JSON:

    {"schema": "taggram/1",
     "model": {"name", "architecture", "weights_sha256", "sample_rate", "chunk_duration", "chunk_hop"},
     "files": [{"path", "outcome", "duration",
                "tags": [{"name", "category", "score", "display_name"?}, …],     strongest first
                "taggram": {"data", "picture"}?,                  files written for this one
                "unsure"?, "message"?}, …],
     "summary": {"inputs", "tagged", "truncated", …, "not_started"}}

`duration` is in seconds, `score` in [0, 1]; `unsure` is true where the sound is no music or the model is
not sure, and `tags` then is empty unless more was asked for. The counts of the summary add up to
`inputs`. Bytes of a path that are no valid text stand as lone surrogates (`\udc80` … `\udcff`), as Python
writes them.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taggram.inference.jams import make_annotation, make_document
from taggram.inference.result import Outcome, TagResult, TagScore
from taggram.modelfile.specification import CATEGORIES, Category, Specification

SCHEMA = "taggram/1"
CSV_HEADER = ("path", "outcome", "duration", "tag", "category", "score", "message")


CLEAR_LEAST = 0.5
"""Part of the odds of its threshold that a tag has at least, to speak for a category alone."""
CLEAR_LEAD = 1.5
"""How many times as far as the category's next tag it must have come."""
_LEAST_ODDS = 1e-9


@dataclass(frozen=True)
class Selection:
    """Which tags of a result are reported.

    Without a threshold, these are the tags that reach their own one; of a category in which none does, the
    strongest, if it is clear; and none of a sound that the model is not sure of. A model that has no
    thresholds reports its strongest tags.

    Attributes
    ----------
    top_k
        At most this many, the strongest; None is all of them.
    threshold
        Only scores from here on, in place of all of the above.
    """

    top_k: int | None = 10
    threshold: float | None = None

    def of(self, result: TagResult, specification: Specification) -> tuple[TagScore, ...]:
        """Return the tags of `result` that are reported, strongest first."""
        if self.threshold is not None:
            return tuple(tag for tag in result.tags if tag.score >= self.threshold)[: self.top_k]
        if result.is_unsure:
            return ()
        own = {tag.name: tag.threshold for tag in specification.tags}
        given = [tag for tag in result.tags if tag.score >= (own[tag.name] or 0.0)]
        if all(own.values()):
            strength = {tag: relative_odds(tag.score, own[tag.name] or 0.0) for tag in result.tags}
            # From a threshold of one half on, a score below it says that the tag is rather not there.
            doubtful = {tag: value for tag, value in strength.items() if (own[tag.name] or 0.0) < 0.5}
            given += _clear_tags(doubtful, {tag.category for tag in given})
            # A score of 0.05 may be much for one tag and nothing for another.
            given = sorted(given, key=lambda tag: -strength[tag])[: self.top_k]
            given.sort(key=lambda tag: -tag.score)
        return tuple(given[: self.top_k])


def select_tags(
    scores: NDArray[np.floating], specification: Specification, *, top_k: int | None = 10
) -> NDArray[np.bool_]:
    """Return what `Selection(top_k).of` reports, of many sounds at once that the model is sure of.

    Parameters
    ----------
    scores : shape (n_sounds, n_tags), in [0, 1]
        In the order of the specification's tags.

    Returns
    -------
    shape (n_sounds, n_tags)
    """
    values = scores.astype(np.float64)
    thresholds = np.array([tag.threshold or 0.0 for tag in specification.tags])
    given = values >= thresholds
    merit = values
    if thresholds.all():
        merit = values.clip(0) * (1 - thresholds) / np.maximum(thresholds * (1 - values), _LEAST_ODDS)
        categories = np.array([tag.category for tag in specification.tags])
        for category in CATEGORIES:
            is_own = categories == category
            doubtful = np.flatnonzero(is_own & (thresholds < 0.5))
            if len(doubtful) < 2:
                continue
            first, second = -np.partition(-merit[:, doubtful], 1, axis=1)[:, :2].T
            is_clear = (first >= np.maximum(CLEAR_LEAST, CLEAR_LEAD * second)) & ~given[:, is_own].any(axis=1)
            given[is_clear, doubtful[merit[is_clear][:, doubtful].argmax(axis=1)]] = True
    if top_k is not None:
        left_out = np.argsort(np.where(given, -merit, np.inf), axis=1, kind="stable")[:, top_k:]
        np.put_along_axis(given, left_out, values=False, axis=1)
    return given


def relative_odds(score: float, threshold: float) -> float:
    """Return the odds of a score in units of the odds of its threshold.

    Examples
    --------
    >>> relative_odds(0.5, 0.2), relative_odds(0.2, 0.2)
    (4.0, 1.0)
    """
    return max(score, 0.0) * (1 - threshold) / max(threshold * (1 - score), _LEAST_ODDS)


def _clear_tags(strength: Mapping[TagScore, float], settled: set[Category]) -> Iterator[TagScore]:
    """Yield the strongest tag of every other category, where it is clear."""
    for category in CATEGORIES:
        ranked = sorted((tag for tag in strength if tag.category == category), key=lambda t: -strength[t])
        # Without another one to be compared with, its own threshold has the last word.
        if category in settled or len(ranked) < 2:
            continue
        first, second = strength[ranked[0]], strength[ranked[1]]
        if first >= max(CLEAR_LEAST, CLEAR_LEAD * second):
            yield ranked[0]


@dataclass
class Summary:
    """Counts of a run; they add up to the inputs."""

    counts: Counter[Outcome] = field(default_factory=Counter)
    not_started: int = 0

    def add(self, result: TagResult) -> None:
        """Count one result."""
        self.counts[result.outcome] += 1

    @property
    def n_done(self) -> int:
        """Inputs that ended in an outcome."""
        return self.counts.total()

    @property
    def is_clean(self) -> bool:
        """Whether every input was tagged."""
        return self.n_done == self.counts[Outcome.TAGGED] and not self.not_started

    def as_dict(self) -> dict[str, int]:
        """Return the counts of all outcomes, with the number of inputs first."""
        return {
            "inputs": self.n_done + self.not_started,
            **{outcome.value: self.counts[outcome] for outcome in Outcome},
            "not_started": self.not_started,
        }


def model_entry(specification: Specification) -> dict[str, Any]:
    """Return the `model` object of the schema."""
    fields = {"name", "architecture", "weights_sha256", "sample_rate", "chunk_duration", "chunk_hop"}
    return specification.model_dump(include=fields)


def file_entry(
    result: TagResult, tags: Iterable[TagScore], taggram: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return one entry of `files`."""
    entry: dict[str, Any] = {
        "path": result.path,
        "outcome": result.outcome.value,
        "duration": round(result.duration, 3),
        "tags": [_tag_entry(tag) for tag in tags],
    }
    if taggram is not None:
        entry["taggram"] = dict(taggram)
    if result.is_unsure:
        entry["unsure"] = True
    if result.message:
        entry["message"] = result.message
    return entry


def _tag_entry(tag: TagScore) -> dict[str, Any]:
    entry = {"name": tag.name, "category": tag.category, "score": round(tag.score, 6)}
    return entry | ({"display_name": tag.display_name} if tag.display_name else {})


def csv_rows(entry: Mapping[str, Any]) -> str:
    """Return one CSV line per tag of a `files` entry, or a single one if it has none."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for tag in entry["tags"] or [{"name": "", "category": "", "score": ""}]:
        said = (tag["name"], tag["category"], tag["score"])
        row = (entry["path"], entry["outcome"], entry["duration"], *said, entry.get("message", ""))
        writer.writerow(row)
    return buffer.getvalue()


def jams_document(
    result: TagResult, tags: Iterable[TagScore], specification: Specification
) -> dict[str, Any]:
    """Return a JAMS document of the whole clip's tags, in the namespace `tag_open`."""
    observations = [
        {"time": 0.0, "duration": result.duration, "value": tag.name, "confidence": tag.score} for tag in tags
    ]
    annotator = {"model": specification.name, "weights_sha256": specification.weights_sha256}
    sandbox = {
        "path": result.path,
        "outcome": result.outcome.value,
        "message": result.message,
        **({"unsure": True} if result.is_unsure else {}),
    }
    annotation = make_annotation("tag_open", observations, annotator=annotator, duration=result.duration)
    return make_document([annotation], duration=result.duration, sandbox=sandbox)


def taggram_document(result: TagResult, specification: Specification) -> dict[str, Any]:
    """Return the whole taggram in numbers.

    `scores` has one row per chunk and one column per tag; `chunk_times` are the chunks' starts in
    seconds.
    """
    return {
        "schema": SCHEMA,
        "model": model_entry(specification),
        "path": result.path,
        "duration": result.duration,
        "tags": [{"name": tag.name, "category": tag.category} for tag in specification.tags],
        "chunk_times": result.chunk_times.round(6).tolist(),
        "scores": [[round(score, 6) for score in row] for row in result.taggram.tolist()],
    }


def to_json(document: Any) -> str:
    """Serialise on one line, in ASCII, so that any path survives."""
    return json.dumps(document, ensure_ascii=True, allow_nan=False)
