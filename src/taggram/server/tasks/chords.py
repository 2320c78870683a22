"""Listen for the chords of a track of the library, and keep them in every vocabulary."""

from collections.abc import Mapping
from typing import Any

from taggram.library.store import Library
from taggram.server.sounds import find_sound, resolve_below
from taggram.server.store import Store
from taggram.server.tasks._listening import hear_chords, load_recogniser
from taggram.server.worker import Finished, Worker


def run(job_id: str, task: Mapping[str, Any], worker: Worker) -> Finished:
    """Hear one track; `task` has its number: no path comes from a client."""
    del job_id
    track_id, configuration = task["track"], worker.configuration
    with Library.open(configuration.library, must_exist=True) as library:
        file, audio_hash = find_sound(library, track_id)
        path = resolve_below(file.path, library.roots())
    charts = hear_chords(path, worker, duration=file.duration)
    specification = load_recogniser(configuration.limits.decode_seconds).network.specification
    Store(configuration.folder).add_chords(audio_hash, specification.weights_sha256, charts)
    return Finished(f"heard by {specification.name}", f"tracks/{track_id}/chords")
