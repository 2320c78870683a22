"""Evaluations of models on datasets that are prepared here, by the laboratory: as child processes only."""

import json
import secrets
import threading
from typing import Any

from taggram.server import PREFIX, schemas
from taggram.server.jobs import JobQueue, moment
from taggram.server.laboratory import ask_laboratory, need_laboratory
from taggram.server.measured import EVALUATION, Measured
from taggram.server.model_list import ModelList
from taggram.server.problems import ProblemError
from taggram.server.schemas import Dataset, Evaluation, EvaluationRequest, Job
from taggram.server.settings import Settings
from taggram.server.store import Store

COMPARISON = "comparison.json"


class Evaluations:
    """Knows the evaluations, and has them made."""

    def __init__(self, settings: Settings, store: Store, jobs: JobQueue, models: ModelList) -> None:
        self._settings = settings
        self._jobs = jobs
        self._models = models
        self._comparing = threading.Lock()
        self.measured = Measured(EVALUATION, settings.own_folder, store)

    def datasets(self) -> list[Dataset]:
        """Return the datasets that the server was told of."""
        return [
            Dataset(name=name, is_there=root.is_dir())
            for name, root in sorted(self._settings.datasets.items())
        ]

    def begin(self, wish: EvaluationRequest) -> Job:
        """Let a model be evaluated.

        Raises
        ------
        MissingExtraError
            If the laboratory is not installed here.
        UnknownNameError
            If there is no such model or dataset here.
        """
        need_laboratory("evaluating models")
        model = self._models.find(wish.model)
        task = {
            "evaluation": secrets.token_hex(16),
            "model": model.name,
            "dataset": wish.dataset,
            "root": str(self._settings.find_dataset(wish.dataset)),
        }
        return self._jobs.submit(
            "evaluation",
            f"{model.name} on {wish.dataset}",
            task,
            key=f"evaluation:{model.name}:{wish.dataset}",
        )

    def all(self) -> list[Evaluation]:
        """Return all evaluations, the newest first."""
        return [_to_evaluation(document) for document in self.measured.all()]

    def get(self, evaluation_id: str) -> Evaluation:
        """Return an evaluation."""
        return _to_evaluation(self.measured.get(evaluation_id))

    def compare(self, ids: tuple[str, ...]) -> dict[str, Any]:
        """Return evaluations side by side; the same ones are compared once.

        Raises
        ------
        ProblemError
            404 if one is not there, 409 if they cannot be compared.
        """
        need_laboratory("comparing models")
        if len(set(ids)) != len(ids):
            raise ProblemError(
                422, "invalid_request", "an evaluation is compared with others", "name each once"
            )
        folders = [self.measured.folder(evaluation_id) for evaluation_id in ids]
        output = folders[0] / f"compared-{'-'.join(own[:12] for own in ids[1:])}"
        with self._comparing:
            if not (output / COMPARISON).is_file():
                arguments = ["compare", *map(str, folders), "--output", str(output), "--common"]
                ask_laboratory(arguments, refusal="these cannot be compared")
        found: dict[str, Any] = json.loads((output / COMPARISON).read_bytes())
        return found


def _to_evaluation(document: dict[str, Any]) -> Evaluation:
    url = f"{PREFIX}/evaluations/{document['id']}"
    return Evaluation(
        id=document["id"],
        model=document["model"],
        dataset=document["dataset"],
        split=document["split"],
        created_at=moment(document["created_at"]),
        n_clips=document["n_clips"],
        figures=[schemas.Figure(**figure) for figure in document["figures"]],
        document_url=f"{url}/document",
        report_url=f"{url}/report",
    )
