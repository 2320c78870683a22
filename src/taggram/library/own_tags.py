"""The user's own tags: accepted and rejected examples, kept with the library; learned when needed.

A tag is known by its name. One that the model does not have is new; one that the model has is corrected
by its examples. Examples are kept by the hash of their sound, so they outlive files that are moved or tagged
anew, and belong to no model: with another model, the tag is learned again from the same examples.

A classifier is thrown away when an example changes, and learned again when it is next needed.

Exported, as JSON:

    {"schema": "taggram-own-tag/1", "name", "category",
     "examples": [{"audio_hash", "accepted", "label"}, …],
     "classifiers": [{"model", "weights_sha256", "weights", "intercept", "adds_to_model", "quality"}, …]}
"""

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from taggram.errors import LibraryError, UnknownNameError
from taggram.library.expressions import fold
from taggram.library.naming import artist_keys, label_of
from taggram.library.sample import Sample, draw_sample
from taggram.library.store import Library
from taggram.library.teach import (
    MIN_EXAMPLES,
    Classifier,
    Quality,
    Statistics,
    cross_validate,
    fit,
    suggest,
    to_logits,
    to_scores,
)
from taggram.library.tracks import FileRow, ModelRow, unpack_vectors
from taggram.modelfile.specification import Category

SCHEMA = "taggram-own-tag/1"
MAX_NAME_LENGTH = 100


@dataclass(frozen=True)
class OwnTag:
    """One of the user's tags.

    Attributes
    ----------
    id, name, category
        Of the tag.
    n_accepted, n_rejected
        Examples, whether they are in the library or not.
    """

    id: int
    name: str
    category: Category
    n_accepted: int
    n_rejected: int


@dataclass(frozen=True)
class Example:
    """One answer of the user; `recording_id` is None if the sound is not in the library (any more)."""

    audio_hash: bytes
    is_accepted: bool
    recording_id: int | None


@dataclass(frozen=True)
class Taught:
    """A tag that was learned for one model, and what it is worth."""

    tag: OwnTag
    classifier: Classifier
    quality: Quality


class Suggestion(NamedTuple):
    """A file to label next, and the score that it has so far."""

    file: FileRow
    score: float


@dataclass(frozen=True)
class Imported:
    """What became of an import.

    Attributes
    ----------
    tag
        As it is now.
    n_examples, n_here
        Examples in the file, and how many of their sounds are in the library.
    models
        Names of the models whose classifier was taken; the tag is ready for them.
    """

    tag: OwnTag
    n_examples: int
    n_here: int
    models: tuple[str, ...]


