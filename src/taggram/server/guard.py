"""Who may ask what: the one door that every request passes before any resource sees it.

    Host      only names of this server, or the address of a machine: a page of another name that resolves to
              this one (DNS rebinding) is turned away
    origin    what a browser sends for another site (`Origin`, `Sec-Fetch-Site`) is turned away; a write from
              a browser carries `X-Taggram`, which no form can send
    token     where there is one: `Authorization: Bearer TOKEN`, or the cookie of a session
    size      no body is longer than its limit, whatever its header says
    answers   carry a strict content security policy, and nothing is cached that is about the library

docs/server.md lists the threats and the test for each.
"""

import hashlib
import hmac
import ipaddress
import logging
import secrets
import time
from collections.abc import MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from taggram.server import PREFIX
from taggram.server.problems import ProblemError, answer
from taggram.server.settings import Settings, is_loopback
from taggram.server.store import Store

if TYPE_CHECKING:
    from taggram.server.context import Server

COOKIE = "taggram_session"
UPLOAD_PATH = f"{PREFIX}/analyses"
_OPEN_PATHS = (f"{PREFIX}/session", f"{PREFIX}/health")
_SAFE = ("GET", "HEAD", "OPTIONS")
_FORM_OVERHEAD = 1 << 16  # bytes around the file in a multipart body
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
CONTENT_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_log = logging.getLogger(__name__)


class Guard:
    """The door in front of an application."""

    def __init__(self, app: ASGIApp, server: "Server") -> None:
        self._app = app
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or turn it away; an error that nobody caught ends here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        seen = _Answer(send, is_private=_is_private(scope["path"]))
        try:
            check_request(scope, self._server)
            limited = _limited(receive, self._largest_body(scope))
            await self._app(scope, limited, seen.send)
        except Exception as error:
            if not isinstance(error, ProblemError):
                _log.error("%s %s failed", scope["method"], scope["path"], exc_info=error)
            if seen.status:  # too late to say so: the connection is cut
                raise
            await answer(error)(scope, receive, seen.send)
        finally:
            self._server.metrics.count_request(scope, seen.status, time.perf_counter() - begun)

    def _largest_body(self, scope: Scope) -> int:
        limits = self._server.settings.limits
        is_upload = scope["path"] == UPLOAD_PATH
        return limits.upload_bytes + _FORM_OVERHEAD if is_upload else limits.request_bytes


def check_request(scope: Scope, server: "Server") -> None:
    """Check where a request comes from, what it may, and how long its body says it is.

    Raises
    ------
    ProblemError
        400, 401, 403 or 413.
    """
    headers = Headers(scope=scope)
    _check_host(headers, server.settings)
    if _is_private(scope["path"]):
        _check_origin(scope["method"], headers)
        if not scope["path"].startswith(_OPEN_PATHS) and not is_authorised(scope, server):
            raise ProblemError(
                401, "token_needed", "this server asks for a token",
                "send `Authorization: Bearer TOKEN`, or begin a session", {"WWW-Authenticate": "Bearer"},
            )  # fmt: skip


def is_authorised(scope: Scope | MutableMapping[str, Any], server: "Server") -> bool:
    """Return whether a request comes with the token, or a session that was begun with it."""
    if server.settings.token is None:
        return True
    headers = Headers(raw=scope["headers"])
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and _is_equal(given.strip(), server.settings.token):
        return True
    return server.sessions.is_good(_cookie(headers))


class Sessions:
    """Cookies that stand for the token; only their hashes are kept, so that a restart ends none."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store

    def begin(self, token: str) -> str | None:
        """Return a new session for the token; None if it is the wrong one."""
        if self._settings.token is not None and not _is_equal(token, self._settings.token):
            return None
        session = secrets.token_urlsafe(32)
        expires_at = time.time() + self._settings.session_seconds
        self._store.rows("INSERT INTO session VALUES (?, ?)", (self._hash(session), expires_at))
        return session

    def is_good(self, session: str) -> bool:
        """Return whether a session is known and not too old."""
        found = "SELECT 1 FROM session WHERE hash = ? AND expires_at > ?"
        return bool(session) and bool(self._store.rows(found, (self._hash(session), time.time())))

    def end(self, session: str) -> None:
        """Forget a session."""
        self._store.rows("DELETE FROM session WHERE hash = ?", (self._hash(session),))

    def _hash(self, session: str) -> str:
        # With the token in it, a new token makes old sessions worthless.
        return hashlib.sha256(f"{self._settings.token}\0{session}".encode()).hexdigest()


def is_allowed_host(host: str, settings: Settings) -> bool:
    """Return whether a `Host` header names this server.

    An address is no name that somebody else could let resolve to this machine, and is allowed where the
    server listens beyond it.
    """
    name = _host_name(host)
    if name in (*_LOOPBACK_NAMES, settings.host.lower(), *(own.lower() for own in settings.allowed_hosts)):
        return True
    if is_loopback(settings.host):
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _check_host(headers: Headers, settings: Settings) -> None:
    host = headers.get("host", "")
    if not is_allowed_host(host, settings):
        raise ProblemError(
            400, "wrong_host", f"this server is not called {host[:100]!r}",
            "call it by its address, or allow the name with `taggram serve --allow-host`",
        )  # fmt: skip


def _check_origin(method: str, headers: Headers) -> None:
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    is_foreign = site not in (None, "same-origin", "none")
    if origin is not None:
        is_foreign |= origin.partition("://")[2].lower() != headers.get("host", "").lower()
    if is_foreign:
        raise ProblemError(403, "wrong_origin", "another site may not use this server", "open its own page")
    is_browser = origin is not None or site is not None or "cookie" in headers
    if method not in _SAFE and is_browser and headers.get("x-taggram") != "1":
        raise ProblemError(403, "wrong_origin", "a browser sends `X-Taggram: 1` with what it writes")


def _limited(receive: Receive, largest: int) -> Receive:
    n_bytes = 0

    async def counted() -> Message:
        nonlocal n_bytes
        message = await receive()
        n_bytes += len(message.get("body", b""))
        if n_bytes > largest:
            raise HTTPException(413, f"at most {largest} bytes are taken")
        return message

    return counted


class _Answer:
    """Adds headers to an answer, and remembers its status; 0 before it begins."""

    def __init__(self, send: Send, *, is_private: bool) -> None:
        self._send = send
        self._is_private = is_private
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            if self._is_private:
                headers.setdefault("Cache-Control", "no-store")
        await self._send(message)


def _is_private(path: str) -> bool:
    """Return whether a path gives more than the page itself, which is the same for everyone."""
    return path.startswith(("/api", "/metrics"))


def _host_name(host: str) -> str:
    """Return a `Host` header without its port, an IPv6 address without its brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if host.count(":") == 1 else host.lower()


def _is_equal(given: str, wanted: str) -> bool:
    """Compare in a time that does not depend on where they differ."""
    return hmac.compare_digest(given.encode(), wanted.encode())


def _cookie(headers: Headers) -> str:
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return cookies[COOKIE].value if COOKIE in cookies else ""
