"""Lay the library out in two dimensions, and keep the map."""

from collections.abc import Mapping
from typing import Any

from taggram.library.map import compute_map, map_path, write_map
from taggram.library.store import Library
from taggram.server.worker import Finished, Worker


def run(job_id: str, task: Mapping[str, Any], worker: Worker) -> Finished:
    """Compute the map; there is nothing to say in `task`."""
    del job_id, task
    with Library.open(worker.configuration.library, must_exist=True) as library:
        model = library.default_model()
        found = compute_map(library, model, say=worker.say)
        worker.check()
        write_map(found, map_path(library, model))
    return Finished(f"{len(found.recording_ids)} tracks laid out by {found.method.upper()}", "map")
