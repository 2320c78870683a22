"""Write the changes of a plan into files, each whole or not at all, with a journal for undo."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from taggram.library.file_tags.apply import WriteResult, apply_plan
from taggram.library.file_tags.journal import Journal
from taggram.library.file_tags.plan import read_plan
from taggram.library.scan import refresh_files
from taggram.library.store import Library
from taggram.server.plans import journal_directory, plan_path
from taggram.server.sounds import resolve_below
from taggram.server.store import Store
from taggram.server.worker import Cancelled, Finished, Worker

_MAX_MESSAGES = 200


def run(job_id: str, task: Mapping[str, Any], worker: Worker) -> Finished:
    """Apply a plan; `task` has its id, and the numbers of changes to leave out."""
    del job_id
    store = Store(worker.configuration.folder)
    plan_id, excluded = task["plan"], frozenset(task["exclude"])
    document = store.document("plan", plan_id)
    path = plan_path(worker.configuration.folder, plan_id)
    with Library.open(worker.configuration.library, must_exist=True) as library:
        roots = library.roots()
        changes = [change for number, change in enumerate(read_plan(path)) if number not in excluded]
        for change in {change.file: change for change in changes}.values():
            if change.file.exists():  # one that is gone ends as unreadable
                resolve_below(change.file, roots)
        with Journal(journal_directory(library.path)) as journal:
            # Before the first file is written, so that an undo finds the run whatever happens.
            document = {**document, "state": "applying", "runs": [*document.get("runs", ()), journal.name]}
            store.put_document("plan", plan_id, document)
            n_files = len({change.file for change in changes})
            results = apply_plan(changes, journal, stop=lambda: worker.is_cancelled)
            report = watch(results, n_files, library, worker)
    store.put_document("plan", plan_id, {**document, **report, "state": "applied"})
    if worker.is_cancelled:
        raise Cancelled
    return Finished(describe(report["outcomes"]), f"plans/{plan_id}")


def watch(results: Iterable[WriteResult], n_files: int, library: Library, worker: Worker) -> dict[str, Any]:
    """Count outcomes as they come, and let the library read again what was written."""
    outcomes: Counter[str] = Counter()
    messages: list[str] = []

    def written() -> Iterator[Path]:
        for result in results:
            outcomes[result.outcome.value] += 1
            worker.say(outcomes.total() / max(1, n_files), f"{outcomes.total()} of {n_files} files")
            if result.message:
                messages.append(result.message)
            if result.outcome.is_success:
                yield result.path

    refresh_files(library, written())
    return {"outcomes": dict(outcomes), "messages": messages[:_MAX_MESSAGES]}


def describe(outcomes: Mapping[str, int]) -> str:
    """Return outcomes as one sentence."""
    return (
        ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in outcomes.items())
        or "nothing to do"
    )
