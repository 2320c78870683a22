"""Look for file tags that the sound contradicts, for likely missing ones, and for several spellings of one.

A score of 0.3 is much for one tag and little for another, so that files are compared with each other, not
with a fixed number. A word is judged only if the library shows that the model knows it: at least
`min_files` files carry it, and the model puts a file that carries it above one that does not in at least
`min_auc` of all pairs (the ROC-AUC of the word in this library). Then a file

- that carries the word is contradicted if it is among the quarter of its kind that sound least like it,
  lies on the other side of the score that best divides files with and without the word (Youden, "Index for
  rating diagnostic tests", Cancer 3, 1950), and something else is heard in it;
- that does not carry it may lack it if it sounds more like it than half of the files that do.

Both are suggestions for a person. Words that are not judged are listed with the reason.

Conventions: scores lie in [0, 1]; `rank` is the share of the files with the word that score lower, in
[0, 1].
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from taggram.inference.result import TagScore
from taggram.library.file_tags.plan import Change
from taggram.library.store import Library
from taggram.library.taxonomy import Proposal, Rule, Taxonomy
from taggram.library.tracks import ModelRow
from taggram.modelfile.specification import Specification

MIN_FILES = 5
MIN_AUC = 0.7
_HIGHEST_CONTRADICTED = 0.25  # rank
_LEAST_MISSING = 0.5


@dataclass(frozen=True)
class Finding:
    """One tag of one file that is doubtful.

    Attributes
    ----------
    kind
        "contradicted": the file carries the word; "missing": it does not.
    file, field, value
        Where, and the word as it is spelled in the file, or mostly in the library.
    score
        What the model gives the word in this file.
    rank
        Share of the files with the word that score lower.
    heard
        What else is heard, for a contradiction.
    """

    kind: Literal["contradicted", "missing"]
    file: Path
    field: str
    value: str
    score: float
    rank: float
    heard: tuple[Proposal, ...] = ()


@dataclass(frozen=True)
class Spellings:
    """One word that stands in the files in several spellings.

    Attributes
    ----------
    field
        Where.
    counts
        Spelling → number of files, the most frequent first.
    preferred
        The spelling of the whitelist, or else the most frequent one.
    """

    field: str
    counts: Mapping[str, int]
    preferred: str


@dataclass(frozen=True)
class Unjudged:
    """A word of the files that was not judged, the number of files that carry it, and why."""

    field: str
    value: str
    n_files: int
    why: str


@dataclass(frozen=True)
class Audit:
    """What was found; counts are of files that the model has heard."""

    n_files: int
    findings: tuple[Finding, ...]
    spellings: tuple[Spellings, ...]
    unjudged: tuple[Unjudged, ...]


@dataclass(frozen=True)
class _Tracks:
    """The files that a model has heard: paths, file tags and scores, row by row.

    Attributes
    ----------
    scores : shape (n_files, n_tags)
    """

    paths: list[Path]
    fields: list[Mapping[str, tuple[str, ...]]]
    scores: NDArray[np.float32] = field(repr=False)


def audit_library(
    library: Library,
    model: ModelRow,
    taxonomy: Taxonomy,
    *,
    min_files: int = MIN_FILES,
    min_auc: float = MIN_AUC,
) -> Audit:
    """Compare the file tags of a library, as found when it was last read, with what `model` heard.

    Parameters
    ----------
    library, model
        Whose files, and whose ears.
    taxonomy
        What the model's tags are called in the files.
    min_files, min_auc
        See the head of the module.
    """
    tracks = _read_tracks(library, model)
    findings: list[Finding] = []
    spellings: list[Spellings] = []
    unjudged: list[Unjudged] = []
    for rule in taxonomy.rules:
        words = _Words(rule, model.specification, tracks)
        spellings += words.spellings()
        for key in words.keys():  # noqa: SIM118  # a method of ours
            why = words.why_unjudged(key, min_files, min_auc)
            if why:
                unjudged.append(Unjudged(rule.name, words.spell(key), words.n_files(key), why))
            else:
                findings += words.judge(key)
    findings.sort(key=_doubt)
    return Audit(len(tracks.paths), tuple(findings), tuple(spellings), tuple(unjudged))


def _doubt(finding: Finding) -> tuple[str, float]:
    """Sort contradictions before what is missing, and the clearest first.

    A contradiction is clearest where least of the word is heard beside what is heard instead: of 706 clips of
    the 4Q set with 50 to 64 genres put wrong on purpose, in four draws, 37 of the first 40 were such; by rank
    alone, 25.
    """
    if finding.kind == "contradicted":
        return finding.kind, finding.score / max(finding.heard[0].score, 1e-9)
    return finding.kind, -finding.rank


def plan_spellings(library: Library, found: Iterable[Spellings]) -> Iterator[Change]:
    """Yield the changes that give every word its preferred spelling, as lines of a plan."""
    other = {
        (spellings.field, value): spellings.preferred
        for spellings in found
        for value in spellings.counts
        if value != spellings.preferred
    }
    names = {name for name, _ in other}
    for file in library.files():
        for name in sorted(names & file.fields.keys()):
            before = file.fields[name]
            after = tuple(dict.fromkeys(other.get((name, value), value) for value in before))
            if after != before:
                yield Change(file.path, name, before, after, "one spelling for one word")


class _Words:
    """The words of one field: which files carry them, and how much each file sounds like them."""

    def __init__(self, rule: Rule, specification: Specification, tracks: _Tracks) -> None:
        self._rule = rule
        self._tracks = tracks
        self._specification = specification
        self._thresholds = {t.name: t.threshold for t in specification.tags if t.threshold is not None}
        self._columns = _columns_by_word(rule, specification)
        self._counts: dict[str, Counter[str]] = {}
        self._explicit: dict[str, set[int]] = {}
        self._carriers: dict[str, set[int]] = {}  # a file with "techno" carries what lies above, too
        for row, fields in enumerate(tracks.fields):
            for value in fields.get(rule.name, ()):
                key = rule.normal_form(value)
                self._counts.setdefault(key, Counter())[value] += 1
                self._explicit.setdefault(key, set()).add(row)
                for implied in {key} | rule.implies(value):
                    self._carriers.setdefault(implied, set()).add(row)

    def keys(self) -> list[str]:
        """Return the words that stand in files, by number of files."""
        return sorted(self._explicit, key=lambda key: (-self.n_files(key), key))

    def n_files(self, key: str) -> int:
        return len(self._explicit[key])

    def spell(self, key: str) -> str:
        """Return how the whitelist spells a word, or else most files."""
        if key in self._rule.whitelist:
            return self._rule.spell(key, key)
        return self._counts[key].most_common(1)[0][0]

    def spellings(self) -> list[Spellings]:
        return [
            Spellings(self._rule.name, dict(self._counts[key].most_common()), self.spell(key))
            for key in self.keys()
            if len(self._counts[key]) > 1 or set(self._counts[key]) != {self.spell(key)}
        ]

    def why_unjudged(self, key: str, min_files: int, min_auc: float) -> str:
        """Return why a word cannot be judged; nothing if it can."""
        if key not in self._columns:
            return "the model has no tag for it"
        inside, outside = self._divide(key)
        if min(len(inside), len(outside)) < min_files:
            return f"{len(inside)} files with it and {len(outside)} without; {min_files} of either are needed"
        scores = self._scores(key)
        auc = float(_ranks(scores[inside], scores[outside]).mean())
        if auc < min_auc:
            return f"the model does not know it as it is used here (ROC-AUC {auc:.2f})"
        return ""

    def judge(self, key: str) -> Iterator[Finding]:
        scores, (inside, outside) = self._scores(key), self._divide(key)
        explicit = sorted(self._explicit[key])
        cut = _best_cut(scores[inside], scores[outside])
        for row, rank in zip(explicit, _ranks(scores[explicit], scores[inside]), strict=True):
            if (
                rank < _HIGHEST_CONTRADICTED
                and scores[row] < cut
                and (heard := self._heard_instead(row, key))
            ):
                yield self._finding("contradicted", row, key, scores[row], rank, heard)
        for row, rank in zip(outside, _ranks(scores[outside], scores[inside]), strict=True):
            if rank > _LEAST_MISSING and scores[row] >= self._least_score(key):
                yield self._finding("missing", row, key, scores[row], rank)

    def _finding(
        self,
        kind: Literal["contradicted", "missing"],
        row: int,
        key: str,
        score: float,
        rank: float,
        heard: tuple[Proposal, ...] = (),
    ) -> Finding:
        values = self._tracks.fields[row].get(self._rule.name, ())
        value = next((value for value in values if self._rule.normal_form(value) == key), self.spell(key))
        return Finding(
            kind, self._tracks.paths[row], self._rule.name, value, float(score), float(rank), heard
        )

    def _scores(self, key: str) -> NDArray[np.float32]:
        """Return, shape (n_files,), the score of the strongest tag that speaks for a word."""
        scores: NDArray[np.float32] = self._tracks.scores[:, self._columns[key]].max(axis=1)
        return scores

    def _least_score(self, key: str) -> float:
        names = [self._specification.tags[column].name for column in self._columns[key]]
        return min(self._rule.least_score(name, self._thresholds) for name in names)

    def _divide(self, key: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows of the files that carry a word, and of those that do not."""
        inside = np.array(sorted(self._carriers[key]), np.int64)
        return inside, np.setdiff1d(np.arange(len(self._tracks.paths)), inside)

    def _heard_instead(self, row: int, key: str) -> tuple[Proposal, ...]:
        """Return what is heard in a file and has nothing to do with a word."""
        tags = [
            TagScore(tag.name, tag.category, float(score), tag.display_name)
            for tag, score in zip(self._specification.tags, self._tracks.scores[row], strict=True)
        ]
        proposals = self._rule.propose(tags, self._thresholds)
        return tuple(p for p in proposals if key not in self._rule.implies(p.sources[0].tag))


