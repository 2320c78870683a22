"""Take back what was written for a plan: all its runs, the last one first."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from taggram.library.file_tags.apply import undo_run
from taggram.library.file_tags.journal import Journal, list_runs
from taggram.library.store import Library
from taggram.server.plans import journal_directory
from taggram.server.store import Store
from taggram.server.tasks.apply import describe, watch
from taggram.server.worker import Cancelled, Finished, Worker


def run(job_id: str, task: Mapping[str, Any], worker: Worker) -> Finished:
    """Undo a plan; `task` has its id."""
    del job_id
    store = Store(worker.configuration.folder)
    plan_id = task["plan"]
    document = store.document("plan", plan_id)
    store.put_document("plan", plan_id, {**document, "state": "undoing"})
    outcomes: Counter[str] = Counter()
    messages: list[str] = []
    with Library.open(worker.configuration.library, must_exist=True) as library:
        directory = journal_directory(library.path)
        runs = [found for found in list_runs(directory) if found.name in document["runs"]]
        for found in reversed(runs):
            with Journal(directory, is_undo=True) as journal:
                results = undo_run(found, journal, stop=lambda: worker.is_cancelled)
                report = watch(results, found.n_files - found.n_undone, library, worker)
            outcomes.update(report["outcomes"])
            messages += report["messages"]
    report = {"outcomes": dict(outcomes), "messages": messages}
    store.put_document("plan", plan_id, {**document, **report, "state": "undone"})
    if worker.is_cancelled:
        raise Cancelled
    return Finished(describe(outcomes), f"plans/{plan_id}")
