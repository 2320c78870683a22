"""Make a plan for the file tags of tracks, from what the library knows; no file is touched."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from taggram.library.file_tags.fields import OWN_FIELDS
from taggram.library.file_tags.hearing import heard_in_library
from taggram.library.file_tags.plan import Change, Policy, plan_files, write_plan
from taggram.library.store import Library
from taggram.server.plans import plan_path, read_taxonomy
from taggram.server.problems import ProblemError
from taggram.server.store import Store
from taggram.server.worker import Finished, Worker

_MAX_PROBLEMS = 200
_MAX_VALUES = 50


def run(job_id: str, task: Mapping[str, Any], worker: Worker) -> Finished:
    """Make a plan; `task` has its id, and the file of a taxonomy, or null."""
    del job_id
    folder, plan_id = worker.configuration.folder, task["plan"]
    store = Store(folder)
    document = store.document("plan", plan_id)
    wanted = plan_path(folder, plan_id).with_suffix(".files.json")
    try:
        found = _make(plan_path(folder, plan_id), json.loads(wanted.read_bytes()), document, task, worker)
    except BaseException:
        store.put_document("plan", plan_id, {**document, "state": "failed"})
        raise
    store.put_document("plan", plan_id, {**document, **found, "state": "ready"})
    wanted.unlink()
    return Finished(f"{found['n_changes']} changes in {found['n_files']} files", f"plans/{plan_id}")


def _make(
    path: Path, track_ids: list[int], document: Mapping[str, Any], task: Mapping[str, Any], worker: Worker
) -> dict[str, Any]:
    taxonomy = read_taxonomy(task.get("taxonomy"))
    options = document["options"]
    if unknown := set(options["fields"]) - set(taxonomy.fields):
        raise ProblemError(
            422, "unknown_name", f"the taxonomy does not fill {', '.join(sorted(unknown))}",
            f"it fills {', '.join(taxonomy.fields)}",
        )  # fmt: skip
    policy = Policy(
        options["mode"],
        frozenset(options["fields"]),
        only_whitelist=options["only_whitelist"],
        own=options["own"],
    )
    counts: Counter[str] = Counter()
    problems: list[str] = []
    values: dict[str, Counter[str]] = {}

    def changes(library: Library) -> Iterator[Change]:
        files = library.files_by_id(track_ids)
        paths = [files[track_id].path for track_id in track_ids if track_id in files]
        if not paths:
            return
        for planned in plan_files(
            heard_in_library(library, library.default_model(), paths), taxonomy, policy
        ):
            worker.check()
            counts["n_seen"] += 1
            worker.say(counts["n_seen"] / len(paths), f"{counts['n_seen']} of {len(paths)} files")
            if planned.problem is not None:
                problems.append(str(planned.problem))
            counts["n_files" if planned.changes else "n_unchanged"] += planned.problem is None
            for change in planned.changes:
                if change.field not in OWN_FIELDS:
                    values.setdefault(change.field, Counter()).update(set(change.after) - set(change.before))
            yield from planned.changes

    with Library.open(worker.configuration.library, must_exist=True) as library:
        part = path.with_suffix(".part")
        with part.open("w", encoding="utf-8", newline="\n") as stream:
            n_changes = write_plan(changes(library), stream)
        part.replace(path)
    return {
        "n_files": counts["n_files"],
        "n_unchanged": counts["n_unchanged"],
        "n_changes": n_changes,
        "problems": problems[:_MAX_PROBLEMS],
        "values": {field: dict(counter.most_common(_MAX_VALUES)) for field, counter in values.items()},
    }
