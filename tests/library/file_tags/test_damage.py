"""Whatever is wrong with a file: reading ends in one error of ours, and writing can be undone."""

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taggram.errors import FileTagError
from taggram.library.file_tags.apply import WriteOutcome, apply_plan, undo_run
from taggram.library.file_tags.containers import TagFile, read_fields
from taggram.library.file_tags.journal import Journal, find_run
from taggram.library.file_tags.plan import Change

resource = pytest.importorskip("resource", reason="Windows does not tell how much memory was used")

AFTER = ("Techno", "House")
FLIPS = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=30)


def read(path: Path) -> dict[str, tuple[str, ...]] | None:
    """Return the fields of a file; None if it says in one error that it is damaged."""
    try:
        return read_fields(path)
    except FileTagError as error:
        if error.outcome in ("corrupt", "unreadable") and path.name in str(error):
            return None
        raise


def peak_memory() -> int:
    """Return the most memory that this process has had, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    peak: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * unit


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=FLIPS, is_near_start=st.booleans(), cut=st.one_of(st.none(), st.floats(0, 1)))
def test_damaged_files(
    sound: Path, flips: list[tuple[float, int]], is_near_start: bool, cut: float | None
) -> None:
    original = sound.with_suffix(".original")
    if not original.exists():
        file = TagFile.open(sound)
        file.set("genre", ("Jazz",))
        file.set("mood", ("dark",))
        file.save()
        original.write_bytes(sound.read_bytes())
    data = bytearray(original.read_bytes())
    reach = min(len(data), 2000) if is_near_start else len(data)
    for place, value in flips:
        data[int(place * reach)] = value
    data = data if cut is None else data[: int(cut * len(data))]
    sound.write_bytes(data)
    before = peak_memory()
    fields = read(sound)
    assert peak_memory() - before < 200e6

    journals = sound.parent / "journals"
    with Journal(journals) as journal:
        (result,) = apply_plan([Change(sound, "genre", (fields or {}).get("genre", ()), AFTER)], journal)
    if result.outcome is not WriteOutcome.WRITTEN:
        assert sound.read_bytes() == data
        assert result.message
        return
    assert read_fields(sound)["genre"] == AFTER
    with Journal(journals, is_undo=True) as journal:
        (result,) = undo_run(find_run(journals), journal)
    assert result.outcome is WriteOutcome.RESTORED
    assert sound.read_bytes() == data
