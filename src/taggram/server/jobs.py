"""The queue of long work: jobs wait in the store and are done in worker processes, lane by lane.

    analysis   uploads, and chords of tracks: `Limits.n_workers` side by side, each in a process that stays
    library    all that writes to the library or to its files: one after the other
    map        one after the other
    evaluation evaluations and studies of robustness, one after the other

A job is in the store before its client hears of it. It is taken by a thread of its lane, which speaks to one
worker (`taggram.server.worker`), and what the worker says is noted and published as it comes. When the
server ends, what runs waits again; a job that was begun `MAX_ATTEMPTS` times without an end has failed.
"""

import json
import logging
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from taggram.audio.child import end_child, start_child
from taggram.errors import TaggramError
from taggram.server import PREFIX
from taggram.server.problems import ProblemError, describe
from taggram.server.schemas import Job, JobKind, JobPage, JobState, Problem
from taggram.server.settings import Settings
from taggram.server.store import RUNNING, JobRow, Store
from taggram.server.worker import Configuration

LANES: Mapping[str, tuple[JobKind, ...]] = {
    "analysis": ("analysis", "chords"),
    "library": ("scan", "plan", "apply", "undo"),
    "map": ("map",),
    "evaluation": ("evaluation", "robustness"),
}
ALL_KINDS: tuple[JobKind, ...] = tuple(kind for kinds in LANES.values() for kind in kinds)
MAX_ATTEMPTS = 3
_PATIENCE = 3.0  # seconds that a cancelled job has before its worker is killed
_LAST_PATIENCE = 10.0  # the same for work on the library, when the server ends
_IDLE = 300.0  # seconds after which a worker without work ends
_JOBS_PER_WORKER = 200  # so that what a library may leak has an end
_log = logging.getLogger(__name__)


