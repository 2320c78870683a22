"""What goes over the wire, as the OpenAPI document describes it.

Conventions: durations and positions in seconds; moments are RFC 3339 in UTC; scores in [0, 1]. An array is
base64 of its little-endian values, row by row; a score in it is a byte, `round(255 · score)`.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from taggram.chords.vocabulary import VocabularyName
from taggram.inference.result import Outcome
from taggram.modelfile.specification import Category

JobKind = Literal["analysis", "chords", "scan", "plan", "apply", "undo", "map", "evaluation", "robustness"]
JobState = Literal["queued", "decoding", "analysing", "done", "failed", "cancelled"]
TrackId = Annotated[int, Field(ge=1, le=(1 << 63) - 1)]
Query = Annotated[str, Field(max_length=2000)]
TagName = Annotated[str, Field(min_length=1, max_length=200)]
MAX_IDS = 10_000


class _Given(BaseModel):
    """What a client sends: nothing but known fields of the right type, so that mistakes are noticed."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)


class Problem(BaseModel):
    """An error, as `application/problem+json` (RFC 9457)."""

    type: str = Field(description="Kind of the problem, for programs.")
    title: str
    status: int
    detail: str
    remedy: str = Field(default="", description="What to do about it, where that is known.")
    start: int | None = Field(default=None, description="Of an expression: first wrong character, from 0.")
    end: int | None = Field(default=None, description="Of an expression: behind the last wrong character.")


# Server


class QueueStatus(BaseModel):
    """Jobs that wait and run."""

    n_queued: int
    n_running: int


class LibraryHealth(BaseModel):
    """The library as it is held in memory."""

    n_tracks: int
    is_loading: bool = Field(description="It is being read; answers are those of the state before.")


class Health(BaseModel):
    """Whether the server works; without a token where one is needed, only `status` and `version`."""

    status: Literal["ok", "closing"]
    version: str
    library: LibraryHealth | None = None
    queue: QueueStatus | None = None


class Login(_Given):
    """The token that `taggram serve` printed."""

    token: str = Field(min_length=1, max_length=1000)


class TagInfo(BaseModel):
    """One tag of a model."""

    name: str
    display_name: str = Field(description="What people read.")
    category: Category
    threshold: float | None = Field(default=None, description="Score from which the tag counts.")


class Model(BaseModel):
    """A model on this machine."""

    name: str
    weights_sha256: str
    is_default: bool
    n_tags: int
    chunk_duration: float
    chunk_hop: float
    licence: str
    tags: list[TagInfo]


# Jobs


class Job(BaseModel):
    """A piece of long work."""

    id: str
    kind: JobKind
    state: JobState
    progress: float = Field(ge=0, le=1)
    message: str = Field(description="What it is doing, or how it ended.")
    name: str = Field(description="For people: the file, the query, the model.")
    created_at: datetime
    finished_at: datetime | None = None
    result: str | None = Field(default=None, description="URL of what it made, once it is done.")
    error: Problem | None = None


class JobPage(BaseModel):
    """Jobs, the newest first."""

    items: list[Job]
    next_cursor: str | None = Field(default=None, description="Give it as `cursor` for the next page.")


# What was heard


class ScoredTag(BaseModel):
    """One tag of a sound."""

    name: str
    display_name: str
    category: Category
    score: float
    is_shown: bool = Field(description="Whether people should be told of it.")


class Analysis(BaseModel):
    """What a model heard in an uploaded file."""

    id: str
    file_name: str
    duration: float
    model: str
    weights_sha256: str
    outcome: Outcome
    message: str
    created_at: datetime
    tags: list[ScoredTag] = Field(description="All tags, strongest first.")
    verdict: str = Field(description="One sentence about the whole; empty if there is nothing to say.")
    n_chunks: int
    chunk_duration: float
    chunk_hop: float
    is_kept: bool = Field(description="Whether the sound is kept and can be played.")
    removed_at: datetime = Field(description="When it is removed, with the sound.")
    taggram_url: str
    peaks_url: str
    audio_url: str | None = None


