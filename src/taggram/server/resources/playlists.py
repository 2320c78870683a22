"""Playlists: from a query, from seeds, along a path or curves, or of chosen tracks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from taggram.library import playlist_files
from taggram.library.playlists import PlaylistMaker, Wish
from taggram.server import presentation
from taggram.server.context import Context
from taggram.server.schemas import (
    ChosenPlaylist,
    CurvePlaylist,
    Playlist,
    PlaylistEntry,
    PlaylistRequest,
    QueryPlaylist,
    SeedsPlaylist,
)
from taggram.server.shelf import View
from taggram.server.sounds import find_track

router = APIRouter(prefix="/playlists", tags=["library"])

_MEDIA_TYPES = {
    "m3u8": "audio/x-mpegurl",
    "xspf": "application/xspf+xml",
    "json": "application/vnd.taggram.playlist+json",
}
_FORMS: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Playlist,
        "content": {"application/json": {}, **{kind: {} for kind in _MEDIA_TYPES.values()}},
    }
}


@router.post("", response_model=Playlist, responses=_FORMS)
def make_playlist(
    wish: PlaylistRequest,
    server: Context,
    format_: Annotated[
        Literal["m3u8", "xspf", "json"] | None,
        Query(
            alias="format", description="To download; paths are relative to the first root of the library."
        ),
    ] = None,
) -> Response | Playlist:
    """Make a playlist; the same wish and library give the same one."""
    with server.shelf.view() as view:
        playlist = _make(view, wish)
        if format_ is not None:
            return _download(playlist, format_, view.library.roots())
        tracks = presentation.tracks(view, [entry.file for entry in playlist.entries])
        entries = [
            PlaylistEntry(track=track, reason=entry.reason)
            for track, entry in zip(tracks, playlist.entries, strict=True)
        ]
        return Playlist(
            title=playlist.title, duration=playlist.duration, tracks=entries, how=_without_paths(playlist.how)
        )


def _make(view: View, wish: PlaylistRequest) -> playlist_files.Playlist:
    if isinstance(wish, ChosenPlaylist):
        files = [find_track(view.library, track_id) for track_id in wish.track_ids]
        entries = tuple(playlist_files.Entry(file) for file in files)
        return playlist_files.Playlist(wish.title or f"{len(entries)} tracks", entries)
    finder = view.finder
    maker = PlaylistMaker(view.library, finder)
    limits = Wish(
        n_tracks=wish.n,
        minutes=wish.minutes,
        per_artist=wish.per_artist,
        where=wish.where,
        seed=wish.seed,
        weights=dict(wish.weights.items()),
    )
    if isinstance(wish, QueryPlaylist):
        return maker.from_query(wish.query, limits, title=wish.title)
    if isinstance(wish, CurvePlaylist):
        return maker.curve(wish.curves, limits, title=wish.title)
    ids = wish.track_ids if isinstance(wish, SeedsPlaylist) else [wish.start, wish.end]
    query = finder.query(presentation.recordings_of(view.library, ids))
    make = maker.from_seeds if isinstance(wish, SeedsPlaylist) else maker.path
    return make(query, limits, title=wish.title)


def _download(playlist: playlist_files.Playlist, form: str, roots: tuple[Path, ...]) -> Response:
    """Return a playlist as a file that lies in the first root."""
    folder = next((root if root.is_dir() else root.parent for root in roots), None)
    data = playlist_files.FORMS[f".{form}"](playlist, folder)
    name = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in playlist.title)[:80]
    headers = {"Content-Disposition": f'attachment; filename="{name or "playlist"}.{form}"'}
    return Response(data, media_type=_MEDIA_TYPES[form], headers=headers)


def _without_paths(how: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a playlist was made; where files lie is no business of a page."""
    return {name: value for name, value in how.items() if name not in ("seeds", "path")}
