"""A scan that is killed at any moment costs the files in hand, and never the library."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from taggram import Outcome
from taggram.library import Library
from tests.conftest import ROOT
from tests.inference.test_tagger import write_wav

Tone = Callable[..., np.ndarray]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs fork and SIGKILL")


def environment() -> dict[str, str]:
    threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return {**os.environ, "PYTHONPATH": str(ROOT), **threads}


def test_sixty_kills(tmp_path: Path, rng: np.random.Generator) -> None:
    music = tmp_path / "music"
    for number in range(150):
        folder = music / f"{number % 7}"
        folder.mkdir(parents=True, exist_ok=True)
        # every tenth file holds the same
        samples = np.full(100, 0.1) if number % 10 == 0 else rng.random(100)
        write_wav(folder / f"{number}.wav", samples)
    done = subprocess.run(
        [sys.executable, ROOT / "tests/library/killed_scans.py", music, tmp_path / "l.db", "60", "1"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["n_kills"] == 60
    # The kills fell into the middle of the work, and the work came to its end all the same.
    assert result["n_finished"] > 0
    assert max(result["n_settled"]) == 150
    assert sum(0 < n < 150 for n in result["n_settled"]) > 20


def test_kills_of_the_whole_program(tiny_model: Path, tmp_path: Path, tone: Tone) -> None:
    music, database = tmp_path / "music", tmp_path / "library.db"
    music.mkdir()
    for number in range(60):
        write_wav(music / f"{number}.wav", np.tile(tone(300 + 50 * number, 2.0), 20))
    command = [sys.executable, "-m", "taggram.cli.main", "library", "add", str(music)]
    command += ["--library", str(database), "--model", str(tiny_model)]
    waits = random.Random(1)
    for _ in range(4):
        process = subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True)
        time.sleep(1.2 + waits.random())
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if database.exists():
            with Library.open(database) as library:
                assert library.check_integrity() == ()
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    with Library.open(database) as library:
        assert Counter(file.outcome for file in library.files()) == {Outcome.TAGGED: 60}
        assert len(library.scores(library.default_model())[0]) == 60
