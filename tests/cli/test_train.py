"""`taggram train`, `taggram finetune` and `taggram fit` as a user runs them."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

from taggram.cli.main import app
from taggram.errors import RecipeError
from taggram.inference.session import Session
from taggram.lab.datasets import ArtistLeakageWarning, load_dataset, prepare
from taggram.lab.datasets.synthetic import render
from taggram.modelfile.cache import SHIPPED_MODELS
from taggram.modelfile.reader import load_model_file

RECIPE = """\
dataset: synthetic
model: cnn_mel
model_options: {sample_rate: 16000, chunk_length: 16000, front_end: {n_channels: 2}}
schedule: {epochs: 2}
"""


def taggram(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a synthetic set, its cache, and a recipe."""
    folder = tmp_path_factory.mktemp("place")
    render(folder / "set", n_clips=30)
    prepare(load_dataset("synthetic").annotations(folder / "set"), folder / "cache", workers=1)
    (folder / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def options(place: Path) -> tuple[object, ...]:
    return "--root", place / "set", "--cache", place / "cache", "--output"


@pytest.fixture(scope="module")
def run(place: Path, options: tuple[object, ...]) -> Path:
    """A folder of a finished run."""
    done = taggram("train", place / "recipe.yaml", "seed=3", "schedule.epochs=1", *options, place / "run")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"{place / 'run' / 'model.onnx'}: best epoch 0, loss 0.")
    assert done.stderr.startswith("epoch   0  training loss ")
    return place / "run"


def test_a_run_holds_what_is_needed_to_repeat_it(run: Path, place: Path) -> None:
    assert {path.name for path in run.iterdir()} == {
        "recipe.yaml", "run.json", "epochs.jsonl", "last.pt", "best.pt", "model.onnx", "tensorboard",
    }  # fmt: skip
    resolved = (run / "recipe.yaml").read_text(encoding="utf-8")
    for line in ("seed: 3", "  name: cosine", "  epochs: 1", "balance: none", "precision: float32"):
        assert line in resolved.splitlines()
    facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
    annotations = load_dataset("synthetic").annotations(place / "set")
    assert facts["fingerprints"] == {
        split: annotations.fingerprint(split) for split in ("train", "validation", "test")
    }
    assert facts["versions"]["torch"] == str(torch.__version__)
    assert {"command", "git", "git_is_clean", "python", "platform"} <= facts.keys()
    (figures,) = map(json.loads, (run / "epochs.jsonl").read_text(encoding="utf-8").splitlines())
    assert sum(figures["time"][kind] for kind in ("data", "forward", "backward")) == pytest.approx(
        1, abs=0.01
    )
    assert any((run / "tensorboard").iterdir())
    assert load_model_file(run / "model.onnx").specification.n_tags == 10


def test_a_finished_run_is_not_trained_again(run: Path, place: Path, options: tuple[object, ...]) -> None:
    command = ("train", place / "recipe.yaml", "seed=3", "schedule.epochs=1", *options, run)
    again = taggram(*command)
    assert isinstance(again.exception, RecipeError)
    assert "continue it with --resume" in str(again.exception)
    before = (run / "best.pt").read_bytes()
    assert taggram(*command, "--resume").exit_code == 0
    assert (run / "best.pt").read_bytes() == before


def test_a_recipe_that_is_wrong_leaves_no_run(
    place: Path, options: tuple[object, ...], tmp_path: Path
) -> None:
    change = "augmentations=[{name: gain, options: {max_dB: 3}}]"
    done = taggram("train", place / "recipe.yaml", change, *options, tmp_path / "run")
    assert "did you mean 'max_db'" in str(done.exception)
    assert not (tmp_path / "run" / "recipe.yaml").exists()
    done = taggram("train", place / "recipe.yaml", "sed=3", *options, tmp_path / "run")
    assert "unknown key 'sed': did you mean 'seed'" in str(done.exception)


