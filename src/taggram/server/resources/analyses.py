"""Uploaded files and what was heard in them."""

from functools import partial
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse

from taggram.server import PREFIX, presentation
from taggram.server.answers import as_answer
from taggram.server.context import Context
from taggram.server.jobs import moment
from taggram.server.parameters import (
    CHART,
    DOWNLOAD,
    SOUND,
    AskedChart,
    AskedLikeness,
    End,
    NMoments,
    NPeaks,
    Start,
    TaggramForm,
    Theme,
)
from taggram.server.problems import ProblemError
from taggram.server.schemas import Analysis, Chords, Evidence, Job, Peaks, SimilarTrack, Taggram, TagName
from taggram.server.uploads import analyse_upload, receive_upload

router = APIRouter(prefix="/analyses", tags=["analyses"])

AnalysisId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="As in the job's result.")]
_UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"file": {"type": "string", "format": "binary"}},
                    "required": ["file"],
                }
            }
        },
    }
}


@router.post(
    "",
    status_code=202,
    response_model=Job,
    responses={200: {"model": Job, "description": "This sound was analysed before."}},
    openapi_extra=_UPLOAD,
)
async def analyse(
    request: Request,
    server: Context,
    model: Annotated[
        str | None, Query(max_length=200, description="Name; default: the default model.")
    ] = None,
    keep: Annotated[bool, Query(description="Keep the sound until the analysis is removed.")] = False,
) -> JSONResponse:
    """Take a sound file in and analyse it; the same sound again gives the same job."""
    upload = await receive_upload(request, server)
    work = partial(analyse_upload, server, upload, model=model, keep=keep)
    job = await run_sync(work, limiter=server.reception.limiter)
    return as_answer(job, 200 if job.state == "done" else 202)


@router.get("/{analysis_id}")
def read_analysis(analysis_id: AnalysisId, server: Context) -> Analysis:
    """Say what was heard."""
    found = server.store.analysis(analysis_id)
    sound, url = found.sound, f"{PREFIX}/analyses/{found.id}"
    return Analysis(
        id=found.id,
        file_name=sound.name,
        duration=sound.result.duration,
        model=sound.specification.name,
        weights_sha256=sound.specification.weights_sha256,
        outcome=sound.result.outcome,
        message=sound.result.message,
        created_at=moment(found.created_at),
        tags=presentation.scored_tags(sound.specification, sound.result),
        verdict=presentation.verdict(sound.result),
        n_chunks=len(sound.result.taggram),
        chunk_duration=sound.specification.chunk_duration,
        chunk_hop=sound.specification.chunk_hop,
        is_kept=found.is_kept,
        removed_at=moment(found.created_at + server.settings.retention_seconds),
        taggram_url=f"{url}/taggram",
        peaks_url=f"{url}/peaks",
        audio_url=f"{url}/audio" if found.is_kept else None,
    )


@router.get("/{analysis_id}/taggram", response_model=Taggram, responses=DOWNLOAD)
def read_taggram(
    analysis_id: AnalysisId,
    server: Context,
    format_: Annotated[TaggramForm | None, Query(alias="format", description="To download.")] = None,
    theme: Theme = "light",
) -> Response:
    """Give scores over time; with `format`, as a file to keep."""
    return presentation.download_taggram(server.store.analysis(analysis_id).sound, format_, theme)


@router.get("/{analysis_id}/peaks")
def read_peaks(
    analysis_id: AnalysisId, server: Context, n: NPeaks = 1000, start: Start = 0.0, end: End = None
) -> Peaks:
    """Give what is needed to draw the waveform."""
    return presentation.peaks(server.store.analysis(analysis_id).peaks, n, start, end)


@router.get("/{analysis_id}/evidence")
def read_evidence(analysis_id: AnalysisId, tag: TagName, server: Context, n: NMoments = 3) -> Evidence:
    """Say where a tag is heard most clearly."""
    return presentation.evidence(server.store.analysis(analysis_id).sound, tag, n)


@router.get("/{analysis_id}/chords", response_model=Chords, responses=CHART)
def read_chords(analysis_id: AnalysisId, server: Context, chart: AskedChart) -> Response:
    """Give the chords, as a chart to play from; with `format`, as a file to keep."""
    return server.charts.of_analysis(analysis_id, chart)


@router.get("/{analysis_id}/similar")
def list_similar(analysis_id: AnalysisId, server: Context, likeness: AskedLikeness) -> list[SimilarTrack]:
    """List tracks of the library that sound alike, and why."""
    heard = server.store.analysis(analysis_id).sound
    with server.shelf.view() as view:
        model = view.catalogue.model
        if model.weights_sha256 != heard.specification.weights_sha256:
            raise ProblemError(
                409, "other_model", f"the library was heard by {model.name!r}, and this by another model",
                f"analyse the file again with model={model.name}",
            )  # fmt: skip
        query = view.finder.query_of_results([heard.result])
        return presentation.similar_tracks(view, query, likeness)


@router.get("/{analysis_id}/audio", response_class=FileResponse, responses=SOUND)
def read_audio(analysis_id: AnalysisId, server: Context) -> FileResponse:
    """Play the sound, if it was kept."""
    return server.sounds.of_analysis(analysis_id)


@router.delete("/{analysis_id}", status_code=204)
def remove_analysis(analysis_id: AnalysisId, server: Context) -> Response:
    """Remove an analysis with its sound."""
    server.remove_analysis(analysis_id)
    return Response(status_code=204)
