"""The tracks of the library: search, and all that is known of each."""

from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import FileResponse

from taggram.errors import TaggramError
from taggram.inference.result import Outcome
from taggram.library.catalogue import FoundRows
from taggram.library.store import Library
from taggram.library.tracks import FileRow
from taggram.server import presentation
from taggram.server.answers import as_json
from taggram.server.context import Context
from taggram.server.parameters import (
    CHART_LATER,
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
from taggram.server.schemas import (
    Chords,
    Evidence,
    OwnAnswer,
    Peaks,
    SimilarTrack,
    Taggram,
    TagName,
    TrackDetail,
    TrackHit,
    TrackId,
    TrackIds,
    TrackPage,
)
from taggram.server.shelf import View
from taggram.server.sounds import find_track

router = APIRouter(prefix="/tracks", tags=["library"])

Id = Annotated[TrackId, Path(description="Of the track.")]
QueryText = Annotated[str, Query(max_length=2000, description="An expression; empty is everything.")]
Sort = Annotated[
    str,
    Query(
        pattern="^-?(relevance|title|artist|album|path|duration|year|added|tag:.{1,200})$",
        description="By this, a tag's score as `tag:NAME`; `-` in front: the greatest first.",
    ),
]
OutcomeFilter = Annotated[
    Outcome | Literal["waiting"] | None, Query(description="Only tracks whose listening ended so.")
]


@router.get("", response_model=TrackPage)
def list_tracks(
    server: Context,
    query: QueryText = "",
    sort: Sort = "-relevance",
    outcome: OutcomeFilter = None,
    offset: Annotated[int, Query(ge=0, le=100_000_000)] = 0,
    limit: Annotated[int, Query(ge=0, le=500)] = 100,
) -> Response:
    """Find tracks. Of several files with the same sound, a query finds the first that matches."""
    with server.shelf.view() as view:
        found = _search(view, query, sort, outcome)
        if found is None:
            return as_json(TrackPage(total=0, items=[]))
        page = slice(offset, offset + limit)
        catalogue = view.catalogue
        rows, relevance = found.rows[page], found.relevance[page].tolist()
        ids = catalogue.file_ids[rows].tolist()
        scores = {tag: catalogue.scores(tag)[rows].tolist() for tag in found.tags}
        known = {track.id: track for track in presentation.tracks_of_ids(view, ids)}
        items = [
            TrackHit(
                **dict(known[file_id]),
                relevance=round(relevance[i], 4),
                scores={tag: round(values[i], 4) for tag, values in scores.items()},
            )
            for i, file_id in enumerate(ids)
            if file_id in known
        ]
        return as_json(TrackPage(total=found.n, items=items))


@router.get("/ids")
def list_track_ids(
    server: Context, query: QueryText = "", sort: Sort = "-relevance", outcome: OutcomeFilter = None
) -> TrackIds:
    """Find tracks, and only name them."""
    with server.shelf.view() as view:
        found = _search(view, query, sort, outcome)
        ids = np.empty(0, np.int64) if found is None else view.catalogue.file_ids[found.rows]
        return TrackIds(total=len(ids), ids=presentation.encode(ids.astype(np.uint32)))


@router.get("/{track_id}")
def read_track(track_id: Id, server: Context) -> TrackDetail:
    """Say all that is known of a track."""
    with server.shelf.view() as view:
        file = find_track(view.library, track_id)
        track = presentation.track(view, file)
        try:
            sound = presentation.sound_of_track(view, track_id)
        except TaggramError:  # it waits, or holds nothing to hear; its outcome says so
            return TrackDetail(
                **dict(track), all_tags=[], verdict="", chunk_duration=None, n_chunks=0, own_tags=[]
            )
        return TrackDetail(
            **dict(track),
            all_tags=presentation.scored_tags(sound.specification, sound.result),
            verdict=presentation.verdict(sound.result),
            chunk_duration=sound.specification.chunk_duration,
            n_chunks=len(sound.result.taggram),
            own_tags=_own_answers(view.library, file),
        )


@router.get("/{track_id}/taggram", response_model=Taggram, responses=DOWNLOAD)
def read_taggram(
    track_id: Id,
    server: Context,
    format_: Annotated[TaggramForm | None, Query(alias="format", description="To download.")] = None,
    theme: Theme = "light",
) -> Response:
    """Give scores over time; with `format`, as a file to keep."""
    with server.shelf.view() as view:
        return presentation.download_taggram(presentation.sound_of_track(view, track_id), format_, theme)


@router.get("/{track_id}/peaks")
async def read_peaks(
    track_id: Id, server: Context, n: NPeaks = 1000, start: Start = 0.0, end: End = None
) -> Peaks:
    """Give what is needed to draw the waveform; the first time, the track is decoded for it."""
    return presentation.peaks(await server.sounds.peaks_of_track(track_id), n, start, end)


@router.get("/{track_id}/evidence")
def read_evidence(track_id: Id, tag: TagName, server: Context, n: NMoments = 3) -> Evidence:
    """Say where a tag is heard most clearly."""
    with server.shelf.view() as view:
        return presentation.evidence(presentation.sound_of_track(view, track_id), tag, n)


@router.get("/{track_id}/chords", response_model=Chords, responses=CHART_LATER)
def read_chords(track_id: Id, server: Context, chart: AskedChart) -> Response:
    """Give the chords, as a chart to play from; the first time, the job that listens for them."""
    return server.charts.of_track(track_id, chart)


@router.get("/{track_id}/similar")
def list_similar(track_id: Id, server: Context, likeness: AskedLikeness) -> list[SimilarTrack]:
    """List tracks that sound alike, and why."""
    with server.shelf.view() as view:
        query = view.finder.query(presentation.recordings_of(view.library, [track_id]))
        return presentation.similar_tracks(view, query, likeness)


@router.get("/{track_id}/audio", response_class=FileResponse, responses=SOUND)
def read_audio(track_id: Id, server: Context) -> FileResponse:
    """Play a track."""
    return server.sounds.of_track(track_id)


def _search(view: View, query: str, sort: str, outcome: str | None) -> FoundRows | None:
    """Find tracks; None in a library without any that was listened to."""
    if not view.has_listened and not query.strip():
        return None
    return view.catalogue.search(query, sort=sort, outcome=outcome)


def _own_answers(library: Library, file: FileRow) -> list[OwnAnswer]:
    rows = library.rows(
        "SELECT name, is_accepted FROM own_tag_example JOIN own_tag ON own_tag.id = own_tag_id "
        "JOIN recording USING (audio_hash) WHERE recording.id = ? ORDER BY name",
        (file.recording_id,),
    )
    return [OwnAnswer(name=name, is_accepted=bool(accepted)) for name, accepted in rows]
