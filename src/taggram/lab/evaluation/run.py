"""An evaluation on disk, and its document in the schema `taggram-evaluation/1` (docs/evaluation.md).

    DIR/evaluation.json   the document: what was evaluated, how, and all figures with their intervals
    DIR/scores.npz        ids, tags, y_true, y_score: what figures can be computed from again

`evaluation.json` is for people and programs that want figures, `scores.npz` for those that want to compare
models clip by clip. A run is read back as the same `Evaluation`.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from taggram.errors import EvaluationError
from taggram.lab.evaluation.cost import Cost
from taggram.lab.evaluation.figures import Figure, Figures, PerTag, Thresholds
from taggram.lab.evaluation.protocol import Conditions, Evaluation, Subject
from taggram.lab.metrics import bootstrap, ranking
from taggram.lab.metrics.calibration import reliability

SCHEMA = "taggram-evaluation/1"
DOCUMENT_NAME, SCORES_NAME = "evaluation.json", "scores.npz"
N_EXTREME_CLIPS = 8
_DIGITS = 6


def make_document(
    evaluation: Evaluation, figures: Figures, *, seed: int, n_replicates: int, cost: Cost | None = None
) -> dict[str, Any]:
    """Return the document of one evaluation.

    Parameters
    ----------
    evaluation, figures
        As computed.
    seed, n_replicates
        Of the bootstrap behind `figures`.
    cost
        Of the model, if it was measured.
    """
    best, worst = extreme_clips(evaluation)
    return {
        "schema": SCHEMA,
        "model": asdict(evaluation.model),
        "cost": None if cost is None else cost.to_json(),
        "dataset": {
            "name": evaluation.dataset,
            "split": evaluation.split,
            "task": evaluation.task,
            "split_fingerprint": evaluation.split_fingerprint,
            "scored_fingerprint": evaluation.scored_fingerprint,
            "n_clips": len(evaluation.ids),
            "n_tags": len(evaluation.tags),
            "uncovered_tags": list(evaluation.uncovered),
            "failed_clips": dict(evaluation.failed),
            "remarks": dict(evaluation.remarks),
        },
        "conditions": asdict(evaluation.conditions),
        "bootstrap": {"seed": seed, "n_replicates": n_replicates, "level": bootstrap.LEVEL, "unit": "clip"},
        "thresholds": _thresholds(figures),
        "figures": {name: _figure(figure) for name, figure in figures.overall.items()},
        "tags": [_tag(evaluation, figures, index) for index in range(len(evaluation.tags))],
        "confusion": None if figures.confusion is None else figures.confusion.astype(int).tolist(),
        "calibration": _calibration(evaluation),
        "best_clips": best,
        "worst_clips": worst,
        "versions": dict(evaluation.versions),
    }


def write_run(directory: Path, evaluation: Evaluation, document: Mapping[str, Any]) -> None:
    """Write document and scores into `directory`, which is made if need be."""
    directory.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        directory / SCORES_NAME,
        ids=np.array(evaluation.ids),
        tags=np.array(evaluation.tags),
        y_true=evaluation.y_true,
        y_score=evaluation.y_score,
    )
    text = json.dumps(document, allow_nan=False, indent=1)
    (directory / DOCUMENT_NAME).write_text(text + "\n", encoding="utf-8")


def read_run(path: Path) -> Evaluation:
    """Read an evaluation back from its directory, or from its document with the scores beside it.

    Raises
    ------
    EvaluationError
        If a file is missing, of another schema, or does not fit the other.
    """
    directory = path if path.is_dir() else path.parent
    document = read_document(directory / DOCUMENT_NAME)
    dataset = document["dataset"]
    try:
        with np.load(directory / SCORES_NAME, allow_pickle=False) as arrays:
            evaluation = Evaluation(
                model=Subject(**document["model"]),
                conditions=Conditions(**document["conditions"]),
                dataset=dataset["name"],
                split=dataset["split"],
                split_fingerprint=dataset["split_fingerprint"],
                task=dataset["task"],
                tags=tuple(map(str, arrays["tags"])),
                ids=tuple(map(str, arrays["ids"])),
                y_true=arrays["y_true"],
                y_score=arrays["y_score"],
                uncovered=tuple(dataset["uncovered_tags"]),
                failed=dataset["failed_clips"],
                remarks=dataset["remarks"],
                versions=document["versions"],
            )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise EvaluationError(
            f"{directory / SCORES_NAME}: the scores of this run cannot be read ({error}); evaluate again"
        ) from error
    if evaluation.scored_fingerprint != dataset["scored_fingerprint"]:
        raise EvaluationError(
            f"{directory}: {SCORES_NAME} holds other clips or tags than {DOCUMENT_NAME} says; evaluate again"
        )
    return evaluation


def read_thresholds(path: Path) -> Thresholds | None:
    """Return the thresholds that a run was evaluated at, besides 0.5; None if there were none."""
    document = read_document((path if path.is_dir() else path.parent) / DOCUMENT_NAME)
    chosen = document["thresholds"]
    if chosen is None:
        return None
    values = {tag["name"]: tag["threshold"] for tag in document["tags"]}
    return Thresholds(chosen["split"], values, tuple(chosen["not_chosen"]), chosen["criterion"])


def read_cost(path: Path) -> Cost | None:
    """Return what the model of a run costs; None if it was not measured."""
    plain = read_document((path if path.is_dir() else path.parent) / DOCUMENT_NAME).get("cost")
    return None if plain is None else Cost.from_json(plain)


def read_document(path: Path) -> dict[str, Any]:
    """Read the document of a run.

    Raises
    ------
    EvaluationError
        If the file is missing or in another schema.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EvaluationError(
            f"{path}: no evaluation can be read here ({error}); `taggram evaluate … --output DIR` writes one"
        ) from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise EvaluationError(f"{path}: not an evaluation in the schema {SCHEMA}")
    return document


