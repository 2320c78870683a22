"""`taggram train`: train a model by a recipe."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from taggram.lab.training.recipe import Recipe


def run(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe, a YAML file.")],
    root: Annotated[Path, typer.Option(help="Folder of your copy of the dataset.")],
    cache: Annotated[Path, typer.Option(help="What `taggram datasets prepare` made of it.")],
    output: Annotated[Path, typer.Option(help="Folder of the run.")],
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE...]", help="Changes of the recipe.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the folder.")] = False,
    weights: Annotated[
        Path | None, typer.Option(help="File of the recipe's initial weights; default: as pulled.")
    ] = None,
    allow_artist_leakage: Annotated[
        bool, typer.Option("--allow-artist-leakage", help="Accept a split that shares artists.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no line per epoch.")] = False,
) -> None:
    """Train a model, and write its best weights as a model file.

    A run that was stopped, by Ctrl-C or in any other way, continues with --resume from its last whole
    epoch, and ends as if it had not been stopped.
    """
    from taggram.cli._lab import need_laboratory

    need_laboratory("training")
    from taggram.lab.training.recipe import Recipe

    train_and_report(
        Recipe.load(recipe, changes or ()),
        root=root,
        cache=cache,
        output=output,
        resume=resume,
        weights=weights,
        allow_artist_leakage=allow_artist_leakage,
        quiet=quiet,
    )


def train_and_report(
    recipe: "Recipe",
    *,
    root: Path,
    cache: Path,
    output: Path,
    resume: bool = False,
    weights: Path | None = None,
    allow_artist_leakage: bool = False,
    quiet: bool = False,
) -> None:
    """Train by a recipe: one line for each epoch, TensorBoard, and what came out."""
    from taggram.lab.training.run import TensorBoardLog
    from taggram.lab.training.train import train

    board = TensorBoardLog(output / "tensorboard")

    def report(figures: dict[str, Any]) -> None:
        board.add(figures)
        if not quiet:
            print(_line(figures), file=sys.stderr, flush=True)

    try:
        progress = train(
            recipe,
            root=root,
            cache=cache,
            folder=output,
            resume=resume,
            weights=weights,
            allow_artist_leakage=allow_artist_leakage,
            report=report,
        )
    except KeyboardInterrupt:
        print(f"taggram: stopped; continue with --resume --output {output}", file=sys.stderr)
        raise typer.Exit(130) from None
    print(f"{output / 'model.onnx'}: best epoch {progress.best_epoch}, loss {progress.best_loss:.4f}")


def _line(figures: dict[str, Any]) -> str:
    """Return the figures of an epoch on one line."""
    values = "  ".join(
        f"{name.replace('_', ' ')} {value:.4g}" for name, value in figures.items() if isinstance(value, float)
    )
    shares = figures["time"]
    spent = ", ".join(f"{kind} {shares.get(kind, 0):.0%}" for kind in ("data", "forward", "backward"))
    return f"epoch {figures['epoch']:>3}  {values}  ({shares['seconds']:.1f} s: {spent})"