def _columns_by_word(rule: Rule, specification: Specification) -> dict[str, list[int]]:
    """Return normal form → columns of the tags that speak for it."""
    columns: dict[str, list[int]] = {}
    for column, tag in enumerate(specification.tags):
        score = TagScore(tag.name, tag.category, 0.0, tag.display_name)
        if rule.takes(score):
            for key in rule.implies(rule.word(score)):
                columns.setdefault(key, []).append(column)
    return columns


def _ranks(scores: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the share of `others` below each score, equal ones by half; the mean is the ROC-AUC."""
    others = np.sort(others)
    below = np.searchsorted(others, scores, "left") + np.searchsorted(others, scores, "right")
    return np.asarray(below / (2 * len(others)), np.float64)


def _best_cut(inside: NDArray[np.float32], outside: NDArray[np.float32]) -> float:
    """Return the score at which the shares of both that reach it differ most."""
    cuts = np.unique(inside)
    missed = np.searchsorted(np.sort(inside), cuts) / len(inside)
    kept_out = np.searchsorted(np.sort(outside), cuts) / len(outside)
    return float(cuts[np.argmax(kept_out - missed)])


def _read_tracks(library: Library, model: ModelRow) -> _Tracks:
    ids, scores = library.scores(model)
    row_of = {int(recording_id): row for row, recording_id in enumerate(ids)}
    files = [file for file in library.files() if file.recording_id in row_of]
    rows = [row_of[file.recording_id] for file in files if file.recording_id is not None]
    return _Tracks([f.path for f in files], [f.fields for f in files], scores[rows])
