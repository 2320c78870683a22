"""Write the OpenAPI document of the server: `python -m taggram.server.openapi`."""

import json
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from taggram import __version__
from taggram.server import PREFIX
from taggram.server.problems import document_problems
from taggram.server.resources import ROUTERS


def add_routes(app: FastAPI) -> None:
    """Give an application all resources, and their document."""
    for router in ROUTERS:
        app.include_router(router, prefix=PREFIX)
    app.openapi = lambda: make_document(app)  # type: ignore[method-assign]


def make_document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of an application, which keeps it."""
    if app.openapi_schema is None:
        document = get_openapi(
            title="Taggram",
            version=__version__,
            summary="Listens to music and says what it hears.",
            routes=app.routes,
        )
        document_problems(document)
        app.openapi_schema = document
    return app.openapi_schema


def main() -> None:
    """Print the document."""
    app = FastAPI()
    add_routes(app)
    print(json.dumps(make_document(app), indent=1))


if __name__ == "__main__":
    main()
