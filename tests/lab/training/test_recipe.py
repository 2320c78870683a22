"""A recipe says what is wrong with it, and schedules become the phases that were published."""

from pathlib import Path

import pytest

from taggram.errors import RecipeError
from taggram.lab.training.recipe import Cosine, Published, Recipe, Tutorial
from taggram.lab.training.schedules import list_phases

PLAIN = "dataset: 4q:genres\nmodel: musicnn\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "plain.yaml"
    path.write_text(PLAIN)
    return path


def test_only_differences_are_written(path: Path) -> None:
    recipe = Recipe.load(path, ["schedule.name=tutorial", "schedule.patience=3", "seed=7"])
    assert recipe.schedule == Tutorial(patience=3)
    assert recipe.seed == 7
    path.write_text(recipe.to_yaml())
    assert Recipe.load(path) == recipe


def test_settings_without_a_name_are_those_of_the_default_schedule(path: Path) -> None:
    assert Recipe.load(path, ["schedule.epochs=3"]).schedule == Cosine(epochs=3)
    with pytest.raises(RecipeError, match=r"unknown key 'schedule.patience': known are"):
        Recipe.load(path, ["schedule.patience=3"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("batchsize=3", "unknown key 'batchsize': did you mean 'batch_size'"),
        ("schedule={name: cosine, epoch: 3}", "did you mean 'epochs'"),
        ("augmentations=[{nam: gain}]", "augmentations.0"),
        ("schedule.name=cosinus", "schedule: Input tag 'cosinus'"),
        ("batch_size=0", "batch_size: Input should be greater than or equal to 2, got 0"),
        ("seed", "has the form key=value"),
        ("model.name=x", "'model' holds a value"),
    ],
)
def test_errors_name_the_key(path: Path, change: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        Recipe.load(path, [change])


@pytest.mark.parametrize("text", ["- a list", "dataset: [", "just text"])
def test_no_recipe(tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=r"odd\.yaml"):
        Recipe.load(path)


def test_published_phases() -> None:
    phases = list_phases(Published())
    assert [phase.n_epochs for phase in phases] == [80, 20, 20, 80]
    assert [phase.optimiser for phase in phases] == ["adam", "sgd", "sgd", "sgd"]
    assert [phase.learning_rate for phase in phases] == pytest.approx([1e-4, 1e-3, 1e-4, 1e-5])
    assert [phase.begins_with_best for phase in phases] == [False, True, True, True]


@pytest.mark.parametrize("epochs", [4, 7, 10, 33])
def test_published_phases_scale(epochs: int) -> None:
    assert all(phase.n_epochs >= 1 for phase in list_phases(Published(epochs=epochs)))
    if epochs >= 10:
        assert sum(phase.n_epochs for phase in list_phases(Published(epochs=epochs))) == epochs


def test_cosine_rises_and_falls() -> None:
    (phase,) = list_phases(Cosine(warm_up=0.1))
    rates = [phase.rate(share / 100) for share in range(101)]
    assert rates[0] == 0
    assert max(rates) == pytest.approx(1)
    assert rates.index(max(rates)) == 10
    assert rates[-1] == pytest.approx(0, abs=1e-9)
    assert rates[10:] == sorted(rates[10:], reverse=True)
