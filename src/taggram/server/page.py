"""The page: built from `web/` in the source tree, and served as it is.

Names of files in `assets/` hold a hash of what is in them, and may be kept for a year; all else is asked for
again each time. An address without an ending is a place within the page.
"""

from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse

from taggram.server import PREFIX
from taggram.server.metrics import CONTENT_TYPE
from taggram.server.problems import not_found

ROOT = Path(__file__).resolve().parent / "web"
_FOREVER = "public, max-age=31536000, immutable"
_ASK = "no-cache"
router = APIRouter(include_in_schema=False)


@router.get("/metrics")
def read_metrics(request: Request) -> Response:
    """Give the numbers for Prometheus."""
    return Response(request.app.state.server.metrics.render(), media_type=CONTENT_TYPE)


@router.get("/openapi.json")
@router.get(f"{PREFIX}/openapi.json")
def read_document(request: Request) -> Response:
    """Give the OpenAPI document."""
    return JSONResponse(request.app.openapi())


@router.get("/{path:path}")
def read_page(path: str) -> Response:
    """Give a file of the page."""
    if path.startswith("api/"):
        raise not_found("resource", f"/{path}")
    if not (ROOT / "index.html").is_file():
        return PlainTextResponse("This installation has no page; the interface is below /api/v1.\n", 404)
    found = (ROOT / path).resolve()
    if not found.is_relative_to(ROOT) or not found.is_file():
        if "." in path.rpartition("/")[2] or ".." in path:
            raise not_found("file", f"/{path}")
        found = ROOT / "index.html"
    is_named_by_content = found.parent.name == "assets"
    return FileResponse(found, headers={"Cache-Control": _FOREVER if is_named_by_content else _ASK})
