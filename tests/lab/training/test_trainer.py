"""A run learns, resumes as if it had not been stopped, and follows its schedule."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from taggram.errors import RecipeError, UnknownNameError
from taggram.lab.metrics.ranking import roc_auc
from taggram.lab.training.batches import Epochs
from taggram.lab.training.processes import join_processes
from taggram.lab.training.recipe import Recipe
from taggram.lab.training.run import RunFolder
from taggram.lab.training.trainer import Trainer, predict, score_loss
from tests.conftest import ROOT
from tests.lab.training.small import SmallNetwork, make_clips


def recipe_of(**changes: Any) -> Recipe:
    schedule = {"name": "cosine", "epochs": 6, "learning_rate": 0.02}
    plain = {
        "dataset": "tones",
        "model": "small",
        "batch_size": 8,
        "chunks_per_clip": 2,
        "schedule": schedule,
    }
    return Recipe.parse(plain | changes, source="test")


def train_in(folder: Path, recipe: Recipe, *, stop_after: int | None = None) -> dict[str, torch.Tensor]:
    """Train; stop with an exception behind some epoch, as a kill would."""
    torch.manual_seed(recipe.seed)
    model = SmallNetwork()

    def report(figures: dict[str, Any]) -> None:
        if figures["epoch"] == stop_after:
            raise KeyboardInterrupt

    run = RunFolder(folder)
    run.begin(recipe, {}, resume=True)
    multi_class = "class" in recipe.dataset
    task = "multi_class" if multi_class else "multi_label"
    # An odd number for validation, which two processes cannot halve.
    training, validation = (make_clips(n, n, multi_class=multi_class) for n in (40, 41))
    Trainer(model, recipe, task, training, validation, run, report).run()  # type: ignore[arg-type]
    return model.state_dict()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"unit": "song"},
        {"balance": "loss"},
        {"balance": "sampling"},
        {"mixing": 0.5},
        {"augmentations": [{"name": "gain"}, {"name": "white_noise", "probability": 0.2}]},
        {"augmentations": [{"name": "mixing", "options": {"max_db": -6.0}, "probability": 0.3}]},
        {"dataset": "class"},
        {"dataset": "class", "unit": "song", "balance": "loss"},
        {"precision": "bfloat16"},
        {"schedule": {"name": "tutorial", "epochs": 8}},
        {"schedule": {"name": "published", "epochs": 12, "learning_rate": 0.01}},
    ],
    ids=str,
)
def test_every_kind_of_training_learns(tmp_path: Path, changes: dict[str, Any]) -> None:
    recipe = recipe_of(**changes)
    model = SmallNetwork()
    model.load_state_dict(train_in(tmp_path, recipe))
    multi_class = "class" in recipe.dataset
    test = make_clips(60, 3, multi_class=multi_class)
    task = "multi_class" if multi_class else "multi_label"
    scores = predict(model, test, task, hop_length=2000)  # type: ignore[arg-type]
    if multi_class:
        np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)
    assert (roc_auc(test.labels, scores.astype(np.float64)).macro or 0) > 0.9
    lines = [json.loads(line) for line in (tmp_path / "epochs.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == list(range(len(lines)))
    assert lines[-1]["validation_loss"] < lines[0]["validation_loss"]
    assert {"data", "forward", "backward", "seconds"} <= set(lines[0]["time"])


@pytest.mark.parametrize("schedule", ["cosine", "published"])
@pytest.mark.parametrize("stop_after", [0, 2, 4])
def test_a_stopped_run_ends_like_an_unbroken_one(tmp_path: Path, schedule: str, stop_after: int) -> None:
    recipe = recipe_of(schedule={"name": schedule, "epochs": 6, "learning_rate": 0.02}, mixing=0.3)
    unbroken = train_in(tmp_path / "unbroken", recipe)
    with pytest.raises(KeyboardInterrupt):
        train_in(tmp_path / "broken", recipe, stop_after=stop_after)
    resumed = train_in(tmp_path / "broken", recipe)
    for name, tensor in unbroken.items():
        torch.testing.assert_close(resumed[name], tensor, rtol=0, atol=0, msg=name)
    lines = [(tmp_path / f / "epochs.jsonl").read_text().splitlines() for f in ("unbroken", "broken")]
    assert [json.loads(line)["validation_loss"] for line in lines[0]] == [
        json.loads(line)["validation_loss"] for line in lines[1]
    ]


def test_another_seed_gives_another_result(tmp_path: Path) -> None:
    first, second = (train_in(tmp_path / str(seed), recipe_of(seed=seed)) for seed in (0, 1))
    assert not torch.equal(first["head.weight"], second["head.weight"])


SCRIPT = """
import sys, torch
torch.set_num_threads(1)
from pathlib import Path
from tests.lab.training.test_trainer import recipe_of, train_in
if "RANK" in __import__("os").environ:
    torch.distributed.init_process_group("gloo")
