"""Transfer on 4Q and Emotify: simple classifiers on the frozen embeddings of the published checkpoints.

    python scripts/probe_published.py --shared FOLDER --heard FOLDER --output probes.json

`--shared` holds the corpus (`music/4q`, `music/emotify`). `--heard` holds what the checkpoints said about
each clip, as `scripts/train_default_model.py` stores it (`CACHE/heard/plain`).

For every task: each checkpoint alone, all embeddings side by side ("all"), and the mean answer of the single
probes ("mean"), each with logistic regression and with an SVM. Regularisation and the row to report are
chosen on validation; the classifiers are fitted on train alone. The chosen row is then fitted once more, on
train and validation together ("refit"). Intervals are 95 % percentile intervals over the clips of test.
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from taggram.lab.datasets import Annotations, Split, label_matrix, load_dataset
from taggram.lab.training.agreement import bootstrap_interval
from taggram.lab.training.probes import (
    Kind,
    LabelledSet,
    Labels,
    fit_class_probe,
    fit_label_probe,
    macro_auc,
    macro_recall,
)
from taggram.lab.training.run import describe_environment
from taggram.lab.training.shards import load_arrays
from taggram.lab.training.teachers import TEACHERS

TASKS = {
    "four_q:genres": "4q",
    "four_q:moods": "4q",
    "four_q:quadrant": "4q",
    "emotify:genre": "emotify",
}
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
N_DRAWS = 1000

Embeddings = Mapping[str, NDArray[np.float32]]
Answers = dict[Split, Labels]


def main() -> None:
    """Probe every task and write one JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--heard", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    arguments = parser.parse_args()
    results: dict[str, Any] = {"environment": describe_environment(), "tasks": {}}
    for task in arguments.tasks:
        begun = time.perf_counter()
        root = arguments.shared / "music" / TASKS[task]
        results["tasks"][task] = probe_task(task, root, arguments.heard / TASKS[task])
        results["tasks"][task]["seconds"] = round(time.perf_counter() - begun, 1)
        arguments.output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        print(json.dumps(results["tasks"][task]["chosen"]), flush=True)


def probe_task(name: str, root: Path, heard: Path) -> dict[str, Any]:
    """Return fingerprints, one row per classifier, and the row that validation chooses."""
    dataset = load_dataset(name)
    annotations = dataset.annotations(root)
    is_class = dataset.task == "multi_class"
    labels = {split: _labels(annotations, split, is_class) for split in SPLITS}
    embeddings = {split: _embeddings(annotations, split, heard) for split in SPLITS}
    measure = macro_recall if is_class else macro_auc

    @cache
    def ask(source: str, kind: Kind, refit: bool) -> Answers:
        if source == "mean":
            return _mean([ask(teacher.name, kind, refit) for teacher in TEACHERS], is_class)
        return _probe(embeddings, labels, source, kind, is_class, refit)

    def row(source: str, kind: Kind, refit: bool = False) -> dict[str, Any]:
        return _row(source, kind, measure, labels, ask(source, kind, refit))

    rows = [row(source, kind) for kind in get_args(Kind) for source in (*embeddings["test"], "mean")]
    chosen = max(rows, key=lambda one: one["validation"])
    return {
        "figure": "macro recall" if is_class else "macro ROC-AUC",
        "fingerprints": {split: annotations.fingerprint(split) for split in SPLITS},
        "n_clips": {split: len(labels[split]) for split in SPLITS},
        "n_labels": len(annotations.vocabulary),
        "chosen": chosen,
        # Its own figure on validation would say nothing: it has learned those clips.
        "refit": {**row(chosen["embedding"], chosen["classifier"], refit=True), "validation": None},
        "rows": rows,
    }


def _labels(annotations: Annotations, split: Split, is_class: bool) -> Labels:
    matrix = label_matrix(annotations.tracks[split], annotations.vocabulary)
    return matrix.argmax(axis=1) if is_class else matrix


def _embeddings(annotations: Annotations, split: Split, heard: Path) -> Embeddings:
    """Return name → mean embedding of each clip's chunks, (n_clips, embedding_dim), and all together."""
    said = [load_arrays(heard / f"{track.path.stem}.npz") for track in annotations.tracks[split]]
    embeddings = {
        teacher.name: np.stack(
            [np.asarray(arrays[f"{teacher.name}.embedding"], np.float32).mean(axis=0) for arrays in said]
        )
        for teacher in TEACHERS
    }
    return {**embeddings, "all": np.concatenate(list(embeddings.values()), axis=1)}


def _probe(
    embeddings: Mapping[Split, Embeddings],
    labels: Mapping[Split, Labels],
    source: str,
    kind: Any,
    is_class: bool,
    refit: bool,
) -> Answers:
    fit = fit_class_probe if is_class else fit_label_probe
    train, validation = (LabelledSet(embeddings[split][source], labels[split]) for split in SPLITS[:2])
    probe = fit(train, validation, kind, refit=refit)
    return {split: probe(embeddings[split][source]) for split in SPLITS[1:]}


def _mean(probes: Sequence[Answers], is_class: bool) -> Answers:
    """Return the mean standardised score, or the most frequent class, of several probes."""
    return {split: _mean_of([answers[split] for answers in probes], is_class) for split in SPLITS[1:]}


def _mean_of(own: Sequence[Labels], is_class: bool) -> Labels:
    if is_class:
        votes = np.stack([np.eye(1 + max(map(np.max, own)))[classes] for classes in own])
        return np.asarray(votes.sum(axis=0).argmax(axis=1))
    return np.asarray(np.mean([(s - s.mean(axis=0)) / s.std(axis=0) for s in own], axis=0))


def _row(
    source: str,
    kind: str,
    measure: Callable[[Labels, Labels], float],
    labels: Mapping[Split, Labels],
    said: Answers,
) -> dict[str, Any]:
    truth, answer = labels["test"], said["test"]
    low, high = bootstrap_interval(
        lambda rows: measure(truth[rows], answer[rows]),
        len(truth),
        rng=np.random.default_rng(0),
        n_draws=N_DRAWS,
    )
    return {
        "embedding": source,
        "classifier": kind,
        "validation": round(measure(labels["validation"], said["validation"]), 4),
        "test": round(measure(truth, answer), 4),
        "interval": [round(low, 4), round(high, 4)],
    }


if __name__ == "__main__":
    main()
