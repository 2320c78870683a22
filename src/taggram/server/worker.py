"""The process that does one job after the other for a `JobQueue`, and may be killed in the middle.

Started as `python -m taggram.server.worker CONFIGURATION`. Each line on its standard input is a JSON object,
`{"job", "kind", "task"}` or `{"cancel": job}`; each line it writes is one of

    {"state", "progress", "message"}      how far it is
    {"done": message, "result": path}     the end, and where the result is, below the interface's prefix
    {"failed": problem, "trace": text}    the end; a trace only where the fault is ours
    {"cancelled": true}                   the end

It ends when its input ends, so it never outlives the server. A job is `run(job_id, task, worker)` of the
module in `taggram.server.tasks` that has the name of its kind.
"""

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple, NoReturn, Self

from taggram.audio.worker import limit_memory
from taggram.errors import TaggramError
from taggram.registry import Registry
from taggram.server.problems import describe
from taggram.server.settings import Limits, Settings

_QUIET = 0.2  # seconds between two reports of the same state
_NICENESS = 5  # the server answers first


class Cancelled(Exception):  # noqa: N818  # no error: somebody wished it
    """The job is to end now."""


class Finished(NamedTuple):
    """How a job ended: one sentence, and the path of its result below the interface's prefix."""

    message: str
    result: str


@dataclass(frozen=True)
class Configuration:
    """What a worker knows of the server."""

    library: Path
    folder: Path
    limits: Limits

    @classmethod
    def of(cls, settings: Settings, *, is_limited: bool) -> Self:
        """Return what the workers of a server are to know; `is_limited` sets the limit of memory."""
        limits = settings.limits if is_limited else replace(settings.limits, worker_bytes=0)
        return cls(settings.library_path, settings.own_folder, limits)

    def to_json(self) -> str:
        """Serialise it for the command line."""
        return json.dumps(
            {"library": str(self.library), "folder": str(self.folder), "limits": asdict(self.limits)}
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Restore it."""
        plain = json.loads(text)
        return cls(Path(plain["library"]), Path(plain["folder"]), Limits(**plain["limits"]))


class Worker:
    """What a task may use: the configuration, a way to tell how far it is, and whether it is to go on.

    Attributes
    ----------
    configuration
        What the worker knows of the server.
    """

    def __init__(self, configuration: Configuration, write: Callable[[Mapping[str, Any]], None]) -> None:
        self.configuration = configuration
        self._write = write
        self._cancelled: set[str] = set()
        self._job_id = ""
        self._last = ("", 0.0)

    @property
    def is_cancelled(self) -> bool:
        """Whether the job in hand is to end."""
        return self._job_id in self._cancelled

    def check(self) -> None:
        """End the job if it is cancelled."""
        if self.is_cancelled:
            raise Cancelled

    def say(self, progress: float, message: str, *, state: str = "analysing") -> None:
        """Tell how far the job is, from 0 to 1; not every call is passed on."""
        last_state, at = self._last
        if state == last_state and time.monotonic() < at + _QUIET:
            return
        self._last = (state, time.monotonic())
        progress = min(1.0, max(0.0, round(progress, 4)))
        self._write({"state": state, "progress": progress, "message": message})

    def cancel(self, job_id: str) -> None:
        """Note that a job is to end."""
        self._cancelled.add(job_id)

    def work(self, job_id: str, kind: str, task: Mapping[str, Any]) -> None:
        """Do one job, and tell how it ended."""
        self._job_id, self._last = job_id, ("", 0.0)
        try:
            self.check()
            finished: Finished = _TASKS.get(kind)(job_id, task, self)
            self._write({"done": finished.message, "result": finished.result})
        except Cancelled:
            self._write({"cancelled": True})
        except TaggramError as error:
            self._write({"failed": describe(error).model_dump(exclude_none=True)})
        except MemoryError:
            full = TaggramError("the job needs more memory than a worker may take")
            self._write({"failed": describe(full).model_dump(exclude_none=True)})
        except Exception as error:
            problem = describe(error).model_dump(exclude_none=True)
            self._write({"failed": problem, "trace": traceback.format_exc()})


_TASKS: Registry[Callable[[str, Mapping[str, Any], Worker], Finished]] = Registry(
    "job", "taggram.server.tasks", "run"
)


def main() -> NoReturn:
    """Do jobs until the server is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server
    configuration = Configuration.from_json(sys.argv[1])
    limit_memory(configuration.limits.worker_bytes)
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    pipe = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="ascii", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no message

    def write(message: Mapping[str, Any]) -> None:
        pipe.write(json.dumps(message) + "\n")

    worker = Worker(configuration, write)
    jobs: SimpleQueue[dict[str, Any]] = SimpleQueue()
    threading.Thread(target=_listen, args=(worker, jobs), daemon=True).start()
    while True:
        wanted = jobs.get()
        worker.work(wanted["job"], wanted["kind"], wanted["task"])


def _listen(worker: Worker, jobs: "SimpleQueue[dict[str, Any]]") -> None:
    """Pass jobs on; end the process with the server, even in the middle of a job."""
    for line in sys.stdin:
        message = json.loads(line)
        if "cancel" in message:
            worker.cancel(message["cancel"])
        else:
            jobs.put(message)
    os._exit(0)


if __name__ == "__main__":
    # The tasks know this module by its name; run as a program, it would be another one.
    from taggram.server import worker

    worker.main()
