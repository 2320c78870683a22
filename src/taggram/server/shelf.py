"""The library as the server holds it: in memory, brought up to date behind the scenes.

A thread looks once a second whether anybody has written to the database, and reads what is new while the
state before is still there to answer. How often it reads depends on how long reading takes.
"""

import gc
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, LifoQueue

from taggram.errors import TaggramError
from taggram.library.catalogue import Catalogue
from taggram.library.facets import Space
from taggram.library.nearest import Index, open_index
from taggram.library.similar import Finder
from taggram.library.store import Library
from taggram.server.problems import ProblemError
from taggram.server.settings import Settings

_LOOK = 1.0  # seconds between two looks
_SHARE = 5  # of the time goes to answering while the library is being written to
_CACHE = "PRAGMA cache_size = -4096"  # KiB for each connection; most answers come from memory
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Held:
    """One state of the library: all, or nothing where no model has listened."""

    catalogue: Catalogue | None = None
    neighbours: tuple[Space, Index, str] | None = None  # and the version of the library they are of


@dataclass(frozen=True)
class View:
    """What one answer is made from: an open library, and what of it is in memory."""

    library: Library
    held: _Held

    @property
    def has_listened(self) -> bool:
        """Whether any model has listened to the library."""
        return self.held.catalogue is not None

    @property
    def catalogue(self) -> Catalogue:
        """The library in memory.

        Raises
        ------
        LibraryError
            If no model has listened yet.
        """
        if self.held.catalogue is None:
            self.library.default_model()  # says why
            raise _busy()
        return self.held.catalogue

    @property
    def finder(self) -> Finder:
        """What finds similar tracks.

        Raises
        ------
        LibraryError
            If no model has listened yet.
        """
        catalogue = self.catalogue
        if self.held.neighbours is None:
            raise _busy()
        space, index, version = self.held.neighbours
        return Finder(self.library, catalogue.model, space, index, version, find=catalogue.find_matches)


class Shelf:
    """Lends the library to those who answer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._idle: LifoQueue[Library] = LifoQueue()
        self._held = _Held()
        self._is_wanted = threading.Event()
        self._is_closing = False
        self._reading = threading.Lock()
        self.is_loading = True
        self._thread = threading.Thread(target=self._watch, name="taggram-shelf", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._give_back(self._open())  # what is wrong with the library is said now
        self._thread.start()

    def close(self) -> None:
        """Read no more."""
        self._is_closing = True
        self._is_wanted.set()
        self._thread.join()
        with suppress(Empty):
            while True:
                self._idle.get_nowait().close()

    @property
    def n_tracks(self) -> int:
        """Tracks that are held."""
        return len(self._held.catalogue) if self._held.catalogue else 0

    @contextmanager
    def library(self) -> Iterator[Library]:
        """Lend an open library."""
        try:
            library = self._idle.get_nowait()
        except Empty:
            library = self._open()
        try:
            yield library
        finally:
            self._give_back(library)

    @contextmanager
    def view(self) -> Iterator[View]:
        """Lend an open library with what of it is in memory.

        Raises
        ------
        ProblemError
            503 if it has not been read for the first time.
        """
        if self.is_loading and self._held.catalogue is None:
            raise _busy()
        with self.library() as library:
            yield View(library, self._held)

    def renew(self) -> None:
        """Bring what is held up to date before anything else is answered; what was taught counts at once."""
        with self.library() as library:
            self._read(library, with_neighbours=False)

    def look(self) -> None:
        """Look for news now."""
        self._is_wanted.set()

    def _open(self) -> Library:
        library = Library.open(self._settings.library_path, is_passed_on=True)
        library.connection.execute(_CACHE)
        return library

    def _give_back(self, library: Library) -> None:
        if self._is_closing:
            library.close()
        else:
            self._idle.put(library)

    def _watch(self) -> None:
        with self.library() as library:
            seen: object = None
            while not self._is_closing:
                now = library.rows("PRAGMA data_version")
                took = 0.0
                if now != seen:
                    begun = time.monotonic()
                    seen = now
                    self._try_to_read(library)
                    took = time.monotonic() - begun
                self._is_wanted.wait(max(_LOOK, _SHARE * took))
                self._is_wanted.clear()

    def _try_to_read(self, library: Library) -> None:
        try:
            self._read(library, with_neighbours=True)
            _spare_from_collection()
        except TaggramError as error:
            _log.error("the library cannot be read: %s", error)
        finally:
            self.is_loading = False

    def _read(self, library: Library, *, with_neighbours: bool) -> None:
        with self._reading:
            if not library.models():
                self._held = _Held()
                return
            before = self._held
            catalogue = (
                Catalogue.read(library) if before.catalogue is None else before.catalogue.renewed(library)
            )
            self._held = _Held(catalogue, before.neighbours)
            if not with_neighbours:
                return
            version = library.version(catalogue.model)
            if before.neighbours is None or before.neighbours[2] != version:
                self._held = _Held(catalogue, (*open_index(library, catalogue.model), version))


def _spare_from_collection() -> None:
    """Keep the garbage collector from passing over all tracks in mid-answer: 0.2 s at 100,000."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _busy() -> ProblemError:
    return ProblemError(
        503, "loading", "the library is still being read", "try again in a moment", {"Retry-After": "2"}
    )
