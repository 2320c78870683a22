"""What is in a library, in numbers that add up."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from taggram.inference.result import Outcome
from taggram.library.store import Library
from taggram.library.tracks import FileRow, ModelRow

STATES = (*(outcome.value for outcome in Outcome), "waiting", "missing")
"""What can be said of a file in one word: how it ended, or that it waits or is missing."""


def state_of(file: FileRow) -> str:
    """Return the one of `STATES` that a file is in."""
    if file.is_missing:
        return "missing"
    return "waiting" if file.outcome is None else file.outcome.value


@dataclass(frozen=True)
class LibraryStatus:
    """What is in a library.

    Attributes
    ----------
    path, n_bytes
        Of the database, with what is still in its log.
    roots
        What the user added.
    n_files
        All files: every one has an outcome, waits, or is missing.
    outcomes
        Outcome → files that are there.
    n_waiting
        Files that are there and have not been looked at.
    n_missing
        Files that were not there any more at the last walk.
    n_recordings, duration
        Different recordings, and their seconds.
    analyses
        Each model, the last one that listened first, with the number of recordings that it heard.
    """

    path: Path
    n_bytes: int
    roots: tuple[Path, ...]
    n_files: int
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    n_waiting: int = 0
    n_missing: int = 0
    n_recordings: int = 0
    duration: float = 0.0
    analyses: tuple[tuple[ModelRow, int], ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Each of `STATES` → files in it; they add up to `n_files`."""
        numbers = (*(self.outcomes[outcome] for outcome in Outcome), self.n_waiting, self.n_missing)
        return dict(zip(STATES, numbers, strict=True))


def compute_status(library: Library) -> LibraryStatus:
    """Count what is in a library.

    Raises
    ------
    LibraryError
        If the database cannot be read.
    """
    with library.snapshot():  # so that all counts are of one moment
        found = library.rows("SELECT is_missing, outcome, count(*) FROM file GROUP BY is_missing, outcome")
        ((n_recordings, duration),) = library.rows("SELECT count(*), total(duration) FROM recording")
        heard = dict(library.rows("SELECT model_id, count(*) FROM analysis GROUP BY model_id"))
        roots, models = library.roots(), library.models()
    log = library.path.with_name(library.path.name + "-wal")
    return LibraryStatus(
        path=library.path,
        n_bytes=sum(file.stat().st_size for file in (library.path, log) if file.exists()),
        roots=roots,
        n_files=sum(n for _, _, n in found),
        outcomes=Counter({Outcome(outcome): n for missing, outcome, n in found if outcome and not missing}),
        n_waiting=sum(n for missing, outcome, n in found if outcome is None and not missing),
        n_missing=sum(n for missing, _, n in found if missing),
        n_recordings=n_recordings,
        duration=duration,
        analyses=tuple((model, int(heard.get(model.id, 0))) for model in models),
    )
