"""Server-sent events: what jobs say, from the store, so that a client may come back and miss nothing.

An event is the number in the store, the name `job`, and a Job as JSON. A stream of all jobs goes on until the
client or the server ends it; that of one job ends with the job.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from anyio.to_thread import run_sync
from fastapi.responses import StreamingResponse

from taggram.server.problems import ProblemError
from taggram.server.store import FINAL

if TYPE_CHECKING:
    from taggram.server.context import Server

_HEARTBEAT = 15.0  # seconds between two signs of life


class Hub:
    """Wakes everybody who waits for events."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: set[asyncio.Event] = set()
        self.n_streams = 0
        self.is_closing = False

    def attach(self) -> None:
        """Belong to the loop that runs now."""
        self._loop = asyncio.get_running_loop()

    def publish(self) -> None:
        """Wake all; from any thread."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended, and nobody waits
                self._loop.call_soon_threadsafe(self._wake)

    def close(self) -> None:
        """End all streams; from any thread."""
        self.is_closing = True
        self.publish()

    def _wake(self) -> None:
        for event in self._waiting:
            event.set()

    async def wait(self, event: asyncio.Event) -> None:
        """Wait for the next waking, or until it is time for a sign of life."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_HEARTBEAT):
                await event.wait()
        event.clear()

    def listen(self) -> asyncio.Event:
        """Return an event that is set when there is news."""
        event = asyncio.Event()
        self._waiting.add(event)
        return event

    def leave(self, event: asyncio.Event) -> None:
        """Listen no longer."""
        self._waiting.discard(event)


def stream_events(server: "Server", job_id: str | None, last_event_id: str | None) -> StreamingResponse:
    """Return a stream of events: of one job from its beginning, of all from now on; or behind an event.

    A stream of all jobs begins with the last event of each that has not ended.

    Raises
    ------
    ProblemError
        404 if there is no such job, 429 if too many streams are open.
    """
    if server.hub.n_streams >= server.settings.limits.n_streams:
        raise ProblemError(
            429, "too_many_streams", "too many event streams are open", "close one", {"Retry-After": "5"}
        )
    if job_id is not None:
        server.store.job(job_id)
    after = _after(server, job_id, last_event_id)
    is_beginning = job_id is None and last_event_id is None
    first = server.store.unfinished() if is_beginning else []
    headers = {"X-Accel-Buffering": "no"}  # a proxy is to pass events on at once
    return StreamingResponse(
        _events(server, job_id, after, first), media_type="text/event-stream", headers=headers
    )


def _after(server: "Server", job_id: str | None, last_event_id: str | None) -> int:
    if last_event_id and last_event_id.isascii() and last_event_id.isdigit():
        return int(last_event_id)
    return server.store.last_event() if job_id is None else 0


async def _events(
    server: "Server", job_id: str | None, after: int, first: Sequence[tuple[int, str]]
) -> AsyncIterator[str]:
    hub = server.hub
    event = hub.listen()
    hub.n_streams += 1
    try:
        yield ": welcome\n\n"
        for number, data in first:
            yield f"id: {number}\nevent: job\ndata: {data}\n\n"
        while not hub.is_closing:
            found = await run_sync(server.store.events, after, job_id)
            for number, data in found:
                after = number
                yield f"id: {number}\nevent: job\ndata: {data}\n\n"
                if job_id is not None and json.loads(data)["state"] in FINAL:
                    return
            if not found:
                await hub.wait(event)
                yield ": still here\n\n"
    finally:
        hub.n_streams -= 1
        hub.leave(event)
