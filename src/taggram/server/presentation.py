"""How what is known becomes what goes over the wire: tracks, sounds, similar tracks."""

import base64
import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from fastapi import Response
from fastapi.responses import JSONResponse
from numpy.typing import NDArray

from taggram.audio.peaks import Peaks as AudioPeaks
from taggram.errors import UnknownNameError
from taggram.inference.report import Selection, jams_document, taggram_document, to_json
from taggram.inference.result import TagResult, TagScore
from taggram.inference.tagger import NO_MUSIC
from taggram.library.export import Heard, as_result
from taggram.library.expressions import fold
from taggram.library.naming import artist_of, title_of
from taggram.library.similar import Query, Similar, Why
from taggram.library.store import Library
from taggram.library.tracks import FileRow
from taggram.modelfile.specification import Specification, Tag
from taggram.server.answers import as_download
from taggram.server.model_list import describe_tags
from taggram.server.parameters import TAGGRAM_JSON, Likeness, TaggramForm, Theme
from taggram.server.problems import ProblemError
from taggram.server.schemas import (
    Evidence,
    Moment,
    Peaks,
    ScoredTag,
    SharedMoment,
    SharedTag,
    SimilarTrack,
    Taggram,
    Track,
    TrackTag,
)
from taggram.server.shelf import View
from taggram.server.sounds import find_track
from taggram.server.store import StoredSound
from taggram.tags.evidence import find_moments

# Sounds


def scored_tags(specification: Specification, result: TagResult) -> list[ScoredTag]:
    """Return all tags of a sound, the strongest first, and which of them people should be told of."""
    shown = {tag.name for tag in Selection().of(result, specification)}
    return [
        ScoredTag(
            name=tag.name,
            display_name=tag.label,
            category=tag.category,
            score=round(tag.score, 4),
            is_shown=tag.name in shown,
        )
        for tag in result.tags
    ]


def verdict(result: TagResult) -> str:
    """Return one sentence about the whole of a sound; empty if there is nothing to say."""
    return NO_MUSIC if result.is_unsure else ""


def taggram(sound: StoredSound) -> Taggram:
    """Return scores over time."""
    result, specification = sound.result, sound.specification
    return Taggram(
        duration=result.duration,
        chunk_times=np.round(result.chunk_times, 3).tolist(),
        chunk_duration=specification.chunk_duration,
        tags=describe_tags(specification),
        scores=encode_scores(result.taggram),
    )


def download_taggram(sound: StoredSound, form: TaggramForm | None, theme: Theme) -> Response:
    """Return scores over time, as what a page draws, or as a file to keep."""
    if form is None:
        return JSONResponse(taggram(sound).model_dump(mode="json"))
    data, media_type = _render(sound, form, theme)
    return as_download(data, media_type, f"{Path(sound.name).stem}.{form}")


def _render(sound: StoredSound, form: TaggramForm, theme: Theme) -> tuple[bytes, str]:
    result, specification = sound.result, sound.specification
    if form == "json":
        return to_json(taggram_document(result, specification)).encode(), TAGGRAM_JSON
    if form == "jams":
        return to_json(jams_document(result, result.tags, specification)).encode(), "application/jams+json"
    if form == "csv":
        return _to_csv(result, specification).encode(), "text/csv"
    from taggram.tags.picture import draw_taggram

    picture = draw_taggram(
        result.taggram,
        result.chunk_times,
        specification.tags,
        chunk_duration=min(specification.chunk_duration, result.duration),
        duration=result.duration,
        title=Path(sound.name).stem,
        model=specification.name,
        clip_scores=result.clip_scores,
        theme=theme,
    )
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue(), "image/png"


