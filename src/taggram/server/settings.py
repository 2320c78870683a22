"""Everything that can be set of a server, with defaults that are safe."""

import ipaddress
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from taggram.errors import TaggramError, UnknownNameError
from taggram.inference.session import usable_cores
from taggram.library.database import default_path

MIN_TOKEN_LENGTH = 16
_DAY = 24 * 3600
_MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What a client may ask of the server.

    Attributes
    ----------
    upload_bytes
        Of one file; more is refused with 413.
    request_bytes
        Of any other request.
    duration
        Seconds of sound in one file; a longer one fails.
    decode_seconds
        That decoding one file may take.
    job_seconds
        That one analysis may take in all.
    queue_length
        Jobs of one kind of work that wait at most; more are refused with 429.
    n_workers
        Analyses at once, each in a process with one thread for the network.
    worker_bytes
        Memory (address space) of a process that reads uploads, where the operating system can limit it.
    n_streams
        Event streams at once.
    """

    upload_bytes: int = 500 * _MEBIBYTE
    request_bytes: int = 2 * _MEBIBYTE
    duration: float = 4 * 3600.0
    decode_seconds: float = 600.0
    job_seconds: float = 3600.0
    queue_length: int = 200
    n_workers: int = field(default_factory=lambda: max(1, usable_cores() - 1))
    worker_bytes: int = 4096 * _MEBIBYTE
    n_streams: int = 100


@dataclass(frozen=True)
class Settings:
    """What a server is to do.

    Attributes
    ----------
    host, port
        Where to listen. Anything but this machine alone needs a token.
    token
        What a client must know; None on loopback: nothing.
    allowed_hosts
        Names by which clients may call the server, beside its own address; needed behind a proxy.
    library
        The database of the library; None is the user's own.
    folder
        Where the server keeps its own things; None is beside the library.
    model
        Name of the model for uploads; None is the one that ships.
    datasets
        Name → folder of the datasets that are prepared here.
    taxonomies
        Name → file of the user's words for file tags.
    retention_seconds
        Analyses, kept sounds and ended jobs are removed after this time.
    session_seconds
        A cookie is good for this time.
    limits
        What a client may ask.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    token: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    library: Path | None = None
    folder: Path | None = None
    model: str | None = None
    datasets: Mapping[str, Path] = field(default_factory=dict)
    taxonomies: Mapping[str, Path] = field(default_factory=dict)
    retention_seconds: float = 7.0 * _DAY
    session_seconds: int = 30 * _DAY
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.token is None and not is_loopback(self.host):
            raise TaggramError(
                f"the server would listen at {self.host} for everyone: it needs a token there; "
                "`taggram serve` makes one"
            )
        if self.token is not None and len(self.token) < MIN_TOKEN_LENGTH:
            raise TaggramError(
                f"the token has {len(self.token)} characters, and could be guessed; "
                f"take at least {MIN_TOKEN_LENGTH}, such as {secrets.token_urlsafe(24)}"
            )

    @property
    def library_path(self) -> Path:
        """Where the library lies."""
        return default_path() if self.library is None else self.library.expanduser().absolute()

    @property
    def own_folder(self) -> Path:
        """Where the server keeps its own things."""
        if self.folder is not None:
            return self.folder.expanduser().absolute()
        return self.library_path.with_name(self.library_path.name + ".server")

    @property
    def uploads(self) -> Path:
        """Where uploaded files lie."""
        return self.own_folder / "uploads"

    def find_dataset(self, name: str) -> Path:
        """Return where a dataset lies that is prepared here.

        Raises
        ------
        UnknownNameError
            If none of this name is.
        """
        if name not in self.datasets:
            raise UnknownNameError("dataset that is prepared here", name, self.datasets)
        return self.datasets[name]


def is_loopback(host: str) -> bool:
    """Return whether only programs on this machine can reach `host`.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
