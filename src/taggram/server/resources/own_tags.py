"""The user's own tags: taught by accepting and rejecting tracks."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from taggram.server.context import Context
from taggram.server.presentation import Presenter
from taggram.server.schemas import (
    OwnTag,
    OwnTagChange,
    OwnTagDetail,
    OwnTagRequest,
    Suggestion,
    TrackPage,
)

router = APIRouter(prefix="/own-tags", tags=["own tags"])

Name = Annotated[str, Path(min_length=1, max_length=100, description="Of the tag.")]


@router.get("")
def list_own_tags(server: Context) -> list[OwnTag]:
    """List the own tags."""
    return Presenter(server).own_tags()


@router.post("", status_code=201)
def teach_own_tag(wish: OwnTagRequest, server: Context) -> OwnTagDetail:
    """Begin a tag with its first examples, or add examples to one."""
    return Presenter(server).teach(wish)


@router.get("/{name}")
def read_own_tag(name: Name, server: Context) -> OwnTagDetail:
    """Give a tag with its examples, and what it is worth."""
    return Presenter(server).own_tag(name)


@router.patch("/{name}")
def change_own_tag(name: Name, wish: OwnTagChange, server: Context) -> OwnTagDetail:
    """Accept and reject tracks, or forget what was said of them."""
    return Presenter(server).change_own_tag(name, wish)


@router.delete("/{name}", status_code=204)
def remove_own_tag(name: Name, server: Context) -> Response:
    """Remove a tag with its examples."""
    Presenter(server).remove_own_tag(name)
    return Response(status_code=204)


@router.get("/{name}/suggestions")
def list_suggestions(
    name: Name, server: Context, n: Annotated[int, Query(ge=1, le=100)] = 10
) -> list[Suggestion]:
    """List the tracks about which an answer would teach most."""
    return Presenter(server).suggestions(name, n)


@router.get("/{name}/tracks")
def list_own_tag_tracks(
    name: Name,
    server: Context,
    offset: Annotated[int, Query(ge=0, le=100_000_000)] = 0,
    limit: Annotated[int, Query(ge=0, le=500)] = 100,
) -> TrackPage:
    """List all tracks by the score of a tag that was learned, the highest first."""
    return Presenter(server).own_tag_tracks(name, offset, limit)