class Taggram(BaseModel):
    """Scores over time."""

    duration: float
    chunk_times: list[float] = Field(description="Starts of the chunks.")
    chunk_duration: float
    tags: list[TagInfo]
    scores: str = Field(description="base64 of uint8, shape (n_chunks, n_tags); 255 is a score of 1.")


class Peaks(BaseModel):
    """Least and greatest sample of equal parts of the sound, for drawing its waveform."""

    duration: float = Field(description="Of the whole sound.")
    start: float = Field(description="Where the first part begins.")
    end: float = Field(description="Where the last part ends.")
    minimum: list[int] = Field(description="In [-127, 127].")
    maximum: list[int] = Field(description="In [-127, 127].")


class Moment(BaseModel):
    """A part of a sound in which a tag is heard."""

    start: float
    end: float
    score: float


class Evidence(BaseModel):
    """Where a tag is heard most clearly, the strongest first; each moment is of another passage."""

    tag: str
    moments: list[Moment]


class ChordKey(BaseModel):
    """A key."""

    name: str
    tonic: int = Field(ge=0, le=11, description="Semitones above C.")
    mode: Literal["major", "minor"]
    lead: float = Field(description="How clearly it is this one, from 0: a mean log-probability.")


class Chord(BaseModel):
    """One chord of a chart."""

    start: float
    end: float
    name: str = Field(description="As in a song book; N.C. is no chord.")
    label: str = Field(description="In the syntax of Harte; N is no chord.")
    root: int = Field(ge=-1, le=11, description="Semitones above C; -1 is no chord.")
    quality: str = Field(description="As in the label; empty for no chord.")
    is_minor: bool = Field(description="It counts as a minor triad.")
    confidence: float = Field(description="Mean probability, in [0, 1]; not calibrated on recordings.")
    is_doubtful: bool = Field(description="The model is not sure.")


class Chords(BaseModel):
    """The chords of a sound, as the chart to play from that was asked for."""

    duration: float
    model: str
    vocabulary: VocabularyName
    transpose: int
    capo: int
    simplify: bool
    key: ChordKey | None = Field(description="Of the chart as it is written.")
    heard_key: ChordKey | None = Field(description="Of the sound, whatever the chart is moved by.")
    tuning_cents: float = Field(description="Deviation from A = 440 Hz, in [-50, 50).")
    confidence: float = Field(description="Mean over the time in which chords sound.")
    message: str = Field(description="What a person should know; empty if there is nothing to say.")
    names: list[str] = Field(description="Names of the chords, the one that lasts longest first.")
    chords: list[Chord] = Field(description="From 0 to the end without gaps.")


# The library


class TrackTag(BaseModel):
    """A tag of a track that people should be told of."""

    name: str
    display_name: str
    category: Category
    score: float


class Track(BaseModel):
    """One file of the library."""

    id: int
    title: str
    artist: str
    album: str
    duration: float | None
    path: str = Field(description="Relative to the directory that was added.")
    tags: list[TrackTag] = Field(description="Strongest first.")
    fields: dict[str, list[str]] = Field(description="File tags.")
    outcome: Outcome | None = Field(description="How listening ended; null while it waits.")
    message: str


class TrackHit(Track):
    """A track, and how strongly it matches."""

    relevance: float
    scores: dict[str, float] = Field(description="Of the tags that the query names.")


class TrackPage(BaseModel):
    """A part of the tracks that match."""

    total: int
    items: list[TrackHit]


class TrackDetail(Track):
    """A track with all that was heard."""

    all_tags: list[ScoredTag]
    verdict: str
    chunk_duration: float | None
    n_chunks: int
    own_tags: list["OwnAnswer"] = Field(description="Own tags that it is an example of.")


class TrackIds(BaseModel):
    """All tracks that match, in order."""

    total: int
    ids: str = Field(description="base64 of uint32.")


class SharedTag(BaseModel):
    """A tag that both sounds have more of than is usual in the library."""

    name: str
    display_name: str
    category: Category
    query_score: float
    score: float