def extreme_clips(
    evaluation: Evaluation, n_clips: int = N_EXTREME_CLIPS
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the best and the worst clips with their true tags and the highest scores.

    Quality is the AP ranking of a clip's tags, or the score of its true class. Clips without any tag, for
    which there is no such figure, are in neither list; equally good ones stand in the order of their ids.
    """
    if evaluation.task == "multi_class":
        quality = evaluation.y_score[np.arange(len(evaluation.ids)), evaluation.labels]
    else:
        quality = ranking.ranking_ap(evaluation.y_true, evaluation.y_score).values
    defined = np.flatnonzero(~np.isnan(quality))
    order = defined[np.argsort(-quality[defined], kind="stable")]
    n_clips = min(n_clips, len(order) // 2)
    best, worst = order[:n_clips], order[::-1][:n_clips]
    return [_clip(evaluation, c, quality[c]) for c in best], [_clip(evaluation, c, quality[c]) for c in worst]


def _clip(evaluation: Evaluation, clip: int, quality: float) -> dict[str, Any]:
    scores = evaluation.y_score[clip]
    highest = np.argsort(-scores, kind="stable")[:5]
    return {
        "id": evaluation.ids[clip],
        "quality": _round(quality),
        "true": [evaluation.tags[tag] for tag in np.flatnonzero(evaluation.y_true[clip])],
        "highest": [{"tag": evaluation.tags[tag], "score": _round(scores[tag])} for tag in highest],
    }


def _figure(figure: Figure) -> dict[str, Any]:
    return {
        "value": _round(figure.value),
        "interval": _interval(figure.interval),
        "chance": _round(figure.chance),
        "undefined": list(figure.undefined),
    }


def _tag(evaluation: Evaluation, figures: Figures, index: int) -> dict[str, Any]:
    n_clips = int(evaluation.y_true[:, index].sum())
    thresholds = figures.thresholds
    tag = evaluation.tags[index]
    return {
        "name": tag,
        "n_clips": n_clips,
        "prevalence": _round(n_clips / len(evaluation.ids)),
        "threshold": None if thresholds is None else _round(thresholds.values.get(tag, 0.5)),
        "figures": {name: _tag_figure(values, index) for name, values in figures.per_tag.items()},
    }


def _tag_figure(values: PerTag, index: int) -> dict[str, Any]:
    return {"value": _round(values.metric.at(index)), "interval": _interval(values.interval(index))}


def _thresholds(figures: Figures) -> dict[str, Any] | None:
    chosen = figures.thresholds
    if chosen is None:
        return None
    return {"split": chosen.split, "criterion": chosen.criterion, "not_chosen": list(chosen.not_chosen)}


def _calibration(evaluation: Evaluation) -> dict[str, Any]:
    found = reliability(evaluation.y_true, evaluation.y_score)
    return {
        "expected_calibration_error": _round(found.expected_calibration_error),
        "edges": [_round(edge) for edge in found.edges],
        "counts": found.counts.tolist(),
        "mean_score": [_round(value) for value in found.mean_score],
        "share_true": [_round(value) for value in found.share_true],
    }


def _interval(interval: bootstrap.Interval | None) -> list[float | None] | None:
    return None if interval is None else [_round(interval.low), _round(interval.high)]


def _round(value: float | None) -> float | None:
    """Round for JSON; what is undefined becomes null."""
    return None if value is None or np.isnan(value) else round(float(value), _DIGITS)
