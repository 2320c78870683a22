"""Plans for file tags: made, applied and taken back by jobs; kept as documents, their changes as files.

A plan names only files of the library, because it is made from it here; what a client sends are the numbers
of changes to leave out.
"""

import json
import secrets
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from taggram.errors import UnknownNameError
from taggram.library.file_tags.journal import list_runs
from taggram.library.file_tags.plan import Change, read_plan
from taggram.library.taxonomy import Taxonomy, default_taxonomy, load_taxonomy
from taggram.server import presentation, schemas
from taggram.server.jobs import JobQueue, moment
from taggram.server.problems import ProblemError, not_found
from taggram.server.schemas import ApplyRequest, ChangePage, Job, Plan, PlanRequest, TaxonomyInfo
from taggram.server.settings import Settings
from taggram.server.shelf import Shelf
from taggram.server.store import Store

_WHAT = "plan"
_UNDER_WAY = ("making", "applying", "undoing")


class Plans:
    """Knows the plans, and has them made, applied and taken back."""

    def __init__(self, settings: Settings, store: Store, jobs: JobQueue, shelf: Shelf) -> None:
        self._settings = settings
        self._store = store
        self._jobs = jobs
        self._shelf = shelf
        self.taxonomies()  # one that cannot be read is said at the start

    def taxonomies(self) -> list[TaxonomyInfo]:
        """Return the taxonomies that the server was told of, behind the one that needs no file.

        Raises
        ------
        PlanError
            If one cannot be read.
        """
        named = {"": None, **self._settings.taxonomies}
        return [_describe(name, read_taxonomy(path)) for name, path in named.items()]

    def make(self, wish: PlanRequest) -> Job:
        """Let a plan be made.

        Raises
        ------
        ExpressionError
            If the query cannot be read.
        UnknownNameError
            If there is no such taxonomy here.
        ProblemError
            404 if a track is not there, 422 if the options contradict each other.
        """
        options = wish.options
        if options.only_whitelist and options.mode == "fill":
            raise ProblemError(
                422, "invalid_request", "fill changes nothing where a field has a value, listed or not",
                "choose add or replace, or leave only_whitelist out",
            )  # fmt: skip
        taxonomy = self._find_taxonomy(options.taxonomy)
        with self._shelf.view() as view:
            if wish.track_ids:
                for track_id in wish.track_ids:
                    if view.library.file_by_id(track_id) is None:
                        raise not_found("track", track_id)
                chosen = wish.track_ids
            else:
                found = view.catalogue.search(wish.query, sort="added")
                chosen = view.catalogue.file_ids[found.rows].tolist()
        plan_id = secrets.token_hex(16)
        document = {"query": wish.query, "options": wish.options.model_dump(), "state": "making"}
        folder = plans_folder(self._settings.own_folder)
        folder.mkdir(exist_ok=True)
        (folder / f"{plan_id}.files.json").write_text(json.dumps(chosen), encoding="ascii")
        self._store.put_document(_WHAT, plan_id, document)
        task = {"plan": plan_id, "taxonomy": taxonomy and str(taxonomy)}
        name = wish.query or (f"{len(chosen)} tracks" if wish.track_ids else "everything")
        return self._jobs.submit("plan", f"Plan for {name}", task, key=_key(plan_id))

    def settle(self, plan_id: str | None = None) -> None:
        """Bring a plan, or all of them, to a true state if its job is over and did not say how.

        That is so if it was killed or given up, in this server or the last. What was written to files is in
        the journals, whatever became of the work.
        """
        for document in self._store.documents(_WHAT):
            if plan_id not in (None, document["id"]):
                continue
            job = self._store.job_of_key(_key(document["id"]))
            if document["state"] in _UNDER_WAY and (job is None or job.has_ended):
                change = {"state": "failed"} if document["state"] == "making" else self._look(document)
                content = {key: value for key, value in document.items() if key not in ("id", "created_at")}
                self._store.put_document(_WHAT, document["id"], {**content, **change})

    def _look(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return what the journals say of a plan whose changes were being written or taken back."""
        runs = [
            run
            for run in list_runs(journal_directory(self._settings.library_path))
            if run.name in document.get("runs", ())
        ]
        n_written, n_undone = sum(run.n_files for run in runs), sum(run.n_undone for run in runs)
        n_left = n_written - n_undone
        if n_left:
            state = "applied"
        elif n_written:
            state = "undone"
        else:
            state = "ready"
        outcomes = {"written": n_left, "restored": n_undone}
        message = "The work ended in the middle; the journal says what became of the files."
        return {
            "state": state,
            "outcomes": {outcome: count for outcome, count in outcomes.items() if count},
            "messages": [message],
        }

    def all(self) -> list[Plan]:
        """Return all plans, the newest first."""
        return [_to_plan(document) for document in self._store.documents(_WHAT)]

    def get(self, plan_id: str) -> Plan:
        """Return a plan."""
        return _to_plan(self._store.document(_WHAT, plan_id))

    def changes(self, plan_id: str, offset: int, limit: int) -> ChangePage:
        """Return a part of the changes of a plan."""
        plan = self.get(plan_id)
        if not plan_path(self._settings.own_folder, plan_id).is_file():
            raise ProblemError(409, "not_ready", "this plan is not made yet", "wait for its job")
        changes = list(islice(enumerate(self._read(plan_id)), offset, offset + limit))
        with self._shelf.library() as library:
            roots = library.roots()
            ids = {path: library.file(path) for path in {change.file for _, change in changes}}
        items = [
            schemas.Change(
                number=number,
                track_id=file.id if (file := ids[change.file]) else None,
                path=presentation.relative_path(change.file, roots),
                field=change.field,
                before=[presentation.text(value) for value in change.before],
                after=list(change.after),
                why=change.why,
            )
            for number, change in changes
        ]
        return ChangePage(total=plan.n_changes, items=items)

    def apply(self, plan_id: str, wish: ApplyRequest) -> Job:
        """Let the changes be written."""
        return self._submit("apply", plan_id, {"exclude": wish.exclude})

    def undo(self, plan_id: str) -> Job:
        """Let what was written be taken back."""
        if not self._store.document(_WHAT, plan_id).get("runs"):
            raise ProblemError(409, "nothing_written", "nothing was written for this plan")
        return self._submit("undo", plan_id, {})

    def _submit(self, kind: Any, plan_id: str, task: dict[str, Any]) -> Job:
        document = self._store.document(_WHAT, plan_id)
        running = self._store.job_of_key(_key(plan_id))
        if running is not None and not running.has_ended and running.kind != kind:
            raise ProblemError(
                409, "not_ready", f"a job of this plan still runs: {running.name}", "wait for it"
            )
        if not plan_path(self._settings.own_folder, plan_id).is_file():
            raise ProblemError(409, "not_made", "this plan was not made to its end", "make another one")
        what = "Write" if kind == "apply" else "Take back"
        name = f"{what} the tags of {document.get('n_files', 0)} files"
        return self._jobs.submit(kind, name, {"plan": plan_id, **task}, key=_key(plan_id))

    def _find_taxonomy(self, name: str) -> Path | None:
        known = self._settings.taxonomies
        if name and name not in known:
            raise UnknownNameError("taxonomy that the server was told of", name, known)
        return known[name] if name else None

    def _read(self, plan_id: str) -> Iterator[Change]:
        return read_plan(plan_path(self._settings.own_folder, plan_id))


def _key(plan_id: str) -> str:
    """Return what makes jobs wait for each other that work on the same plan."""
    return f"plan:{plan_id}"


def journal_directory(library: Path) -> Path:
    """Return where journals lie: beside the library, where `taggram write` keeps them, too."""
    return library.parent / "journal"


def plans_folder(folder: Path) -> Path:
    """Return where plans lie, in the server's folder."""
    return folder / "plans"


def plan_path(folder: Path, plan_id: str) -> Path:
    """Return where the changes of a plan lie."""
    return plans_folder(folder) / f"{plan_id}.jsonl"


def read_taxonomy(path: Path | str | None) -> Taxonomy:
    """Return a taxonomy; None is the one that needs no file."""
    return default_taxonomy() if path is None else load_taxonomy(Path(path))


def _describe(name: str, taxonomy: Taxonomy) -> TaxonomyInfo:
    has_whitelist = any(rule.whitelist for rule in taxonomy.rules)
    return TaxonomyInfo(name=name, fields=list(taxonomy.fields), has_whitelist=has_whitelist)


def _to_plan(document: dict[str, Any]) -> Plan:
    return Plan(
        id=document["id"],
        created_at=moment(document["created_at"]),
        query=document["query"],
        options=schemas.PlanOptions(**document["options"]),
        state=document["state"],
        n_files=document.get("n_files", 0),
        n_changes=document.get("n_changes", 0),
        n_unchanged=document.get("n_unchanged", 0),
        problems=document.get("problems", []),
        values=document.get("values", {}),
        outcomes=document.get("outcomes", {}),
        messages=document.get("messages", []),
    )
