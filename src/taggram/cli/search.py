"""`taggram search`: find music of the library by tags, scores and fields of the files."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from taggram.cli._library import LibraryFile, ModelOfLibrary, open_library
from taggram.cli._tracks import Form

if TYPE_CHECKING:
    from taggram.library.search import Found


def run(
    expression: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="EXPRESSION...",
            help="Such as: piano and not vocals; rock >= 0.5; year < 1975 and artist: 'nick drake'.",
        ),
    ] = None,
    library: LibraryFile = None,
    model: ModelOfLibrary = None,
    limit: Annotated[int, typer.Option(min=1, help="Name at most this many.")] = 50,
    offset: Annotated[int, typer.Option(min=0, help="Leave out this many at the beginning.")] = 0,
    form: Annotated[Form, typer.Option("--format", help="How to write the tracks.")] = Form.TABLE,
) -> None:
    """Find music by tags, scores and fields of the files; the strongest matches come first.

    Without an expression, everything matches. Exit status: 0 if something matches, 1 if nothing does, 2 if
    the command could not run.
    """
    from taggram.library.search import search

    text = " ".join(expression or ())
    with open_library(library) as opened:
        found = search(opened, text, model=opened.default_model(model), limit=limit, offset=offset)
    _print(found, text, form)
    raise typer.Exit(0 if found.n_matches else 1)


def _print(found: "Found", expression: str, form: Form) -> None:
    from taggram.cli._tracks import track_entry, track_line
    from taggram.inference.report import to_json

    if form is Form.JSON:
        tracks = [
            {**track_entry(hit.file), "relevance": round(hit.relevance, 4), "scores": dict(hit.scores)}
            for hit in found.hits
        ]
        document = {
            "schema": "taggram-search/1",
            "expression": expression,
            "matches": found.n_matches,
            "tracks": tracks,
        }
        typer.echo(to_json(document))
        return
    for hit in found.hits:
        if form is Form.PATHS:
            typer.echo(str(hit.file.path))
        else:
            scores = ", ".join(f"{tag} {score:.2f}" for tag, score in hit.scores.items())
            typer.echo(track_line(hit.file, f"{hit.relevance:.2f}", scores))
    print(_counted(found), file=sys.stderr)


def _counted(found: "Found") -> str:
    n_shown = len(found.hits)
    said = f"{found.n_matches} {'track matches' if found.n_matches == 1 else 'tracks match'}"
    return said if n_shown == found.n_matches else f"{said}; {n_shown} shown"