schedule = {"name": "cosine", "epochs": 40, "learning_rate": 0.02}
torch.save(train_in(Path(sys.argv[1]), recipe_of(schedule=schedule)), sys.argv[2])
"""


def run_script(*arguments: Path, **environment: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", SCRIPT, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stderr=subprocess.PIPE)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Work that is split among threads is summed in another order, and the last bits differ."""
    torch.set_num_threads(1)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_run_ends_like_an_unbroken_one(tmp_path: Path) -> None:
    unbroken = run_script(tmp_path / "unbroken", tmp_path / "unbroken.pt")
    broken = run_script(tmp_path / "broken", tmp_path / "broken.pt")
    deadline = time.monotonic() + 120
    while not (tmp_path / "broken" / "best.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
    broken.send_signal(signal.SIGKILL)
    broken.communicate()
    assert not (tmp_path / "broken.pt").exists(), "the run was over before it was killed"
    _, errors = run_script(tmp_path / "broken", tmp_path / "broken.pt").communicate(timeout=120)
    assert (tmp_path / "broken.pt").exists(), errors.decode()
    unbroken.communicate(timeout=120)
    states = [torch.load(tmp_path / f"{name}.pt", weights_only=True) for name in ("unbroken", "broken")]
    for name, tensor in states[0].items():
        torch.testing.assert_close(states[1][name], tensor, rtol=0, atol=0, msg=name)


def test_two_processes_agree_with_each_other(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    here = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    processes = [
        run_script(tmp_path / "run", tmp_path / f"{rank}.pt", RANK=str(rank), **here) for rank in (0, 1)
    ]
    errors = [process.communicate(timeout=120)[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], "\n".join(errors)
    states = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    for name, tensor in states[0].items():
        torch.testing.assert_close(states[1][name], tensor, rtol=0, atol=0, msg=name)
    lines = (tmp_path / "run" / "epochs.jsonl").read_text().splitlines()
    best = min(json.loads(line)["validation_loss"] for line in lines)
    assert validation_loss_of(states[0]) == pytest.approx(best, rel=1e-5), (
        "what two scored is what one scores"
    )


def validation_loss_of(state: dict[str, torch.Tensor]) -> float:
    model, clips = SmallNetwork(), make_clips(41, 41)
    model.load_state_dict(state)
    scores = predict(model, clips, "multi_label", hop_length=2000)
    labels = torch.from_numpy(clips.labels).float()
    return score_loss(torch.from_numpy(scores), labels, "multi_label").item()


def test_each_process_of_a_machine_takes_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Any] = []
    monkeypatch.setenv("RANK", "11")
    monkeypatch.setenv("LOCAL_RANK", "3")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    monkeypatch.setattr(torch.distributed, "init_process_group", taken.append)
    join_processes()
    assert taken == [3, "nccl"]


def test_a_folder_holds_one_run(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.begin(recipe_of(), {"dataset": "a"}, resume=False)
    with pytest.raises(RecipeError, match="holds a run already; continue it with --resume"):
        run.begin(recipe_of(), {"dataset": "a"}, resume=False)
    with pytest.raises(RecipeError, match="another recipe"):
        run.begin(recipe_of(seed=5), {"dataset": "a"}, resume=True)
    with pytest.raises(RecipeError, match="data are not those"):
        run.begin(recipe_of(), {"dataset": "b"}, resume=True)


@pytest.mark.parametrize("task", ["multi_label", "multi_class"])
def test_score_loss_agrees_with_torch(rng: np.random.Generator, task: str) -> None:
    logits = torch.from_numpy(rng.standard_normal((8, 4)).astype(np.float32))
    weights = torch.tensor([1.0, 2.0, 0.5, 3.0])
    if task == "multi_class":
        labels = torch.eye(4)[torch.from_numpy(rng.integers(0, 4, 8))]
        expected = torch.nn.functional.cross_entropy(logits, labels.argmax(1), weight=weights)
        found = score_loss(logits.softmax(1), labels, "multi_class", weights)
    else:
        labels = torch.from_numpy(rng.integers(0, 2, (8, 4)).astype(np.float32))
        expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels, pos_weight=weights)
        found = score_loss(logits.sigmoid(), labels, "multi_label", weights)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_mixing_gives_the_tags_of_both() -> None:
    clips = make_clips(20, 1)
    recipe = recipe_of(augmentations=[{"name": "mixing", "probability": 1.0}])
    plain, mixed = (
        [batch.labels for batch in Epochs(clips, r, chunk_length=2000, sample_rate=4000).batches(0)]
        for r in (recipe_of(), recipe)
    )
    assert all(np.isin(labels, (0, 1)).all() for labels in mixed)
    assert sum(labels.sum() for labels in mixed) > sum(labels.sum() for labels in plain)
    assert all((m >= p).all() for m, p in zip(mixed, plain, strict=True)), "no tag is lost"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"augmentations": [{"name": "gain", "options": {"max_dB": 3}}]},
            "unknown option of the augmentation 'gain' 'max_dB': did you mean 'max_db'",
        ),
        ({"augmentations": [{"name": "pitchshift"}]}, "did you mean 'pitch_shift'"),
        ({"dataset": "class", "augmentations": [{"name": "mixing"}]}, "a class is only one"),
    ],
)
def test_impossible_augmentations_are_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises((RecipeError, UnknownNameError), match=said):
        train_in(tmp_path, recipe_of(**changes))
