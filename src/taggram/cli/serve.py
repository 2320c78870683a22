"""`taggram serve`: the page and the REST interface."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from taggram.cli._library import LibraryFile

if TYPE_CHECKING:
    from taggram.server.settings import Settings

TOKEN_VARIABLE = "TAGGRAM_TOKEN"
_MEBIBYTE = 1 << 20
_DAY = 24 * 3600.0


def run(
    host: Annotated[
        str, typer.Option(help="Address to listen at; any but this machine alone needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8765,
    library: LibraryFile = None,
    model: Annotated[
        str | None, typer.Option(help="Name of the model for uploads; default: the one that ships.")
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File with the token; default: $TAGGRAM_TOKEN, or a new one.")
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="Another name of this server, as behind a proxy; may be repeated."),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="For uploads and jobs; default: beside the library.")
    ] = None,
    dataset: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=DIR", help="A dataset that is prepared here; may be repeated."),
    ] = None,
    taxonomy: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="Your words for file tags; may be repeated."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Uploads analysed at once; default: cores less one.")
    ] = None,
    max_upload: Annotated[int, typer.Option(min=1, help="MiB of one upload.")] = 500,
    max_duration: Annotated[float, typer.Option(min=1, help="Seconds of sound in one upload.")] = 14400.0,
    max_queue: Annotated[int, typer.Option(min=1, help="Jobs of one kind that wait.")] = 200,
    max_memory: Annotated[int, typer.Option(min=512, help="MiB of one worker process.")] = 4096,
    keep_days: Annotated[float, typer.Option(min=0.01, help="Analyses and ended jobs go after this.")] = 7.0,
) -> None:
    """Serve the page and the REST interface, for you alone unless --host says otherwise.

    Press Ctrl-C to end it; jobs that were running go on at the next start.
    """
    _need_server()
    from dataclasses import replace
    from functools import partial

    from taggram.server.app import serve
    from taggram.server.settings import Limits, Settings, is_loopback

    limits = Limits(
        upload_bytes=max_upload * _MEBIBYTE,
        duration=max_duration,
        queue_length=max_queue,
        worker_bytes=max_memory * _MEBIBYTE,
    )
    settings = Settings(
        host=host,
        port=port,
        token=_read_token(token_file, is_needed=not is_loopback(host)),
        allowed_hosts=tuple(allow_host or ()),
        library=library,
        folder=folder,
        model=model,
        datasets=_read_named(dataset or (), "dataset; write it as gtzan=/music/gtzan"),
        taxonomies=_read_named(taxonomy or (), "taxonomy; write it as mine=/music/genres.yaml"),
        retention_seconds=keep_days * _DAY,
        limits=limits if workers is None else replace(limits, n_workers=workers),
    )
    serve(settings, announce=partial(_say, settings))


def _need_server() -> None:
    from taggram.errors import MissingExtraError

    if any(
        find_spec(name) is None for name in ("fastapi", "uvicorn", "python_multipart", "prometheus_client")
    ):
        raise MissingExtraError("serving the page", "serve")


def _read_token(path: Path | None, *, is_needed: bool) -> str | None:
    """Return the token of the file or the environment; a new one where one is needed."""
    import secrets

    from taggram.errors import TaggramError

    if path is not None:
        try:
            return path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise TaggramError(f"{path}: the token cannot be read: {error}") from error
    given = os.environ.get(TOKEN_VARIABLE, "").strip()
    return given or (secrets.token_urlsafe(24) if is_needed else None)


def _read_named(texts: "list[str] | tuple[str, ...]", what: str) -> dict[str, Path]:
    """Return name → path; `what` is said of a text that names none."""
    found = {}
    for text in texts:
        name, _, path = text.partition("=")
        if not name or not path:
            raise typer.BadParameter(f"{text!r} is no {what}")
        found[name] = Path(path).expanduser().absolute()
    return found


def _say(settings: "Settings", port: int) -> None:
    from urllib.parse import quote

    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{host}:{port}/"
    if settings.token is not None:
        url += f"#token={quote(settings.token)}"
    print(f"Taggram is at {url}\nCtrl-C ends it.", flush=True)
