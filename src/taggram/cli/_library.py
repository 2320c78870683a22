"""What the commands share that use the library: the options that name it and its models."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from taggram.library import Library

LibraryFile = Annotated[
    Path | None,
    typer.Option("--library", metavar="FILE", help="The library; default: your own."),
]
ModelOfLibrary = Annotated[
    str | None, typer.Option("--model", help="Whose analyses; default: the model that listened last.")
]


def open_library(path: Path | None) -> "Library":
    """Open a library that exists."""
    from taggram.library import Library

    return Library.open(path, must_exist=True)