class SharedMoment(BaseModel):
    """Where two sounds are most alike."""

    query_start: float
    start: float
    similarity: float


class SimilarTrack(BaseModel):
    """A track that sounds alike, and why."""

    track: Track
    similarity: float
    facets: dict[str, float] = Field(description="Cosines of sound, genre, mood and instrument, in [-1, 1].")
    shared_tags: list[SharedTag]
    moments: list[SharedMoment]


class FacetValue(BaseModel):
    """A tag, and how many of the tracks have it."""

    tag: str
    display_name: str
    count: int
    is_own: bool = False


Facets = dict[Category, list[FacetValue]]


class LibraryModel(BaseModel):
    """A model that listened to the library."""

    name: str
    weights_sha256: str
    n_recordings: int


class LibraryOverview(BaseModel):
    """What is in the library."""

    roots: list[str]
    counts: dict[str, int] = Field(description="Outcome, `waiting` or `missing` → files; adds up to n_files.")
    n_files: int
    n_recordings: int
    duration: float
    models: list[LibraryModel] = Field(description="The one that listened last comes first.")
    model: str | None = Field(description="Whose analyses the tracks show.")
    can_scan: bool


# Playlists


class _Wish(_Given):
    n: int = Field(default=25, ge=1, le=1000, description="At most this many tracks.")
    minutes: float | None = Field(default=None, gt=0, le=100_000)
    per_artist: int | None = Field(default=None, ge=1, le=1000)
    where: Query = Field(default="", description="Only tracks that match this expression.")
    seed: int | None = Field(default=None, ge=0, le=(1 << 32) - 1, description="Draws another playlist.")
    weights: dict[Literal["sound", "genre", "mood", "instrument"], Annotated[float, Field(ge=0, le=1000)]] = (
        Field(default_factory=dict, description="Weights of the facets; empty is the default.")
    )
    title: str = Field(default="", max_length=200)


class QueryPlaylist(_Wish):
    """What matches an expression best."""

    kind: Literal["query"]
    query: Query


class SeedsPlaylist(_Wish):
    """What is near to some tracks."""

    kind: Literal["seeds"]
    track_ids: list[TrackId] = Field(min_length=1, max_length=100)


class PathPlaylist(_Wish):
    """From one track to another in even steps."""

    kind: Literal["path"]
    start: TrackId
    end: TrackId


class CurvePlaylist(_Wish):
    """Along curves of tags: ranks in the library in [0, 1], evenly spaced."""

    kind: Literal["curve"]
    curves: dict[TagName, Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=1)]] = Field(
        min_length=1
    )


class ChosenPlaylist(_Given):
    """These tracks in this order."""

    kind: Literal["tracks"]
    track_ids: list[TrackId] = Field(min_length=1, max_length=MAX_IDS)
    title: str = Field(default="", max_length=200)


PlaylistRequest = Annotated[
    QueryPlaylist | SeedsPlaylist | PathPlaylist | CurvePlaylist | ChosenPlaylist,
    Field(discriminator="kind"),
]


class PlaylistEntry(BaseModel):
    """One track of a playlist, and why it stands there."""

    track: Track
    reason: str


class Playlist(BaseModel):
    """Tracks in order."""

    title: str
    duration: float
    tracks: list[PlaylistEntry]
    how: dict[str, Any] = Field(description="What it was made from.")


# Saved searches


class SavedSearch(_Given):
    """A search that was kept under a name: an expression, tags that must or must not be there, an order."""

    name: str = Field(min_length=1, max_length=100)
    text: Query = ""
    with_tags: list[TagName] = Field(default_factory=list, max_length=50)
    without_tags: list[TagName] = Field(default_factory=list, max_length=50)
    sort: str = Field(default="-relevance", max_length=210)
    outcome: str = Field(default="", max_length=20)


# File tags


