"""Playlists: from a query, from seeds, along a path or curves, or of chosen tracks."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from taggram.server.context import Context
from taggram.server.presentation import Presenter
from taggram.server.schemas import Playlist, PlaylistRequest

router = APIRouter(prefix="/playlists", tags=["library"])

_FORMS: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Playlist,
        "content": {"application/json": {}, "audio/x-mpegurl": {}, "application/xspf+xml": {}},
    }
}


@router.post("", response_model=Playlist, responses=_FORMS)
def make_playlist(
    wish: PlaylistRequest,
    server: Context,
    format_: Annotated[
        Literal["m3u8", "xspf", "json"] | None,
        Query(alias="format", description="To download; paths are relative to the first root of the library."),
    ] = None,
) -> Response | Playlist:
    """Make a playlist; the same wish and library give the same one."""
    return Presenter(server).playlist(wish, format_)
