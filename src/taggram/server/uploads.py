"""Take an uploaded file in: streamed to the disk, never whole in memory, and known by its sound.

The body is `multipart/form-data` with one part called `file`. Which sound it holds is found out by a child
process with limits, because no byte of it is to be trusted.
"""

import hashlib
import secrets
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import IO, TYPE_CHECKING

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import Request
from python_multipart import MultipartParser
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import parse_options_header
from starlette.exceptions import HTTPException

from taggram.errors import AudioError
from taggram.library.examine import Examination
from taggram.library.examiner import Examiner
from taggram.server.problems import ProblemError
from taggram.server.schemas import Job
from taggram.server.settings import Settings

if TYPE_CHECKING:
    from taggram.server.context import Server

_FIELD = "file"
_AT_ONCE = 1 << 20  # bytes that are written together
_MAX_NAME = 200
_EXAMINE_SECONDS = 60.0
_N_EXAMINERS = 2


@dataclass(frozen=True)
class Upload:
    """A file that was taken in; it lies at `path` until somebody takes it or throws it away."""

    path: Path
    name: str
    n_bytes: int
    sha256: str


class Reception:
    """Says which sound uploads hold, a few at a time.

    Attributes
    ----------
    limiter
        Of the threads that ask.
    """

    def __init__(self, settings: Settings) -> None:
        # Whoever waits for an examiner keeps no thread from those who answer at once.
        self.limiter = CapacityLimiter(_N_EXAMINERS)
        self._examiners: SimpleQueue[Examiner] = SimpleQueue()
        self._all = [
            Examiner(timeout=_EXAMINE_SECONDS, max_memory=settings.limits.worker_bytes)
            for _ in range(_N_EXAMINERS)
        ]
        for examiner in self._all:
            self._examiners.put(examiner)

    def examine(self, upload: Upload) -> Examination:
        """Look at an upload in a child process.

        Raises
        ------
        AudioError
            If there is no sound in it.
        """
        examiner = self._examiners.get()
        try:
            found = examiner.examine(upload.path)
        finally:
            self._examiners.put(examiner)
        if isinstance(found, AudioError):
            raise AudioError(str(found).replace(str(upload.path), upload.name), outcome=found.outcome)
        return found

    def close(self) -> None:
        """End the child processes."""
        for examiner in self._all:
            examiner.close()


async def receive_upload(request: Request, server: "Server") -> Upload:
    """Write the file of a request to the disk.

    Raises
    ------
    ProblemError
        429 if no job may wait, 413, 415 or 422 for a body that is too long or not what is expected.
    """
    boundary = _boundary(request)
    limit = server.settings.limits.upload_bytes
    if int(request.headers.get("content-length", "0") or 0) > limit + (1 << 16):
        raise _too_long(limit)
    try:
        server.jobs.check_room("analysis")
    except ProblemError:
        await _drain(request)  # a browser reads no answer while it is still sending
        raise
    path = server.settings.uploads / f"{secrets.token_hex(16)}.part"
    with path.open("xb") as file:
        try:
            form = _Form(boundary, file, limit)
            async for data in request.stream():
                form.feed(data)
                if form.n_buffered >= _AT_ONCE:
                    await run_sync(form.flush)
            await run_sync(form.finish)
        except BaseException as error:
            path.unlink(missing_ok=True)
            if isinstance(error, HTTPException) and error.status_code == 413:
                raise _too_long(limit) from error
            if isinstance(error, MultipartParseError):
                raise _no_form(str(error)) from error
            raise
    return Upload(path, form.file_name, form.n_bytes, form.digest.hexdigest())


