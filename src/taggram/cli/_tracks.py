"""What the commands share that name tracks of the library: how a track is written, options for facets."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from taggram.library import FileRow, Library

Weights = Annotated[
    list[str] | None,
    typer.Option(
        "--weight",
        metavar="FACET=NUMBER",
        help="Weight of sound, genre, mood or instrument; may be repeated; what is not named counts 0.",
    ),
]
PerArtist = Annotated[int | None, typer.Option(min=1, help="At most this many of one artist.")]
Where = Annotated[
    str, typer.Option(metavar="EXPRESSION", help="Only tracks that match, as of `taggram search`.")
]


class Form(StrEnum):
    """How tracks are written."""

    TABLE = "table"
    JSON = "json"
    PATHS = "paths"


def read_weights(texts: Sequence[str] | None) -> dict[str, float]:
    """Read `FACET=NUMBER`s."""
    found: dict[str, float] = {}
    for text in texts or ():
        facet, _, number = text.partition("=")
        try:
            found[facet.strip()] = float(number)
        except ValueError:
            raise typer.BadParameter(f"{text!r} is no weight; write it as mood=2") from None
    return found


def track_entry(file: "FileRow") -> dict[str, Any]:
    """Return a track as JSON object."""
    from taggram.library.naming import artist_of, title_of

    return {
        "path": str(file.path),
        "artist": artist_of(file),
        "title": title_of(file),
        "duration": file.duration,
    }


def track_line(file: "FileRow", value: str, notes: str = "") -> str:
    """Return a track as a line for people: value, duration, label, notes, path."""
    from taggram.audio.container import printable
    from taggram.cli._formats import clock
    from taggram.library.naming import label_of

    duration = "?" if file.duration is None else clock(file.duration)
    label = printable(label_of(file))
    return "  ".join(filter(None, [value, f"{duration:>5}", label, notes, printable(file.path)]))


def recording_ids(library: "Library", paths: Sequence[Path]) -> list[int]:
    """Return the recordings of files of the library.

    Raises
    ------
    LibraryError
        If a file is not in the library, or no sound was found in it.
    """
    from taggram.errors import LibraryError

    found = []
    for path in paths:
        file = library.file(path)
        if file is None:
            raise LibraryError(f"{path}: is not in {library.path}; `taggram library add` takes it in")
        if file.recording_id is None:
            raise LibraryError(f"{path}: no sound was found in it: {file.message or 'not looked at yet'}")
        found.append(file.recording_id)
    return found
