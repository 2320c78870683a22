"""The library in two dimensions, and its tags."""

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Response

from taggram.server.context import Context
from taggram.server.problems import ProblemError
from taggram.server.schemas import Job, LibraryMap, MapScores, TagMap, TagName, TagPlace

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
    with server.shelf.view() as view:
        catalogue = view.catalogue
        tags, n_nearest = catalogue.tags, 5
        heard = catalogue.find_matches("").recording_ids
        if len(heard) < 2:
            raise ProblemError(
                409, "too_few", "tags are laid out by at least two tracks", "add music to the library"
            )
        places, correlations = catalogue.tag_map
        counts = {tag.name: count for tag, count in catalogue.count_tags("")}
        nearest = np.argsort(-correlations, axis=1, kind="stable")
        found = [
            TagPlace(
                name=tag.name,
                display_name=tag.label,
                category=tag.category,
                x=float(places[i, 0]),
                y=float(places[i, 1]),
                count=counts[tag.name],
                nearest=[tags[k].name for k in nearest[i].tolist() if k != i][:n_nearest],
            )
            for i, tag in enumerate(tags)
        ]
        return TagMap(model=catalogue.model.name, tags=found)
