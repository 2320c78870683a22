"""How well tags are learned from few examples: 4Q genres held out as a user's own tags.

    python scripts/measure_teach.py --shared ../shared --output docs/results/teach.md

Every genre is learned from accepted and rejected clips of the training split, drawn at random, and its
ROC-AUC is measured on the test split, whose artists are others. The embeddings are those of the model that
ships. Mean and deviation of embeddings come from the training clips alone, without their labels.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from taggram import Tagger
from taggram.lab.datasets import load_dataset
from taggram.lab.datasets._base import SPLITS, Annotations, Split
from taggram.lab.metrics.ranking import pr_auc
from taggram.library.teach import (
    CORRECTION_PENALTY,
    PENALTY,
    Quality,
    Statistics,
    cross_validate,
    fit,
    roc_auc,
    suggest,
    to_logits,
)
from taggram.modelfile.specification import Specification

DATASET = "four_q:genres"
BAR = 0.85
N_EXAMPLES = 10
PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0)
SAME_TAG = {
    "Blues": "blues",
    "Country": "country",
    "Easy Listening": "easy listening",
    "Electronic": "electronic",
    "Folk": "folk",
    "International": "world",
    "Jazz": "jazz",
    "New Age": "new age",
    "R&B": "r&b",
    "Rap": "hip-hop",
    "Reggae": "reggae",
}
"""Genre of 4Q → tag of the model that means the same."""

Rows = NDArray[np.int64]


class Clips(NamedTuple):
    """One split: embeddings (n, embedding_dim) as stored, scores (n, n_tags), labels, artists."""

    embeddings: NDArray[np.float16]
    scores: NDArray[np.float32]
    has_genre: NDArray[np.bool_]
    artists: list[str | None]


class Study:
    """The clips of all splits, and draws from the training clips."""

    def __init__(
        self, annotations: Annotations, specification: Specification, clips: dict[Split, Clips]
    ) -> None:
        self.genres = annotations.vocabulary
        self.fingerprints = {split: annotations.fingerprint(split)[:16] for split in SPLITS}
        self.tags = [tag.name for tag in specification.tags]
        self.model = f"{specification.name}, weights {specification.weights_sha256[:16]}"
        self.clips = clips
        self.train = clips["train"]
        self.statistics = Statistics.of(self.train.embeddings)

    def draw(self, genre: int, n: int, rng: np.random.Generator) -> Rows:
        """Return training clips: `n` with the genre, or as many as there are, and `n` without."""
        has = self.train.has_genre[:, genre]
        return np.concatenate([rng.permutation(np.flatnonzero(kind))[:n] for kind in (has, ~has)])

    def value(
        self, genre: int, rows: Rows, split: Split, penalty: float | None = None, tag: int | None = None
    ) -> float:
        """Return the ROC-AUC on a split of a classifier that learned from training clips."""
        return roc_auc(*self.answers(genre, rows, split, penalty, tag))

    def answers(
        self, genre: int, rows: Rows, split: Split, penalty: float | None = None, tag: int | None = None
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Return which clips of a split have the genre, and the logits of a classifier of training clips.

        With `tag`, the classifier corrects that tag of the model.
        """
        told = None if tag is None else to_logits(self.train.scores[rows, tag])
        classifier = fit(
            self.train.embeddings[rows],
            self.train.has_genre[rows, genre],
            self.statistics,
            model_logits=told,
            penalty=penalty,
        )
        clips = self.clips[split]
        told = None if tag is None else to_logits(clips.scores[:, tag])
        return clips.has_genre[:, genre], classifier.logits(clips.embeddings, told)

    def every(self, what: Callable[[int, np.random.Generator], float], n_draws: int) -> NDArray[np.float64]:
        """Return `what(genre, rng)` for every genre and draw, shape (n_genres, n_draws)."""
        return np.array(
            [
                [what(g, np.random.default_rng((g, d))) for d in range(n_draws)]
                for g in range(len(self.genres))
            ]
        )

    def active(
        self, genre: int, rng: np.random.Generator, *, n: int, by_suggestion: bool
    ) -> tuple[float, float, float]:
        """Begin with five and five clips and label `n` more.

        Returns
        -------
        ROC-AUC and PR-AUC on test, and the share of the `n` clips that have the genre.
        """
        rows = self.draw(genre, 5, rng)
        while len(rows) < 10 + n:
            others = np.setdiff1d(np.arange(len(self.train.embeddings)), rows)
            if by_suggestion:
                known = self.train.embeddings[rows], self.train.has_genre[rows, genre]
                logits = fit(*known, self.statistics).logits(self.train.embeddings[others])
                others = others[suggest(logits, self.train.embeddings[others], 5, self.statistics)]
            else:
                others = rng.permutation(others)[:5]
            rows = np.concatenate([rows, others])
        truth, logits = self.answers(genre, rows, "test")
        ranking = pr_auc(truth[:, None], logits[:, None].astype(np.float64)).values[0]
        return roc_auc(truth, logits), float(ranking), float(self.train.has_genre[rows[-n:], genre].mean())

    def quality(self, genre: int, rng: np.random.Generator) -> Quality:
        """Return what the program says about a tag of `N_EXAMPLES` and `N_EXAMPLES` examples."""
        rows = self.draw(genre, N_EXAMPLES, rng)
        return cross_validate(
            self.train.embeddings[rows],
            self.train.has_genre[rows, genre],
            self.statistics,
            artists=[self.train.artists[row] for row in rows],
        )


