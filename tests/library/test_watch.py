"""Watching: what comes while nobody looks, what comes later, and what is not yet complete."""

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from taggram import Outcome, Tagger
from taggram.errors import LibraryError, MissingExtraError
from taggram.library import Library
from taggram.library.watch import Round, watch
from tests.inference.test_tagger import write_wav

Tone = Callable[..., np.ndarray]
PATIENCE = 30.0  # seconds


@pytest.fixture
def rounds(library: Library, tagger: Tagger, songs: Path) -> Iterator[Round]:
    """Rounds of watching the songs; they end after a while if nothing comes."""
    library.add_root(songs)
    deadline = time.monotonic() + PATIENCE
    return watch(library, tagger, stop=lambda: time.monotonic() > deadline, workers=1, quiet=0.3)


def outcomes(library: Library) -> dict[str, Outcome | None]:
    return {file.path.name: file.outcome for file in library.files()}


def test_files_come_and_go(rounds: Iterator[Round], library: Library, songs: Path, tone: Tone) -> None:
    first = next(rounds)
    assert (first.inventory.n_new, first.summary.counts.total()) == (5, 5)
    (songs / "new" / "deep").mkdir(parents=True)
    write_wav(songs / "new" / "deep" / "song.wav", tone(1000, 2.0))
    (songs / "notes.txt").write_text("no sound")
    second = next(rounds)
    assert (second.inventory.n_new, second.summary.counts) == (1, {Outcome.TAGGED: 1})
    assert outcomes(library)["song.wav"] is Outcome.TAGGED
    shutil.move(songs / "new" / "deep" / "song.wav", songs / "moved.wav")
    third = next(rounds)
    assert third.summary.n_known == 1
    assert "song.wav" not in outcomes(library)
    shutil.rmtree(songs / "deep")
    assert next(rounds).inventory.n_missing == 2


def test_a_file_that_grows_is_read_when_it_is_complete(
    rounds: Iterator[Round], library: Library, songs: Path, tone: Tone
) -> None:
    next(rounds)
    data = write_wav(songs.parent / "whole.wav", tone(1000, 3.0)).read_bytes()

    def copy() -> None:
        with (songs / "slow.wav").open("wb") as file:
            for begin in range(0, len(data), len(data) // 8):
                file.write(data[begin : begin + len(data) // 8])
                file.flush()
                time.sleep(0.1)

    thread = threading.Thread(target=copy)
    thread.start()
    done = next(rounds)
    thread.join()
    assert done.summary.counts == {Outcome.TAGGED: 1}
    assert done.summary.heard == pytest.approx(3.0)


def test_it_stops_when_asked(library: Library, tagger: Tagger, songs: Path) -> None:
    library.add_root(songs)
    asked = threading.Event()
    rounds = watch(library, tagger, stop=asked.is_set, quiet=0.1)
    next(rounds)
    asked.set()
    assert list(rounds) == []


def test_there_must_be_something_to_watch(library: Library, tagger: Tagger, tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(LibraryError, match="nothing to watch; add directories"):
            next(watch(library, tagger, stop=lambda: False))
        library.add_root(tmp_path / "unplugged")


def test_the_extra_is_named(library: Library, tagger: Tagger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'taggram\[watch\]'"):
        next(watch(library, tagger, stop=lambda: False))


def test_a_watched_file_may_be_replaced(library: Library, tagger: Tagger, tmp_path: Path, tone: Tone) -> None:
    song = write_wav(tmp_path / "song.wav", tone(300, 2.0))
    library.add_root(song)
    deadline = time.monotonic() + PATIENCE
    rounds = watch(library, tagger, stop=lambda: time.monotonic() > deadline, workers=1, quiet=0.3)
    assert next(rounds).summary.counts == {Outcome.TAGGED: 1}
    write_wav(tmp_path / "new", tone(1000, 3.0)).replace(song)
    assert next(rounds).summary.heard == pytest.approx(3.0)