def test_fit(place: Path, options: tuple[object, ...], tmp_path: Path) -> None:
    recipe = tmp_path / "classical.yaml"
    recipe.write_text("dataset: synthetic\nsample_rate: 16000\nchunk_duration: 3\n", encoding="utf-8")
    done = taggram(
        "fit", recipe, "features=[spectral_flatness, spectral_centroid]", *options, tmp_path / "model"
    )
    assert done.exit_code == 0, done.output
    assert load_model_file(tmp_path / "model" / "model.onnx").specification.chunk_duration == 3
    assert "classifier: logistic_regression" in (tmp_path / "model" / "recipe.yaml").read_text("utf-8")


def test_finetune(run: Path, options: tuple[object, ...], tmp_path: Path) -> None:
    start = run / "model.onnx"
    done = taggram("finetune", start, "synthetic", *options, tmp_path / "renewed.onnx")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"{tmp_path / 'renewed.onnx'}: 10 tags, ROC-AUC 0.")
    assert same_embedding(start, tmp_path / "renewed.onnx")
    chords = taggram("finetune", SHIPPED_MODELS / "chords.onnx", "synthetic", *options, tmp_path / "x.onnx")
    assert "is a model of chords" in str(chords.exception)
    refused = taggram("finetune", start, "synthetic", *options, tmp_path / "other.onnx", "seed=2")
    assert "go with --whole" in refused.output

    changes = ("schedule.epochs=1", "schedule.learning_rate=0.01")
    command = ("finetune", start, "synthetic", *changes, "--whole", *options, tmp_path / "whole")
    done = taggram(*command)
    assert done.exit_code == 0, done.output
    assert "best epoch 0" in done.stdout
    assert not same_embedding(start, tmp_path / "whole" / "model.onnx")
    recipe = (tmp_path / "whole" / "recipe.yaml").read_text("utf-8")
    assert f"initial_weights: {start}" in recipe
    about = load_model_file(tmp_path / "whole" / "model.onnx").specification
    assert about.training_data.endswith("; began with cnn_mel-synthetic")
    assert "; its beginning: of whoever trained it" in about.licence
    assert taggram(*command, "--resume").exit_code == 0


def test_a_network_that_is_trained_on_begins_with_a_fitted_head(
    run: Path, options: tuple[object, ...], tmp_path: Path
) -> None:
    start, fitted = run / "model.onnx", tmp_path / "fitted.onnx"
    assert taggram("finetune", start, "synthetic", *options, fitted).exit_code == 0
    changes = ("schedule.epochs=1", "schedule.learning_rate=1e-12", "schedule.weight_decay=0")
    done = taggram("finetune", start, "synthetic", *changes, "--whole", *options, tmp_path / "whole")
    assert done.exit_code == 0, done.output
    waveforms = np.random.default_rng(0).normal(0, 0.1, (2, 16_000)).astype(np.float32)
    of_head, of_whole = (
        Session(load_model_file(path)).run(waveforms)[0]
        for path in (fitted, tmp_path / "whole" / "model.onnx")
    )
    np.testing.assert_allclose(of_whole, of_head, atol=1e-4)
    refused = taggram("train", run / "recipe.yaml", "fitted_head=true", *options, tmp_path / "fresh")
    assert "needs a model file" in str(refused.exception)


def same_embedding(first: Path, second: Path) -> bool:
    sessions = [Session(load_model_file(path)) for path in (first, second)]
    waveforms = np.random.default_rng(0).normal(0, 0.1, (2, 16_000)).astype(np.float32)
    before, after = (session.run(waveforms)[1] for session in sessions)
    return np.allclose(before, after, atol=1e-5)


@pytest.mark.parametrize("command", ["train", "fit", "finetune"])
def test_a_split_that_leaks_artists_must_be_asked_for(
    command: str, run: Path, options: tuple[object, ...], tmp_path: Path
) -> None:
    recipe = tmp_path / "leaking.yaml"
    recipe.write_text("dataset: gtzan:random\n" + ("model: fcn\n" if command == "train" else ""))
    first = (run / "model.onnx", "gtzan:random") if command == "finetune" else (recipe,)
    arguments = (command, *first, *options, tmp_path / "out")
    refused, accepted = taggram(*arguments), taggram(*arguments, "--allow-artist-leakage")
    assert "--allow-artist-leakage" in str(refused.exception)
    # Warnings are errors here.
    assert isinstance(accepted.exception, ArtistLeakageWarning)
