"""What the laboratory measured and the server keeps: documents for programs, reports for people."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import Response

from taggram.server.laboratory import run_laboratory
from taggram.server.problems import not_found
from taggram.server.store import Store
from taggram.server.worker import Worker

REPORT = "report.html"
# The report is a page of its own: it draws inline, and may neither load nor run anything.
_REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'"
)


@dataclass(frozen=True)
class Kind:
    """A kind of measurement.

    Attributes
    ----------
    name
        In the server's store, and for people.
    directory
        Where its results lie, in the server's folder.
    document
        Name of the file that holds all that was measured.
    """

    name: str
    directory: str
    document: str

    def folder(self, own_folder: Path, measured_id: str) -> Path:
        """Return where one result lies."""
        return own_folder / self.directory / measured_id


EVALUATION = Kind("evaluation", "evaluations", "evaluation.json")
ROBUSTNESS = Kind("robustness", "robustness", "robustness.json")


class Measured:
    """The results of one kind; every method with an id says 404 if there is no such result."""

    def __init__(self, kind: Kind, own_folder: Path, store: Store) -> None:
        self._kind = kind
        self._own_folder = own_folder
        self._store = store

    def all(self) -> list[dict[str, Any]]:
        """Return in short what is there, the newest first."""
        return self._store.documents(self._kind.name)

    def get(self, measured_id: str) -> dict[str, Any]:
        """Return one in short."""
        return self._store.document(self._kind.name, measured_id)

    def document(self, measured_id: str) -> dict[str, Any]:
        """Return all that was measured."""
        found: dict[str, Any] = json.loads(self.file(measured_id, self._kind.document).read_bytes())
        return found

    def folder(self, measured_id: str) -> Path:
        """Return where all of it lies."""
        return self.file(measured_id, self._kind.document).parent

    def report(self, measured_id: str) -> Response:
        """Answer with the report for people."""
        headers = {"Content-Security-Policy": _REPORT_POLICY}
        return Response(self.file(measured_id, REPORT).read_bytes(), media_type="text/html", headers=headers)

    def remove(self, measured_id: str) -> None:
        """Remove it."""
        self.get(measured_id)
        self._store.remove_document(self._kind.name, measured_id)
        shutil.rmtree(self._kind.folder(self._own_folder, measured_id), ignore_errors=True)

    def file(self, measured_id: str, name: str) -> Path:
        """Return a file of it."""
        self.get(measured_id)
        path = self._kind.folder(self._own_folder, measured_id) / name
        if not path.is_file():
            raise not_found(name, f"of {self._kind.name} {measured_id}")
        return path


def measure(kind: Kind, measured_id: str, command: Sequence[str], worker: Worker) -> dict[str, Any]:
    """Run a command of the laboratory that takes `--output DIR`; return the document that it wrote.

    What it leaves is removed if it fails or is cancelled; see `run_laboratory`.
    """
    output = kind.folder(worker.configuration.folder, measured_id)
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        run_laboratory([*command, "--output", str(output), "--quiet"], output / kind.document, worker)
    except BaseException:
        shutil.rmtree(output, ignore_errors=True)
        raise
    found: dict[str, Any] = json.loads((output / kind.document).read_bytes())
    return found
