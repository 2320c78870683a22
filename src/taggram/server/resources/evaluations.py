"""What models are worth on datasets that are prepared here; computed by the laboratory."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import HTMLResponse, JSONResponse

from taggram.server.answers import as_answer
from taggram.server.context import Context
from taggram.server.schemas import Dataset, Evaluation, EvaluationRequest, Job

router = APIRouter(tags=["evaluations"])

EvaluationId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
Ids = Annotated[
    str,
    Query(
        pattern="^[0-9a-f]{32}(,[0-9a-f]{32}){1,9}$",
        description="Two to ten evaluations, separated by commas; the first is the baseline.",
    ),
]


@router.get("/datasets")
def list_datasets(server: Context) -> list[Dataset]:
    """List the datasets that are prepared here."""
    return server.evaluations.datasets()


@router.post("/evaluations", status_code=202, response_model=Job)
def evaluate(wish: EvaluationRequest, server: Context) -> JSONResponse:
    """Evaluate a model on a dataset."""
    return as_answer(server.evaluations.begin(wish))


@router.get("/evaluations")
def list_evaluations(server: Context) -> list[Evaluation]:
    """List the evaluations that are done, the newest first."""
    return server.evaluations.all()


@router.get("/evaluations/{evaluation_id}")
def read_evaluation(evaluation_id: EvaluationId, server: Context) -> Evaluation:
    """Give the main figures of an evaluation."""
    return server.evaluations.get(evaluation_id)


@router.get("/evaluations/{evaluation_id}/document")
def read_document(evaluation_id: EvaluationId, server: Context) -> dict[str, Any]:
    """Give everything that was measured: schema `taggram-evaluation/1`."""
    return server.evaluations.measured.document(evaluation_id)


@router.get("/evaluations/{evaluation_id}/report", response_class=HTMLResponse)
def read_report(evaluation_id: EvaluationId, server: Context) -> Response:
    """Give the report for people; it may load and run nothing."""
    return server.evaluations.measured.report(evaluation_id)


@router.delete("/evaluations/{evaluation_id}", status_code=204)
def remove_evaluation(evaluation_id: EvaluationId, server: Context) -> Response:
    """Remove an evaluation."""
    server.evaluations.measured.remove(evaluation_id)
    return Response(status_code=204)


@router.get("/comparison")
def compare(ids: Ids, server: Context) -> dict[str, Any]:
    """Put evaluations side by side: schema `taggram-comparison/1`."""
    return server.evaluations.compare(tuple(ids.split(",")))