class PlanOptions(_Given):
    """Which changes are proposed."""

    mode: Literal["fill", "add", "replace"] = "fill"
    fields: list[Annotated[str, Field(max_length=64)]] = Field(
        default_factory=list, max_length=50, description="Of the taxonomy; empty is all."
    )
    taxonomy: str = Field(
        default="", max_length=200, description="By name; empty: genres and moods as heard."
    )
    only_whitelist: bool = Field(
        default=False, description="With add or replace: values that are in no whitelist go."
    )
    own: Literal["changed", "all", "none"] = "changed"


class TaxonomyInfo(BaseModel):
    """The user's words for file tags; without a name, genres and moods as the model calls them."""

    name: str
    fields: list[str]
    has_whitelist: bool = Field(description="For some field it lists all values that may stand there.")


class PlanRequest(_Given):
    """For which tracks, and what may change; no file is touched."""

    query: Query = ""
    track_ids: list[TrackId] = Field(
        default_factory=list, max_length=MAX_IDS, description="Only these; empty: all that match."
    )
    options: PlanOptions = Field(default_factory=PlanOptions)


PlanState = Literal["making", "ready", "applying", "applied", "undoing", "undone", "failed"]


class Plan(BaseModel):
    """What would change in which files, and what became of it."""

    id: str
    created_at: datetime
    query: str
    options: PlanOptions
    state: PlanState
    n_files: int = Field(description="Files in which something changes.")
    n_changes: int
    n_unchanged: int = Field(description="Files that are as they should be.")
    problems: list[str] = Field(description="Files that cannot be written, one sentence each.")
    values: dict[str, dict[str, int]] = Field(description="Field → new value → files.")
    outcomes: dict[str, int] = Field(description="Of the last apply or undo: outcome → files.")
    messages: list[str] = Field(description="Of the last apply or undo: what a person should know.")


class Change(BaseModel):
    """One field of one file that is to change."""

    number: int = Field(description="In the plan, from 0.")
    track_id: int | None
    path: str
    field: str
    before: list[str]
    after: list[str]
    why: str


class ChangePage(BaseModel):
    """A part of a plan."""

    total: int
    items: list[Change]


class ApplyRequest(_Given):
    """Which changes not to make."""

    exclude: list[Annotated[int, Field(ge=0)]] = Field(
        default_factory=list, max_length=1_000_000, description="Numbers of changes."
    )


# Own tags


class OwnAnswer(BaseModel):
    """What the user said of one track."""

    name: str
    is_accepted: bool


class OwnTagRequest(_Given):
    """A new tag, with its first examples."""

    name: str = Field(min_length=1, max_length=100)
    category: Category = "other"
    accepted: list[TrackId] = Field(default_factory=list, max_length=MAX_IDS)
    rejected: list[TrackId] = Field(default_factory=list, max_length=MAX_IDS)


class OwnTagChange(_Given):
    """More examples, or what is to be forgotten."""

    category: Category | None = None
    accepted: list[TrackId] = Field(default_factory=list, max_length=MAX_IDS)
    rejected: list[TrackId] = Field(default_factory=list, max_length=MAX_IDS)
    forgotten: list[TrackId] = Field(default_factory=list, max_length=MAX_IDS)


class TagQuality(BaseModel):
    """What to expect of a taught tag, measured on examples that it did not learn from."""

    roc_auc: float | None = Field(description="0.5 is guessing; null with too few examples.")
    interval: tuple[float, float] | None = Field(description="90 % confidence interval.")
    model_roc_auc: float | None = Field(description="Of the model's own tag, for a correction.")
    warnings: list[str]


class OwnTag(BaseModel):
    """One of the user's tags."""

    name: str
    category: Category
    n_accepted: int
    n_rejected: int
    missing: str = Field(description="What it still needs before it can be learned; empty if nothing.")
    is_correction: bool = Field(description="The model has a tag of this name.")
    quality: TagQuality | None


class Example(BaseModel):
    """One answer of the user."""

    track: Track | None = Field(description="Null if its sound is not in the library.")
    is_accepted: bool


class OwnTagDetail(OwnTag):
    """One of the user's tags with its examples."""

    examples: list[Example]


class Suggestion(BaseModel):
    """A track to label next, and the score that it has so far."""

    track: Track
    score: float


