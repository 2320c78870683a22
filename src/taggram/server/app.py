"""Put a server together: `create_app(Settings())` is an ASGI application, and `serve` runs it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from types import FrameType

import anyio.to_thread
import uvicorn
from anyio.to_thread import run_sync
from fastapi import FastAPI

from taggram import __version__
from taggram.errors import TaggramError
from taggram.server import page, problems
from taggram.server.context import Server
from taggram.server.guard import Guard
from taggram.server.openapi import add_routes
from taggram.server.settings import Settings

_N_THREADS = 16  # that answer; each may hold a connection to the databases
_TIDY = 600.0  # seconds between two removals of what is old
_FAREWELL = 5  # seconds that open requests have when the server ends


def create_app(settings: Settings) -> FastAPI:
    """Return the application of one server.

    Raises
    ------
    LibraryError
        If the server's own database cannot be used.
    """
    server = Server(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = _N_THREADS
        server.start()
        tidying = asyncio.create_task(_tidy(server))
        try:
            yield
        finally:
            tidying.cancel()
            with suppress(asyncio.CancelledError):
                await tidying
            await run_sync(server.close)

    app = FastAPI(
        title="Taggram",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.server = server
    add_routes(app)
    app.include_router(page.router)
    problems.install(app)
    app.add_middleware(Guard, server=server)
    return app


def serve(settings: Settings, *, announce: Callable[[int], None]) -> None:
    """Answer until somebody says that it is enough; then end what is in hand, and return.

    Parameters
    ----------
    settings
        What to do; a port of 0 is a free one.
    announce
        Called with the port when the server can be reached.

    Raises
    ------
    TaggramError
        If nobody may listen at this address.
    """
    with _listen(settings) as listening:
        app = create_app(settings)
        announce(listening.getsockname()[1])
        _run(app, listening)


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listening = socket.create_server((settings.host, settings.port), family=family)
    except (OSError, OverflowError) as error:
        raise TaggramError(
            f"cannot listen at {settings.host}, port {settings.port}: {error}; "
            "choose another --port or --host"
        ) from error
    # asyncio does so only for sockets that name their protocol; otherwise an answer whose head and body are
    # written one after the other waits 40 ms for the client's acknowledgement.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _run(app: FastAPI, listening: socket.socket) -> None:
    configuration = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_FAREWELL,
        h11_max_incomplete_event_size=1 << 16,
    )
    _Uvicorn(configuration, app.state.server).run([listening])


class _Uvicorn(uvicorn.Server):
    """Ends event streams as soon as it is told to end: they would go on for ever."""

    def __init__(self, configuration: uvicorn.Config, server: Server) -> None:
        super().__init__(configuration)
        self._server = server

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end."""
        self._server.hub.close()
        super().handle_exit(sig, frame)


async def _tidy(server: Server) -> None:
    while True:
        await asyncio.sleep(_TIDY)
        await run_sync(server.tidy)
