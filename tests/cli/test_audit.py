"""`taggram audit` as a user runs it."""

import json
from pathlib import Path

import pytest

from tests.cli.test_evaluate import taggram


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    path.write_text(
        "paper,dataset,model,PR-AUC,MCC\nx,MTAT,FCN,0.4129,0.8451\nx,MTAT,b,0.45,0.40\n", encoding="utf-8"
    )
    return path


def test_text(table: Path) -> None:
    done = taggram("audit", table)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0] == "impossible (1)"
    assert lines[1].startswith("  mcc-ap         x · MTAT · FCN  MCC 0.8451 with PR-AUC 0.4129: at most 0.79")
    assert lines[1].endswith("(line 2)")
    assert lines[-1] == "4 figures: 1 impossible, 0 suspicious findings"


def test_json_and_assumptions(table: Path) -> None:
    done = taggram("audit", table, "--json", "--prevalence", "MTAT=0.5", "--ignore", "MCC")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["n_figures"] == 2
    assert [finding["rule"] for finding in document["findings"]] == ["chance", "chance"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--prevalence", "MTAT"), "expected NAME=VALUE"),
        (("--prevalence", "MTAT=7"), "between 0 and 1"),
        (("--prevalence", "MTAT=x"), "'x' is no number"),
        (("--prevalence", "MTT=0.1"), "did you mean 'MTAT'"),
        (("--column", "model=System"), "unknown column"),
    ],
)
def test_what_is_not_understood(table: Path, options: tuple[str, ...], said: str) -> None:
    done = taggram("audit", table, *options)
    assert done.returncode == 2
    assert said in done.stderr
