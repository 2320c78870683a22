"""`taggram fit`: a classical model from a recipe and a prepared dataset, better than chance."""

import json
from pathlib import Path

import pytest
import yaml

from taggram.errors import DatasetError, RecipeError
from taggram.inference.tagger import Tagger
from taggram.lab.datasets import load_dataset, prepare
from taggram.lab.datasets.synthetic import render
from taggram.lab.evaluation.protocol import evaluate
from taggram.lab.metrics import ranking
from taggram.lab.training.classical import ClassicalRecipe, fit


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root, cache = tmp_path_factory.mktemp("set"), tmp_path_factory.mktemp("cache")
    render(root, n_clips=120)
    prepare(load_dataset("synthetic").annotations(root), cache, sample_rate=16_000)
    return root, cache


def recipe(**changes: object) -> ClassicalRecipe:
    document = {"dataset": "synthetic", "sample_rate": 16_000, "chunk_duration": 3.0, **changes}
    return ClassicalRecipe.parse(document, source="test")


def test_fits_and_beats_chance(data: tuple[Path, Path], tmp_path: Path) -> None:
    root, cache = data
    made = recipe(features=["mfcc", "spectral_contrast"], classifier={"name": "svm"})
    specification = fit(made, root=root, cache=cache, folder=tmp_path)
    assert specification.name == "mfcc-spectral_contrast-mean_std-svm-synthetic"
    with Tagger.load(tmp_path / "model.onnx", n_threads=1) as tagger:
        found = evaluate(tagger, load_dataset("synthetic"), root, "test")
    value = ranking.roc_auc(found.y_true, found.y_score).macro
    assert value is not None
    assert value > 0.65
    run = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert run["fingerprints"]["test"] == found.split_fingerprint
    again = yaml.safe_load((tmp_path / "recipe.yaml").read_text(encoding="utf-8"))
    assert ClassicalRecipe.parse(again, source="again") == made


def test_a_folder_that_holds_a_model_is_left_alone(data: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"mine")
    with pytest.raises(RecipeError, match="holds a model already"):
        fit(recipe(), root=data[0], cache=data[1], folder=tmp_path)


def test_another_sample_rate_is_refused(data: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds sound at 16000 Hz, the recipe asks for 22050 Hz"):
        fit(recipe(sample_rate=22_050), root=data[0], cache=data[1], folder=tmp_path)


def test_an_unknown_key_and_a_wrong_value_are_errors() -> None:
    with pytest.raises(RecipeError, match="unknown key 'sumary': did you mean 'summary'"):
        recipe(sumary="codebook")
    with pytest.raises(RecipeError, match="chunk_duration: Input should be greater than 0"):
        recipe(chunk_duration=-1)


def test_two_fits_are_equal(data: tuple[Path, Path], tmp_path: Path) -> None:
    made = recipe(summary={"name": "codebook", "n_words": 8}, classifier="mlp")
    first, second = (
        fit(made, root=data[0], cache=data[1], folder=tmp_path / name).weights_sha256 for name in "ab"
    )
    assert first == second
