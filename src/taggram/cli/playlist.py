"""`taggram playlist`: make a playlist from a query, from tracks, along a path or a curve."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from taggram.cli._library import LibraryFile, ModelOfLibrary, open_library
from taggram.cli._tracks import PerArtist, Weights, Where

if TYPE_CHECKING:
    from taggram.library import Library
    from taggram.library.playlist_files import Playlist
    from taggram.library.playlists import Wish
    from taggram.library.similar import Finder


def run(
    output: Annotated[
        Path, typer.Argument(metavar="FILE", help="Playlist to write; .m3u8, .m3u, .xspf or .json.")
    ],
    query: Annotated[
        str | None, typer.Option(metavar="EXPRESSION", help="What matches, as of `taggram search`.")
    ] = None,
    like: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="What sounds like this; may be repeated.")
    ] = None,
    from_: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="A path from this track …")
    ] = None,
    to: Annotated[Path | None, typer.Option(metavar="FILE", help="… to this one.")] = None,
    curve: Annotated[
        list[str] | None,
        typer.Option(
            metavar="'TAG: LEVEL...'",
            help="A tag's course over the playlist, such as 'energetic: 0.2 0.9 0.4', where 0 is the least "
            "and 1 the most in the library; may be repeated.",
        ),
    ] = None,
    tracks: Annotated[int, typer.Option(min=1, help="At most this many tracks.")] = 25,
    minutes: Annotated[float | None, typer.Option(min=0.1, help="No longer than this.")] = None,
    per_artist: PerArtist = None,
    where: Where = "",
    weight: Weights = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Draw another playlist; the same number, the same playlist.")
    ] = None,
    title: Annotated[str, typer.Option(help="Title of the playlist; default: what it is made from.")] = "",
    absolute: Annotated[
        bool, typer.Option("--absolute", help="Absolute paths; default: relative to the playlist.")
    ] = False,
    library: LibraryFile = None,
    model: ModelOfLibrary = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not list the tracks.")] = False,
) -> None:
    """Make a playlist from one of: --query, --like, --from with --to, --curve.

    Exit status: 0 if it was written, 1 if no track fits and nothing was written, 2 if the command could
    not run.
    """
    from taggram.cli._tracks import read_weights
    from taggram.library.playlist_files import FORMS, write_playlist
    from taggram.library.playlists import Wish
    from taggram.library.similar import Finder

    if sum([query is not None, bool(like), from_ is not None or to is not None, bool(curve)]) != 1:
        raise typer.BadParameter("give one of --query, --like, --from with --to, --curve")
    if (from_ is None) != (to is None):
        raise typer.BadParameter("a path needs both --from and --to")
    if output.suffix.lower() not in FORMS:
        raise typer.BadParameter(f"{output.name} ends in none of {', '.join(FORMS)}")
    wish = Wish(tracks, minutes, per_artist, where, seed, read_weights(weight) or None)
    with open_library(library) as opened:
        finder = Finder.open(opened, opened.default_model(model))
        ends = (from_, to) if from_ and to else None
        playlist = _make(opened, finder, wish, title, query=query, like=like, ends=ends, curve=curve)
    if not playlist.entries:
        print("taggram: no track fits; nothing was written", file=sys.stderr)
        raise typer.Exit(1)
    write_playlist(playlist, output, absolute=absolute)
    if not quiet:
        _print(playlist, output)


def _make(
    library: "Library",
    finder: "Finder",
    wish: "Wish",
    title: str,
    *,
    query: str | None,
    like: Sequence[Path] | None,
    ends: tuple[Path, Path] | None,
    curve: Sequence[str] | None,
) -> "Playlist":
    from taggram.library.playlists import PlaylistMaker, parse_curve

    maker = PlaylistMaker(library, finder)
    if query is not None:
        return maker.from_query(query, wish, title=title)
    if like:
        return maker.from_seeds(finder.query_of_paths(like), wish, title=title)
    if ends:
        return maker.path(finder.query_of_paths(ends), wish, title=title)
    return maker.curve(dict(map(parse_curve, curve or ())), wish, title=title)


def _print(playlist: "Playlist", output: Path) -> None:
    from taggram.audio.container import printable
    from taggram.cli._formats import clock
    from taggram.cli._tracks import track_line

    for number, entry in enumerate(playlist.entries, 1):
        typer.echo(track_line(entry.file, f"{number:>3}", entry.reason))
    n_tracks = len(playlist.entries)
    counted = "1 track" if n_tracks == 1 else f"{n_tracks} tracks"
    typer.echo(f"{counted}, {clock(playlist.duration)}, written to {printable(output)}")