class OwnTags:
    """The own tags of a library."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def tags(self) -> tuple[OwnTag, ...]:
        """Return all tags, by name."""
        rows = self._library.rows(
            "SELECT id, name, category, coalesce(sum(is_accepted), 0), count(is_accepted) "
            "FROM own_tag LEFT JOIN own_tag_example ON own_tag_id = id GROUP BY id ORDER BY name"
        )
        return tuple(OwnTag(id_, name, category, n, total - n) for id_, name, category, n, total in rows)

    def get(self, name: str) -> OwnTag:
        """Return one tag; case, accents and repeated spaces do not matter.

        Raises
        ------
        UnknownNameError
            If there is none of this name.
        """
        if tag := self._find(name):
            return tag
        raise UnknownNameError("own tag", name, [tag.name for tag in self.tags()])

    def examples(self, name: str) -> tuple[Example, ...]:
        """Return the examples of a tag, in an order that does not depend on when they were given."""
        rows = self._library.rows(
            "SELECT audio_hash, is_accepted, recording.id FROM own_tag_example "
            "LEFT JOIN recording USING (audio_hash) WHERE own_tag_id = ? ORDER BY audio_hash",
            (self.get(name).id,),
        )
        return tuple(Example(audio_hash, bool(accepted), id_) for audio_hash, accepted, id_ in rows)

    def mark(
        self,
        name: str,
        recording_ids: Iterable[int],
        *,
        accepted: bool | None,
        category: Category | None = None,
    ) -> OwnTag:
        """Accept or reject sounds as examples of a tag, or forget what was said of them.

        Parameters
        ----------
        name
            Of the tag; it is made if there is none yet.
        recording_ids
            The sounds.
        accepted
            The tag fits, does not fit, or (None) nothing is said any more.
        category
            Of the tag; None leaves it, and makes a new tag "other".

        Raises
        ------
        LibraryError
            If the name is empty or too long, or an id is not in the library.
        UnknownNameError
            If examples of a tag are to be forgotten that there is not.
        """
        hashes = self._hashes(recording_ids)
        with self._library.transaction() as connection:
            tag = self.get(name) if accepted is None else self._make(name, category or "other")
            if category is not None:
                connection.execute("UPDATE own_tag SET category = ? WHERE id = ?", (category, tag.id))
            self._store(tag.id, ((audio_hash, accepted) for audio_hash in hashes))
        return self.get(name)

    def remove(self, name: str) -> None:
        """Remove a tag with its examples."""
        tag = self.get(name)
        with self._library.transaction() as connection:
            connection.execute("DELETE FROM own_tag WHERE id = ?", (tag.id,))

    # Learning

    def missing(self, name: str, model: ModelRow) -> str:
        """Return what a tag still needs before it can be learned for `model`; empty if nothing."""
        is_accepted = self._training_set(self.get(name), model).is_accepted
        counts = {"accepted": int(is_accepted.sum()), "rejected": int((~is_accepted).sum())}
        needed = [f"{2 - n} more {kind}" for kind, n in counts.items() if n < 2]
        if not needed and len(is_accepted) < MIN_EXAMPLES:
            needed = [f"{MIN_EXAMPLES - len(is_accepted)} more, accepted or rejected"]
        return " and ".join(needed)

    def train(self, name: str, model: ModelRow, statistics: Statistics | None = None) -> Taught:
        """Learn a tag from its examples, measure what it is worth, and keep it.

        Parameters
        ----------
        name, model
            Which tag, and on whose embeddings.
        statistics
            Of the library's embeddings for this model, if they are at hand.

        Raises
        ------
        LibraryError
            If the tag needs more examples.
        """
        tag = self.get(name)
        if missing := self.missing(name, model):
            raise LibraryError(
                f"{self._library.path}: the tag {tag.name!r} cannot be learned yet: it needs {missing}, "
                f"of sounds that {model.name!r} has heard"
            )
        statistics = statistics or self.statistics(model)
        examples = self._training_set(tag, model)
        column = _column(tag, model)
        told = None if column is None else to_logits(examples.scores[:, column])
        learned = examples.embeddings, examples.is_accepted, statistics
        classifier = fit(*learned, model_logits=told)
        artists = self._artists(examples.recording_ids.tolist())
        quality = cross_validate(*learned, model_logits=told, artists=artists)
        self._keep(tag, model, classifier, quality)
        return Taught(tag, classifier, quality)

    def taught(self, model: ModelRow) -> dict[str, Taught]:
        """Return name → tag for all tags that are learned for `model`, or can be and are so now."""
        found: dict[str, Taught] = {}
        statistics: Statistics | None = None
        for tag in self.tags():
            taught = self._kept(tag, model)
            if taught is None and not self.missing(tag.name, model):
                statistics = statistics or self.statistics(model)
                taught = self.train(tag.name, model, statistics)
            if taught is not None:
                found[tag.name] = taught
        return found

    def statistics(self, model: ModelRow) -> Statistics:
        """Return mean and deviation of the library's embeddings."""
        return Statistics.of(draw_sample(self._library, model).embeddings)

    def suggest(self, name: str, model: ModelRow, n: int = 10) -> tuple[Suggestion, ...]:
        """Return files to label next, the most useful first; none that was labelled before.

        Raises
        ------
        LibraryError
            If the tag cannot be learned yet.
        """
        tag = self.get(name)
        taught = self._kept(tag, model) or self.train(name, model)
        candidates = _without(
            draw_sample(self._library, model),
            {example.recording_id for example in self.examples(name)},
        )
        column = _column(tag, model)
        told = None if column is None else to_logits(candidates.scores[:, column])
        logits = taught.classifier.logits(candidates.embeddings, told)
        # More than needed: some recordings have no file any more.
        rows = suggest(logits, candidates.embeddings, 2 * n, Statistics.of(candidates.embeddings))
        ids = candidates.recording_ids[rows].tolist()
        files = self._library.files_of(ids)
        scores = to_scores(logits[rows]).tolist()
        there = (Suggestion(files[i][0], score) for i, score in zip(ids, scores, strict=True) if i in files)
        return tuple(there)[:n]

    # Export and import

    def export(self, name: str) -> dict[str, Any]:
        """Return a tag as the document of the module's header, as plain JSON values."""
        tag, examples = self.get(name), self.examples(name)
        files = self._library.files_of(e.recording_id for e in examples if e.recording_id is not None)
        classifiers = [
            {
                "model": model.name,
                "weights_sha256": model.weights_sha256,
                "weights": [float(weight) for weight in taught.classifier.weights],
                "intercept": taught.classifier.intercept,
                "adds_to_model": taught.classifier.adds_to_model,
                "quality": json.loads(json.dumps(asdict(taught.quality))),  # lists for tuples
            }
            for model in self._library.models()
            if (taught := self._kept(tag, model))
        ]
        return {
            "schema": SCHEMA,
            "name": tag.name,
            "category": tag.category,
            "examples": [
                {
                    "audio_hash": example.audio_hash.hex(),
                    "accepted": example.is_accepted,
                    "label": label_of(files[example.recording_id][0])
                    if example.recording_id in files
                    else "",
                }
                for example in examples
            ],
            "classifiers": classifiers,
        }

    def import_(self, text: str | bytes, *, source: str, merge: bool = False) -> Imported:
        """Take a tag from an exported document.

        A classifier is taken if this library has analyses of its very model, and serves until the user adds
        an example; from then on the tag is learned from the examples whose sound is here.

        Parameters
        ----------
        text, source
            JSON, and where it comes from, for messages.
        merge
            Add to a tag of this name; what was said here stays.

        Raises
        ------
        LibraryError
            If the document is not valid, or there is a tag of this name and `merge` is not set.
        """
        document = _read(text, source)
        existing = self._find(document.name)
        if existing and not merge:
            raise LibraryError(
                f"{source}: there is a tag {existing.name!r} already; merge them, or remove yours first"
            )
        models = {model.weights_sha256: model for model in self._library.models()}
        with self._library.transaction():
            tag = self._make(document.name, document.category)
            known = {example.audio_hash for example in self.examples(tag.name)}
            given = {bytes.fromhex(e.audio_hash): e.accepted for e in document.examples}
            self._store(tag.id, ((key, value) for key, value in given.items() if key not in known))
            taken = [
                models[c.weights_sha256]
                for c in document.classifiers
                if c.weights_sha256 in models
                and not known
                and self._take(tag, models[c.weights_sha256], c, source)
            ]
        n_here = sum(e.recording_id is not None for e in self.examples(tag.name) if e.audio_hash in given)
        return Imported(self.get(tag.name), len(given), n_here, tuple(model.name for model in taken))

    def _find(self, name: str) -> OwnTag | None:
        return next((tag for tag in self.tags() if fold(tag.name) == fold(name)), None)

    def _make(self, name: str, category: Category) -> OwnTag:
        if existing := self._find(name):
            return existing
        clean = " ".join(name.split())
        if not clean or len(clean) > MAX_NAME_LENGTH or not clean.isprintable():
            raise LibraryError(
                f"{name!r} is no name for a tag: it needs 1 to {MAX_NAME_LENGTH} printable characters"
            )
        self._library.rows(
            "INSERT INTO own_tag (name, category, created_at) VALUES (?, ?, ?)",
            (clean, category, time.time()),
        )
        return self.get(clean)

    def _hashes(self, recording_ids: Iterable[int]) -> list[bytes]:
        hashes = []
        for recording_id in recording_ids:
            rows = self._library.rows("SELECT audio_hash FROM recording WHERE id = ?", (int(recording_id),))
            if not rows:
                raise LibraryError(f"{self._library.path}: holds no recording {recording_id}")
            hashes.append(rows[0][0])
        return hashes

    def _store(self, tag_id: int, answers: Iterable[tuple[bytes, bool | None]]) -> None:
        """Note answers, and throw away what was learned without them."""
        connection, now = self._library.connection, time.time()
        for audio_hash, accepted in answers:
            connection.execute(
                "DELETE FROM own_tag_example WHERE own_tag_id = ? AND audio_hash = ?", (tag_id, audio_hash)
            )
            if accepted is not None:
                connection.execute(
                    "INSERT INTO own_tag_example VALUES (?, ?, ?, ?)", (tag_id, audio_hash, accepted, now)
                )
        connection.execute("DELETE FROM own_tag_classifier WHERE own_tag_id = ?", (tag_id,))

    def _training_set(self, tag: OwnTag, model: ModelRow) -> "_TrainingSet":
        rows = self._library.rows(
            "SELECT recording.id, is_accepted, scores, embedding FROM own_tag_example "
            "JOIN recording USING (audio_hash) JOIN analysis ON recording_id = recording.id "
            "WHERE own_tag_id = ? AND model_id = ? AND embedding IS NOT NULL ORDER BY audio_hash",
            (tag.id, model.id),
        )
        specification = model.specification
        return _TrainingSet(
            np.array([row[0] for row in rows], np.int64),
            np.array([row[1] for row in rows], np.bool_),
            unpack_vectors([row[2] for row in rows], specification.n_tags).astype(np.float32),
            unpack_vectors([row[3] for row in rows], specification.embedding_dim),
        )

    def _artists(self, recording_ids: Iterable[int]) -> list[frozenset[str] | None]:
        ids = [*recording_ids]
        files = self._library.files_of(ids, include_missing=True)
        return [(artist_keys(files[i][0]) or None) if i in files else None for i in ids]

    def _keep(self, tag: OwnTag, model: ModelRow, classifier: Classifier, quality: Quality) -> None:
        with self._library.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO own_tag_classifier VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    tag.id,
                    model.id,
                    classifier.weights.astype("<f4").tobytes(),
                    classifier.intercept,
                    classifier.adds_to_model,
                    json.dumps(asdict(quality)),
                    time.time(),
                ),
            )

    def _kept(self, tag: OwnTag, model: ModelRow) -> Taught | None:
        rows = self._library.rows(
            "SELECT weights, intercept, adds_to_model, quality FROM own_tag_classifier "
            "WHERE own_tag_id = ? AND model_id = ?",
            (tag.id, model.id),
        )
        if not rows:
            return None
        ((weights, intercept, adds_to_model, quality),) = rows
        classifier = Classifier(np.frombuffer(weights, "<f4"), intercept, bool(adds_to_model))
        return Taught(tag, classifier, _Quality.model_validate_json(quality).restore())

    def _take(self, tag: OwnTag, model: ModelRow, given: "_Classifier", source: str) -> bool:
        if len(given.weights) != model.specification.embedding_dim or given.adds_to_model != (
            _column(tag, model) is not None
        ):
            raise LibraryError(f"{source}: the classifier for {model.name!r} does not fit that model")
        classifier = Classifier(np.array(given.weights, np.float32), given.intercept, given.adds_to_model)
        self._keep(tag, model, classifier, given.quality.restore())
        return True


