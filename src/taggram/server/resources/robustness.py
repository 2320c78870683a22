"""How models take deformed sound, on datasets that are prepared here; studied by the laboratory."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import HTMLResponse, JSONResponse

from taggram.server.answers import as_answer
from taggram.server.context import Context
from taggram.server.schemas import Job, RobustnessCurves, RobustnessRequest, RobustnessStudy

router = APIRouter(tags=["evaluations"])

StudyId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
Ids = Annotated[
    str,
    Query(
        pattern="^[0-9a-f]{32}(,[0-9a-f]{32}){0,9}$",
        description="One to ten studies, separated by commas; the first is the baseline.",
    ),
]


@router.post("/robustness", status_code=202, response_model=Job)
def study(wish: RobustnessRequest, server: Context) -> JSONResponse:
    """Study how a model takes deformed sound."""
    return as_answer(server.studies.begin(wish))


@router.get("/robustness")
def list_studies(server: Context) -> list[RobustnessStudy]:
    """List the studies that are done, the newest first."""
    return server.studies.all()


@router.get("/robustness/{study_id}")
def read_study(study_id: StudyId, server: Context) -> RobustnessStudy:
    """Say what was studied."""
    return server.studies.get(study_id)


@router.get("/robustness/{study_id}/document")
def read_study_document(study_id: StudyId, server: Context) -> dict[str, Any]:
    """Give everything that was measured: schema `taggram-robustness/1`."""
    return server.studies.measured.document(study_id)


@router.get("/robustness/{study_id}/report", response_class=HTMLResponse)
def read_study_report(study_id: StudyId, server: Context) -> Response:
    """Give the report for people; it may load and run nothing."""
    return server.studies.measured.report(study_id)


@router.delete("/robustness/{study_id}", status_code=204)
def remove_study(study_id: StudyId, server: Context) -> Response:
    """Remove a study."""
    server.studies.measured.remove(study_id)
    return Response(status_code=204)


@router.get("/robustness-curves")
def compare_studies(ids: Ids, server: Context) -> RobustnessCurves:
    """Put studies side by side, figures against strength; they must be of the same clips and tags."""
    return server.studies.curves(ids.split(","))
