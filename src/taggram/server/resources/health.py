"""Whether the server works, and its numbers for Prometheus."""

from fastapi import APIRouter, Request

from taggram import __version__
from taggram.server.context import Context
from taggram.server.guard import is_authorised
from taggram.server.schemas import Health, LibraryHealth, QueueStatus

router = APIRouter(tags=["server"])


@router.get("/health")
def read_health(request: Request, server: Context) -> Health:
    """Say whether the server works; needs no token, but says more with it."""
    health = Health(status="closing" if server.jobs.is_closing else "ok", version=__version__)
    if is_authorised(request.scope, server):
        health.library = LibraryHealth(n_tracks=server.shelf.n_tracks, is_loading=server.shelf.is_loading)
        health.queue = QueueStatus(n_queued=server.jobs.n_queued, n_running=server.jobs.n_running)
    return health
