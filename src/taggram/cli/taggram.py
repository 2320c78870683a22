"""`taggram taggram`: draw what is heard at every moment of one file."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from taggram.chords.result import ChordResult


class Theme(StrEnum):
    """Colours of the picture."""

    LIGHT = "light"
    DARK = "dark"


def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A sound file.")],
    output: Annotated[Path, typer.Option(help="Picture to write, a PNG file.")],
    model: Annotated[
        str | None, typer.Option(help="Name or file of a model; default: the one that ships.")
    ] = None,
    theme: Annotated[Theme, typer.Option(help="Colours of the picture.")] = Theme.LIGHT,
    chords: Annotated[bool, typer.Option("--chords", help="Also show the chords, in a lane.")] = False,
    chunk_hop: Annotated[
        float | None, typer.Option(min=0.01, help="Seconds between chunks; default: the model's.")
    ] = None,
) -> None:
    """Draw the taggram of a file: its tags over time, grouped by category."""
    from taggram.cli._taggrams import draw_result
    from taggram.inference.tagger import Tagger
    from taggram.tags.picture import write_taggram_picture

    with Tagger.load(model) as tagger:
        result = tagger.tag(file, chunk_hop=chunk_hop)
        if not result.outcome.has_tags:
            print(f"taggram: {result.outcome}: {result.message}", file=sys.stderr)
            raise typer.Exit(1)
        if result.message:
            print(f"taggram: {result.outcome}: {result.message}", file=sys.stderr)
        heard = _recognise_chords(file) if chords else None
        picture = draw_result(result, tagger.specification, chords=heard, theme=theme.value)
    write_taggram_picture(picture, output)
    print(output)


def _recognise_chords(file: Path) -> "ChordResult":
    from taggram.chords.recogniser import ChordRecogniser

    with ChordRecogniser.load() as recogniser:
        return recogniser.recognise(file, vocabulary="sevenths")
