"""Decode in a child process, so that a file that crashes or hangs a decoder ends as an error.

The child starts once and decodes file after file. What it sends is what `taggram.audio.decode.decode`
gives in this process: the same blocks, the same report, the same errors.
"""

import json
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Generator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from taggram.audio.child import end_child, start_child
from taggram.audio.container import Limits, StrPath, printable
from taggram.audio.decode import DecodeReport, Decoding, check_arguments
from taggram.audio.protocol import Kind, Request, pack_request, read_message, unpack_report, write_message
from taggram.audio.resample import Block
from taggram.errors import AudioError, TaggramError

_DEFAULT_LIMITS = Limits()


class Decoder:
    """Decodes files in a child process of its own; use one for each thread.

    Parameters
    ----------
    limits
        What a file may ask for.
    max_memory
        Bytes of address space that the child may take, where the operating system can limit it.
    """

    def __init__(self, *, limits: Limits = _DEFAULT_LIMITS, max_memory: int = 4 << 30) -> None:
        self._limits = limits
        self._max_memory = max_memory
        self._child: _Child | None = None

    def __enter__(self) -> Self:
        """Start the child, so that it is ready when the first file comes."""
        self._idle_child()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Process id of the child; None while there is none."""
        return self._child.pid if self._child else None

    def close(self) -> None:
        """End the child; a later `decode` starts another."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def decode(
        self,
        path: StrPath,
        *,
        sample_rate: int,
        start: float = 0.0,
        duration: float | None = None,
        timeout: float = 60.0,
        total_timeout: float = 3600.0,
    ) -> Decoding:
        """Decode `path` to mono at `sample_rate` in the child.

        Parameters
        ----------
        path, sample_rate, start, duration
            As of `taggram.audio.decode.decode`.
        timeout
            Seconds that the child may take for its next block.
        total_timeout
            Seconds that the child may take for the whole file. What the reader of the blocks takes
            counts for neither limit.

        Returns
        -------
        Decoding
            As of `taggram.audio.decode.decode`. Closing it half-way or starting the next one ends the
            child; the next file gets a fresh one.

        Raises
        ------
        AudioError
            As of `taggram.audio.decode.decode`; also "corrupt" if the child crashes and "timeout" if it
            takes too long.
        ValueError
            If sample_rate, start or duration is out of range.
        """
        check_arguments(sample_rate, start, duration, self._limits)
        request = Request(_folder_of(path), os.fsencode(path), sample_rate, start, duration, self._limits)
        return Decoding(self._blocks(request, timeout, total_timeout))

    def _idle_child(self) -> "_Child":
        if self._child is None or not self._child.is_idle:
            self.close()
            self._child = _Child(self._max_memory)
        return self._child

    def _blocks(
        self, request: Request, timeout: float, total_timeout: float
    ) -> Generator[Block, None, DecodeReport]:
        name = printable(request.path)
        child = self._idle_child()
        watchdog = _Watchdog(child, timeout, total_timeout)
        has_ended = False
        try:
            child.send(request)
            while True:
                with watchdog:
                    message = child.receive()
                if message is None:
                    raise watchdog.verdict(name) or child.verdict(name)
                kind, payload = message
                if kind is Kind.BLOCK:
                    yield np.frombuffer(payload, np.float32)
                    continue
                has_ended = True
                if kind is Kind.REPORT:
                    return unpack_report(payload)
                if kind is Kind.ERROR:
                    raise AudioError(**json.loads(payload))
                raise AudioError(
                    f"{name}: could not be decoded, by an error in Taggram itself; please report it: "
                    f"{payload.decode()}",
                    outcome="corrupt",
                )
        finally:
            watchdog.end()
            child.is_busy = False
            if not has_ended or watchdog.has_struck:
                child.kill()


class _Child:
    """The process of `taggram.audio.worker` and the pipes to it."""

    def __init__(self, max_memory: int) -> None:
        self._process = start_child(
            "taggram.audio.worker",
            str(max_memory),
            bufsize=0,  # messages are read and written whole
            pipesize=1 << 20,  # the child may be some blocks ahead
        )
        # Also when the last reference is lost, and at the end of the program.
        self.kill = weakref.finalize(self, end_child, self._process)
        self._is_ready = False
        self.is_busy = False

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_idle(self) -> bool:
        return not self.is_busy and self.kill.alive and self._process.poll() is None

    def send(self, request: Request) -> None:
        self.is_busy = True
        assert self._process.stdin is not None
        try:
            write_message(self._process.stdin, Kind.REQUEST, pack_request(request))
        except OSError:
            return  # it is gone; `receive` will find the same

    def receive(self) -> tuple[Kind, bytearray] | None:
        """Return the next message; None if the process is gone."""
        if not self.kill.alive:
            raise RuntimeError("this decoding was given up when the decoder began another or was closed")
        assert self._process.stdout is not None
        message = read_message(self._process.stdout)
        if message is not None and message[0] is Kind.READY:
            self._is_ready = True
            message = read_message(self._process.stdout)
        return message

    def stop(self) -> None:
        """End the process only; a reader of its pipes sees their end."""
        self._process.kill()

    def verdict(self, name: str) -> TaggramError:
        """Return the error for a process that ended in the middle of its work."""
        code = self._process.wait()
        if not self._is_ready:
            return TaggramError(
                f"the decoder process ended with {_describe_exit(code)} before its first file; "
                f"`{sys.executable} -m taggram.audio.worker 0` shows why"
            )
        return AudioError(
            f"{name}: crashed the decoder process ({_describe_exit(code)}); "
            "the file is damaged or needs too much memory: get it again or leave it out",
            outcome="corrupt",
        )


def _folder_of(path: StrPath) -> bytes:
    """Return the working directory if `path` is relative to it; it may have changed since the child began."""
    if Path(os.fsdecode(path)).is_absolute():
        return b""
    try:
        return os.fsencode(Path.cwd())
    except OSError:  # it was removed, and nothing is in it
        return b""


def _describe_exit(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


class _Watchdog:
    """Stops a child that keeps its reader waiting too long; waits are marked by `with`.

    Attributes
    ----------
    has_struck
        The child has been stopped.
    """

    def __init__(self, child: _Child, timeout: float, total_timeout: float) -> None:
        self._child = child
        self._timeout = timeout
        self._total_timeout = total_timeout
        self._n_waited = 0.0  # seconds, of all waits that are over
        self._since: float | None = None
        self.has_struck = False
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def __enter__(self) -> None:
        self._since = time.monotonic()

    def __exit__(self, *_: object) -> None:
        assert self._since is not None
        self._n_waited += time.monotonic() - self._since
        self._since = None

    def end(self) -> None:
        """Stop watching."""
        self._is_over.set()
        self._thread.join()

    def verdict(self, name: str) -> AudioError | None:
        """Return the error for the wait that was too long; None if there was none."""
        if not self.has_struck:
            return None
        return AudioError(
            f"{name}: the decoder gave nothing for {self._timeout:g} s, or took more than "
            f"{self._total_timeout:g} s in all; the file is damaged or on a slow disk: "
            "leave it out or allow more time",
            outcome="timeout",
        )

    def _patience(self) -> float:
        """Seconds until a present or coming wait is too long."""
        since = self._since
        waiting = 0.0 if since is None else time.monotonic() - since
        return min(self._timeout, self._total_timeout - self._n_waited) - waiting

    def _watch(self) -> None:
        while not self._is_over.wait(max(0.0, self._patience())):
            if self._since is not None and self._patience() <= 0:
                self.has_struck = True
                self._child.stop()
                return
