"""What jobs that hear a sound share: chords in every vocabulary, and the limit of duration."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from taggram.chords.recogniser import ChordRecogniser
from taggram.chords.storage import Charts
from taggram.chords.vocabulary import VOCABULARIES
from taggram.server.problems import ProblemError
from taggram.server.worker import Worker


def hear_chords(path: Path, worker: Worker, *, duration: float | None, since: float = 0.0) -> Charts:
    """Return the chords of a file in every vocabulary, and tell how far the job is.

    Parameters
    ----------
    duration
        Seconds that the file is said to last, if anybody knows.
    since
        Progress of the job before this.

    Raises
    ------
    AudioError
        If the file gives no usable sound, or less than a second.
    """
    recogniser = load_recogniser(worker.configuration.limits.decode_seconds)
    sample_rate = recogniser.network.specification.sample_rate
    n_samples = 0

    def watch(block: NDArray[np.float32]) -> None:
        nonlocal n_samples
        n_samples += len(block)
        seconds = n_samples / sample_rate
        check_duration(seconds, worker)
        share = min(1.0, seconds / duration) if duration else 0.5
        worker.say(since + (1 - since) * share, "listening for chords")

    return recogniser.recognise_all(path, vocabularies=tuple(VOCABULARIES), watch=watch)


@lru_cache(maxsize=1)
def load_recogniser(decode_seconds: float) -> ChordRecogniser:
    """Return the model of chords that ships, the same one for every job of this process."""
    return ChordRecogniser.load(timeout=decode_seconds)


def check_duration(seconds: float, worker: Worker) -> None:
    """End the job if it is cancelled, or its sound is longer than sounds may be."""
    worker.check()
    longest = worker.configuration.limits.duration
    if seconds > longest:
        raise ProblemError(
            413, "too_long", f"the sound is longer than {longest:g} s", "cut it, or allow more"
        )