# Maps


class LibraryMap(BaseModel):
    """The library in two dimensions; near is alike. Coordinates lie in [0, 1]."""

    model: str
    method: str
    created_at: datetime
    is_current: bool = Field(description="The library has not changed since.")
    n: int
    ids: str = Field(description="base64 of uint32: tracks.")
    x: str = Field(description="base64 of float32.")
    y: str = Field(description="base64 of float32.")


class MapScores(BaseModel):
    """Scores of one tag, in the order of the map."""

    tag: str
    threshold: float
    n: int
    scores: str = Field(description="base64 of uint8; 255 is a score of 1.")


class TagPlace(BaseModel):
    """A tag on the map of tags; coordinates lie in [0, 1]."""

    name: str
    display_name: str
    category: Category
    x: float
    y: float
    count: int = Field(description="Tracks that have it.")
    nearest: list[str] = Field(description="Tags that come with it most.")


class TagMap(BaseModel):
    """The tags in two dimensions: near is heard together in this library."""

    model: str
    tags: list[TagPlace]


# Evaluations


class Dataset(BaseModel):
    """A dataset that is prepared here."""

    name: str
    is_there: bool


class EvaluationRequest(_Given):
    """Which model, on which dataset."""

    model: Annotated[str, Field(min_length=1, max_length=200)]
    dataset: Annotated[str, Field(min_length=1, max_length=200)]


class Figure(BaseModel):
    """One measured figure."""

    name: str
    title: str
    value: float | None
    interval: tuple[float, float] | None


class Evaluation(BaseModel):
    """What one model is worth on one dataset."""

    id: str
    model: str
    dataset: str
    split: str
    created_at: datetime
    n_clips: int
    figures: list[Figure]
    document_url: str = Field(description="All figures, tag by tag.")
    report_url: str = Field(description="For people, as HTML.")


class RobustnessRequest(_Given):
    """Which model, on which dataset, and how much is done to the sound."""

    model: Annotated[str, Field(min_length=1, max_length=200)]
    dataset: Annotated[str, Field(min_length=1, max_length=200)]
    strengths: Literal["published", "all"] = Field(
        default="published",
        description="Those of Won et al., SMC 2020, or all that `taggram robustness` has.",
    )


class RobustnessStudy(BaseModel):
    """How one model takes deformed sound."""

    id: str
    model: str
    weights_sha256: str
    dataset: str
    split: str
    strengths: Literal["published", "all"]
    created_at: datetime
    n_clips: int
    n_conditions: int
    document_url: str = Field(description="All figures, condition by condition.")
    report_url: str = Field(description="For people, as HTML.")


class RobustFigure(BaseModel):
    """A figure under a condition; intervals hold 95 % of the resamples of the clips."""

    value: float | None
    interval: tuple[float, float] | None
    difference: float | None = Field(description="From the undeformed sound, paired by clips.")
    difference_interval: tuple[float, float] | None


class StudiedModel(BaseModel):
    """One of the models side by side, with its figures of the undeformed sound."""

    study_id: str
    label: str
    weights_sha256: str
    clean: dict[str, RobustFigure]


class StrengthFigures(BaseModel):
    """One strength: figures of the models in their order; null where one was not studied at it."""

    strength: float | str
    is_published: bool
    models: list[dict[str, RobustFigure] | None]


class DeformationCurves(BaseModel):
    """One deformation at all its strengths; those that are numbers ascend."""

    name: str
    title: str
    unit: str = Field(description="Of the strength; empty if the strengths are names.")
    identity: float | None = Field(description="The strength that changes nothing, if there is one.")
    strengths: list[StrengthFigures]


class RobustnessCurves(BaseModel):
    """Models side by side on deformed sound, on the same clips and tags."""

    dataset: str
    split: str
    n_clips: int
    n_tags: int
    figures: list[str] = Field(description="Names, the main one first.")
    models: list[StudiedModel]
    deformations: list[DeformationCurves]


TrackDetail.model_rebuild()
