"""Searches that were kept under a name, the same on every device."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from taggram.server.context import Context
from taggram.server.problems import ProblemError
from taggram.server.schemas import SavedSearch

router = APIRouter(prefix="/saved-searches", tags=["library"])

_WHAT = "saved_search"
_MAX_SEARCHES = 500


@router.get("")
def list_searches(server: Context) -> list[SavedSearch]:
    """List the searches in the order in which they were first kept."""
    return [
        SavedSearch(**{field: document[field] for field in SavedSearch.model_fields})
        for document in reversed(server.store.documents(_WHAT))
    ]


@router.put("", status_code=204)
def keep_search(search: SavedSearch, server: Context) -> Response:
    """Keep a search; one of the same name is replaced."""
    names = {document["name"] for document in server.store.documents(_WHAT)}
    if search.name not in names and len(names) >= _MAX_SEARCHES:
        raise ProblemError(409, "too_many", f"{_MAX_SEARCHES} searches are kept already", "remove some")
    server.store.put_document(_WHAT, _id(search.name), search.model_dump())
    return Response(status_code=204)


@router.delete("", status_code=204)
def remove_search(name: Annotated[str, Query(min_length=1, max_length=100)], server: Context) -> Response:
    """Remove a search."""
    server.store.document(_WHAT, _id(name))
    server.store.remove_document(_WHAT, _id(name))
    return Response(status_code=204)


def _id(name: str) -> str:
    """Return an id that no document of another kind can have."""
    return f"{_WHAT}:{name}"