def analyse_upload(server: "Server", upload: Upload, *, model: str | None, keep: bool) -> Job:
    """Let an upload be analysed; the same sound, heard by the same model, gives the job that there is.

    Raises
    ------
    AudioError
        If there is no sound in it.
    ModelFileError
        If there is no such model.
    ProblemError
        413 if the sound says that it is too long, 429 if no job may wait.
    """
    try:
        chosen = server.models.find(model or server.settings.model)
        identity = server.reception.examine(upload).identity
        longest = server.settings.limits.duration
        if identity.duration is not None and identity.duration > longest:
            raise ProblemError(413, "too_long", f"the sound is longer than {longest:g} s", "cut it")
        models = f"{chosen.weights_sha256}:{server.models.chords().weights_sha256}"
        key = f"{identity.audio_hash.hex()}:{models}:{'kept' if keep else ''}"
        same = server.store.job_of_key(key)
        if same is not None:
            return server.jobs.get(same.id)
        path = upload.path.with_suffix("")
        upload.path.replace(path)
    finally:
        upload.path.unlink(missing_ok=True)
    task = {
        "path": str(path),
        "file_name": upload.name,
        "duration": identity.duration,
        "model": chosen.name,
        "is_kept": keep,
    }
    try:
        job = server.jobs.submit("analysis", upload.name, task, key=key)
    except ProblemError:
        path.unlink()
        raise
    if server.store.job(job.id).task["path"] != task["path"]:  # the same sound came in between
        path.unlink()
    return job


class _Form:
    """Reads a multipart body piece by piece; the one file in it goes to `file`."""

    def __init__(self, boundary: bytes, file: IO[bytes], limit: int) -> None:
        self.file_name = ""
        self.n_bytes = 0
        self.digest = hashlib.sha256()
        self._file = file
        self._limit = limit
        self._header, self._value = b"", b""
        self._disposition = b""
        self._is_file, self._n_files = False, 0
        self._buffer = bytearray()
        self._has_ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin_part,
                "on_header_field": self._on_header,
                "on_header_value": self._on_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": self._on_data,
                "on_end": self._end,
            },
        )

    @property
    def n_buffered(self) -> int:
        """Bytes that wait to be written."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
        self._parser.write(data)

    def flush(self) -> None:
        """Write what waits."""
        self.digest.update(self._buffer)
        self._file.write(self._buffer)
        self._buffer.clear()

    def finish(self) -> None:
        """Write the rest, and make sure that it was a form with one file."""
        self._parser.finalize()
        self.flush()
        self._file.flush()
        if not self._has_ended or self._n_files != 1:
            raise _no_form(f"{self._n_files} of them came" if self._has_ended else "the body breaks off")

    def _begin_part(self) -> None:
        self._disposition, self._is_file = b"", False

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header, self._value = b"", b""

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        if options.get(b"name") == _FIELD.encode():
            self._is_file = True
            self._n_files += 1
            self.file_name = clean_name(options.get(b"filename", b"").decode("utf-8", "replace"))

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self.n_bytes += end - start
            if self.n_bytes > self._limit:
                raise _too_long(self._limit)
            self._buffer += data[start:end]

    def _end(self) -> None:
        self._has_ended = True


def clean_name(name: str) -> str:
    r"""Return a file name for people: without folders and control characters; it never names a file here.

    Examples
    --------
    >>> clean_name("../../etc/pass\x00wd.mp3"), clean_name("C:\\Music\\song.mp3"), clean_name("")
    ('passwd.mp3', 'song.mp3', 'untitled')
    """
    last = name.replace("\\", "/").rpartition("/")[2]
    # Cc, Cf, Cs, Co: control, invisible (such as those that turn the direction of writing), no text at all
    printable = "".join(letter for letter in last if not unicodedata.category(letter).startswith("C"))
    return printable.strip()[-_MAX_NAME:] or "untitled"


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise ProblemError(
            415, "no_form", "a file is sent as multipart/form-data", "such as `curl -F file=@song.mp3`"
        )
    return options[b"boundary"]


async def _drain(request: Request) -> None:
    with suppress(HTTPException):
        async for _ in request.stream():
            pass


def _no_form(why: str) -> ProblemError:
    return ProblemError(
        422, "no_form", f"a form with one file in the field {_FIELD!r} is expected: {why}",
        "such as `curl -F file=@song.mp3`",
    )  # fmt: skip


def _too_long(limit: int) -> ProblemError:
    return ProblemError(413, "too_large", f"a file may have {limit} bytes", "compress it, or allow more")