def read_study(shared: Path) -> Study:
    """Tag all clips with the model that ships."""
    annotations = load_dataset(DATASET).annotations(shared / "music" / "4q")
    with Tagger.load() as tagger:
        clips = {split: _tag(tagger, annotations, split) for split in SPLITS}
        return Study(annotations, tagger.specification, clips)


def _tag(tagger: Tagger, annotations: Annotations, split: Split) -> Clips:
    tracks = annotations.tracks[split]
    results = list(tagger.tag_many([track.path for track in tracks]))
    if bad := [result.path for result in results if not result.outcome.has_tags]:
        raise SystemExit(f"not tagged: {bad}")
    return Clips(
        np.stack([result.embedding for result in results]).astype(np.float16),
        np.stack([result.clip_scores for result in results]),
        np.array([[genre in track.labels for genre in annotations.vocabulary] for track in tracks]),
        [track.artist for track in tracks],
    )


def report(study: Study, n_draws: int) -> Iterator[str]:
    """Yield the lines of the page."""
    n_train = len(study.train.embeddings)
    everything = np.arange(n_train)
    n_positive = study.train.has_genre.sum(axis=0)
    few = study.every(lambda g, rng: study.value(g, study.draw(g, N_EXAMPLES, rng), "test"), n_draws)
    full = np.array([study.value(g, everything, "test") for g in range(len(study.genres))])
    mean_few, mean_full = few.mean(), full.mean()
    ratio = mean_few / mean_full
    yield from (
        "# Own tags from few examples",
        "",
        "Written by `python scripts/measure_teach.py`. The genres of 4Q stand for a user's own tags: each is",
        f"learned from {N_EXAMPLES} accepted and {N_EXAMPLES} rejected clips (or as many as there are) of",
        f"the training split, drawn {n_draws} times at random, on the embeddings of the model that ships",
        f"({study.model}). ROC-AUC is measured on the test split; no artist is on both sides.",
        "Split fingerprints: "
        + ", ".join(f"{split} `{study.fingerprints[split]}`" for split in SPLITS)
        + ".",
        "",
        f"**{mean_few:.3f}** from few examples, **{mean_full:.3f}** from all {n_train}: "
        f"**{ratio:.1%}**, mean over {len(study.genres)} genres; the bar is {BAR:.0%}: "
        f"{'met' if ratio >= BAR else 'missed'}. "
        f"{int((few.mean(axis=1) / full >= BAR).sum())} of {len(study.genres)} genres reach it on their own.",
        "",
        "| genre | clips with it: train, test | few: mean | worst … best draw | all | few / all |",
        "|---|--:|--:|--:|--:|--:|",
    )
    for g, genre in enumerate(study.genres):
        yield (
            f"| {genre} | {n_positive[g]}, {study.clips['test'].has_genre[:, g].sum()} | {few[g].mean():.3f} "
            f"| {few[g].min():.3f} … {few[g].max():.3f} | {full[g]:.3f} | {few[g].mean() / full[g]:.1%} |"
        )
    yield (
        f"| **mean** | | **{mean_few:.3f}** | {few.min(axis=1).mean():.3f} … {few.max(axis=1).mean():.3f} "
        f"| **{mean_full:.3f}** | **{ratio:.1%}** |"
    )
    yield from (
        "",
        "A genre with few clips in test has a rough figure: one clip more or less moves it far.",
        "",
    )
    yield from _penalties(study, n_draws)
    yield from _growth(study, n_draws)
    yield from _corrections(study, n_draws)
    yield from _honesty(study, n_draws, few)
    yield from _speed(study)


