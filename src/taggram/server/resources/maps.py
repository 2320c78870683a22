"""The library in two dimensions, and its tags."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from taggram.server.context import Context
from taggram.server.presentation import Presenter
from taggram.server.schemas import Job, LibraryMap, MapScores, TagMap, TagName

router = APIRouter(tags=["library"])

_MAP: dict[int | str, dict[str, Any]] = {202: {"model": Job, "description": "It is being computed."}}


@router.get("/map", response_model=LibraryMap, responses=_MAP)
def read_map(
    server: Context, renew: Annotated[bool, Query(description="Compute it anew if it is old.")] = False
) -> Response:
    """Give the map of the library, of the last state that was computed; if there is none, the job for it."""
    return server.maps.answer(renew=renew)


@router.get("/map/scores")
def read_map_scores(tag: TagName, server: Context) -> MapScores:
    """Give the scores of a tag, in the order of the map's tracks."""
    return server.maps.scores(tag)


@router.get("/tag-map")
def read_tag_map(server: Context) -> TagMap:
    """Give the map of the tags: near is heard together in this library."""
    return Presenter(server).tag_map()
