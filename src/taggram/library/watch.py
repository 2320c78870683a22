"""Keep a library up to date while music comes and goes.

The operating system tells what changes; when nothing has changed for a while – a file that is being
copied changes all the time – the directories concerned are compared and scanned as ever. What happened
while nobody watched is found at the beginning.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from taggram.errors import LibraryError, MissingExtraError
from taggram.inference.tagger import Tagger
from taggram.library.inventory import Inventory, take_inventory
from taggram.library.scan import Ended, Scan, ScanSummary
from taggram.library.store import Library

if TYPE_CHECKING:
    from watchfiles.main import FileChange

QUIET = 2.0
"""Seconds without a change after which files are taken to be complete."""
_STEP = 0.5  # seconds between looks at the clock


@dataclass(frozen=True)
class Round:
    """What one round of watching did: what had changed, and how the files ended that waited."""

    inventory: Inventory
    summary: ScanSummary


def watch(
    library: Library,
    tagger: Tagger,
    *,
    stop: Callable[[], bool],
    workers: int | None = None,
    quiet: float = QUIET,
    poll: bool = False,
    on_file: Callable[[Ended], None] = lambda ended: None,
) -> Iterator[Round]:
    """Bring the library up to date now, and again after every change, until `stop` says so.

    Parameters
    ----------
    library, tagger, workers, on_file
        As for `taggram.library.scan.Scan`.
    stop
        Asked about twice a second, and before each file.
    quiet
        Seconds without a change after which files are taken to be complete.
    poll
        Look at all files again and again, for network drives that tell nothing.

    Yields
    ------
    Round
        The first one at once, the others when there was something to do.

    Raises
    ------
    LibraryError
        If nothing has been added to the library, or none of it is there.
    MissingExtraError
        If the extra `watch` is not installed.
    """
    try:
        from watchfiles import watch as watch_files
    except ImportError as error:
        raise MissingExtraError("watching directories", "watch") from error
    roots = [root for root in library.roots() if root.exists()]
    if not roots:
        raise LibraryError(
            f"{library.path}: nothing to watch; add directories with `taggram library add DIR`"
        )

    def update(places: Iterable[Path]) -> Round:
        inventory = take_inventory(library, places, stop=stop)
        summary = Scan(library, tagger).run(workers=workers, stop=stop, on_file=on_file)
        library.forget_moved()
        return Round(inventory, summary)

    changes = watch_files(
        *roots,
        watch_filter=None,
        debounce=int(1000 * _STEP),
        rust_timeout=int(1000 * _STEP),
        yield_on_timeout=True,
        stop_event=_Stop(stop),
        force_polling=poll,
        ignore_permission_denied=True,
    )
    next(changes, None)  # begins to watch, so that nothing is missed after the first round
    yield update(library.roots())
    for places in _settled(changes, roots, quiet):
        done = update(places)
        if done.inventory.is_news or done.summary.counts:
            yield done


class _Stop:
    """What watchfiles asks whether to stop."""

    def __init__(self, stop: Callable[[], bool]) -> None:
        self.is_set = stop


def _settled(changes: "Iterator[set[FileChange]]", roots: list[Path], quiet: float) -> Iterator[set[Path]]:
    """Yield directories in which something changed, when nothing has changed any more for `quiet` seconds."""
    places: set[Path] = set()
    last_change = time.monotonic()
    for changed in changes:
        if changed:
            last_change = time.monotonic()
            places = places.union(*(_places(Path(path), roots) for _, path in changed))
        elif places and time.monotonic() - last_change >= quiet:
            yield places
            places = set()


def _places(path: Path, roots: list[Path]) -> set[Path]:
    """Return the nearest directory above a change that is there and below a root; failing that, all roots."""
    for directory in path.parents:
        if directory.is_dir():
            return {directory} if any(directory.is_relative_to(root) for root in roots) else set(roots)
    return set(roots)
