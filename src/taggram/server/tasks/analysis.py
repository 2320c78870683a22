"""Listen to an upload: tags, taggram, embedding and waveform in one pass, in flat memory."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taggram.audio.peaks import PeakMeter
from taggram.errors import AudioError
from taggram.inference.result import Outcome
from taggram.inference.tagger import Tagger
from taggram.server.problems import ProblemError
from taggram.server.store import Store
from taggram.server.worker import Finished, Worker


def run(job_id: str, task: Mapping[str, Any], worker: Worker) -> Finished:
    """Analyse one file; `task` has path, file_name, duration (declared, or null), model and is_kept."""
    worker.say(0.0, "opening", state="decoding")
    configuration = worker.configuration
    tagger = _load(task["model"], configuration.limits.decode_seconds)
    meter = PeakMeter(tagger.specification.sample_rate)
    longest = configuration.limits.duration

    def watch(block: NDArray[np.float32]) -> None:
        worker.check()
        meter.add(block)
        if meter.duration > longest:
            raise ProblemError(
                413, "too_long", f"the sound is longer than {longest:g} s", "cut it, or allow more"
            )
        declared = task["duration"]
        worker.say(meter.duration / declared if declared else 0.5, "listening")

    result = tagger.tag(Path(task["path"]), watch=watch)
    worker.check()
    if not result.outcome.has_tags:
        raise _explain(result.outcome, result.message, task)
    store = Store(configuration.folder)
    store.add_analysis(
        job_id, task["file_name"], tagger.specification, result, meter.result(), is_kept=task["is_kept"]
    )
    return Finished(result.message or f"heard by {tagger.specification.name}", f"analyses/{job_id}")


@lru_cache(maxsize=2)
def _load(model: str | None, decode_seconds: float) -> Tagger:
    return Tagger.load(model, n_threads=1, timeout=decode_seconds)


def _explain(outcome: Outcome, message: str, task: Mapping[str, Any]) -> AudioError:
    """Return the error for a file without tags; the server's own path says nothing to its client."""
    said = message.replace(task["path"], task["file_name"])
    return AudioError(said or outcome.value, outcome=outcome.value)  # type: ignore[arg-type]