def _penalties(study: Study, n_draws: int) -> Iterator[str]:
    yield from (
        "## The penalty",
        "",
        f"Chosen on validation, not on test: {PENALTY:g} for new tags, {CORRECTION_PENALTY:g} for "
        "corrections. The table is of validation.",
        "",
        "| penalty | few | all | corrections |",
        "|--:|--:|--:|--:|",
    )
    everything = np.arange(len(study.train.embeddings))
    for penalty in PENALTIES:

        def few(g: int, rng: np.random.Generator, penalty: float = penalty) -> float:
            return study.value(g, study.draw(g, N_EXAMPLES, rng), "validation", penalty)

        full = [study.value(g, everything, "validation", penalty) for g in range(len(study.genres))]
        corrected = _corrected(study, n_draws, "validation", penalty)
        yield (
            f"| {penalty:g} | {study.every(few, n_draws).mean():.3f} | {np.mean(full):.3f} "
            f"| {corrected.mean():.3f} |"
        )
    yield ""


def _growth(study: Study, n_draws: int) -> Iterator[str]:
    yield from (
        "## What to label next",
        "",
        "Begun with five and five clips; then more are labelled, five at a time: suggested or random ones.",
        "Mean ROC-AUC and PR-AUC over the genres, and how many of the clips that were labelled have the "
        "genre. Where the columns agree to a hundredth, suggestions are no better than chance.",
        "",
        "| labelled in all | ROC-AUC: suggested | at random | PR-AUC: suggested | at random "
        "| with the genre: suggested | at random |",
        "|--:|--:|--:|--:|--:|--:|--:|",
    )
    for n in (10, 20, 40):
        cells: dict[bool, list[str]] = {}
        for by_suggestion in (True, False):
            found = [
                study.active(g, np.random.default_rng((g, d)), n=n, by_suggestion=by_suggestion)
                for g in range(len(study.genres))
                for d in range(max(1, n_draws // 2))
            ]
            roc, ranking, share = np.mean(found, axis=0)
            cells[by_suggestion] = [f"{roc:.3f}", f"{ranking:.3f}", f"{share:.0%}"]
        pairs = zip(cells[True], cells[False], strict=True)
        yield f"| {10 + n} | " + " | ".join(cell for pair in pairs for cell in pair) + " |"
    yield from (
        "",
        "Here a genre is not rare. Of a tag that one track in a thousand has, random clips would have none.",
        "",
    )


def _corrections(study: Study, n_draws: int) -> Iterator[str]:
    yield from (
        "## Corrections of the model's tags",
        "",
        f"The {len(SAME_TAG)} genres that the model has as tags, corrected with {N_EXAMPLES} and "
        f"{N_EXAMPLES} clips:",
        "",
        "| genre | tag | the model | corrected | learned from nothing |",
        "|---|---|--:|--:|--:|",
    )
    corrected = _corrected(study, n_draws, "test", None)
    test, means = study.clips["test"], []
    for row, (genre, tag) in enumerate(SAME_TAG.items()):
        g = study.genres.index(genre)
        model = roc_auc(test.has_genre[:, g], test.scores[:, study.tags.index(tag)])
        new = np.mean(
            [
                study.value(g, study.draw(g, N_EXAMPLES, np.random.default_rng((g, d))), "test")
                for d in range(n_draws)
            ]
        )
        means.append((model, corrected[row].mean(), new))
        yield f"| {genre} | {tag} | {model:.3f} | {corrected[row].mean():.3f} | {new:.3f} |"
    yield "| **mean** | | " + " | ".join(f"**{value:.3f}**" for value in np.array(means).mean(axis=0)) + " |"
    yield ""


def _corrected(study: Study, n_draws: int, split: Split, penalty: float | None) -> NDArray[np.float64]:
    def value(genre: str, tag: str, draw: int) -> float:
        g = study.genres.index(genre)
        rows = study.draw(g, N_EXAMPLES, np.random.default_rng((g, draw)))
        return study.value(g, rows, split, penalty, study.tags.index(tag))

    return np.array([[value(*pair, draw) for draw in range(n_draws)] for pair in SAME_TAG.items()])


def _honesty(study: Study, n_draws: int, few: NDArray[np.float64]) -> Iterator[str]:
    """Compare what the program says of a tag with what came of it; draws are those of `few`."""
    said = [
        [study.quality(g, np.random.default_rng((g, d))) for d in range(n_draws)]
        for g in range(len(study.genres))
    ]
    values = np.array([[quality.roc_auc or np.nan for quality in row] for row in said])
    trusted = np.array([[quality.is_trustworthy for quality in row] for row in said])
    covered = [
        quality.interval[0] <= came <= quality.interval[1]
        for row, came_row in zip(said, few, strict=True)
        for quality, came in zip(row, came_row, strict=True)
        if quality.interval
    ]
    yield from (
        "## Is the quality that it states true?",
        "",
        "Cross-validated on the 20 examples, artists held out together, beside what came of it on test:",
        "",
        f"- on the mean it says {np.nanmean(values):.3f}, and {mean(few):.3f} comes;",
        f"- its 90 % interval holds the figure on test in {np.mean(covered):.0%} of cases;",
        f"- it warns in {1 - trusted.mean():.0%} of cases: of tags with a warning the mean on test is "
        f"{mean(few[~trusted]):.3f}, of tags without {mean(few[trusted]):.3f}.",
        "",
    )


def _speed(study: Study) -> Iterator[str]:
    rows = study.draw(0, N_EXAMPLES, np.random.default_rng(0))
    rows_all = np.arange(len(study.train.embeddings))
    times = []
    for chosen in (rows, rows_all):
        begun = time.perf_counter()
        arguments = study.train.embeddings[chosen], study.train.has_genre[chosen, 0], study.statistics
        fit(*arguments)
        fitted = time.perf_counter()
        cross_validate(*arguments)
        times += [fitted - begun, time.perf_counter() - fitted]
    yield from (
        "## Time",
        "",
        f"{len(rows)} examples: learned in {times[0] * 1000:.1f} ms, checked in {times[1] * 1000:.1f} ms; "
        f"{len(rows_all)} examples: {times[2] * 1000:.1f} ms and {times[3] * 1000:.1f} ms, on one core.",
    )


def mean(values: NDArray[np.float64]) -> float:
    """Return the mean; NaN of nothing, without a warning."""
    return float(values.mean()) if values.size else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shared", type=Path, required=True, help="folder with music/4q")
    parser.add_argument("--output", type=Path, required=True, help="page to write")
    parser.add_argument("--draws", type=int, default=20, help="random draws of examples per genre")
    options = parser.parse_args()
    lines = list(report(read_study(options.shared), options.draws))
    options.output.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
