"""Comparison: paired on the same clips, refusing what cannot be compared and saying why."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from taggram.errors import EvaluationError
from taggram.lab.evaluation.comparison import (
    Column,
    Run,
    comparison_report,
    count_wins,
    difference,
    make_columns,
    make_comparison_document,
    read_runs,
    restrict_to_common,
    tag_differences,
)
from taggram.lab.evaluation.figures import choose_thresholds, compute_figures
from taggram.lab.evaluation.protocol import Evaluation
from taggram.lab.evaluation.report import write_report
from taggram.lab.evaluation.run import make_document, write_run
from taggram.lab.metrics.bootstrap import draw_weights
from taggram.lab.metrics.ranking import roc_auc

Make = Callable[..., Evaluation]


def column_of(*evaluations: Evaluation) -> Column:
    runs = [Run(evaluation.model.name, evaluation) for evaluation in evaluations]
    (column,) = make_columns(runs, n_replicates=200)
    return column


def without(evaluation: Evaluation, *, clips: int = 0, tags: int = 0) -> Evaluation:
    """Return an evaluation without its first clips and tags."""
    return replace(
        evaluation,
        ids=evaluation.ids[clips:],
        tags=evaluation.tags[tags:],
        y_true=evaluation.y_true[clips:, tags:],
        y_score=evaluation.y_score[clips:, tags:],
    )


def test_differences_are_those_of_the_figures(make_evaluation: Make) -> None:
    a, b = make_evaluation("a", skill=0.5), make_evaluation("b", skill=3.0, seed=2)
    column = column_of(a, b)
    found = difference(column, "roc_auc", "b")
    assert found is not None
    expected = (roc_auc(b.y_true, b.y_score).macro or 0) - (roc_auc(a.y_true, a.y_score).macro or 0)
    assert found.value == pytest.approx(expected)
    assert found.is_clear
    assert found.interval.low > 0
    per_tag = tag_differences(column, "b")
    assert np.mean([d.value for d in per_tag if d]) == pytest.approx(found.value)
    assert count_wins(column) == {"a": 0, "b": 6}


def test_a_model_against_itself(make_evaluation: Make) -> None:
    a = make_evaluation("a")
    column = column_of(a, replace(a, model=replace(a.model, name="b")))
    found = difference(column, "pr_auc", "b")
    assert found is not None
    assert (found.value, found.interval.low, found.interval.high) == (0, 0, 0)
    assert count_wins(column) == {"a": 0, "b": 0}


@pytest.mark.parametrize(
    ("cut", "reason"),
    [
        ({"clips": 1}, r"only a has 1 clip \(clip-0000\)"),
        ({"clips": 9}, r"only a has 9 clips \(clip-0000, .*and 4 more\)"),
        ({"tags": 1}, r"only a has 1 tag \(rock\)"),
    ],
)
def test_other_clips_or_tags_are_refused(make_evaluation: Make, cut: dict[str, int], reason: str) -> None:
    a, b = make_evaluation("a"), without(make_evaluation("b", seed=2), **cut)
    with pytest.raises(EvaluationError, match=reason):
        column_of(a, b)
    with pytest.raises(EvaluationError, match="--common"):
        column_of(b, a)
    shared = restrict_to_common([Run("a", a), Run("b", b)])
    assert shared[0].evaluation.ids == b.ids
    assert shared[0].evaluation.tags == b.tags
    np.testing.assert_array_equal(shared[0].evaluation.y_score, without(a, **cut).y_score)
    (column,) = make_columns([Run("a", a), Run("b", b)], n_replicates=100, common=True)
    assert column.evaluation.scored_fingerprint == b.scored_fingerprint


def test_other_labels_are_refused(make_evaluation: Make) -> None:
    a, b = make_evaluation("a"), make_evaluation("b")
    changed = b.y_true.copy()
    changed[3, 0] ^= True
    with pytest.raises(EvaluationError, match="differ on what is true for 1 clips, such as clip-0003"):
        column_of(a, replace(b, y_true=changed))


def test_nothing_in_common(make_evaluation: Make) -> None:
    a = make_evaluation("a")
    others = tuple(f"other-{clip}" for clip in a.ids)
    with pytest.raises(EvaluationError, match="no clip in common"):
        restrict_to_common([Run("a", a), Run("b", replace(a, ids=others))])
    c = make_evaluation("c", task="multi_class")
    with pytest.raises(EvaluationError, match="classes cannot be left out"):
        restrict_to_common([Run("c", c), Run("d", replace(c, tags=("x", *c.tags[1:])))])


def test_means_over_different_tags_have_no_difference(make_evaluation: Make) -> None:
    a, b = make_evaluation("a"), make_evaluation("b", seed=2)
    silent = b.y_score.copy()
    silent[:, 0] = 0.0
    column = column_of(a, replace(b, y_score=silent))
    assert column.figures["b"].overall["precision"].undefined == (a.tags[0],)
    assert difference(column, "precision", "b") is None
    assert difference(column, "roc_auc", "b") is not None


def test_splits_stand_in_columns_of_their_own(make_evaluation: Make, folder: Path) -> None:
    runs = [
        Run("a", make_evaluation("a")),
        Run("b", make_evaluation("b", seed=2)),
        Run("a", replace(make_evaluation("a", n_clips=50), split="validation")),
        Run("c", replace(make_evaluation("c", task="multi_class"), dataset="classes")),
    ]
    columns = make_columns(runs, n_replicates=100)
    assert [column.title for column in columns] == ["tones, test", "tones, validation", "classes, test"]
    document = make_comparison_document(columns, seed=0, n_replicates=100)
    assert [len(column["models"]) for column in document["columns"]] == [2, 1, 1]
    assert document["columns"][0]["models"][0]["figures"]["roc_auc"]["difference"] is None
    assert set(document["columns"][0]["models"][1]["tags"]) == set(runs[0].evaluation.tags)
    write_report(folder, *comparison_report(columns))
    assert "b against a, tag by tag" in (folder / "report.md").read_text(encoding="utf-8")


def test_runs_from_disk(make_evaluation: Make, tmp_path: Path) -> None:
    for name in ("one", "two"):
        evaluation = make_evaluation("same", seed=len(name))
        thresholds = choose_thresholds(evaluation)
        weights = draw_weights(len(evaluation.ids), np.random.default_rng(0), n_replicates=100)
        figures = compute_figures(evaluation, weights, thresholds=thresholds)
        document = make_document(evaluation, figures, seed=0, n_replicates=100)
        write_run(tmp_path / name, evaluation, document)
    runs = read_runs([tmp_path / "one", tmp_path / "two" / "evaluation.json"])
    assert [run.label for run in runs] == ["same (one)", "same (two)"]
    assert all(run.thresholds for run in runs)
    (column,) = make_columns(runs, n_replicates=100)
    assert "f1_at_chosen" in column.shared_figures()
    with pytest.raises(EvaluationError, match="given twice"):
        read_runs([tmp_path / "one", tmp_path / "one"])
