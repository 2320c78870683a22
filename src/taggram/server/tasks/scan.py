"""Look for new and changed files in the directories of the library, and listen to them."""

from collections.abc import Mapping
from typing import Any

from taggram.library.inventory import take_inventory
from taggram.library.listening import load_tagger
from taggram.library.scan import Ended, Scan
from taggram.library.store import Library
from taggram.server.worker import Cancelled, Finished, Worker


def run(job_id: str, task: Mapping[str, Any], worker: Worker) -> Finished:
    """Scan the library; there is nothing to say in `task`: no path comes from a client."""
    del job_id, task
    with Library.open(worker.configuration.library, must_exist=True) as library:
        worker.say(0.0, "looking for files")
        inventory = take_inventory(library, library.roots(), stop=lambda: worker.is_cancelled)
        worker.check()
        with load_tagger(library, n_threads=worker.configuration.limits.n_workers) as tagger:
            scan = Scan(library, tagger)
            n_ended = 0

            def on_file(ended: Ended) -> None:
                nonlocal n_ended
                n_ended += 1
                worker.say(n_ended / max(1, scan.n_files), f"{n_ended} of {scan.n_files}: {ended.path.name}")

            workers = worker.configuration.limits.n_workers
            summary = scan.run(workers=workers, stop=lambda: worker.is_cancelled, on_file=on_file)
        library.forget_moved()
    if worker.is_cancelled:
        raise Cancelled
    counts = ", ".join(
        f"{count} {outcome.value.replace('_', ' ')}" for outcome, count in summary.counts.items()
    )
    said = f"{inventory.n_new} new, {inventory.n_changed} changed, {inventory.n_missing} missing"
    return Finished(f"{said}; {counts or 'nothing to listen to'}", "library")
