"""The search over shapes: on a tiny corpus that two invented teachers have heard already."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from taggram.inference.session import Session
from taggram.lab.models.lean_cnn import LeanShape
from taggram.lab.training.default_model import DefaultModelTraining, Plan
from taggram.lab.training.distillation import DistillationSettings
from taggram.lab.training.frontier import (
    CANDIDATES,
    SHIPPED,
    Candidate,
    FrontierSearch,
    Point,
    frontier,
    knee,
    settings_for,
)
from taggram.lab.training.movement import SCALES, judge_movement
from taggram.lab.training.shards import Array, save_arrays
from taggram.lab.training.teachers import GRID_LENGTH
from taggram.modelfile.reader import load_model_file

TINY = Candidate(LeanShape(width=0.1, n_mels=32, hop_length=1024, level="absolute"))
N_CHUNKS = 8


def a_point(name: str, gflop: float, spearman: float) -> Point:
    return Point(
        name=name,
        n_steps=1,
        spearman=spearman,
        top_decile_auc=0.9,
        within_song=0.5,
        spearman_by_level={"0": spearman},
        n_parameters=1,
        gflop=gflop,
        n_bytes=1,
        cpu_seconds=1.0,
        training_hours=0.1,
    )


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A corpus of ten clips a dataset; sounds and what the teachers say are in the cache."""
    folder = tmp_path_factory.mktemp("tiny")
    plan = Plan(
        music=folder / "music",
        weights=folder / "weights",
        cache=folder / "cache",
        n_variations=0,
        n_renderings=0,
        n_non_music=2,
        distillation=DistillationSettings(n_steps=2, clips_per_step=4, chunks_per_clip=2),
    )
    rng = np.random.default_rng(0)
    for dataset in ("4q", "emotify"):
        rows = [f"{n}.mp3,artist {n},{'train' if n < 4 else 'validation'}" for n in range(10)]
        (plan.music / dataset).mkdir(parents=True)
        (plan.music / dataset / "manifest.csv").write_text("\n".join(["path,artist,split", *rows]), "utf-8")
    training = DefaultModelTraining(plan)
    for clip in training.clips:
        sound = rng.normal(0, 3000, N_CHUNKS * GRID_LENGTH).astype(np.int16)
        save_arrays(plan.cache / "waveforms" / f"{clip.key}.npz", {"samples": sound})
        said: dict[str, Array] = {}
        for name, vocabulary in training.ensemble.vocabularies.items():
            said[f"{name}.scores"] = rng.uniform(0.01, 0.5, (N_CHUNKS, len(vocabulary))).astype(np.float32)
            said[f"{name}.embedding"] = rng.standard_normal((N_CHUNKS, 3)).astype(np.float16)
        save_arrays(plan.cache / "heard" / f"{clip.key}.npz", said)
    return plan


def test_a_candidate_is_trained_judged_and_kept(plan: Plan, tmp_path: Path) -> None:
    candidates = {"tiny one": TINY}
    point = FrontierSearch(plan, tmp_path, candidates).point("tiny one")
    assert (point.name, point.n_steps) == ("tiny one", 2)
    assert -1 <= point.spearman <= 1
    assert point.spearman_by_level["0"] == point.spearman != point.spearman_by_level["-20"]
    assert point.n_bytes == (tmp_path / "2_steps" / "tiny_one.onnx").stat().st_size
    assert 0 < point.cpu_seconds < 60
    assert 0 < point.gflop < 1

    session = Session(load_model_file(tmp_path / "2_steps" / "tiny_one.onnx"))
    movement = judge_movement(DefaultModelTraining(plan), session, "validation")
    assert [(found.split, found.scale) for found in movement] == [("validation", scale) for scale in SCALES]
    # The teachers say anything, so they have nothing in common; the rest is chance.
    assert abs(movement[0].between_teachers) < 0.1
    assert movement[0].ceiling < 0.5

    (tmp_path / "2_steps" / "tiny_one.pt").unlink()
    search = FrontierSearch(plan, tmp_path, {**candidates, "not tried": TINY})
    assert search.point("tiny one") == point
    assert search.points() == [point]
    assert not (tmp_path / "2_steps" / "tiny_one.pt").exists(), "it was trained again"


def test_every_candidate_differs_from_what_ships_and_is_averaged_as_long() -> None:
    full = DistillationSettings()
    common = DistillationSettings(n_steps=full.n_steps // 10)
    assert CANDIDATES[SHIPPED] == Candidate()
    assert len(set(CANDIDATES.values())) == len(CANDIDATES)
    assert settings_for(Candidate(LeanShape(n_mels=48), seed=5), common).seed == 5
    assert settings_for(Candidate(), common).averaging == pytest.approx(0.98)
    assert settings_for(Candidate(), full) == replace(full, checkpoint_every=full.n_steps // 2)


def test_frontier_leaves_out_what_another_beats() -> None:
    cheap, good, worse, dear = (
        a_point("cheap", 1, 0.80),
        a_point("good", 4, 0.89),
        a_point("worse", 5, 0.88),
        a_point("dear", 16, 0.90),
    )
    assert frontier([worse, dear, cheap, good]) == [cheap, good, dear]


def test_knee_is_where_more_cost_begins_to_buy_less() -> None:
    points = [
        a_point(f"{gflop}", gflop, spearman)
        for gflop, spearman in ((1, 0.7), (2, 0.84), (4, 0.86), (8, 0.87))
    ]
    assert knee(points).name == "2"
    assert knee(points[:2]).name == "2"
    # A straight line in the logarithm of the cost has none; what lies above it is one.
    assert knee([a_point("a", 1, 0.1), a_point("b", 10, 0.26), a_point("c", 100, 0.4)]).name == "b"
