"""The library as a whole: what is in it, its facets, and looking for news on the disk."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from taggram.library.status import compute_status
from taggram.server.answers import as_answer
from taggram.server.context import Context
from taggram.server.presentation import text
from taggram.server.problems import ProblemError
from taggram.server.schemas import Facets, FacetValue, Job, LibraryModel, LibraryOverview

router = APIRouter(tags=["library"])


@router.get("/library")
def read_library(server: Context) -> LibraryOverview:
    """Say what is in the library."""
    with server.shelf.library() as library:
        status = compute_status(library)
    models = [
        LibraryModel(name=model.name, weights_sha256=model.weights_sha256, n_recordings=count)
        for model, count in status.analyses
    ]
    return LibraryOverview(
        roots=[text(str(root)) for root in status.roots],
        counts=status.counts,
        n_files=status.n_files,
        n_recordings=status.n_recordings,
        duration=status.duration,
        models=models,
        model=models[0].name if models else None,
        can_scan=bool(status.roots),
    )


@router.post("/library/scan", status_code=202, response_model=Job)
def scan_library(server: Context) -> JSONResponse:
    """Look for new and changed files in the directories of the library, and listen to them."""
    with server.shelf.library() as library:
        if not library.roots():
            raise ProblemError(
                409, "no_roots", "the library has no directories", "`taggram library add DIR` adds one"
            )
    return as_answer(server.jobs.submit("scan", "Look for new music", key="scan"))


@router.get("/facets")
def read_facets(
    server: Context, query: Annotated[str, Query(max_length=2000, description="Of these tracks.")] = ""
) -> Facets:
    """Count the tags of the tracks that match, category by category, the commonest first."""
    facets: Facets = {}
    with server.shelf.view() as view:
        if view.has_listened or query.strip():
            for tag, count in view.catalogue.count_tags(query):
                value = FacetValue(tag=tag.name, display_name=tag.label, count=count, is_own=tag.is_own)
                facets.setdefault(tag.category, []).append(value)
    return facets
