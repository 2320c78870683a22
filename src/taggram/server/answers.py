"""Answers that several resources give."""

from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from taggram.server import PREFIX
from taggram.server.schemas import Job


def as_json(model: BaseModel) -> Response:
    """Answer with what was made here, which need not be checked once more."""
    return Response(model.model_dump_json(), media_type="application/json")


def as_download(data: bytes, media_type: str, name: str) -> Response:
    """Answer with a file to keep; of its name, only what every system can write is left."""
    quoted = "".join(letter if letter.isalnum() or letter in " ._-" else "_" for letter in name)
    ascii_name = quoted.encode("ascii", "replace").decode().replace("?", "_")
    headers = {"Content-Disposition": f'attachment; filename="{ascii_name}"'}
    return Response(data, media_type=media_type, headers=headers)


def as_answer(job: Job, status: int = 202) -> JSONResponse:
    """Answer with a job, and say where it is."""
    headers = {"Location": f"{PREFIX}/jobs/{job.id}"}
    return JSONResponse(job.model_dump(mode="json"), status, headers=headers)
