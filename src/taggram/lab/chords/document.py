"""An evaluation of chords on disk: document (`taggram-chord-evaluation/1`, docs/chords.md) and report.

DIR/evaluation.json          what was evaluated, how, and all figures with their intervals
DIR/report.md, report.html   the same for people
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from taggram.chords.vocabulary import VocabularyName
from taggram.lab.chords.evaluation import Judgement
from taggram.lab.datasets import Annotations, Dataset, Split
from taggram.lab.evaluation.protocol import Subject, fingerprint, list_versions
from taggram.lab.evaluation.report import Table, interval, number, write_report
from taggram.lab.evaluation.run import DOCUMENT_NAME
from taggram.lab.metrics.bootstrap import LEVEL, Interval
from taggram.lab.metrics.chords import FIGURES, Figure
from taggram.modelfile.specification import Specification

SCHEMA = "taggram-chord-evaluation/1"
_DIGITS = 6
_COLUMNS = ["Figure", "Mean over songs", "Interval", "Weighted by time", "Interval", "Songs"]


def make_document(
    specification: Specification,
    dataset: Dataset,
    annotations: Annotations,
    split: Split,
    judgements: Mapping[VocabularyName, Judgement],
    failed: Mapping[str, str],
    *,
    seed: int,
    n_replicates: int,
) -> dict[str, Any]:
    """Return the document of one evaluation.

    Parameters
    ----------
    specification
        Of the model.
    dataset, annotations, split
        What was heard.
    judgements, failed
        As `judge_recordings` gave them.
    seed, n_replicates
        Of the bootstrap behind the intervals.
    """
    songs = next(iter(judgements.values())).songs
    model = Subject(specification.name, specification.architecture, specification.weights_sha256)
    return {
        "schema": SCHEMA,
        "model": asdict(model),
        "dataset": {
            "name": dataset.name,
            "split": split,
            "task": dataset.task,
            "split_fingerprint": annotations.fingerprint(split),
            "scored_fingerprint": fingerprint([song.id for song in songs], annotations.vocabulary),
            "n_songs": len(songs),
            "seconds": _round(sum(song.result.duration for song in songs)),
            "failed_songs": dict(failed),
            "remarks": {song.id: song.result.message for song in songs if song.result.message},
        },
        "bootstrap": {"seed": seed, "n_replicates": n_replicates, "level": LEVEL, "unit": "song"},
        "vocabularies": {name: _vocabulary(judgement) for name, judgement in judgements.items()},
        "songs": [
            {
                "id": song.id,
                "duration": _round(song.result.duration),
                "tuning_cents": _round(song.result.tuning_cents),
                "figures": {
                    name: {figure: _round(judgement.songs[row].scores.values[figure]) for figure in FIGURES}
                    for name, judgement in judgements.items()
                },
            }
            for row, song in enumerate(songs)
        ],
        "versions": list_versions() | {"mir_eval": version("mir_eval")},
    }


def write_evaluation(directory: Path, document: Mapping[str, Any]) -> None:
    """Write a document and its report into `directory`, which is made if need be."""
    write_report(directory, *_report(document))
    text = json.dumps(document, allow_nan=False, indent=1)
    (directory / DOCUMENT_NAME).write_text(text + "\n", encoding="utf-8")


def figure_tables(document: Mapping[str, Any]) -> list[Table]:
    """Return a table of all figures for every vocabulary."""
    return [
        Table(f"Vocabulary {name}", _COLUMNS, list(_figure_rows(about)))
        for name, about in document["vocabularies"].items()
    ]


def _figure_rows(about: Mapping[str, Any]) -> list[list[str]]:
    rows = [
        [
            name,
            number(figure["value"]),
            interval(figure["interval"]),
            number(figure["weighted"]),
            interval(figure["weighted_interval"]),
            str(figure["n_songs"]),
        ]
        for name, figure in about["figures"].items()
    ]
    recall = about["frame_macro_recall"]
    return [*rows, ["frame macro recall", "", "", number(recall["value"]), interval(recall["interval"]), ""]]


def _report(document: Mapping[str, Any]) -> tuple[str, list[str], list[Table]]:
    model, dataset, resampling = document["model"], document["dataset"], document["bootstrap"]
    lead = [
        f"{dataset['n_songs']} songs, {dataset['seconds'] / 60:.0f} minutes, heard as `taggram chords` hears "
        f"them and compared by mir_eval; intervals hold {resampling['level']:.0%} of "
        f"{resampling['n_replicates']} resamples of the songs (seed {resampling['seed']}).",
        f"Weights {model['weights_sha256'][:12]}…, songs {dataset['scored_fingerprint'][:12]}….",
    ]
    lead += [f"Left out: {id_}: {cause}" for id_, cause in dataset["failed_songs"].items()]
    title = f"{model['name']} on {dataset['name']}, {dataset['split']}"
    return title, lead, [*figure_tables(document), _song_table(document)]


def _song_table(document: Mapping[str, Any]) -> Table:
    """Return every song under the finest vocabulary."""
    finest = list(document["vocabularies"])[-1]
    rows = [
        [song["id"], *(number(song["figures"][finest][name]) for name in FIGURES)]
        for song in document["songs"]
    ]
    return Table(f"Every song, vocabulary {finest}", ["Song", *FIGURES], rows)


def _vocabulary(judgement: Judgement) -> dict[str, Any]:
    return {
        "figures": {name: _figure(judgement.figures[name]) for name in FIGURES},
        "frame_macro_recall": {
            "value": _round(judgement.macro_recall),
            "interval": _ends(judgement.macro_recall_interval),
        },
    }


def _figure(figure: Figure) -> dict[str, Any]:
    return {
        "value": _round(figure.mean),
        "interval": _ends(figure.interval),
        "weighted": _round(figure.weighted),
        "weighted_interval": _ends(figure.weighted_interval),
        "n_songs": figure.n_songs,
    }


def _ends(of: Interval | None) -> list[float | None] | None:
    return None if of is None else [_round(of.low), _round(of.high)]


def _round(value: float) -> float | None:
    """Return what JSON can hold: what is undefined is null."""
    return None if np.isnan(value) else round(float(value), _DIGITS)