class JobQueue:
    """Takes jobs, has them done, and tells how far they are.

    Parameters
    ----------
    settings, store
        Of the server.
    publish
        Called, from any thread, when there is a new event in the store.
    on_end
        Called, from any thread, with a job that has ended.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        *,
        publish: Callable[[], None],
        on_end: Callable[[JobRow], None],
    ) -> None:
        self.settings = settings
        self.store = store
        self.is_closing = False
        self._publish = publish
        self._on_end = on_end
        self._changed = threading.Condition()
        self._running: dict[str, _Runner] = {}
        self._mean_seconds = 5.0
        counts = {lane: settings.limits.n_workers if lane == "analysis" else 1 for lane in LANES}
        self._runners = [_Runner(self, lane) for lane, count in counts.items() for _ in range(count)]

    def start(self) -> None:
        """Begin, with what the last server left."""
        self.store.requeue_jobs()
        for runner in self._runners:
            runner.start()

    def close(self) -> None:
        """End the workers; what they were doing waits for the next server."""
        with self._changed:
            self.is_closing = True
            self._changed.notify_all()
        for runner in self._runners:
            runner.stop()
        for runner in self._runners:
            runner.join()

    # What clients ask

    @property
    def n_queued(self) -> int:
        """Jobs that wait."""
        return self.store.count_jobs(["queued"], ALL_KINDS)

    @property
    def n_running(self) -> int:
        """Jobs in hand."""
        return self.store.count_jobs(RUNNING, ALL_KINDS)

    def check_room(self, kind: JobKind) -> None:
        """Make sure that another job may wait.

        Raises
        ------
        ProblemError
            429 if too many wait, 503 if the server is ending.
        """
        if self.is_closing:
            raise ProblemError(503, "closing", "the server is ending", "try again", {"Retry-After": "10"})
        lane = next(kinds for kinds in LANES.values() if kind in kinds)
        n_waiting = self.store.count_jobs(["queued"], lane)
        if n_waiting >= self.settings.limits.queue_length:
            seconds = max(1, round(self._mean_seconds * n_waiting / 10))
            raise ProblemError(
                429, "queue_full", f"{n_waiting} jobs wait already", f"try again in {seconds} s",
                {"Retry-After": str(seconds)},
            )  # fmt: skip

    def submit(
        self, kind: JobKind, name: str, task: Mapping[str, Any] | None = None, *, key: str | None = None
    ) -> Job:
        """Let a job wait; one of the same key that has not ended is given back in its place.

        Raises
        ------
        ProblemError
            As of `check_room`.
        """
        with self._changed:
            same = self.store.job_of_key(key) if key else None
            if same and not same.has_ended:
                return to_job(same)
            self.check_room(kind)
            row = self.store.add_job(kind, name, task or {}, key=key)
            self._changed.notify_all()
        self.tell(row)
        return to_job(row)

    def get(self, job_id: str) -> Job:
        """Return a job."""
        return to_job(self.store.job(job_id))

    def page(self, state: JobState | None, kind: JobKind | None, cursor: str | None, limit: int) -> JobPage:
        """Return jobs, the newest first."""
        rows = self.store.jobs(state, kind, int(cursor) if cursor else None, limit + 1)
        more = str(rows[limit - 1].number) if len(rows) > limit else None
        return JobPage(items=[to_job(row) for row in rows[:limit]], next_cursor=more)

    def cancel(self, job_id: str) -> None:
        """Cancel a job; one that has ended stays as it is."""
        with self._changed:
            runner = self._running.get(job_id)
            row = None if runner else self.store.job(job_id)
        if runner:
            runner.cancel(job_id, _PATIENCE)
        elif row and not row.has_ended:
            self.end(job_id, state="cancelled", message="cancelled before it began")

    # What the runners do

    def take(self, runner: "_Runner") -> JobRow | None:
        """Wait for the next job of a lane; None after a while without one, and when the server ends."""
        with self._changed:
            row = self._take(runner)
            if row is None and not self.is_closing:
                self._changed.wait(_IDLE)
                row = self._take(runner)
        if row is not None and row.n_attempts > MAX_ATTEMPTS:
            died = TaggramError(
                f"the server or a worker ended {MAX_ATTEMPTS} times in the middle of this job"
            )
            self.release(row, state="failed", message=str(died), error=describe(died))
            return None
        return row

    def _take(self, runner: "_Runner") -> JobRow | None:
        row = None if self.is_closing else self.store.take_job(LANES[runner.lane])
        if row is not None:
            self._running[row.id] = runner
        return row

    def note(self, job_id: str, **values: Any) -> None:
        """Note what a worker said, and tell."""
        row = self.store.change_job(job_id, **values)
        if row is not None:
            self.tell(row)

    def release(self, row: JobRow, **ending: Any) -> None:
        """Note how a job in hand ended; without an ending, it waits again."""
        with self._changed:
            self._running.pop(row.id, None)
        if ending:
            seconds = time.time() - row.created_at
            self._mean_seconds += 0.1 * (min(seconds, 600.0) - self._mean_seconds)
            self.end(row.id, **ending)
        else:
            self.note(row.id, state="queued", progress=0.0, message="waiting", n_attempts=row.n_attempts - 1)

    def end(self, job_id: str, *, error: Problem | None = None, **values: Any) -> None:
        """Note how a job ended."""
        plain = None if error is None else error.model_dump(exclude_none=True)
        row = self.store.change_job(job_id, finished_at=time.time(), error=plain, **values)
        if row is not None:
            self._on_end(row)
            self.tell(row)

    def tell(self, row: JobRow) -> None:
        """Publish the state of a job."""
        self.store.add_event(row.id, to_job(row).model_dump_json())
        self._publish()


class _Runner(threading.Thread):
    """Does the jobs of one lane, one at a time, in a worker process of its own."""

    def __init__(self, queue: JobQueue, lane: str) -> None:
        super().__init__(name=f"taggram-{lane}", daemon=True)
        self.lane = lane
        self._queue = queue
        self._child: subprocess.Popen[str] | None = None
        self._n_jobs = 0
        self._is_cancelled = False
        self._writing = threading.Lock()

    def run(self) -> None:
        while not self._queue.is_closing:
            row = self._queue.take(self)
            if row is None:
                self._end_child()
                continue
            try:
                self._work(row)
            except Exception as error:  # the lane must go on, whatever became of this job
                _log.error("job %s failed", row.id, exc_info=error)
                self._queue.release(row, state="failed", message=str(error), error=describe(error))
                self._end_child()
        self._end_child()
        self._queue.store.close()

    def cancel(self, job_id: str, patience: float) -> None:
        """Ask the worker to end the job in hand, and end the worker if it does not."""
        self._is_cancelled = True
        child = self._child
        if child is not None:
            self._send(child, {"cancel": job_id})
            timer = threading.Timer(patience, child.kill)
            timer.daemon = True
            timer.start()

    def stop(self) -> None:
        """End what is in hand, soon; work on the library is given time to finish its file."""
        child, job_id = self._child, self._job_in_hand()
        if child is None:
            return
        if job_id and self.lane == "library":
            self.cancel(job_id, _LAST_PATIENCE)
        else:
            child.kill()

    def _job_in_hand(self) -> str | None:
        return next((job for job, runner in [*self._queue._running.items()] if runner is self), None)

    def _work(self, row: JobRow) -> None:
        self._is_cancelled = False
        child = self._living_child()
        limit = self._queue.settings.limits.job_seconds if self.lane == "analysis" else None
        clock = threading.Timer(limit or 0.0, child.kill)
        clock.daemon = True
        if limit:
            clock.start()
        begun = time.monotonic()
        self._send(child, {"job": row.id, "kind": row.kind, "task": row.task})
        ending = self._listen(child, row.id)
        clock.cancel()
        has_expired = bool(limit) and time.monotonic() - begun >= (limit or 0.0)
        self._n_jobs += 1
        if ending is None:
            self._end_child()
            ending = self._verdict(has_expired)
        elif self.lane != "analysis" or self._n_jobs >= _JOBS_PER_WORKER or self._is_cancelled:
            self._end_child()
        if self._queue.is_closing and ending.get("state") != "done":
            ending = {}
        self._queue.release(row, **ending)

    def _listen(self, child: "subprocess.Popen[str]", job_id: str) -> dict[str, Any] | None:
        """Note what the worker says until it says the end; None if it is gone before."""
        assert child.stdout is not None
        for line in child.stdout:
            message = json.loads(line)
            if "done" in message:
                return {
                    "state": "done", "progress": 1.0, "message": message["done"],
                    "result": f"{PREFIX}/{message['result']}",
                }  # fmt: skip
            if "cancelled" in message:
                return {"state": "cancelled", "message": "cancelled"}
            if "failed" in message:
                if trace := message.get("trace"):
                    _log.error("job %s failed:\n%s", job_id, trace)
                problem = Problem(**message["failed"])
                return {"state": "failed", "message": problem.detail, "error": problem}
            self._queue.note(job_id, **message)
        return None

    def _verdict(self, has_expired: bool) -> dict[str, Any]:
        """Return the ending of a job whose worker is gone."""
        if self._is_cancelled:
            return {"state": "cancelled", "message": "cancelled"}
        seconds = self._queue.settings.limits.job_seconds
        problem = (
            ProblemError(422, "too_slow", f"the work took more than {seconds:g} s", "take a shorter file")
            if has_expired
            else ProblemError(
                422, "worker_died", "the process that did the work ended in the middle of it",
                "the file is damaged or needs too much memory: get it again",
            )
        )  # fmt: skip
        return {"state": "failed", "message": problem.detail, "error": describe(problem)}

    def _living_child(self) -> "subprocess.Popen[str]":
        if self._child is None or self._child.poll() is not None:
            self._end_child()
            # What the owner asks for may need more; it decodes with limits all the same.
            is_limited = self.lane == "analysis"
            configuration = Configuration.of(self._queue.settings, is_limited=is_limited).to_json()
            self._child = start_child("taggram.server.worker", configuration, text=True)
            self._n_jobs = 0
        return self._child

    def _send(self, child: "subprocess.Popen[str]", message: Mapping[str, Any]) -> None:
        assert child.stdin is not None
        try:
            with self._writing:
                child.stdin.write(json.dumps(message) + "\n")
                child.stdin.flush()
        except (OSError, ValueError):  # it is gone; whoever reads its answers finds the same
            return

    def _end_child(self) -> None:
        if self._child is not None:
            end_child(self._child)
            self._child = None


def to_job(row: JobRow) -> Job:
    """Return a job as its clients see it."""
    return Job(
        id=row.id,
        kind=row.kind,  # type: ignore[arg-type]  # checked when it came in
        state=row.state,  # type: ignore[arg-type]
        progress=row.progress,
        message=row.message,
        name=row.name,
        created_at=moment(row.created_at),
        finished_at=None if row.finished_at is None else moment(row.finished_at),
        result=row.result,
        error=None if row.error is None else Problem(**row.error),
    )


def moment(seconds: float) -> datetime:
    """Return Unix seconds as a moment in UTC."""
    return datetime.fromtimestamp(seconds, UTC)
