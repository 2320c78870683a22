"""What a run begins with: fresh, published or earlier weights, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch

from taggram.errors import RecipeError, UnknownNameError
from taggram.lab.models import MODELS, TaggingModel
from taggram.lab.training.beginning import build_model, describe_beginning, sample_rate_of
from taggram.lab.training.recipe import Recipe
from taggram.lab.training.run import RunFolder
from taggram.lab.weights.fetch import download_path
from taggram.lab.weights.published import find_checkpoint
from taggram.modelfile.reader import load_model_file


def recipe_of(**changes: Any) -> Recipe:
    return Recipe.parse({"dataset": "any", "model": "musicnn", **changes}, source="test")


def same_but_head(a: TaggingModel, b: TaggingModel) -> bool:
    other = b.state_dict()
    return all(torch.equal(v, other[k]) for k, v in a.state_dict().items() if not k.startswith("head."))


@pytest.fixture
def earlier(tmp_path: Path) -> tuple[Path, TaggingModel]:
    torch.manual_seed(3)
    model = MODELS.get("musicnn")(4)
    folder = tmp_path / "run"
    folder.mkdir()
    RunFolder(folder).save("best.pt", {"model": model.state_dict()})
    return folder, model


def test_the_seed_decides_a_fresh_start() -> None:
    assert same_but_head(build_model(recipe_of(seed=1), 3), build_model(recipe_of(seed=1), 3))
    assert not same_but_head(build_model(recipe_of(seed=1), 3), build_model(recipe_of(seed=2), 3))


def test_an_earlier_run_gives_all_but_the_last_layer(earlier: tuple[Path, TaggingModel]) -> None:
    folder, model = earlier
    begun = build_model(recipe_of(initial_weights=str(folder)), 7)
    assert begun.n_tags == 7
    assert same_but_head(begun, model)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"freeze": True}, "must have learned something"),
        ({"initial_weights": "fcn-msd"}, "are weights of fcn, not of musicnn"),
        ({"initial_weights": "musicnn-magnatagatune"}, "models pull musicnn-magnatagatune --again"),
        ({"model_options": {"droput": 0}}, "option of the model 'musicnn' 'droput': did you mean 'dropout'"),
        ({"model_options": {"dropout": "much"}}, "does not take the options {'dropout': 'much'}"),
        ({"initial_weights": "musicnn-magnatagatune", "model_options": {"a": 1}}, "decide the size"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises((RecipeError, UnknownNameError), match=said):
        build_model(recipe_of(**changes), 3)


def test_a_model_file_brings_its_network_along(tiny_model: Path) -> None:
    about = load_model_file(tiny_model).specification
    recipe = recipe_of(model=about.architecture, initial_weights=str(tiny_model))
    assert sample_rate_of(recipe) == about.sample_rate
    assert describe_beginning(recipe) == (about.name, about.licence)
    assert build_model(recipe, 7).n_tags == 7
    with pytest.raises(RecipeError, match=f"say model={about.architecture}, without"):
        build_model(recipe_of(initial_weights=str(tiny_model)), 7)


def test_what_a_run_begins_with_is_named(earlier: tuple[Path, TaggingModel]) -> None:
    assert describe_beginning(recipe_of()) is None
    checkpoint = find_checkpoint("fcn-msd")
    assert describe_beginning(recipe_of(initial_weights="fcn-msd")) == ("fcn-msd", checkpoint.licence)
    assert describe_beginning(recipe_of(initial_weights=str(earlier[0]))) == ("run", "of whoever trained it")


def test_a_run_of_another_network_is_refused(earlier: tuple[Path, TaggingModel], tmp_path: Path) -> None:
    folder, _ = earlier
    with pytest.raises(RecipeError, match="another network than 'fcn'"):
        build_model(recipe_of(model="fcn", initial_weights=str(folder)), 3)
    with pytest.raises(RecipeError, match=r"holds no best\.pt"):
        build_model(recipe_of(initial_weights=str(tmp_path)), 3)


def test_pulled_weights_are_found(shared: Path) -> None:
    checkpoint = find_checkpoint("musicnn-magnatagatune")
    [published] = [
        p for p in (shared / "peers" / "weights").rglob("*") if p.stat().st_size == checkpoint.n_bytes
    ]
    kept = download_path(checkpoint)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(published.read_bytes())
    model = build_model(recipe_of(initial_weights=checkpoint.name), 5)
    assert model.n_tags == 5
    assert same_but_head(model, build_model(recipe_of(initial_weights=checkpoint.name), 5, published))
