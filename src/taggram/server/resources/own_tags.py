"""The user's own tags: taught by accepting and rejecting tracks."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from taggram.library.expressions import fold
from taggram.library.own_tags import OwnTag as LibraryOwnTag
from taggram.library.own_tags import OwnTags
from taggram.library.teach import Quality
from taggram.modelfile.specification import Category
from taggram.server import presentation
from taggram.server.context import Context, Server
from taggram.server.problems import ProblemError
from taggram.server.schemas import (
    Example,
    OwnTag,
    OwnTagChange,
    OwnTagDetail,
    OwnTagRequest,
    Suggestion,
    TagQuality,
    TrackHit,
    TrackPage,
)
from taggram.server.shelf import View

router = APIRouter(prefix="/own-tags", tags=["own tags"])

Name = Annotated[str, Path(min_length=1, max_length=100, description="Of the tag.")]


@router.get("")
def list_own_tags(server: Context) -> list[OwnTag]:
    """List the own tags."""
    with server.shelf.view() as view:
        tags = OwnTags(view.library)
        return [_describe(view, tags, tag) for tag in tags.tags()]


@router.post("", status_code=201)
def teach_own_tag(wish: OwnTagRequest, server: Context) -> OwnTagDetail:
    """Begin a tag with its first examples, or add examples to one."""
    answers = [(wish.accepted, True), (wish.rejected, False)]
    return _mark(server, wish.name, answers, wish.category)


@router.get("/{name}")
def read_own_tag(name: Name, server: Context) -> OwnTagDetail:
    """Give a tag with its examples, and what it is worth."""
    with server.shelf.view() as view:
        return _detail(view, name)


@router.patch("/{name}")
def change_own_tag(name: Name, wish: OwnTagChange, server: Context) -> OwnTagDetail:
    """Accept and reject tracks, or forget what was said of them."""
    with server.shelf.library() as library:
        known = OwnTags(library).get(name).name
    answers = [(wish.accepted, True), (wish.rejected, False), (wish.forgotten, None)]
    return _mark(server, known, answers, wish.category)


@router.delete("/{name}", status_code=204)
def remove_own_tag(name: Name, server: Context) -> Response:
    """Remove a tag with its examples."""
    with server.shelf.library() as library:
        OwnTags(library).remove(name)
    server.shelf.renew()
    return Response(status_code=204)


@router.get("/{name}/suggestions")
def list_suggestions(
    name: Name, server: Context, n: Annotated[int, Query(ge=1, le=100)] = 10
) -> list[Suggestion]:
    """List the tracks about which an answer would teach most."""
    with server.shelf.view() as view:
        found = OwnTags(view.library).suggest(name, view.catalogue.model, n)
        tracks = presentation.tracks(view, [one.file for one in found])
        return [
            Suggestion(track=track, score=round(one.score, 4))
            for track, one in zip(tracks, found, strict=True)
        ]


@router.get("/{name}/tracks")
def list_own_tag_tracks(
    name: Name,
    server: Context,
    offset: Annotated[int, Query(ge=0, le=100_000_000)] = 0,
    limit: Annotated[int, Query(ge=0, le=500)] = 100,
) -> TrackPage:
    """List all tracks by the score of a tag that was learned, the highest first."""
    with server.shelf.view() as view:
        tag = OwnTags(view.library).get(name)
        model = view.catalogue.model
        if missing := OwnTags(view.library).missing(tag.name, model):
            raise ProblemError(
                409, "not_learned", f"the tag {tag.name!r} cannot be learned yet", f"add {missing}"
            )
        found = view.catalogue.search("", sort=f"-tag:{tag.name}")
        rows = found.rows[offset : offset + limit]
        scores = view.catalogue.scores(tag.name)
        items = [
            TrackHit(**dict(track), relevance=float(scores[row]), scores={tag.name: float(scores[row])})
            for track, row in zip(
                presentation.tracks_of_ids(view, view.catalogue.file_ids[rows].tolist()), rows, strict=False
            )
        ]
        return TrackPage(total=found.n, items=items)


def _mark(
    server: Server, name: str, answers: Sequence[tuple[list[int], bool | None]], category: Category | None
) -> OwnTagDetail:
    """Note answers, all or none, and let them count at once."""
    with server.shelf.library() as library:
        tags = OwnTags(library)
        found = [(presentation.recordings_of(library, ids), accepted) for ids, accepted in answers]
        with library.transaction():
            for recording_ids, accepted in found:
                if recording_ids or accepted:  # also a tag without examples is begun
                    tags.mark(name, recording_ids, accepted=accepted, category=category)
    server.shelf.renew()
    with server.shelf.view() as view:
        return _detail(view, name)


def _describe(view: View, tags: OwnTags, tag: LibraryOwnTag) -> OwnTag:
    if not view.has_listened:
        return OwnTag(
            name=tag.name, category=tag.category, n_accepted=tag.n_accepted, n_rejected=tag.n_rejected,
            missing="a model that has listened to the library", is_correction=False, quality=None,
        )  # fmt: skip
    model = view.catalogue.model
    missing = tags.missing(tag.name, model)
    taught = None if missing else tags.taught(model).get(tag.name)
    names = {fold(name) for known in model.specification.tags for name in (known.name, known.label)}
    return OwnTag(
        name=tag.name,
        category=tag.category,
        n_accepted=tag.n_accepted,
        n_rejected=tag.n_rejected,
        missing=missing,
        is_correction=fold(tag.name) in names,
        quality=None if taught is None else _quality(taught.quality),
    )


def _quality(quality: Quality) -> TagQuality:
    return TagQuality(
        roc_auc=quality.roc_auc,
        interval=quality.interval,
        model_roc_auc=quality.model_roc_auc,
        warnings=list(quality.warnings),
    )


def _detail(view: View, name: str) -> OwnTagDetail:
    tags = OwnTags(view.library)
    tag = tags.get(name)
    given = tags.examples(tag.name)
    files = view.library.files_of(e.recording_id for e in given if e.recording_id is not None)
    tracks = dict(zip(files, presentation.tracks(view, [own[0] for own in files.values()]), strict=True))
    examples = [Example(track=tracks.get(e.recording_id or 0), is_accepted=e.is_accepted) for e in given]
    return OwnTagDetail(**dict(_describe(view, tags, tag)), examples=examples)
