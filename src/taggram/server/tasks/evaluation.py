"""Evaluate a model on a dataset, by `taggram evaluate` in a process of its own."""

import json
import shutil
from collections.abc import Mapping
from typing import Any

from taggram.server.evaluations import DOCUMENT, evaluation_folder
from taggram.server.laboratory import run_laboratory
from taggram.server.store import Store
from taggram.server.worker import Finished, Worker


def run(job_id: str, task: Mapping[str, Any], worker: Worker) -> Finished:
    """Evaluate; `task` has the evaluation's id, and names of model and dataset, with the dataset's root."""
    del job_id
    evaluation_id = task["evaluation"]
    output = evaluation_folder(worker.configuration.folder, evaluation_id)
    output.parent.mkdir(parents=True, exist_ok=True)
    command = [
        "evaluate", task["model"], task["dataset"], "--root", task["root"], "--output", str(output),
        "--quiet",
    ]  # fmt: skip
    try:
        run_laboratory(command, output / DOCUMENT, worker)
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


def _figure(name: str, figure: Mapping[str, Any]) -> dict[str, Any]:
    title = name.replace("_", " ").replace("roc auc", "ROC-AUC").replace("pr auc", "PR-AUC")
    return {"name": name, "title": title, "value": figure["value"], "interval": figure["interval"]}
