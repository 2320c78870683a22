"""Files are examined in child processes, which may crash, hang or be killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from taggram.errors import AudioError, FileTagError, TaggramError
from taggram.library.audio_hash import identify
from taggram.library.examine import Examination, examine, pack, unpack
from taggram.library.examiner import Examiner, ExaminerPool
from taggram.library.file_tags.containers import TagFile
from tests.conftest import ROOT

CLIPS = sorted((ROOT / "examples" / "clips").iterdir())


@pytest.fixture
def examiner() -> Iterator[Examiner]:
    examiner = Examiner()
    yield examiner
    examiner.close()


def test_it_says_what_is_in_a_file(examiner: Examiner, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9 \xf0\x9f\x8e\xb5.mp3")
    path.write_bytes((ROOT / "examples/clips/nocturne.mp3").read_bytes())
    file = TagFile.open(path)
    file.set("genre", ("Klassik", "ночь"))
    file.save()
    found = examiner.examine(path)
    assert isinstance(found, Examination)
    assert found == examine(path)
    assert found.identity == identify(path)
    assert found.fields["genre"] == ("Klassik", "ночь")
    assert (found.size, found.mtime_ns) == (path.stat().st_size, path.stat().st_mtime_ns)
    assert unpack(pack(found)) == found


def test_errors_are_those_of_identifying(examiner: Examiner, tmp_path: Path) -> None:
    (tmp_path / "words.mp3").write_bytes(b"words " * 100)
    for name, outcome in [("words.mp3", "not_audio"), ("missing.mp3", "unreadable"), ("", "unreadable")]:
        found = examiner.examine(tmp_path / name)
        assert isinstance(found, AudioError)
        assert found.outcome == outcome
        assert str(tmp_path / name) in str(found)


def test_damaged_file_tags_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    def read_fields(path: Path) -> dict[str, tuple[str, ...]]:
        raise FileTagError(f"{path}: its tags are damaged", outcome="corrupt")

    monkeypatch.setattr("taggram.library.examine.read_fields", read_fields)
    found = examine(CLIPS[0])
    assert found.identity == identify(CLIPS[0])
    assert (found.fields, found.note) == (
        {},
        f"its file tags cannot be read: {CLIPS[0]}: its tags are damaged",
    )


def crash_on(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str) -> None:
    """Let children run `code` when they examine `path`."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys, time\n"
        "def spoil():\n"
        "    from taggram.library import examine as module\n"
        "    whole = module.examine\n"
        "    def examine(path):\n"
        f"        if str(path) == {str(path)!r}:\n"
        f"            {code}\n"
        "        return whole(path)\n"
        "    module.examine = examine\n"
        "    module.main()\n"
    )
    start = subprocess.Popen

    def spoiled(command: list[str], **options: object) -> object:
        options["env"] = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.pathsep.join(sys.path)}"}
        return start([sys.executable, "-c", "import sitecustomize as s; s.spoil()"], **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", spoiled)


def test_a_crash_costs_only_its_file(
    examiner: Examiner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    crash_on(CLIPS[1], monkeypatch, tmp_path, "os.abort()")
    found = [examiner.examine(path) for path in CLIPS[:3]]
    assert [type(one) for one in found] == [Examination, AudioError, Examination]
    assert isinstance(found[1], AudioError)
    assert found[1].outcome == "corrupt"
    assert "crashed the process that reads it" in str(found[1])
    assert found[2] == examine(CLIPS[2])


def test_a_file_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    crash_on(CLIPS[0], monkeypatch, tmp_path, "time.sleep(60)")
    examiner = Examiner(timeout=3.0)
    begun = time.monotonic()
    found = examiner.examine(CLIPS[0])
    assert time.monotonic() - begun < 30
    assert isinstance(found, AudioError)
    assert found.outcome == "timeout"
    assert "could not be read within 3 s" in str(found)
    assert isinstance(examiner.examine(CLIPS[1]), Examination)
    examiner.close()


def test_our_own_bug_is_said_to_be_one(
    examiner: Examiner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    crash_on(CLIPS[0], monkeypatch, tmp_path, "raise KeyError('bug')")
    found = examiner.examine(CLIPS[0])
    assert isinstance(found, AudioError)
    assert "by an error in Taggram itself; please report it" in str(found)
    assert "KeyError" in str(found)


def test_a_child_that_cannot_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(TaggramError, match="cannot be started with '/nowhere/python'"):
        Examiner().examine(CLIPS[0])
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(TaggramError, match="ended with exit code 1 before its first file"):
        Examiner().examine(CLIPS[0])


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_a_killed_child_is_replaced(examiner: Examiner) -> None:
    assert isinstance(examiner.examine(CLIPS[0]), Examination)
    child = examiner._child
    assert child is not None
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert isinstance(examiner.examine(CLIPS[0]), Examination)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_children_end_with_their_parent() -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from taggram.library.examiner import Examiner\n"
        f"e = Examiner(); e.examine(Path({str(CLIPS[0])!r})); print(e._child.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = Path("/proc", parent.stdout.readline().strip())
    assert child.exists()
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 10
    while child.exists() and "zombie" not in (child / "status").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("n_workers", [1, 3])
def test_a_pool_keeps_the_order_and_reads_little_ahead(n_workers: int) -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(20):
            taken += 1
            yield number

    def path_of(number: int) -> Path | None:
        return None if number % 3 == 0 else CLIPS[number % len(CLIPS)]

    with ExaminerPool(n_workers) as pool:
        found = pool.examine_many(items(), path_of)
        first, nothing = next(found)
        assert (first, nothing) == (0, None)
        assert taken <= 2 * n_workers + 1
        rest = list(found)
    assert [number for number, _ in rest] == list(range(1, 20))
    for number, one in rest:
        path = path_of(number)
        assert one == (examine(path) if path else None)
