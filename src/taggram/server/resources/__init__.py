"""What the server offers, one file per resource; `ROUTERS` is the catalogue."""

from fastapi import APIRouter

from taggram.server.resources import (
    analyses,
    evaluations,
    health,
    jobs,
    library,
    maps,
    models,
    own_tags,
    plans,
    playlists,
    robustness,
    searches,
    session,
    tracks,
)

ROUTERS: tuple[APIRouter, ...] = tuple(
    resource.router
    for resource in (
        health,
        session,
        models,
        analyses,
        jobs,
        library,
        tracks,
        searches,
        playlists,
        plans,
        own_tags,
        maps,
        evaluations,
        robustness,
    )
)
