"""`taggram taggram`: draw what is heard at every moment of one file."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


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
        picture = draw_result(result, tagger.specification, theme=theme.value)
    write_taggram_picture(picture, output)
    print(output)
