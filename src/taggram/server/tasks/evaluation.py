"""Evaluate a model on a dataset, by `taggram evaluate` in a process of its own."""

import json
import os
import shutil
import subprocess
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taggram.server.evaluations import COMMAND, DOCUMENT, evaluation_folder, last_words
from taggram.server.problems import ProblemError
from taggram.server.store import Store
from taggram.server.worker import Cancelled, Finished, Worker

_N_LAST_LINES = 50


def run(job_id: str, task: Mapping[str, Any], worker: Worker) -> Finished:
    """Evaluate; `task` has the evaluation's id, and names of model and dataset, with the dataset's root."""
    del job_id
    evaluation_id = task["evaluation"]
    output = evaluation_folder(worker.configuration.folder, evaluation_id)
    output.parent.mkdir(parents=True, exist_ok=True)
    worker.say(0.0, "starting the laboratory")
    try:
        _evaluate(task, output, worker)
    except BaseException:
        shutil.rmtree(output, ignore_errors=True)
        raise
    document = json.loads((output / DOCUMENT).read_bytes())
    content = {
        "model": task["model"],
        "dataset": task["dataset"],
        "split": document["dataset"]["split"],
        "n_clips": document["dataset"]["n_clips"],
        "figures": [_figure(name, figure) for name, figure in document["figures"].items()],
    }
    Store(worker.configuration.folder).put_document("evaluation", evaluation_id, content)
    return Finished(f"{content['n_clips']} clips of {task['dataset']}", f"evaluations/{evaluation_id}")


def _evaluate(task: Mapping[str, Any], output: Path, worker: Worker) -> None:
    command = [
        *COMMAND, "evaluate", task["model"], task["dataset"],
        "--root", task["root"], "--output", str(output), "--quiet",
    ]  # fmt: skip
    process = subprocess.Popen(
        command,
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
    if not (output / DOCUMENT).is_file():  # its status is 1, too, if single clips could not be heard
        raise ProblemError(409, "evaluation", f"the evaluation failed: {last_words(list(lines))}")


def _watch(process: "subprocess.Popen[str]", lines: deque[str], worker: Worker) -> None:
    """Pass progress on, and remember what else is said."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("progress "):
            _, done, total, description = line.split(maxsplit=3)
            worker.say(int(done) / max(1, int(total)), f"{description.strip()}: {done} of {total}")
        else:
            lines.append(line.rstrip())


def _figure(name: str, figure: Mapping[str, Any]) -> dict[str, Any]:
    title = name.replace("_", " ").replace("roc auc", "ROC-AUC").replace("pr auc", "PR-AUC")
    return {"name": name, "title": title, "value": figure["value"], "interval": figure["interval"]}
