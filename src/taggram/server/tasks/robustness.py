"""Study how a model takes deformed sound, by `taggram robustness` in a process of its own."""

import json
import shutil
from collections.abc import Mapping
from typing import Any

from taggram.server.laboratory import run_laboratory
from taggram.server.robustness import DOCUMENT, study_folder
from taggram.server.store import Store
from taggram.server.worker import Finished, Worker


def run(job_id: str, task: Mapping[str, Any], worker: Worker) -> Finished:
    """Study; `task` has the study's id, names of model and dataset, the dataset's root, and strengths."""
    del job_id
    study_id = task["study"]
    output = study_folder(worker.configuration.folder, study_id)
    output.parent.mkdir(parents=True, exist_ok=True)
    command = [
        "robustness", task["model"], task["dataset"], "--root", task["root"], "--output", str(output),
        "--quiet",
        *(["--published"] if task["strengths"] == "published" else []),
    ]  # fmt: skip
    try:
        run_laboratory(command, output / DOCUMENT, worker)
    except BaseException:
        shutil.rmtree(output, ignore_errors=True)
        raise
    shutil.rmtree(output / "runs")  # scores of every condition, which nobody asks the server for
    document = json.loads((output / DOCUMENT).read_bytes())
    content = {
        **{key: document[key] for key in ("weights_sha256", "split", "n_clips")},
        **{key: task[key] for key in ("model", "dataset", "strengths")},
        "n_conditions": len(document["conditions"]),
    }
    Store(worker.configuration.folder).put_document("robustness", study_id, content)
    said = f"{content['n_clips']} clips of {task['dataset']} under {content['n_conditions']} conditions"
    return Finished(said, f"robustness/{study_id}")
