"""The audit: what it finds in a published table, rule by rule, and how it reads tables."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import auc, precision_recall_curve

from taggram.errors import EvaluationError, UnknownNameError
from taggram.lab.evaluation.audit import Assumptions, Finding, audit
from taggram.lab.evaluation.audit_table import Entry, parse_assignment, read_table
from taggram.lab.metrics.ranking import pr_auc


def entries(
    dataset: str = "MTAT", model: str = "FCN", source: str = "report", **values: float
) -> list[Entry]:
    return [
        Entry(line, source, dataset, model, metric, value, 1e-4)
        for line, (metric, value) in enumerate(values.items(), start=2)
    ]


def row_of(values: dict[str, float]) -> list[Entry]:
    return [entry for name, value in values.items() for entry in entries(**{name: value})]  # type: ignore[arg-type]


def rules(findings: list[Finding]) -> list[str]:
    return [finding.rule for finding in findings]


def test_a_plausible_row_is_left_alone() -> None:
    row = entries(
        roc_auc=0.9, pr_auc=0.45, ap=0.45, mcc=0.4, f1=0.42, precision=0.4, recall=0.5, accuracy=0.93
    )
    assert audit(row, Assumptions({"MTAT": 0.07})) == []


@pytest.mark.parametrize(
    ("values", "rule", "severity"),
    [
        ({"roc_auc": 91.0}, "range", "impossible"),
        ({"mcc": -1.2}, "range", "impossible"),
        ({"mcc": 0.85, "pr_auc": 0.41}, "mcc-ap", "impossible"),
        ({"f1": 0.85, "ap": 0.41}, "mcc-ap", "impossible"),
        ({"mcc": 0.96, "roc_auc": 0.91}, "mcc-roc-auc", "impossible"),
        ({"f1": 0.6, "precision": 0.5, "recall": 0.6}, "f1-mean", "impossible"),
        ({"roc_auc": 0.42}, "chance", "suspicious"),
        ({"mcc": -0.1}, "chance", "suspicious"),
        ({"pr_auc": 0.41, "ap": 0.45}, "ap-pr-auc", "suspicious"),
    ],
)
def test_rules_of_one_row(values: dict[str, float], rule: str, severity: str) -> None:
    findings = audit(row_of(values))
    assert rules(findings) == [rule]
    assert findings[0].severity == severity
    assert findings[0].where == "report · MTAT · FCN"


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"pr_auc": 0.3, "mcc": 0.69}, "mcc-prevalence"),
        ({"pr_auc": 0.05}, "chance"),
        ({"pr_auc": 0.11, "roc_auc": 0.95}, "ap-roc-auc"),
    ],
)
def test_rules_of_prevalence(values: dict[str, float], rule: str) -> None:
    assert audit(row_of(values)) == []
    findings = audit(row_of(values), Assumptions({"MTAT": 0.1}))
    assert rules(findings) == [rule]
    assert findings[0].severity == "suspicious"


def test_the_larger_of_two_areas_counts() -> None:
    assert "mcc-ap" in rules(audit(entries(mcc=0.8, pr_auc=0.41, ap=0.415)))
    assert "mcc-ap" not in rules(audit(entries(mcc=0.8, pr_auc=0.41, ap=0.45)))


def test_rounding_is_in_the_table_s_favour() -> None:
    # √0.81 = 0.9; 0.81 may have been 0.814, and 0.902 is then possible
    coarse = [Entry(2, "", "", "a", "roc_auc", 0.81, 0.01), Entry(3, "", "", "a", "mcc", 0.902, 1e-3)]
    assert audit(coarse) == []
    fine = [Entry(2, "", "", "a", "roc_auc", 0.81, 1e-4), Entry(3, "", "", "a", "mcc", 0.902, 1e-3)]
    assert rules(audit(fine)) == ["mcc-roc-auc"]


def test_rules_across_rows() -> None:
    table = [
        *entries("MTAT", "a", roc_auc=0.91, pr_auc=0.45),
        *entries("MSD", "a", roc_auc=0.91, pr_auc=0.31),
        *entries("MSD", "b", roc_auc=0.88, pr_auc=0.29),
        *entries("MSD", "c", roc_auc=0.88, pr_auc=0.29),
        *entries("msd", "B", source="other", roc_auc=0.86),
    ]
    findings = audit(table)
    assert rules(findings) == ["identical", "copied"]
    assert "MSD, MTAT" in findings[0].message
    table[-1] = entries("msd", "B", source="other", roc_auc=0.85)[0]
    assert rules(audit(table)).count("sources") == 1


def test_the_chance_of_a_coincidence() -> None:
    values = np.linspace(0.80, 0.90, 9)
    table = [entries(f"d{i}", "b", pr_auc=value)[0] for i, value in enumerate(values)]
    table += [entries("x", "a", pr_auc=0.85)[0], entries("y", "a", pr_auc=0.85)[0]]
    found = [f for f in audit(table) if f.rule == "identical" and " a" in f.where]
    assert "1 in 1,000 by chance" in found[0].message


def test_a_figure_stated_twice() -> None:
    table = [*entries(roc_auc=0.91), *entries(roc_auc=0.92)]
    assert rules(audit(table)) == ["contradiction"]
    assert audit([*entries(roc_auc=0.91), *entries(roc_auc=0.91)]) == []


def test_a_prevalence_for_no_dataset() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'MTAT'"):
        audit(entries(roc_auc=0.9), Assumptions({"MTAX": 0.1}))


@given(st.lists(st.booleans(), min_size=4, max_size=80).filter(lambda row: 3 <= sum(row) < len(row)))
def test_two_estimates_of_one_area_are_this_close(truth: list[bool]) -> None:
    y_true, y_score = np.array(truth), -np.arange(len(truth), dtype=float)
    precision, recall, _ = precision_recall_curve(y_true, y_score)
    apart = abs(auc(recall, precision) - pr_auc(y_true[:, None], y_score[:, None]).values[0])
    n_hits = int(y_true.sum())
    assert apart <= (np.log(n_hits) + 3) / (8 * n_hits) + 1e-12


def test_the_published_table(shared: Path) -> None:
    table = read_table(shared / "peers" / "published_tables.csv")
    findings = audit(table)
    impossible = [finding for finding in findings if finding.severity == "impossible"]
    # Every row of one source has an MCC that its AP does not allow; no row of the other has anything.
    assert {finding.rule for finding in impossible} == {"mcc-ap"}
    assert len(impossible) == 24
    assert all(finding.where.startswith("evaluation-report") for finding in impossible)
    identical = {finding.where.rpartition(" · ")[2] for finding in findings if finding.rule == "identical"}
    assert identical == {"CRNN", "Self-attention", "Harmonic CNN", "Short-chunk CNN"}
    other = [entry for entry in table if entry.source == "won-2020"]
    assert len(other) == 54
    assert audit(other) == []


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_wide_table(tmp_path: Path) -> None:
    table = write(
        tmp_path / "t.csv", "System,Set,ROC AUC,PR-AUC,note\nFCN,MTAT,90.05,42.95 %,x\nb,MTAT,91,-,y\n"
    )
    found = read_table(
        table, columns={"model": "System", "dataset": "Set"}, ignored=["note"], is_percent=True
    )
    assert [(e.line, e.dataset, e.model, e.metric) for e in found] == [
        (2, "MTAT", "FCN", "roc_auc"),
        (2, "MTAT", "FCN", "pr_auc"),
        (3, "MTAT", "b", "roc_auc"),
    ]
    assert [e.value for e in found] == pytest.approx([0.9005, 0.4295, 0.91])
    assert [e.unit for e in found] == pytest.approx([1e-4, 1e-4, 1e-2])


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("model,roc_auc\n", "at least one line"),
        ("model,roc_auc\na,0.9,1\n", "line 2: 3 cells under 2"),
        ("model,roc_auc\na,good\n", "line 2: 'good' is no figure"),
        ("model,roc_auc\na,.\n", "no figure"),
        ("model,speed\na,0.9\n", "what is the column 'speed'"),
        ("roc_auc\n0.9\n", "needs a column `model`"),
        ("model,metric\na,0.9\n", "needs a column `model`, and either"),
        ("model,value,roc_auc\na,1,0.9\n", "needs a column `model`, and either"),
        ("model,system,roc_auc\na,b,0.9\n", "both 'model' and 'system' look like model"),
        ("model,model,roc_auc\na,b,0.9\n", "stands twice"),
    ],
)
def test_tables_that_are_not_understood(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(EvaluationError, match=match):
        read_table(write(tmp_path / "t.csv", text))


def test_unknown_metrics_and_columns(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", "model,metric,value\na,roc_auk,0.9\n")
    with pytest.raises(UnknownNameError, match="did you mean 'roc_auc'"):
        read_table(table)
    assert read_table(table, ignored=["roc_auk"]) == []
    with pytest.raises(UnknownNameError, match="kind of column"):
        read_table(table, columns={"modell": "model"})
    with pytest.raises(UnknownNameError, match="did you mean 'model'"):
        read_table(table, columns={"model": "modell"})
    with pytest.raises(EvaluationError, match="cannot be read"):
        read_table(tmp_path / "missing.csv")


def test_assignments() -> None:
    assert parse_assignment("a = b") == ("a", "b")
    for text in ("a", "=b", "a="):
        with pytest.raises(EvaluationError, match="NAME=VALUE"):
            parse_assignment(text)
