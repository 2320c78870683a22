"""Fetch one published file: resumable, checked, and never half there.

A file is written to `NAME.part` beside its destination and takes its name only when its size and
SHA-256 are the published ones. A run that was cut goes on where the part ends, if the server can
send from there, and starts over if it cannot. Nothing but HTTPS is spoken, redirects included;
plain HTTP is accepted from this very machine, for mirrors and tests.
"""

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from taggram.errors import ChecksumError, DownloadError
from taggram.modelfile.cache import downloads_directory

Progress = Callable[[int, int], None]
"""Called with the bytes that are there and the bytes of the whole file."""

BLOCK = 1 << 16
OFFLINE_REMEDY = "or get the file by other means and name its folder with --from DIR"
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_RETRIED_STATUS = {408, 425, 429, 500, 502, 503, 504}


class PublishedFile(Protocol):
    """One file as its authors published it; `PublishedCheckpoint` is one."""

    @property
    def name(self) -> str:
        """What Taggram calls it."""

    @property
    def url(self) -> str:
        """Where it is, pinned to a commit."""

    @property
    def sha256(self) -> str:
        """Hexadecimal."""

    @property
    def n_bytes(self) -> int:
        """Size; never more is accepted."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server, and how often to try.

    Attributes
    ----------
    timeout
        Longest silence of the server, in seconds.
    attempts
        Tries in all; each goes on where the last one was cut.
    pause
        Seconds before the second try, doubled before each further one.
    """

    timeout: float = 30.0
    attempts: int = 4
    pause: float = 1.0


def fetch(
    file: PublishedFile,
    destination: Path,
    *,
    progress: Progress | None = None,
    patience: Patience | None = None,
) -> Path:
    """Download `file` to `destination`, or leave it there if it is there already, and check it.

    Raises
    ------
    DownloadError
        If the server cannot be reached, refuses, stays silent, or sends more than `file.n_bytes` bytes.
        What has arrived is kept for the next call.
    ChecksumError
        If all bytes arrived and are not the published ones; they are deleted.
    """
    if destination.is_file() and is_published(destination, file):
        return destination
    _check_scheme(file.url)
    patience = patience or Patience()
    destination.parent.mkdir(parents=True, exist_ok=True)
    part = destination.with_name(destination.name + ".part")
    _download(file, part, progress or _no_progress, patience)
    if not is_published(part, file):
        got = sha256_of(part)
        part.unlink()
        raise ChecksumError(
            f"{file.url}: SHA-256 is {got}, published is {file.sha256}. The file was replaced at its origin "
            f"or damaged on the way, and is deleted here: try again, {OFFLINE_REMEDY}"
        )
    part.replace(destination)
    return destination


def download_path(file: PublishedFile) -> Path:
    """Return where `taggram models pull` keeps the file; it need not be there yet."""
    return downloads_directory() / f"{file.name}{PurePosixPath(file.url).suffix}"


def find_offline(file: PublishedFile, directory: Path) -> Path:
    """Return where below `directory` a byte-identical copy of `file` lies, under whatever name.

    Raises
    ------
    DownloadError
        If there is none; the message says what was looked for.
    """
    if not directory.is_dir():
        raise DownloadError(
            f"--from {directory}: not a folder; name the folder that holds a copy of {file.url}"
        )
    for folder, _, names in os.walk(directory):
        for path in (Path(folder, name) for name in sorted(names)):
            if path.is_file() and is_published(path, file):
                return path
    raise DownloadError(
        f"no copy of {file.url} below {directory}: looked for any file of {file.n_bytes} bytes with "
        f"SHA-256 {file.sha256}"
    )


def is_published(path: Path, file: PublishedFile) -> bool:
    """Whether the file at `path` has the published size and checksum."""
    return path.stat().st_size == file.n_bytes and sha256_of(path) == file.sha256


def sha256_of(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _download(file: PublishedFile, part: Path, progress: Progress, patience: Patience) -> None:
    """Try until the part is complete; a try that brought new bytes does not count as a failure."""
    opener = build_opener(_SafeRedirects)
    failures = 0
    with _open_part(part) as stream:
        while (before := _length(stream)) != file.n_bytes:
            reason = _receive(opener, file, stream, progress, patience.timeout)
            if _length(stream) <= before:
                failures += 1
            if failures >= patience.attempts:
                raise DownloadError(_failure(file, f"{reason}; {failures} tries brought nothing new"))
            if _length(stream) != file.n_bytes:
                time.sleep(patience.pause * 2 ** max(failures - 1, 0))


def _receive(
    opener: OpenerDirector, file: PublishedFile, stream: BinaryIO, progress: Progress, timeout: float
) -> str:
    """Ask once for what is missing and append what comes; return why it may have stopped early."""
    start = _length(stream)
    if start > file.n_bytes:
        stream.truncate(start := 0)
    headers = {"User-Agent": "taggram", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        with opener.open(Request(file.url, headers=headers), timeout=timeout) as response:
            if not _continues(response, start):
                stream.truncate(0)
            _copy(response, stream, file, progress)
    except HTTPError as error:
        error.close()
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and start:
            stream.truncate(0)
        elif error.code not in _RETRIED_STATUS:
            raise DownloadError(_failure(file, f"HTTP status {error.code} {error.reason}")) from error
        return f"HTTP status {error.code} {error.reason}"
    except URLError as error:
        return str(error.reason)
    except (OSError, HTTPException) as error:
        return str(error) or type(error).__name__
    return f"the connection ended after {_length(stream)} of {file.n_bytes} bytes"


def _continues(response: HTTPResponse, start: int) -> bool:
    """Whether the answer begins at byte `start`; a server may ignore the question and send it all."""
    sent = response.headers.get("Content-Range", "")
    return response.status == HTTPStatus.PARTIAL_CONTENT and sent.startswith(f"bytes {start}-")


def _copy(response: HTTPResponse, stream: BinaryIO, file: PublishedFile, progress: Progress) -> None:
    done = _length(stream)
    while block := response.read(BLOCK):
        done += len(block)
        if done > file.n_bytes:
            stream.truncate(0)
            raise DownloadError(
                _failure(file, f"the server sends more than the published {file.n_bytes} bytes")
            )
        _write(stream, block, file)
        progress(done, file.n_bytes)


def _open_part(part: Path) -> BinaryIO:
    try:
        return part.open("ab")
    except OSError as error:
        raise DownloadError(f"cannot write {part}: {error.strerror}") from error


def _write(stream: BinaryIO, block: bytes, file: PublishedFile) -> None:
    """Write, and keep a full disk apart from a broken connection, which is tried again."""
    try:
        stream.write(block)
        stream.flush()
    except OSError as error:
        raise DownloadError(f"cannot store {file.n_bytes} bytes of {file.url}: {error.strerror}") from error


def _length(stream: BinaryIO) -> int:
    return stream.seek(0, os.SEEK_END)


def _failure(file: PublishedFile, reason: str) -> str:
    return f"cannot fetch {file.url}: {reason}. Try again to go on where it stopped, {OFFLINE_REMEDY}"


def _no_progress(done: int, total: int) -> None:
    """Say nothing."""


def _check_scheme(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise DownloadError(f"{url}: only HTTPS is accepted, got {parts.scheme or 'no scheme'!r}")


class _SafeRedirects(HTTPRedirectHandler):
    """Follow redirects to HTTPS only."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        _check_scheme(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)
