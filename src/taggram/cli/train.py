"""`taggram train`: train a model by a recipe."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from taggram.lab.chords.recipe import ChordRecipe
    from taggram.lab.training.recipe import Recipe


def run(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe, a YAML file.")],
    root: Annotated[Path, typer.Option(help="Folder of your copy of the dataset.")],
    cache: Annotated[
        Path,
        typer.Option(
            help="What `taggram datasets prepare` made of it; for chords a folder in which spectra are kept."
        ),
    ],
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
    """Train a model of tags, or of chords on a dataset of chords, and write the best weights as a model file.

    A run that was stopped, by Ctrl-C or in any other way, continues with --resume from its last whole
    epoch, and ends as if it had not been stopped.
    """
    from taggram.cli._lab import need_laboratory

    need_laboratory("training")
    from taggram.lab.training.recipe import Recipe, read_document

    document = read_document(recipe, changes or ())
    if _is_about_chords(document, allow_artist_leakage=allow_artist_leakage):
        from taggram.lab.chords.recipe import ChordRecipe

        if weights is not None:
            raise typer.BadParameter("--weights is for tags: a chord network begins afresh")
        train_chords_and_report(
            ChordRecipe.parse(document, source=str(recipe)),
            root=root,
            cache=cache,
            output=output,
            resume=resume,
            allow_artist_leakage=allow_artist_leakage,
            quiet=quiet,
        )
        return
    train_and_report(
        Recipe.parse(document, source=str(recipe)),
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
    from taggram.lab.training.train import train

    with _stoppable(output):
        progress = train(
            recipe,
            root=root,
            cache=cache,
            folder=output,
            resume=resume,
            weights=weights,
            allow_artist_leakage=allow_artist_leakage,
            report=_reporter(output, quiet),
        )
    print(f"{output / 'model.onnx'}: best epoch {progress.best_epoch}, loss {progress.best_loss:.4f}")


def train_chords_and_report(
    recipe: "ChordRecipe",
    *,
    root: Path,
    cache: Path,
    output: Path,
    resume: bool,
    allow_artist_leakage: bool,
    quiet: bool,
) -> None:
    """Hear the recordings of a dataset of chords, train by a recipe, and say what came out."""
    from taggram.cli._progress import track
    from taggram.lab.chords.train import train_chords

    with _stoppable(output):
        kept = train_chords(
            recipe,
            root=root,
            cache=cache,
            folder=output,
            resume=resume,
            allow_artist_leakage=allow_artist_leakage,
            watch=lambda tracks: track(tracks, total=len(tracks), description="Hearing", quiet=quiet),
            tell=lambda sentence: print(f"taggram: {sentence}", file=sys.stderr),
            report=_reporter(output, quiet),
        )
    print(
        f"{output / 'model.onnx'}: step {kept.step}, loss {kept.loss:.4f}, "
        f"root {kept.root:.3f}, maj/min {kept.triad:.3f} of the validation frames"
    )


def _is_about_chords(document: dict[str, Any], *, allow_artist_leakage: bool) -> bool:
    """Whether a recipe names a dataset of chords; one that names none is told so when it is validated."""
    from taggram.lab.datasets import load_dataset

    name = document.get("dataset")
    if not isinstance(name, str):
        return False
    return load_dataset(name, allow_artist_leakage=allow_artist_leakage).task == "chords"


@contextmanager
def _stoppable(output: Path) -> Iterator[None]:
    """Say how to go on when a person stops the run."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"taggram: stopped; continue with --resume --output {output}", file=sys.stderr)
        raise typer.Exit(130) from None


def _reporter(output: Path, quiet: bool) -> Callable[[dict[str, Any]], None]:
    """Make what gets the figures of every epoch: TensorBoard, and a line."""
    from taggram.lab.training.run import TensorBoardLog

    board = TensorBoardLog(output / "tensorboard")

    def report(figures: dict[str, Any]) -> None:
        board.add(figures)
        if not quiet:
            print(_line(figures), file=sys.stderr, flush=True)

    return report


def _line(figures: dict[str, Any]) -> str:
    """Return the figures of an epoch on one line."""
    values = "  ".join(
        f"{name.replace('_', ' ')} {value:.4g}" for name, value in figures.items() if isinstance(value, float)
    )
    shares = figures["time"]
    spent = ", ".join(
        f"{kind} {shares[kind]:.0%}" for kind in ("data", "forward", "backward") if kind in shares
    )
    seconds = f"{shares['seconds']:.1f} s"
    return f"epoch {figures['epoch']:>3}  {values}  ({f'{seconds}: {spent}' if spent else seconds})"
