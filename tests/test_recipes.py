"""Every recipe that comes with Taggram is valid, and names a dataset and a model that exist."""

from pathlib import Path
from typing import Any

import pytest

from taggram.lab.chords.recipe import ChordRecipe
from taggram.lab.chords.training import build_network
from taggram.lab.classical import CLASSIFIERS, SUMMARIES
from taggram.lab.datasets import load_dataset
from taggram.lab.features import FEATURES
from taggram.lab.models import MODELS
from taggram.lab.training.classical import ClassicalRecipe
from taggram.lab.training.recipe import Recipe

RECIPES = Path(__file__).resolve().parent.parent / "recipes"


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_recipes_of_networks(path: Path) -> None:
    recipe = Recipe.load(path)
    assert load_dataset(recipe.dataset).task != "chords"
    assert MODELS.get(recipe.model)(10, **recipe.model_options).n_tags == 10


@pytest.mark.parametrize("path", sorted((RECIPES / "classical").glob("*.yaml")), ids=lambda path: path.stem)
def test_recipes_of_classical_models(path: Path) -> None:
    recipe = ClassicalRecipe.load(path)
    assert load_dataset(recipe.dataset).task != "chords"
    for part in recipe.features:
        assert name_of(part) in FEATURES.names()
    assert name_of(recipe.summary) in SUMMARIES.names()
    assert name_of(recipe.classifier) in CLASSIFIERS.names()


@pytest.mark.parametrize("path", sorted((RECIPES / "chords").glob("*.yaml")), ids=lambda path: path.stem)
def test_recipes_of_chords(path: Path) -> None:
    recipe = ChordRecipe.load(path)
    assert load_dataset(recipe.dataset).task == "chords"
    assert build_network(recipe).vocabularies


def test_every_recipe_is_of_a_known_kind() -> None:
    known = {path for folder in (".", "classical", "chords") for path in (RECIPES / folder).glob("*.yaml")}
    assert known == set(RECIPES.rglob("*.yaml"))


def name_of(part: str | dict[str, Any]) -> str:
    return part if isinstance(part, str) else part["name"]
