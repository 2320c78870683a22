"""`taggram compare` as a user runs it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from taggram.lab.evaluation.figures import compute_figures
from taggram.lab.evaluation.protocol import Conditions, Evaluation, Subject
from taggram.lab.evaluation.run import make_document, write_run
from taggram.lab.metrics.bootstrap import draw_weights
from tests.cli.test_evaluate import taggram


def make_run(folder: Path, name: str, seed: int, *, n_clips: int = 40) -> Path:
    rng = np.random.default_rng(seed)
    y_true = np.arange(n_clips * 2).reshape(n_clips, 2) % 3 == 0
    ids = tuple(f"{clip:03}" for clip in range(n_clips))
    evaluation = Evaluation(
        Subject(name, "x", "0" * 64), Conditions(8000, 1.0, 1.0), "tones", "test", "", "multi_label",
        ("rock", "jazz"), ids, y_true, rng.random(y_true.shape) * 0.5 + 0.3 * y_true,
    )  # fmt: skip
    evaluation = replace(evaluation, split_fingerprint=evaluation.scored_fingerprint)
    figures = compute_figures(evaluation, draw_weights(n_clips, rng, n_replicates=100))
    write_run(folder / name, evaluation, make_document(evaluation, figures, seed=0, n_replicates=100))
    return folder / name


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    return make_run(tmp_path, "old", 1), make_run(tmp_path, "new", 2)


def test_compare(runs: tuple[Path, Path], tmp_path: Path) -> None:
    done = taggram("compare", *runs, "--output", tmp_path / "out", "--replicates", 100)
    assert done.returncode == 0, done.stderr
    assert "tones, test: 40 clips" in done.stdout
    assert "tags won" in done.stdout
    document = json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))
    assert document["schema"] == "taggram-comparison/1"
    assert [model["label"] for model in document["columns"][0]["models"]] == ["old", "new"]
    assert (tmp_path / "out" / "report.html").is_file()


def test_unlike_runs_are_refused_and_compared_on_what_they_share(
    runs: tuple[Path, Path], tmp_path: Path
) -> None:
    short = make_run(tmp_path, "short", 3, n_clips=30)
    done = taggram("compare", runs[0], short, "--output", tmp_path / "out")
    assert done.returncode == 2
    assert "only old has 10 clips" in done.stderr
    assert not (tmp_path / "out").exists()
    done = taggram("compare", runs[0], short, "--output", tmp_path / "out", "--common", "--replicates", 100)
    assert done.returncode == 0, done.stderr
    assert "tones, test: 30 clips" in done.stdout
