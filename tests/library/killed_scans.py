"""A program that scans and is killed, again and again: python killed_scans.py MUSIC DATABASE N_KILLS SEED.

Each scan runs in a fork of this process, which has everything loaded already, and is killed by SIGKILL
at a random moment: a random while after a random number of files, so that a busy machine changes nothing.
After each, the database must be whole and hold every file that the scan
had reported. When a scan gets to its end, the next one begins with an empty library. Files are examined
in the fork itself and a fast tagger listens, so that a scan is short and the kills fall everywhere.

Prints {"n_kills": …, "n_finished": …, "n_settled": […]}.
"""

import json
import os
import random
import signal
import sys
import time
import wave
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from taggram.errors import AudioError
from taggram.inference.result import Outcome, TagResult
from taggram.library import scan
from taggram.library.examine import examine
from taggram.library.inventory import take_inventory
from taggram.library.store import Library
from tests.conftest import tiny_specification

MOST_FILES = 20  # that a scan may settle before it is killed
LONGEST_START, LONGEST_FILE = 0.03, 0.005  # seconds until the kill: from the beginning, or from a file on


class FastTagger:
    """Gives every file the scores of its first samples."""

    specification = tiny_specification().model_copy(update={"weights_sha256": "ab" * 32})

    def tag_many(self, paths: Iterable[Path], **_: Any) -> Iterator[TagResult]:
        for path in paths:
            with wave.open(str(path)) as file:
                head = np.frombuffer(file.readframes(3), "<i2")
            scores = np.abs(head).astype(np.float32) / 32768
            yield TagResult(Outcome.TAGGED, 1.0, (), scores, scores[None], np.zeros(1), scores, str(path))


class ExaminerInProcess:
    """Examines without a child process, which would take longer to start than a scan lives."""

    def __init__(self, n_workers: int) -> None:
        del n_workers

    def __enter__(self) -> "ExaminerInProcess":
        return self

    def __exit__(self, *_: object) -> None:
        return

    def examine_many(self, items: Iterable[Any], path_of: Callable[[Any], Path]) -> Iterator[Any]:
        for item in items:
            try:
                yield item, examine(path_of(item))
            except AudioError as error:
                yield item, error


def run(music: Path, database: Path, report: int) -> None:
    """Scan to the end, and write the id of every settled file to the descriptor `report`."""
    vars(scan)["ExaminerPool"] = ExaminerInProcess

    def say(ended: scan.Ended) -> None:
        os.write(report, os.fsencode(ended.path) + b"\n")

    with Library.open(database) as library:
        take_inventory(library, [music])
        work = scan.Scan(library, FastTagger())  # type: ignore[arg-type]
        work.run(on_file=say)


def run_and_kill(music: Path, database: Path, rng: random.Random) -> tuple[bool, set[Path]]:
    """Scan in a fork and kill it; return whether it ended by itself, and which files it settled."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        run(music, database, writing)
        os._exit(0)
    os.close(writing)
    n_files = rng.randint(0, MOST_FILES)
    with os.fdopen(reading, "rb") as pipe:
        lines = list(islice(pipe, n_files))
        time.sleep(rng.uniform(0, LONGEST_FILE if n_files else LONGEST_START))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        lines += pipe
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    settled = {Path(os.fsdecode(line.rstrip(b"\n"))) for line in lines if line.endswith(b"\n")}
    return os.WIFEXITED(status), settled


def check(database: Path, settled: set[Path]) -> int:
    """Check that the library is whole and holds `settled`; return how many files it has settled."""
    with Library.open(database) as library:
        assert library.check_integrity() == ()
        files = list(library.files())
        done = {file.path for file in files if file.outcome is not None}
        assert settled <= done, settled - done
        models = library.models()
        for file in files:
            if file.outcome is Outcome.TAGGED:
                assert file.recording_id is not None
                analysis = library.analysis(file.recording_id, models[0])
                assert analysis is not None
                assert analysis.taggram.shape == (1, 3)
        return len(done)


def main(music: Path, database: Path, n_kills: int, seed: int) -> None:
    rng = random.Random(seed)
    n_killed = n_finished = 0
    all_settled: set[Path] = set()
    n_settled: list[int] = []
    while n_killed < n_kills:
        has_ended, settled = run_and_kill(music, database, rng)
        all_settled |= settled
        n_settled.append(check(database, all_settled))
        if has_ended:
            n_finished += 1
            all_settled.clear()
            for path in database.parent.glob(database.name + "*"):
                path.unlink()
        else:
            n_killed += 1
    print(json.dumps({"n_kills": n_killed, "n_finished": n_finished, "n_settled": n_settled}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
