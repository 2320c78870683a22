"""The tracks of the library: search, and all that is known of each."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import FileResponse

from taggram.inference.result import Outcome
from taggram.server.context import Context
from taggram.server.presentation import Presenter
from taggram.server.resources.analyses import (
    _DOWNLOAD,
    SOUND,
    Form,
    NMoments,
    NPeaks,
    NSimilar,
    PerArtist,
    Theme,
    Weight,
    Where,
    read_weights,
)
from taggram.server.schemas import (
    Evidence,
    Peaks,
    SimilarTrack,
    TagName,
    Taggram,
    TrackDetail,
    TrackId,
    TrackIds,
    TrackPage,
)

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


@router.get("")
def list_tracks(
    server: Context,
    query: QueryText = "",
    sort: Sort = "-relevance",
    outcome: OutcomeFilter = None,
    offset: Annotated[int, Query(ge=0, le=100_000_000)] = 0,
    limit: Annotated[int, Query(ge=0, le=500)] = 100,
) -> TrackPage:
    """Find tracks. Of several files with the same sound, a query finds the first that matches."""
    return Presenter(server).tracks(query, sort, outcome, offset, limit)


@router.get("/ids")
def list_track_ids(
    server: Context, query: QueryText = "", sort: Sort = "-relevance", outcome: OutcomeFilter = None
) -> TrackIds:
    """Find tracks, and only name them."""
    return Presenter(server).track_ids(query, sort, outcome)


@router.get("/{track_id}")
def read_track(track_id: Id, server: Context) -> TrackDetail:
    """Say all that is known of a track."""
    return Presenter(server).track_detail(track_id)


@router.get("/{track_id}/taggram", response_model=Taggram, responses=_DOWNLOAD)
def read_taggram(
    track_id: Id,
    server: Context,
    format_: Annotated[Form | None, Query(alias="format", description="To download.")] = None,
    theme: Theme = "light",
) -> Response:
    """Give scores over time; with `format`, as a file to keep."""
    presenter = Presenter(server)
    return presenter.taggram(presenter.sound_of_track(track_id), format_, theme)


@router.get("/{track_id}/peaks")
def read_peaks(track_id: Id, server: Context, n: NPeaks = 1000) -> Peaks:
    """Give what is needed to draw the waveform; the first time, the track is decoded for it."""
    return Presenter.peaks(server.sounds.peaks_of_track(track_id), n)


@router.get("/{track_id}/evidence")
def read_evidence(track_id: Id, tag: TagName, server: Context, n: NMoments = 3) -> Evidence:
    """Say where a tag is heard most clearly."""
    return Presenter.evidence(Presenter(server).sound_of_track(track_id), tag, n)


@router.get("/{track_id}/similar")
def list_similar(
    track_id: Id,
    server: Context,
    n: NSimilar = 20,
    sound: Weight = None,
    genre: Weight = None,
    mood: Weight = None,
    instrument: Weight = None,
    per_artist: PerArtist = None,
    where: Where = "",
) -> list[SimilarTrack]:
    """List tracks that sound alike, and why."""
    weights = read_weights(sound, genre, mood, instrument)
    return Presenter(server).similar_to_track(track_id, n, weights, per_artist, where)


@router.get("/{track_id}/audio", response_class=FileResponse, responses=SOUND)
def read_audio(track_id: Id, server: Context) -> FileResponse:
    """Play a track."""
    return server.sounds.of_track(track_id)
