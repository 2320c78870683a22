"""The library as a whole: what is in it, its facets, and looking for news on the disk."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from taggram.server.context import Context
from taggram.server.presentation import Presenter
from taggram.server.schemas import Facets, Job, LibraryOverview

router = APIRouter(tags=["library"])


@router.get("/library")
def read_library(server: Context) -> LibraryOverview:
    """Say what is in the library."""
    return Presenter(server).overview()


@router.post("/library/scan", status_code=202, response_model=Job)
def scan_library(server: Context) -> JSONResponse:
    """Look for new and changed files in the directories of the library, and listen to them."""
    return server.accepted(server.jobs.submit("scan", "Look for new music"))


@router.get("/facets")
def read_facets(
    server: Context, query: Annotated[str, Query(max_length=2000, description="Of these tracks.")] = ""
) -> Facets:
    """Count the tags of the tracks that match, category by category, the commonest first."""
    return Presenter(server).facets(query)
