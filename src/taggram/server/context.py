"""What every resource works with: the parts of one server, put together and taken apart in one place."""

import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from taggram.server.charts import Charts
from taggram.server.evaluations import Evaluations
from taggram.server.events import Hub
from taggram.server.guard import Sessions
from taggram.server.jobs import LANES, JobQueue
from taggram.server.maps import Maps
from taggram.server.metrics import Metrics, memory_in_use
from taggram.server.model_list import ModelList
from taggram.server.plans import Plans
from taggram.server.robustness import Studies
from taggram.server.settings import Settings
from taggram.server.shelf import Shelf
from taggram.server.sounds import Sounds
from taggram.server.store import JobRow, Store
from taggram.server.uploads import Reception


class Server:
    """One server.

    Attributes
    ----------
    settings
        What it is to do.
    store, jobs, hub
        What it keeps, the queue of long work, and who waits for events.
    shelf
        The library.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = Store(settings.own_folder)
        settings.uploads.mkdir(exist_ok=True, mode=0o700)
        self.hub = Hub()
        self.metrics = Metrics()
        self.shelf = Shelf(settings)
        self.models = ModelList()
        self.sessions = Sessions(settings, self.store)
        self.reception = Reception(settings)
        self.sounds = Sounds(settings, self.store, self.shelf)
        self.jobs = JobQueue(settings, self.store, publish=self.hub.publish, on_end=self._on_end)
        self.charts = Charts(self.store, self.shelf, self.jobs, self.models)
        self.plans = Plans(settings, self.store, self.jobs, self.shelf)
        self.maps = Maps(settings, self.jobs, self.shelf)
        self.evaluations = Evaluations(settings, self.store, self.jobs, self.models)
        self.studies = Studies(settings, self.store, self.jobs, self.models)
        self.metrics.add_gauge("jobs_queued", "Jobs that wait.", lambda: self.jobs.n_queued)
        self.metrics.add_gauge("jobs_running", "Jobs in hand.", lambda: self.jobs.n_running)
        self.metrics.add_gauge("event_streams", "Open event streams.", lambda: self.hub.n_streams)
        self.metrics.add_gauge("library_tracks", "Tracks held in memory.", lambda: self.shelf.n_tracks)
        self.metrics.add_gauge("memory_bytes", "Memory of the server, without workers.", memory_in_use)

    def start(self) -> None:
        """Begin to work, with what the last server left."""
        self.hub.attach()
        self.shelf.start()
        self.tidy()
        self.plans.settle()
        self.jobs.start()

    def close(self) -> None:
        """End; what runs waits for the next server."""
        self.hub.close()
        self.jobs.close()
        self.shelf.close()
        self.reception.close()
        self.store.close()

    def tidy(self) -> None:
        """Remove what is older than it may be, and files that nobody knows."""
        before = time.time() - self.settings.retention_seconds
        self.store.remove_old(before)
        known = self.store.known_uploads()
        for path in self.settings.uploads.iterdir():
            is_old = path.stat().st_mtime < time.time() - 3600
            if str(path) not in known and (is_old or path.suffix != ".part"):
                path.unlink(missing_ok=True)

    def remove_analysis(self, analysis_id: str) -> None:
        """Remove an analysis with its sound.

        Raises
        ------
        ProblemError
            404 if there is none.
        """
        self.store.analysis(analysis_id)
        _remove(self.store.job(analysis_id).task["path"])
        self.store.remove_job(analysis_id)

    def _on_end(self, row: JobRow) -> None:
        """Throw away what only the job needed."""
        self.metrics.count_job(row.kind, row.state, (row.finished_at or 0.0) - row.created_at)
        if row.kind in LANES["library"]:
            self.shelf.look()
        if plan_id := row.task.get("plan"):
            self.plans.settle(plan_id)
        if row.kind == "analysis" and not (row.state == "done" and row.task["is_kept"]):
            _remove(row.task["path"])


def get_server(request: Request) -> Server:
    """Return the server that a request came to."""
    server: Server = request.app.state.server
    return server


Context = Annotated[Server, Depends(get_server)]


def _remove(path: str) -> None:
    with suppress(OSError):
        Path(path).unlink(missing_ok=True)
