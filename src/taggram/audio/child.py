"""Child processes that read files of strangers, and may crash in our place."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from taggram.errors import TaggramError


def start_child(module: str, *arguments: str, **options: Any) -> "subprocess.Popen[Any]":
    """Start `python -m module` with pipes for its standard input and output.

    Parameters
    ----------
    module, arguments
        What to run.
    options
        Of `subprocess.Popen`.

    Raises
    ------
    TaggramError
        If no process can be started.
    """
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what a codec library prints is not for the terminal
            env=_environment(),
            start_new_session=True,  # Ctrl-C is for the parent, which finishes the file in hand
            **options,
        )
    except OSError as error:
        raise TaggramError(
            f"a process to read files cannot be started with {sys.executable!r}: {error.strerror}; "
            "run Taggram with an ordinary Python"
        ) from error


def end_child(process: "subprocess.Popen[Any]") -> None:
    """End a child, whatever it is doing, and free its pipes."""
    process.kill()
    for pipe in (process.stdin, process.stdout):
        try:
            if pipe is not None:
                pipe.close()
        except OSError:  # what was still to be written to a process that is gone
            pass
    process.wait()


def _environment() -> dict[str, str]:
    """Return an environment in which the child finds the same packages and starts no idle threads."""
    search_path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    return {**os.environ, "PYTHONPATH": search_path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
