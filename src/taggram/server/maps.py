"""The map of the library: computed by a job, kept beside the library, given to pages."""

import threading
from pathlib import Path

import numpy as np
from fastapi import Response
from fastapi.responses import JSONResponse
from numpy.typing import NDArray

from taggram.library.catalogue import Catalogue
from taggram.library.map import LibraryMap, map_path, read_map
from taggram.server import presentation, schemas
from taggram.server.answers import as_answer
from taggram.server.jobs import JobQueue, moment
from taggram.server.problems import ProblemError
from taggram.server.settings import Settings
from taggram.server.shelf import Shelf, View


class Maps:
    """Gives the map of the library, and has it computed."""

    def __init__(self, settings: Settings, jobs: JobQueue, shelf: Shelf) -> None:
        self._settings = settings
        self._jobs = jobs
        self._shelf = shelf
        self._lock = threading.Lock()
        self._read: tuple[Path, int, LibraryMap] | None = None

    def answer(self, *, renew: bool) -> Response:
        """Return the map, or the job that computes it."""
        with self._shelf.view() as view:
            found = self._find(view)
            model = view.catalogue.model
            is_current = found is not None and found.version == view.library.version(model)
            if found is None or (renew and not is_current):
                return as_answer(self._jobs.submit("map", "Map of the library", key="map"))
            places, rows = _placed(found, view.catalogue)
            answer = schemas.LibraryMap(
                model=model.name,
                method=found.method,
                created_at=moment(found.created_at),
                is_current=is_current,
                n=len(rows),
                ids=presentation.encode(view.catalogue.file_ids[rows].astype(np.uint32)),
                x=presentation.encode(places[:, 0].astype(np.float32)),
                y=presentation.encode(places[:, 1].astype(np.float32)),
            )
        return JSONResponse(answer.model_dump(mode="json"))

    def scores(self, tag: str) -> schemas.MapScores:
        """Return the scores of a tag, in the order of the map.

        Raises
        ------
        UnknownNameError
            If there is no such tag.
        ProblemError
            404 if there is no map yet.
        """
        with self._shelf.view() as view:
            known = view.catalogue.tag(tag)
            found = self._find(view)
            if found is None:
                raise ProblemError(404, "no_map", "there is no map yet", "ask for the map first")
            _, rows = _placed(found, view.catalogue)
            scores = view.catalogue.scores(known.name)[rows]
        return schemas.MapScores(
            tag=known.name,
            threshold=known.threshold,
            n=len(rows),
            scores=presentation.encode_scores(scores),
        )

    def _find(self, view: View) -> LibraryMap | None:
        """Return the map that is kept, which is read again when its file is another."""
        path = map_path(view.library, view.catalogue.model)
        try:
            changed_at = path.stat().st_mtime_ns
        except OSError:
            return None
        with self._lock:
            if self._read is None or self._read[:2] != (path, changed_at):
                found = read_map(path)
                if found is None:
                    return None
                self._read = path, changed_at, found
            return self._read[2]


def _placed(found: LibraryMap, catalogue: Catalogue) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return places and rows of the tracks that are on the map and (still) in the library."""
    ids, first = np.unique(catalogue.recording_ids, return_index=True)
    places = np.minimum(np.searchsorted(ids, found.recording_ids), max(0, len(ids) - 1))
    is_here = ids[places] == found.recording_ids if len(ids) else np.zeros(len(places), np.bool_)
    return found.places[is_here], first[places[is_here]]
