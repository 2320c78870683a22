"""The page's way in: a token for a cookie. Programs send `Authorization: Bearer TOKEN` instead."""

from fastapi import APIRouter, Request, Response

from taggram.server.context import Context
from taggram.server.guard import COOKIE
from taggram.server.problems import ProblemError
from taggram.server.schemas import Login

router = APIRouter(tags=["server"])


@router.post("/session", status_code=204)
def begin_session(login: Login, request: Request, server: Context) -> Response:
    """Give a cookie for the token; it is HttpOnly and goes to this site alone."""
    session = server.sessions.begin(login.token)
    if session is None:
        raise ProblemError(
            401, "wrong_token", "this is not the token", "`taggram serve` prints it at the start"
        )
    answer = Response(status_code=204)
    answer.set_cookie(
        COOKIE,
        session,
        max_age=server.settings.session_seconds,
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@router.delete("/session", status_code=204)
def end_session(request: Request, server: Context) -> Response:
    """Make the cookie worthless."""
    server.sessions.end(request.cookies.get(COOKIE, ""))
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return answer
