"""`taggram similar`: what sounds like these tracks, and why."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taggram.cli._library import LibraryFile, ModelOfLibrary, open_library
from taggram.cli._tracks import Form, PerArtist, Weights, Where

if TYPE_CHECKING:
    from taggram.library.similar import Similar, Why


def run(
    paths: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Tracks of the library, or any sound files.")
    ],
    library: LibraryFile = None,
    model: ModelOfLibrary = None,
    limit: Annotated[int, typer.Option(min=1, help="Name at most this many.")] = 20,
    weight: Weights = None,
    per_artist: PerArtist = None,
    duplicates: Annotated[
        bool, typer.Option("--duplicates", help="Also copies of the tracks, and several copies of a song.")
    ] = False,
    where: Where = "",
    why: Annotated[
        bool, typer.Option("--why", help="Say what they share: facets, tags, best-matching moments.")
    ] = False,
    form: Annotated[Form, typer.Option("--format", help="How to write the tracks.")] = Form.TABLE,
) -> None:
    """Find what sounds like one or several tracks; a file outside the library is listened to first.

    Exit status: 0 if something is found, 1 if nothing is, 2 if the command could not run.
    """
    from taggram.cli._tracks import read_weights
    from taggram.library.similar import Finder

    with open_library(library) as opened:
        finder = Finder.open(opened, opened.default_model(model))
        query = finder.query_of_paths(paths)
        found = finder.similar(
            query,
            limit=limit,
            weights=read_weights(weight),
            per_artist=per_artist,
            duplicates=duplicates,
            where=where,
        )
        reasons = [finder.why(query, track) if why else None for track in found]
    _print(paths, found, reasons, form)
    raise typer.Exit(0 if found else 1)


def _print(
    paths: Sequence[Path], found: Sequence["Similar"], reasons: Sequence["Why | None"], form: Form
) -> None:
    from taggram.cli._tracks import track_line
    from taggram.inference.report import to_json

    if form is Form.JSON:
        tracks = [_entry(track, why) for track, why in zip(found, reasons, strict=True)]
        document = {"schema": "taggram-similar/1", "query": [str(path) for path in paths], "tracks": tracks}
        typer.echo(to_json(document))
        return
    for track, why in zip(found, reasons, strict=True):
        if form is Form.PATHS:
            typer.echo(str(track.file.path))
            continue
        typer.echo(track_line(track.file, f"{track.similarity:.2f}"))
        if why:
            for line in _explanation(track, why, paths):
                typer.echo(f"      {line}")


def _entry(track: "Similar", why: "Why | None") -> dict[str, Any]:
    from taggram.cli._tracks import track_entry

    entry = {**track_entry(track.file), "similarity": round(track.similarity, 4)}
    if why:
        entry["why"] = {
            "facets": {facet: round(value, 4) for facet, value in track.facets.items()},
            "tags": [tag._asdict() for tag in why.tags],
            "seed": why.seed,
            "moments": [moment._asdict() for moment in why.moments],
        }
    return entry


def _explanation(track: "Similar", why: "Why", paths: Sequence[Path]) -> list[str]:
    from taggram.audio.container import printable
    from taggram.cli._formats import clock

    lines = [", ".join(f"{facet} {value:.2f}" for facet, value in track.facets.items())]
    if why.tags:
        tags = ", ".join(f"{tag.name} {tag.query_score:.2f}/{tag.score:.2f}" for tag in why.tags)
        lines.append(f"both: {tags}")
    if why.moments:
        seed = printable(paths[why.seed].name) if len(paths) > 1 else ""
        moments = ", ".join(f"{clock(m.query_time)} like {clock(m.time)}" for m in why.moments)
        lines.append(f"moments: {f'{seed} ' if seed else ''}{moments}")
    return lines
