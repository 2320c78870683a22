"""Plans for the file tags of tracks: made, looked at, applied, taken back."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import JSONResponse

from taggram.server.answers import as_answer
from taggram.server.context import Context
from taggram.server.schemas import ApplyRequest, ChangePage, Job, Plan, PlanRequest, TaxonomyInfo

router = APIRouter(tags=["file tags"])

PlanId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]


@router.get("/taxonomies")
def list_taxonomies(server: Context) -> list[TaxonomyInfo]:
    """List the taxonomies that plans can use; the first is the one without a name, which needs no file."""
    return server.plans.taxonomies()


@router.post("/plans", status_code=202, response_model=Job)
def make_plan(wish: PlanRequest, server: Context) -> JSONResponse:
    """Plan what would change in the file tags of tracks; no file is touched."""
    return as_answer(server.plans.make(wish))


@router.get("/plans")
def list_plans(server: Context) -> list[Plan]:
    """List plans, the newest first."""
    return server.plans.all()


@router.get("/plans/{plan_id}")
def read_plan(plan_id: PlanId, server: Context) -> Plan:
    """Say what a plan would change, and what became of it."""
    return server.plans.get(plan_id)


@router.get("/plans/{plan_id}/changes")
def list_changes(
    plan_id: PlanId,
    server: Context,
    offset: Annotated[int, Query(ge=0, le=100_000_000)] = 0,
    limit: Annotated[int, Query(ge=0, le=1000)] = 100,
) -> ChangePage:
    """List the changes of a plan; those of a file stand together."""
    return server.plans.changes(plan_id, offset, limit)


@router.post("/plans/{plan_id}/apply", status_code=202, response_model=Job)
def apply_plan(plan_id: PlanId, server: Context, wish: ApplyRequest | None = None) -> JSONResponse:
    """Write the changes into the files, each whole or not at all; it can be undone."""
    return as_answer(server.plans.apply(plan_id, wish or ApplyRequest()))


@router.post("/plans/{plan_id}/undo", status_code=202, response_model=Job)
def undo_plan(plan_id: PlanId, server: Context) -> JSONResponse:
    """Take back what was written for this plan."""
    return as_answer(server.plans.undo(plan_id))
