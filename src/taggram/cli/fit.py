"""`taggram fit`: fit a classical model by a recipe."""

from pathlib import Path
from typing import Annotated

import typer


def run(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A classical recipe, a YAML file.")],
    root: Annotated[Path, typer.Option(help="Folder of your copy of the dataset.")],
    cache: Annotated[Path, typer.Option(help="What `taggram datasets prepare` made of it.")],
    output: Annotated[Path, typer.Option(help="Folder for the model and what made it.")],
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE...]", help="Changes of the recipe.")
    ] = None,
    allow_artist_leakage: Annotated[
        bool, typer.Option("--allow-artist-leakage", help="Accept a split that shares artists.")
    ] = False,
) -> None:
    """Fit a classical model – features, a summary over time, a classifier – and write a model file."""
    from taggram.cli._lab import need_laboratory

    need_laboratory("fitting a model")
    from taggram.lab.training.classical import ClassicalRecipe, fit

    specification = fit(
        ClassicalRecipe.load(recipe, changes or ()),
        root=root,
        cache=cache,
        folder=output,
        allow_artist_leakage=allow_artist_leakage,
    )
    print(f"{output / 'model.onnx'}: {specification.name}, {specification.n_tags} tags")