class _TrainingSet(NamedTuple):
    recording_ids: NDArray[np.int64]
    is_accepted: NDArray[np.bool_]
    scores: NDArray[np.float32]
    embeddings: NDArray[np.float16]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class _Quality(_Strict):
    n_accepted: int
    n_rejected: int
    roc_auc: float | None
    interval: tuple[float, float] | None
    model_roc_auc: float | None
    warnings: tuple[str, ...]

    def restore(self) -> Quality:
        return Quality(**self.model_dump())


class _Example(_Strict):
    audio_hash: str = Field(pattern="^[0-9a-f]{64}$")
    accepted: bool
    label: str = ""


class _Classifier(_Strict):
    model: str
    weights_sha256: str
    weights: tuple[float, ...]
    intercept: float
    adds_to_model: bool
    quality: _Quality


class _Document(_Strict):
    schema_: Literal["taggram-own-tag/1"] = Field(alias="schema")
    name: str
    category: Category
    examples: tuple[_Example, ...]
    classifiers: tuple[_Classifier, ...]


def _read(text: str | bytes, source: str) -> _Document:
    try:
        return _Document.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "document"
        raise LibraryError(
            f"{source}: is no exported tag ({SCHEMA}): {where}: {first['msg']}; "
            "`taggram teach export` writes one"
        ) from error


def _column(tag: OwnTag, model: ModelRow) -> int | None:
    """Return the column of the model's tag of this name, or of this name for people; None if it has none."""
    for column, known in enumerate(model.specification.tags):
        if fold(tag.name) in (fold(known.name), fold(known.label)):
            return column
    return None


def _without(sample: Sample, recording_ids: set[int | None]) -> Sample:
    keep = ~np.isin(sample.recording_ids, [i for i in recording_ids if i is not None])
    return Sample(sample.recording_ids[keep], sample.scores[keep], sample.embeddings[keep])
