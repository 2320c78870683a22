"""Look at files in child processes, so that a file that crashes or hangs a reader costs only itself."""

import json
import os
import subprocess
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Self, TypeVar

from taggram.audio.child import end_child, start_child
from taggram.audio.container import printable
from taggram.errors import AudioError, TaggramError
from taggram.library.examine import READY, Examination, unpack

T = TypeVar("T")
Examined = Examination | AudioError


class Examiner:
    """Looks at one file after the other in a child process of its own; use one for each thread.

    Parameters
    ----------
    timeout
        Seconds that one file may take.
    max_memory
        Bytes of address space that the child may take, where the system can limit it; 0 is no limit.
    """

    def __init__(self, *, timeout: float = 600.0, max_memory: int = 0) -> None:
        self._timeout = timeout
        self._max_memory = max_memory
        self._child: subprocess.Popen[str] | None = None
        self._kill: Callable[[], object] = lambda: None

    def examine(self, path: Path) -> Examined:
        """Return what is in a file, or the error that says why it gives no sound.

        Raises
        ------
        TaggramError
            If the child process cannot be started.
        """
        child = self._idle_child()
        timer = threading.Timer(self._timeout, child.kill)
        timer.start()
        answer = _ask(child, path)
        has_expired = not timer.is_alive()
        timer.cancel()
        if not answer.endswith("\n"):
            code = child.wait()
            self.close()
            return _verdict(path, self._timeout if has_expired else None, code)
        document = json.loads(answer)
        if "found" in document:
            return unpack(document["found"])
        return AudioError(document["message"], outcome=document["outcome"])

    def close(self) -> None:
        """End the child; a later file starts another."""
        self._kill()
        self._child = None

    def _idle_child(self) -> "subprocess.Popen[str]":
        if self._child is None or self._child.poll() is not None:
            self.close()
            self._child = _start(self._max_memory)
            self._kill = weakref.finalize(self, end_child, self._child)  # also at the end of the program
        return self._child


class ExaminerPool:
    """Several examiners side by side."""

    def __init__(self, n_workers: int, *, timeout: float = 600.0) -> None:
        self._n_workers = n_workers
        self._idle: SimpleQueue[Examiner] = SimpleQueue()
        self._all = [Examiner(timeout=timeout) for _ in range(n_workers)]
        for examiner in self._all:
            self._idle.put(examiner)
        self._threads = ThreadPoolExecutor(n_workers, "taggram-examiner")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        type_: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        for examiner in self._all:
            examiner.close()
        self._threads.shutdown()

    def examine_many(
        self, items: Iterable[T], path_of: Callable[[T], Path | None]
    ) -> Iterator[tuple[T, Examined | None]]:
        """Yield each item with what is in its file, None if it names no path; in order, a few ahead."""
        running: deque[tuple[T, Future[Examined | None]]] = deque()
        for item in items:
            running.append((item, self._threads.submit(self._examine, path_of(item))))
            if len(running) > 2 * self._n_workers:
                first, future = running.popleft()
                yield first, future.result()
        for item, future in running:
            yield item, future.result()

    def _examine(self, path: Path | None) -> Examined | None:
        if path is None:
            return None
        examiner = self._idle.get()
        try:
            return examiner.examine(path)
        finally:
            self._idle.put(examiner)


def _start(max_memory: int) -> "subprocess.Popen[str]":
    """Start a child and wait until it is ready."""
    child = start_child("taggram.library.examine", str(max_memory), text=True)
    assert child.stdout is not None
    if child.stdout.readline().strip() != READY:
        end_child(child)
        raise TaggramError(
            f"the examining process ended with exit code {child.returncode} before its first file; "
            f"`{sys.executable} -m taggram.library.examine` shows why"
        )
    return child


def _ask(child: "subprocess.Popen[str]", path: Path) -> str:
    """Return the child's answer, or a part of it if the child is gone."""
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(os.fsencode(path).hex() + "\n")
        child.stdin.flush()
        return child.stdout.readline()
    except OSError:
        return ""


def _verdict(path: Path, timeout: float | None, code: int) -> AudioError:
    if timeout is not None:
        return AudioError(
            f"{printable(path)}: could not be read within {timeout:g} s; the file is damaged or on a slow "
            "disk: leave it out or allow more time",
            outcome="timeout",
        )
    return AudioError(
        f"{printable(path)}: crashed the process that reads it (exit code {code}); the file is damaged: "
        "get it again or leave it out",
        outcome="corrupt",
    )
