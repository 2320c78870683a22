"""Evaluate a model on a dataset, by `taggram evaluate` in a process of its own."""

from collections.abc import Mapping
from typing import Any

from taggram.server.measured import EVALUATION, measure
from taggram.server.store import Store
from taggram.server.worker import Finished, Worker


def run(job_id: str, task: Mapping[str, Any], worker: Worker) -> Finished:
    """Evaluate; `task` has the evaluation's id, and names of model and dataset, with the dataset's root."""
    del job_id
    evaluation_id = task["evaluation"]
    command = ["evaluate", task["model"], task["dataset"], "--root", task["root"]]
    document = measure(EVALUATION, evaluation_id, command, worker)
    content = {
        "model": task["model"],
        "dataset": task["dataset"],
        "split": document["dataset"]["split"],
        "n_clips": document["dataset"]["n_clips"],
        "figures": [_figure(name, figure) for name, figure in document["figures"].items()],
    }
    Store(worker.configuration.folder).put_document(EVALUATION.name, evaluation_id, content)
    return Finished(f"{content['n_clips']} clips of {task['dataset']}", f"evaluations/{evaluation_id}")


def _figure(name: str, figure: Mapping[str, Any]) -> dict[str, Any]:
    title = name.replace("_", " ").replace("roc auc", "ROC-AUC").replace("pr auc", "PR-AUC")
    return {"name": name, "title": title, "value": figure["value"], "interval": figure["interval"]}
