"""The laboratory as the server has it work: commands of `taggram` in processes of their own."""

import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from taggram.errors import MissingExtraError
from taggram.server.problems import ProblemError
from taggram.server.worker import Cancelled, Worker

_COMMAND = (sys.executable, "-P", "-m", "taggram.cli.main")
_PACKAGES = ("torch", "sklearn", "matplotlib")  # that only the optional part `train` brings
_ANSWER_SECONDS = 300.0
_N_LAST_LINES = 50


def need_laboratory(what: str) -> None:
    """Raise `MissingExtraError` if the laboratory cannot run here."""
    if any(find_spec(name) is None for name in _PACKAGES):
        raise MissingExtraError(what, "train")


def ask_laboratory(arguments: Sequence[str], *, refusal: str) -> None:
    """Run a command that is done within an answer.

    Raises
    ------
    ProblemError
        409 if it fails: `refusal`, and what it said.
    """
    command = [*_COMMAND, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=False)
    if done.returncode:
        raise ProblemError(409, "evaluation", f"{refusal}: {_last_words(done.stderr.splitlines())}")


def run_laboratory(arguments: Sequence[str], makes: Path, worker: Worker) -> None:
    """Run a command for a job, which can be cancelled, and pass on how far it is.

    Parameters
    ----------
    arguments
        Of `taggram`.
    makes
        The file that is there if the command came to its end; its status is 1, too, if single clips
        could not be heard.
    worker
        Of the job.

    Raises
    ------
    Cancelled
        If the job is cancelled.
    ProblemError
        If the command fails, with what it said.
    """
    worker.say(0.0, "starting the laboratory")
    process = subprocess.Popen(
        [*_COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TAGGRAM_PROGRESS": "lines"},
    )
    lines: deque[str] = deque(maxlen=_N_LAST_LINES)
    watcher = threading.Thread(target=_watch, args=(process, lines, worker))
    watcher.start()
    while watcher.is_alive():
        watcher.join(0.5)
        if worker.is_cancelled:
            process.kill()
    process.wait()
    if worker.is_cancelled:
        raise Cancelled
    if not makes.is_file():
        raise ProblemError(409, "evaluation", f"the evaluation failed: {_last_words(list(lines))}")


def _watch(process: "subprocess.Popen[str]", lines: deque[str], worker: Worker) -> None:
    """Pass progress on, and remember what else is said."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("progress "):
            _, done, total, description = line.split(maxsplit=3)
            worker.say(int(done) / max(1, int(total)), f"{description.strip()}: {done} of {total}")
        else:
            lines.append(line.rstrip())


def _last_words(lines: Sequence[str]) -> str:
    """Return what a command of ours said at the end."""
    said = [line.removeprefix("taggram: ") for line in lines if line.strip()]
    return said[-1] if said else "it said nothing"
