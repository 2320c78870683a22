"""Study how a model takes deformed sound, by `taggram robustness` in a process of its own."""

import shutil
from collections.abc import Mapping
from typing import Any

from taggram.server.measured import ROBUSTNESS, measure
from taggram.server.store import Store
from taggram.server.worker import Finished, Worker


def run(job_id: str, task: Mapping[str, Any], worker: Worker) -> Finished:
    """Study; `task` has the study's id, names of model and dataset, the dataset's root, and strengths."""
    del job_id
    study_id, folder = task["study"], worker.configuration.folder
    command = ["robustness", task["model"], task["dataset"], "--root", task["root"]]
    command += ["--published"] if task["strengths"] == "published" else []
    document = measure(ROBUSTNESS, study_id, command, worker)
    # Scores of every condition, which nobody asks the server for.
    shutil.rmtree(ROBUSTNESS.folder(folder, study_id) / "runs")
    content = {
        **{key: document[key] for key in ("weights_sha256", "split", "n_clips")},
        **{key: task[key] for key in ("model", "dataset", "strengths")},
        "n_conditions": len(document["conditions"]),
    }
    Store(folder).put_document(ROBUSTNESS.name, study_id, content)
    said = f"{content['n_clips']} clips of {task['dataset']} under {content['n_conditions']} conditions"
    return Finished(said, f"robustness/{study_id}")
