"""Long work: how far it is, and its end."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Response
from fastapi.responses import StreamingResponse

from taggram.server.context import Context
from taggram.server.events import stream_events
from taggram.server.schemas import Job, JobKind, JobPage, JobState

router = APIRouter(prefix="/jobs", tags=["jobs"])

JobId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
LastEventId = Annotated[str | None, Header(max_length=20, description="Go on behind this event.")]
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "Events."}
}


@router.get("")
def list_jobs(
    server: Context,
    state: JobState | None = None,
    kind: JobKind | None = None,
    cursor: Annotated[
        str | None, Query(pattern="^[0-9]{1,18}$", description="As the last page said.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> JobPage:
    """List jobs, the newest first."""
    return server.jobs.page(state, kind, cursor, limit)


@router.get("/events", response_class=StreamingResponse, responses=_EVENTS)
async def watch_jobs(server: Context, last_event_id: LastEventId = None) -> StreamingResponse:
    """Tell of all jobs, as they change: events `job`, whose data is a Job."""
    return stream_events(server, None, last_event_id)


@router.get("/{job_id}")
def read_job(job_id: JobId, server: Context) -> Job:
    """Say how far a job is."""
    return server.jobs.get(job_id)


@router.get("/{job_id}/events", response_class=StreamingResponse, responses=_EVENTS)
async def watch_job(job_id: JobId, server: Context, last_event_id: LastEventId = None) -> StreamingResponse:
    """Tell of one job until it ends."""
    return stream_events(server, job_id, last_event_id)


@router.delete("/{job_id}", status_code=204)
def cancel_job(job_id: JobId, server: Context) -> Response:
    """Cancel a job that waits or runs; one that has ended stays as it is."""
    server.jobs.cancel(job_id)
    return Response(status_code=204)
