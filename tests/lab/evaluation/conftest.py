"""Evaluations with known truth, multi-label and multi-class."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from taggram.lab.evaluation.protocol import Conditions, Evaluation, Subject, fingerprint

MakeEvaluation = Callable[..., Evaluation]
TAGS = ("rock", "piano", "happy", "female vocals", "jazz", "90s")


@pytest.fixture
def make_evaluation() -> MakeEvaluation:
    """Make an evaluation: make(name, skill=…, seed=…, task=…, n_clips=…); truth depends on n_clips only."""

    def make(
        name: str = "model",
        *,
        skill: float = 1.5,
        seed: int = 1,
        task: str = "multi_label",
        n_clips: int = 80,
        tags: tuple[str, ...] = TAGS,
    ) -> Evaluation:
        truth_rng, rng = np.random.default_rng(n_clips), np.random.default_rng(seed)
        if task == "multi_class":
            y_true = np.eye(len(tags), dtype=bool)[truth_rng.integers(0, len(tags), n_clips)]
            scores = np.exp(skill * y_true + rng.normal(size=y_true.shape))
            scores /= scores.sum(axis=1, keepdims=True)
        else:
            y_true = truth_rng.random((n_clips, len(tags))) < np.linspace(0.1, 0.5, len(tags))
            scores = 1 / (1 + np.exp(1.5 - skill * y_true - rng.normal(size=y_true.shape)))
        ids = tuple(f"clip-{index:04}" for index in range(n_clips))
        return Evaluation(
            model=Subject(name, "three_bands", "ab" * 32),
            conditions=Conditions(8000, 1.0, 1.0, tag_mapping={"rock": ["Rock"]}),
            dataset="tones",
            split="test",
            split_fingerprint=fingerprint(ids, tags),
            task=task,  # type: ignore[arg-type]
            tags=tags,
            ids=ids,
            y_true=y_true,
            y_score=scores,
            versions={"taggram": "0"},
        )

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory for results."""
    return tmp_path / "run"
