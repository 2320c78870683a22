"""Listen to an upload in flat memory: for tags, taggram, embedding and waveform, then for chords."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taggram.audio.peaks import PeakMeter
from taggram.chords.storage import Charts
from taggram.errors import AudioError
from taggram.inference.result import Outcome
from taggram.inference.tagger import Tagger
from taggram.server.store import Store
from taggram.server.tasks._listening import check_duration, hear_chords
from taggram.server.worker import Finished, Worker

_CHORDS_FROM = 0.75  # progress behind the tags


def run(job_id: str, task: Mapping[str, Any], worker: Worker) -> Finished:
    """Analyse one file; `task` has path, file_name, duration (declared, or null), model and is_kept."""
    worker.say(0.0, "opening", state="decoding")
    configuration = worker.configuration
    tagger = _load(task["model"], configuration.limits.decode_seconds)
    meter = PeakMeter(tagger.specification.sample_rate)

    def watch(block: NDArray[np.float32]) -> None:
        meter.add(block)
        check_duration(meter.duration, worker)
        declared = task["duration"]
        worker.say(_CHORDS_FROM * (meter.duration / declared if declared else 0.5), "listening")

    result = tagger.tag(Path(task["path"]), watch=watch)
    worker.check()
    if not result.outcome.has_tags:
        raise _explain(result.outcome, result.message, task)
    charts = _hear_chords(Path(task["path"]), worker, result.duration)
    store = Store(configuration.folder)
    store.add_analysis(
        job_id, task["file_name"], tagger.specification, result, meter.result(), charts,
        is_kept=task["is_kept"],
    )  # fmt: skip
    return Finished(result.message or f"heard by {tagger.specification.name}", f"analyses/{job_id}")


@lru_cache(maxsize=2)
def _load(model: str | None, decode_seconds: float) -> Tagger:
    return Tagger.load(model, n_threads=1, timeout=decode_seconds)


def _hear_chords(path: Path, worker: Worker, duration: float) -> Charts | None:
    """Return the chords of a file that has tags, whether or not it has chords; None if it is too short."""
    try:
        return hear_chords(path, worker, duration=duration, since=_CHORDS_FROM)
    except AudioError:
        return None


def _explain(outcome: Outcome, message: str, task: Mapping[str, Any]) -> AudioError:
    """Return the error for a file without tags; the server's own path says nothing to its client."""
    said = message.replace(task["path"], task["file_name"])
    return AudioError(said or outcome.value, outcome=outcome.value)  # type: ignore[arg-type]
