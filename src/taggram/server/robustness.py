"""Studies of robustness on datasets that are prepared here: made by jobs, kept, and put side by side."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from taggram.server import PREFIX, schemas
from taggram.server.jobs import JobQueue, moment
from taggram.server.laboratory import need_laboratory
from taggram.server.measured import ROBUSTNESS, Measured
from taggram.server.model_list import ModelList
from taggram.server.problems import ProblemError
from taggram.server.schemas import Job, RobustnessCurves, RobustnessRequest, RobustnessStudy
from taggram.server.settings import Settings
from taggram.server.store import Store

_SAME: Mapping[str, str] = {
    "dataset": "are of different datasets",
    "split": "are of different splits",
    "split_fingerprint": "are of different versions of the split",
    "scored_fingerprint": "were scored on different clips or tags: their models do not know the same",
}
"""What studies have in common that are put side by side, and what is said where they have not."""


class Studies:
    """Knows the studies, and has them made."""

    def __init__(self, settings: Settings, store: Store, jobs: JobQueue, models: ModelList) -> None:
        self._settings = settings
        self._jobs = jobs
        self._models = models
        self.measured = Measured(ROBUSTNESS, settings.own_folder, store)

    def begin(self, wish: RobustnessRequest) -> Job:
        """Let a model be studied.

        Raises
        ------
        MissingExtraError
            If the laboratory is not installed here.
        UnknownNameError
            If there is no such model or dataset here.
        """
        need_laboratory("studying robustness")
        model = self._models.find(wish.model)
        task = {
            "study": secrets.token_hex(16),
            "model": model.name,
            "dataset": wish.dataset,
            "root": str(self._settings.find_dataset(wish.dataset)),
            "strengths": wish.strengths,
        }
        name = f"{model.name} on deformed {wish.dataset}"
        key = f"robustness:{model.name}:{wish.dataset}:{wish.strengths}"
        return self._jobs.submit("robustness", name, task, key=key)

    def all(self) -> list[RobustnessStudy]:
        """Return all studies, the newest first."""
        return [_to_study(document) for document in self.measured.all()]

    def get(self, study_id: str) -> RobustnessStudy:
        """Return a study."""
        return _to_study(self.measured.get(study_id))

    def curves(self, ids: Sequence[str]) -> RobustnessCurves:
        """Return studies side by side.

        Raises
        ------
        ProblemError
            404 if one is not there, 409 if they are not of the same clips and tags.
        """
        if len(set(ids)) != len(ids):
            raise ProblemError(422, "invalid_request", "a study is compared with others", "name each once")
        return make_curves({study_id: self.measured.document(study_id) for study_id in ids})


def make_curves(studies: Mapping[str, Mapping[str, Any]]) -> RobustnessCurves:
    """Put studies side by side: deformation by deformation, strength by strength.

    Parameters
    ----------
    studies
        Id → document in the schema `taggram-robustness/1`, at least one; the first is the baseline.

    Raises
    ------
    ProblemError
        409 if they are not of the same clips and tags.
    """
    documents = list(studies.values())
    first = documents[0]
    for other in documents[1:]:
        _require_same(first, other)
    conditions = [
        {(one["deformation"], one["strength"]): one for one in document["conditions"]}
        for document in documents
    ]
    every = {key: condition for own in reversed(conditions) for key, condition in own.items()}
    deformations = list(dict.fromkeys(kind for own in conditions for kind, _ in own))
    return RobustnessCurves(
        dataset=first["dataset"],
        split=first["split"],
        n_clips=first["n_clips"],
        n_tags=first["n_tags"],
        figures=list(first["clean"]),
        models=[
            schemas.StudiedModel(
                study_id=study_id,
                label=label,
                weights_sha256=document["weights_sha256"],
                clean=_figures(document["clean"]),
            )
            for (study_id, document), label in zip(studies.items(), _labels(documents), strict=True)
        ],
        deformations=[
            _deformation([condition for (own, _), condition in every.items() if own == kind], conditions)
            for kind in deformations
        ],
    )


def _require_same(first: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    for key, what in _SAME.items():
        if first[key] != other[key]:
            raise ProblemError(
                409, "not_comparable",
                f"the studies of {_describe(first)} and {_describe(other)} {what}",
                "compare studies of one dataset, by models that know the same tags",
            )  # fmt: skip


def _describe(document: Mapping[str, Any]) -> str:
    return (
        f"{document['model']} ({document['dataset']}, {document['split']}: {document['n_clips']} clips, "
        f"{document['n_tags']} tags)"
    )


def _labels(documents: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the models' names; equal ones are told apart by their weights, and those of one by a number."""
    names = [document["model"] for document in documents]
    labels = [
        name if names.count(name) == 1 else f"{name} ({document['weights_sha256'][:6]})"
        for name, document in zip(names, documents, strict=True)
    ]
    return [
        label if labels.count(label) == 1 else f"{label}, {place}" for place, label in enumerate(labels, 1)
    ]


def _deformation(
    found: Sequence[Mapping[str, Any]], conditions: Sequence[Mapping[tuple[str, Any], Mapping[str, Any]]]
) -> schemas.DeformationCurves:
    """Return one deformation; `found` has one condition of each strength, whichever model's."""
    kind = found[0]
    ordered = sorted(found, key=lambda one: one["strength"]) if kind["unit"] else found
    return schemas.DeformationCurves(
        name=kind["deformation"],
        title=kind["title"],
        unit=kind["unit"],
        identity=kind["identity"],
        strengths=[
            schemas.StrengthFigures(
                strength=condition["strength"],
                is_published=condition["is_published"],
                models=[
                    _figures(own[key]["figures"])
                    if (key := (condition["deformation"], condition["strength"])) in own
                    else None
                    for own in conditions
                ],
            )
            for condition in ordered
        ],
    )


def _figures(plain: Mapping[str, Mapping[str, Any]]) -> dict[str, schemas.RobustFigure]:
    return {
        name: schemas.RobustFigure(**{key: figure[key] for key in schemas.RobustFigure.model_fields})
        for name, figure in plain.items()
    }


def _to_study(document: dict[str, Any]) -> RobustnessStudy:
    url = f"{PREFIX}/robustness/{document['id']}"
    return RobustnessStudy(
        **{key: document[key] for key in ("id", "model", "weights_sha256", "dataset", "split", "strengths")},
        created_at=moment(document["created_at"]),
        n_clips=document["n_clips"],
        n_conditions=document["n_conditions"],
        document_url=f"{url}/document",
        report_url=f"{url}/report",
    )