def _to_csv(result: TagResult, specification: Specification) -> str:
    """Return one line per chunk: its start, and the scores of all tags."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["start", *(tag.name for tag in specification.tags)])
    for start, scores in zip(result.chunk_times.tolist(), result.taggram.tolist(), strict=True):
        writer.writerow([round(start, 3), *(round(score, 4) for score in scores)])
    return buffer.getvalue()


def evidence(sound: StoredSound, tag: str, n: int) -> Evidence:
    """Say where a tag is heard most clearly.

    Raises
    ------
    UnknownNameError
        If the model has no such tag.
    """
    tags = sound.specification.tags
    column = next(
        (i for i, known in enumerate(tags) if fold(tag) in (fold(known.name), fold(known.label))), None
    )
    if column is None:
        raise UnknownNameError("tag with moments", tag, [known.name for known in tags])
    result = sound.result
    moments = find_moments(
        result.taggram[:, column],
        result.chunk_times,
        chunk_duration=sound.specification.chunk_duration,
        duration=result.duration,
        n=n,
    )
    said = [Moment(start=round(m.start, 3), end=round(m.end, 3), score=round(m.score, 4)) for m in moments]
    return Evidence(tag=tags[column].name, moments=said)


def peaks(found: AudioPeaks, n: int, start: float = 0.0, end: float | None = None) -> Peaks:
    """Return a waveform, or the part of it from `start` to `end`, in at most `n` parts."""
    start = min(start, found.duration)
    end = found.duration if end is None else min(max(start, end), found.duration)
    cut, begin = found.cut(start, end)
    parts = cut.reduce(n)
    return Peaks(
        duration=found.duration,
        start=begin,
        end=min(begin + cut.duration, found.duration),
        minimum=parts[:, 0].tolist(),
        maximum=parts[:, 1].tolist(),
    )


def sound_of_track(view: View, track_id: int) -> StoredSound:
    """Return what the library's model heard in a track.

    Raises
    ------
    ProblemError
        404 if there is no such track, or nothing was heard in it.
    """
    file = find_track(view.library, track_id)
    model = view.catalogue.model
    analysis = None if file.recording_id is None else view.library.analysis(file.recording_id, model)
    if analysis is None or not analysis.outcome.has_tags:
        said = file.message or (file.outcome.value if file.outcome else "it waits to be listened to")
        raise ProblemError(404, "not_heard", f"nothing was heard in track {track_id}: {said}")
    heard = Heard(file, None, analysis.scores, analysis.embedding)
    result = as_result(heard, model.specification)
    result = TagResult(
        outcome=analysis.outcome,
        duration=analysis.duration or 0.0,
        tags=result.tags,
        clip_scores=analysis.scores,
        taggram=analysis.taggram,
        chunk_times=analysis.chunk_times,
        embedding=analysis.embedding,
        path=file.path.name,
        message=analysis.message,
        is_unsure=result.is_unsure,
    )
    return StoredSound(file.path.name, model.specification, result)


# Tracks


def tracks(view: View, files: Sequence[FileRow]) -> list[Track]:
    """Return files of the library as tracks."""
    roots = view.library.roots()
    return [_track(file, tags, roots) for file, tags in zip(files, _shown_tags(view, files), strict=True)]


def tracks_of_ids(view: View, ids: Iterable[int]) -> list[Track]:
    """Return tracks in this order, without those that have gone meanwhile."""
    ids = list(ids)
    files = view.library.files_by_id(ids)
    return tracks(view, [files[file_id] for file_id in ids if file_id in files])


def track(view: View, file: FileRow) -> Track:
    """Return one file of the library as a track."""
    return tracks(view, [file])[0]


def _shown_tags(view: View, files: Sequence[FileRow]) -> list[tuple[TagScore, ...]]:
    if not view.has_listened or not files:
        return [()] * len(files)
    rows = view.catalogue.rows_of(np.array([file.id for file in files]))
    found = view.catalogue.shown_tags(rows.clip(0).tolist())
    return [tags if row >= 0 else () for row, tags in zip(rows.tolist(), found, strict=True)]


def _track(file: FileRow, tags: Sequence[TagScore], roots: Sequence[Path]) -> Track:
    return Track(
        id=file.id,
        title=text(title_of(file)),
        artist=text(artist_of(file)),
        album=text(next(iter(file.fields.get("album", ())), "")),
        duration=file.duration,
        path=relative_path(file.path, roots),
        tags=[
            TrackTag(name=tag.name, display_name=tag.label, category=tag.category, score=round(tag.score, 4))
            for tag in tags
        ],
        fields={text(name): [text(value) for value in values] for name, values in file.fields.items()},
        outcome=file.outcome,
        message=text(file.message),
    )


def relative_path(path: Path, roots: Sequence[Path]) -> str:
    """Return a path as people see it: from the directory on that was added."""
    for root in roots:
        if path.is_relative_to(root):
            return text(str(path.relative_to(root)) if path != root else path.name)
    return text(path.name)


def text(value: str) -> str:
    r"""Return a text that is valid UTF-8: bytes that are none become `\\xNN`."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def recordings_of(library: Library, track_ids: Sequence[int]) -> list[int]:
    """Return the recordings of tracks.

    Raises
    ------
    ProblemError
        404 if one is not there, or no sound was found in it.
    """
    files = library.files_by_id(track_ids)
    found = []
    for track_id in track_ids:
        file = files.get(track_id) or find_track(library, track_id)
        if file.recording_id is None:
            raise ProblemError(404, "no_sound", f"no sound was found in track {track_id}", file.message)
        found.append(file.recording_id)
    return found


def similar_tracks(view: View, query: Query, likeness: Likeness) -> list[SimilarTrack]:
    """Return the tracks nearest to a query, and why."""
    finder = view.finder
    found = finder.similar(
        query,
        limit=likeness.n,
        weights=likeness.weights,
        per_artist=likeness.per_artist,
        where=likeness.where,
    )
    labels = {tag.label: tag for tag in view.catalogue.model.specification.tags}
    likenesses = zip(tracks(view, [one.file for one in found]), found, strict=True)
    return [_similar_track(track, one, finder.why(query, one), labels) for track, one in likenesses]


def _similar_track(track: Track, found: Similar, why: Why, labels: Mapping[str, Tag]) -> SimilarTrack:
    return SimilarTrack(
        track=track,
        similarity=round(found.similarity, 4),
        facets={facet: round(value, 4) for facet, value in found.facets.items()},
        shared_tags=[
            SharedTag(
                name=labels[tag.name].name,
                display_name=tag.name,
                category=tag.category,
                query_score=round(tag.query_score, 4),
                score=round(tag.score, 4),
            )
            for tag in why.tags
        ],
        moments=[
            SharedMoment(query_start=m.query_time, start=m.time, similarity=round(m.similarity, 4))
            for m in why.moments
        ],
    )


# Arrays


def encode_scores(scores: NDArray[np.floating]) -> str:
    """Return scores in [0, 1] as base64 of a byte each."""
    return encode(np.rint(255 * scores.clip(0, 1)).astype(np.uint8))


def encode(array: NDArray[np.generic]) -> str:
    """Return an array as base64 of its little-endian values, row by row."""
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return base64.b64encode(np.ascontiguousarray(little).tobytes()).decode("ascii")
