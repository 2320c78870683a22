"""Errors as they go over the wire: `application/problem+json` (RFC 9457), with cause and remedy.

The catalogue `_KINDS` says which of our errors is which problem. What is not ours is a fault of the server:
it is logged, and the client learns no more than that.
"""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from taggram.errors import (
    AudioError,
    EvaluationError,
    ExpressionError,
    FileTagError,
    LibraryError,
    MissingExtraError,
    ModelFileError,
    PlanError,
    TaggramError,
    UnknownNameError,
)
from taggram.server.schemas import Problem

MEDIA_TYPE = "application/problem+json"
_TYPES = "https://taggram.invalid/problems/"  # a name, not a place
_log = logging.getLogger(__name__)

_KINDS: dict[type[TaggramError], tuple[int, str, str]] = {
    AudioError: (422, "no_sound", "The file gives no usable sound"),
    ExpressionError: (422, "wrong_expression", "The expression cannot be read"),
    UnknownNameError: (404, "unknown_name", "There is nothing of this name"),
    LibraryError: (409, "library", "The library cannot do that"),
    ModelFileError: (409, "model", "The model cannot be used"),
    FileTagError: (409, "file_tags", "The file tags cannot be read or written"),
    PlanError: (409, "plan", "The plan cannot be used"),
    EvaluationError: (409, "evaluation", "The evaluation would not mean what it seems to"),
    MissingExtraError: (501, "not_installed", "A part of Taggram is not installed here"),
}
_STATUS_NAMES = {404: "not_found", 405: "wrong_method", 416: "wrong_range"}


class ProblemError(TaggramError):
    """An error with a status of its own.

    Attributes
    ----------
    status, kind, detail, remedy
        As of `Problem`.
    headers
        Of the answer, such as `Retry-After`.
    """

    def __init__(
        self, status: int, kind: str, detail: str, remedy: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__("; ".join(filter(None, (detail, remedy))))
        self.status = status
        self.kind = kind
        self.detail = detail
        self.remedy = remedy
        self.headers = headers or {}


def not_found(what: str, name: object) -> ProblemError:
    """Return the error for something that is not there (any more)."""
    return ProblemError(404, "not_found", f"there is no {what} {name}", "it may have been removed")


def describe(error: Exception) -> Problem:
    """Return an error as a problem."""
    if isinstance(error, ProblemError):
        title = error.kind.replace("_", " ").capitalize()
        return _problem(error.status, error.kind, title, error.detail, error.remedy)
    for class_, (status, kind, title) in _KINDS.items():
        if isinstance(error, class_):
            detail, _, remedy = str(error).partition("; ")
            problem = _problem(status, kind, title, detail, remedy)
            if isinstance(error, ExpressionError):
                problem.detail, problem.remedy = error.reason, ""
                problem.start, problem.end = error.start, error.end
            return problem
    if isinstance(error, TaggramError):
        return _problem(409, "refused", "That is not possible", str(error))
    return _problem(
        500, "fault", "A fault in the server", "something went wrong in the server",
        "it is in the server's log; please report it",
    )  # fmt: skip


def answer(error: Exception) -> JSONResponse:
    """Return the response for an error."""
    problem = describe(error)
    headers = error.headers if isinstance(error, ProblemError) else None
    content = problem.model_dump(exclude_none=True)
    return JSONResponse(content, problem.status, headers=headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let the application answer every error with a problem."""

    def taggram_error(request: Request, error: Exception) -> JSONResponse:
        return answer(error)

    def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return answer(ProblemError(422, "invalid_request", _first_mistake(error), "see the OpenAPI document"))

    def http_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        kind = _STATUS_NAMES.get(error.status_code, "http")
        headers = dict(error.headers or {})
        return answer(ProblemError(error.status_code, kind, str(error.detail), headers=headers))

    app.add_exception_handler(TaggramError, taggram_error)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http_error)


def document_problems(document: dict[str, Any]) -> None:
    """Say in an OpenAPI document that every operation may answer with a problem."""
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema()
    problem = {
        "description": "What went wrong, and what to do about it.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = problem


def _problem(status: int, kind: str, title: str, detail: str, remedy: str = "") -> Problem:
    return Problem(type=_TYPES + kind, title=title, status=status, detail=detail, remedy=remedy)


def _first_mistake(error: RequestValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}"
