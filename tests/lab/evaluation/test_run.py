"""Runs on disk: a round trip, the document, and files that do not belong together."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from taggram.errors import EvaluationError
from taggram.lab.evaluation.figures import choose_thresholds, compute_figures
from taggram.lab.evaluation.protocol import Evaluation
from taggram.lab.evaluation.run import extreme_clips, make_document, read_run, read_thresholds, write_run
from taggram.lab.metrics.bootstrap import draw_weights

Make = Callable[..., Evaluation]


def document_of(evaluation: Evaluation, *, with_thresholds: bool = False) -> dict[str, Any]:
    thresholds = choose_thresholds(evaluation) if with_thresholds else None
    weights = draw_weights(len(evaluation.ids), np.random.default_rng(0), n_replicates=100)
    figures = compute_figures(evaluation, weights, thresholds=thresholds)
    return make_document(evaluation, figures, seed=0, n_replicates=100)


@pytest.mark.parametrize("task", ["multi_label", "multi_class"])
def test_a_round_trip(make_evaluation: Make, folder: Path, task: str) -> None:
    evaluation = replace(make_evaluation(task=task), failed={"clip-x": "corrupt"}, uncovered=("polka",))
    write_run(folder, evaluation, document_of(evaluation))
    for path in (folder, folder / "evaluation.json"):
        found = read_run(path)
        for name in ("model", "conditions", "tags", "ids", "task", "failed", "uncovered", "versions"):
            assert getattr(found, name) == getattr(evaluation, name), name
        np.testing.assert_array_equal(found.y_true, evaluation.y_true)
        np.testing.assert_array_equal(found.y_score, evaluation.y_score)


def test_the_document_says_everything(make_evaluation: Make, folder: Path) -> None:
    evaluation = make_evaluation()
    truth = evaluation.y_true.copy()
    truth[:, 0] = False
    evaluation = replace(evaluation, y_true=truth)
    write_run(folder, evaluation, document_of(evaluation, with_thresholds=True))
    document = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    assert document["schema"] == "taggram-evaluation/1"
    assert document["figures"]["roc_auc"]["undefined"] == [evaluation.tags[0]]
    low, high = document["figures"]["roc_auc"]["interval"]
    assert low < document["figures"]["roc_auc"]["value"] < high
    assert document["tags"][0]["figures"]["roc_auc"] == {"value": None, "interval": None}
    assert document["tags"][0]["n_clips"] == 0
    assert document["thresholds"]["not_chosen"] == [evaluation.tags[0]]
    assert sum(document["calibration"]["counts"]) == truth.size
    assert document["confusion"] is None
    thresholds = read_thresholds(folder)
    assert thresholds is not None
    assert thresholds.values == pytest.approx(choose_thresholds(evaluation).values, abs=1e-6)


def test_the_document_is_the_same_every_time(make_evaluation: Make) -> None:
    assert document_of(make_evaluation()) == document_of(make_evaluation())


def test_best_and_worst_clips(make_evaluation: Make) -> None:
    best, worst = extreme_clips(make_evaluation(), 3)
    assert len(best) == len(worst) == 3
    assert best[0]["quality"] >= best[2]["quality"] > worst[2]["quality"] >= worst[0]["quality"]
    assert all(clip["true"] for clip in best + worst)
    scores = [tag["score"] for tag in best[0]["highest"]]
    assert scores == sorted(scores, reverse=True)
    best, worst = extreme_clips(make_evaluation(task="multi_class"), 3)
    assert best[0]["highest"][0]["tag"] == best[0]["true"][0]
    assert worst[0]["highest"][0]["tag"] != worst[0]["true"][0]


def test_runs_that_cannot_be_read(make_evaluation: Make, folder: Path) -> None:
    with pytest.raises(EvaluationError, match=r"taggram evaluate … --output DIR"):
        read_run(folder)
    evaluation = make_evaluation()
    write_run(folder, evaluation, document_of(evaluation))
    document = (folder / "evaluation.json").read_text(encoding="utf-8")
    (folder / "evaluation.json").write_text(
        document.replace("evaluation/1", "evaluation/9"), encoding="utf-8"
    )
    with pytest.raises(EvaluationError, match="schema taggram-evaluation/1"):
        read_run(folder)
    (folder / "evaluation.json").write_text(document, encoding="utf-8")
    (folder / "scores.npz").write_bytes(b"not a zip")
    with pytest.raises(EvaluationError, match="evaluate again"):
        read_run(folder)
    other = make_evaluation(n_clips=70)
    write_run(folder, other, json.loads(document))
    with pytest.raises(EvaluationError, match="other clips or tags"):
        read_run(folder)


def test_the_documentation_names_every_key(make_evaluation: Make) -> None:
    text = (Path(__file__).parents[3] / "docs" / "evaluation.md").read_text(encoding="utf-8")
    document = document_of(make_evaluation(), with_thresholds=True)
    keys = set(document)
    for part in ("model", "dataset", "conditions", "bootstrap", "thresholds", "calibration"):
        keys |= set(document[part])
    keys |= set(document["tags"][0]) | set(document["best_clips"][0]) | set(document["figures"]["roc_auc"])
    keys |= {name.removesuffix("_at_chosen") for name in document["figures"]}
    assert {key for key in keys if f"`{key}`" not in text} == set()
