"""Files change whole or not at all, and undo gives every byte back."""

import errno
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taggram.errors import FileTagError
from taggram.library.audio_hash import identify
from taggram.library.file_tags import apply as apply_module
from taggram.library.file_tags.apply import WriteOptions, WriteOutcome, WriteResult, apply_plan, undo_run
from taggram.library.file_tags.containers import TagFile, read_fields
from taggram.library.file_tags.journal import Journal, find_run, list_runs
from taggram.library.file_tags.plan import Change
from tests.conftest import ROOT
from tests.library.file_tags.sounds import SOUNDS, write_sound

FIELDS = ("genre", "mood", "grouping", "title", "instrument", "taggram_scores")
# ID3 reads numbers as names of genres, so a genre "17" cannot be written there, and is rejected.
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=20).filter(
    lambda text: not re.match(r"\d+$|CR$|RX$|\(", text)
)
VALUES = st.lists(TEXTS, max_size=4, unique=True).map(tuple)


def give(path: Path, fields: dict[str, tuple[str, ...]]) -> None:
    """Write tags straight into a file, as another program does."""
    file = TagFile.open(path)
    for name, values in fields.items():
        file.set(name, values)
    file.save()


def change(path: Path, fields: Mapping[str, tuple[str, ...]]) -> list[Change]:
    now = read_fields(path, fields)
    return [Change(path, name, now.get(name, ()), values) for name, values in fields.items()]


def apply(changes: Iterable[Change], journals: Path, **options: bool) -> list[WriteResult]:
    with Journal(journals) as journal:
        return list(apply_plan(changes, journal, WriteOptions(**options)))


def undo(journals: Path, only: Iterable[Path] | None = None, name: str | None = None) -> list[WriteResult]:
    run = find_run(journals, name)
    with Journal(journals, is_undo=True) as journal:
        return list(undo_run(run, journal, only=None if only is None else frozenset(only)))


def outcomes(results: Iterable[WriteResult]) -> list[str]:
    return [result.outcome.value for result in results]


@pytest.fixture
def journals(tmp_path: Path) -> Path:
    return tmp_path / "journals"


@pytest.fixture
def song(tmp_path: Path) -> Path:
    return write_sound(tmp_path, "mp3")


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.dictionaries(st.sampled_from(FIELDS), VALUES),
    after=st.dictionaries(st.sampled_from(FIELDS), VALUES, min_size=1),
)
def test_undo_gives_back_every_byte_in_every_container(
    sound: Path, journals: Path, before: dict[str, tuple[str, ...]], after: dict[str, tuple[str, ...]]
) -> None:
    give(sound, {name: before.get(name, ()) for name in FIELDS})
    data, audio_hash, fields = sound.read_bytes(), identify(sound).audio_hash, read_fields(sound, FIELDS)
    (result,) = apply(change(sound, after), journals)
    assert result.outcome.is_success, result.message
    expected = {name: values for name, values in {**fields, **after}.items() if values}
    assert read_fields(sound, FIELDS) == expected
    assert identify(sound).audio_hash == audio_hash
    if expected == fields:
        assert (result.outcome, sound.read_bytes()) == (WriteOutcome.UNCHANGED, data)
        return
    assert outcomes(undo(journals)) == ["restored"]
    assert sound.read_bytes() == data


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.dictionaries(st.sampled_from(FIELDS), VALUES),
    after=st.dictionaries(st.sampled_from(FIELDS), VALUES.filter(bool), min_size=1),
    comment=TEXTS,
)
def test_undo_gives_back_the_tags_of_a_file_that_changed_since(
    sound: Path,
    journals: Path,
    before: dict[str, tuple[str, ...]],
    after: dict[str, tuple[str, ...]],
    comment: str,
) -> None:
    give(sound, {**{name: before.get(name, ()) for name in FIELDS}, "composer": ()})
    fields = read_fields(sound, FIELDS)
    if outcomes(apply(change(sound, after), journals)) == ["unchanged"]:
        return
    give(sound, {"composer": (comment,)})
    assert outcomes(undo(journals)) == ["reset"]
    assert read_fields(sound, FIELDS) == {**fields, "composer": (comment,)}


def test_a_genre_that_id3_takes_for_a_number_is_rejected(song: Path, journals: Path) -> None:
    data = song.read_bytes()
    (result,) = apply([Change(song, "genre", (), ("17",))], journals)
    assert result.outcome is WriteOutcome.REJECTED
    assert song.read_bytes() == data


def test_what_somebody_else_wrote_stays(song: Path, journals: Path) -> None:
    apply(change(song, {"genre": ("Techno",), "mood": ("dark",)}), journals)
    give(song, {"genre": ("My own",)})
    (result,) = undo(journals)
    assert result.outcome is WriteOutcome.CHANGED
    assert "genre changed since the run, and stays as it is; set back: mood" in result.message
    assert read_fields(song) == {"genre": ("My own",)}


def test_a_plan_that_is_out_of_date_changes_nothing(song: Path, journals: Path) -> None:
    plan = change(song, {"genre": ("Techno",), "mood": ("dark",)})
    give(song, {"genre": ("Jazz",)})
    data = song.read_bytes()
    (result,) = apply(plan, journals)
    assert result.outcome is WriteOutcome.CHANGED
    assert "genre is Jazz and no longer empty; make the plan again" in result.message
    assert song.read_bytes() == data


def test_applying_twice_is_applying_once(song: Path, journals: Path) -> None:
    plan = change(song, {"genre": ("Techno",)})
    assert outcomes(apply(plan, journals)) == ["written"]
    data = song.read_bytes()
    assert outcomes(apply(plan, journals)) == ["unchanged"]
    assert song.read_bytes() == data
    assert len(list_runs(journals)) == 1


def test_runs_are_undone_one_after_the_other_and_file_by_file(tmp_path: Path, journals: Path) -> None:
    first, second = write_sound(tmp_path, "flac"), write_sound(tmp_path, "ogg")
    data = first.read_bytes(), second.read_bytes()
    apply(change(first, {"genre": ("A",)}) + change(second, {"genre": ("A",)}), journals)
    middle = first.read_bytes(), second.read_bytes()
    apply(change(first, {"genre": ("B",)}) + change(second, {"genre": ("B",)}), journals)
    assert outcomes(undo(journals, only=[second])) == ["restored"]
    assert (read_fields(first)["genre"], second.read_bytes()) == (("B",), middle[1])
    assert outcomes(undo(journals)) == ["restored"]
    assert (first.read_bytes(), second.read_bytes()) == middle
    assert outcomes(undo(journals)) == ["restored", "restored"]
    assert (first.read_bytes(), second.read_bytes()) == data
    with pytest.raises(FileTagError, match="nothing was written that is not undone"):
        undo(journals)


def test_a_file_that_stands_twice_in_a_run_comes_back(tmp_path: Path, journals: Path) -> None:
    song, other = write_sound(tmp_path, "aac"), write_sound(tmp_path, "mp3")
    data = song.read_bytes()
    plan = [
        Change(song, "genre", (), ("A",)),
        Change(other, "genre", (), ("A",)),
        Change(song, "genre", ("A",), ("B",)),
    ]
    assert outcomes(apply(plan, journals)) == ["written"] * 3
    assert outcomes(undo(journals)) == ["restored"] * 3
    assert song.read_bytes() == data


def test_an_undo_can_be_undone_by_name(song: Path, journals: Path) -> None:
    apply(change(song, {"genre": ("Techno",)}), journals)
    give(song, {"composer": ("Anna",)})
    assert outcomes(undo(journals)) == ["reset"]
    name = list_runs(journals)[-1].name
    assert name.endswith("-undo")
    undo(journals, name=name)
    assert read_fields(song) == {"genre": ("Techno",), "composer": ("Anna",)}


def test_times_and_rights(song: Path, journals: Path) -> None:
    song.chmod(0o640)
    os.utime(song, ns=(10**18, 10**18 + 7))
    apply(change(song, {"genre": ("A",)}), journals, keep_mtime=True)
    assert song.stat().st_mtime_ns == 10**18 + 7
    apply(change(song, {"genre": ("B",)}), journals)
    assert song.stat().st_mtime_ns > 10**18 + 7
    undo(journals)
    undo(journals)
    assert song.stat().st_mtime_ns == 10**18 + 7
    assert song.stat().st_mode & 0o777 == 0o640


def test_links(song: Path, journals: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.mp3"
    link.symlink_to(song.name)
    assert outcomes(apply(change(link, {"genre": ("A",)}), journals)) == ["written"]
    assert link.is_symlink()
    assert read_fields(song)["genre"] == ("A",)
    assert outcomes(undo(journals, only=[link])) == ["restored"]
    other = tmp_path / "other.mp3"
    other.hardlink_to(song)
    plan = change(song, {"genre": ("A",)})
    (result,) = apply(plan, journals)
    assert result.outcome is WriteOutcome.HARD_LINKED
    assert "it has 2 names" in result.message
    assert song.samefile(other)
    assert outcomes(apply(plan, journals, break_hard_links=True)) == ["written"]
    assert (read_fields(song), read_fields(other)) == ({"genre": ("A",)}, {})


def test_a_read_only_file_stays_whole(song: Path, journals: Path) -> None:
    data = song.read_bytes()
    song.chmod(0o444)
    (result,) = apply(change(song, {"genre": ("A",)}), journals)
    assert result.outcome is WriteOutcome.READ_ONLY
    assert "was left as it is: the file is read-only; allow writing" in result.message
    assert song.read_bytes() == data


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="this user may write anywhere")
def test_a_read_only_folder_stays_whole(song: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    song.parent.chmod(0o555)
    try:
        (result,) = apply(change(song, {"genre": ("A",)}), tmp_path_factory.mktemp("journals"))
    finally:
        song.parent.chmod(0o755)
    assert result.outcome is WriteOutcome.READ_ONLY


@pytest.mark.parametrize("place", ["shutil.copyfile", "os.fsync", "os.write"])
def test_a_full_disk_leaves_the_file_whole(
    song: Path, journals: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """The disk fills up while the copy is made, when it is made safe, and while the journal grows."""
    data = song.read_bytes()
    plan = change(song, {"genre": ("A",)})
    module, name = place.split(".")
    real = getattr(apply_module, "shutil" if module == "shutil" else "os")
    function = getattr(real, name)

    def fill(*arguments: object) -> object:
        written = b"delta" in bytes(arguments[1]) if name == "write" else True  # type: ignore[call-overload]
        if not written or (name == "fsync" and not list(song.parent.glob(".taggram-*"))):
            return function(*arguments)
        if name == "write":
            function(arguments[0], bytes(arguments[1])[:50])  # type: ignore[call-overload]
        if name == "copyfile":
            Path(str(arguments[1])).write_bytes(data[:1000])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(real, name, fill)
        (result,) = apply(plan, journals)
    assert result.outcome is WriteOutcome.DISK_FULL
    assert "No space left on device; free some space and apply the plan again" in result.message
    assert song.read_bytes() == data
    assert not list(song.parent.glob(".taggram-*"))
    assert outcomes(apply(plan, journals)) == ["written"]
    assert outcomes(undo(journals)) == ["restored"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no limit for the size of files")
def test_the_system_refuses_to_write(song: Path, journals: Path) -> None:
    data = song.read_bytes()
    code = f"""
        import resource
        from pathlib import Path
        from tests.library.file_tags.test_apply import apply, change
        resource.setrlimit(resource.RLIMIT_FSIZE, ({len(data) // 2}, resource.RLIM_INFINITY))
        song = Path({str(song)!r})
        (result,) = apply(change(song, {{"genre": ("A",)}}), Path({str(journals)!r}))
        print(result.outcome)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "disk_full"
    assert song.read_bytes() == data
    assert not list(song.parent.glob(".taggram-*"))


@pytest.mark.parametrize("damage", ["sound", "other tags", "fields"])
def test_a_copy_that_came_out_wrong_is_rejected(
    tmp_path: Path, journals: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    song = write_sound(tmp_path, "wav")
    data = song.read_bytes()
    plan = change(song, {"genre": ("A",)})
    save = TagFile.save

    def save_wrong(self: TagFile) -> None:
        if damage != "sound":
            self.set("title" if damage == "other tags" else "genre", ("Something else",))
        save(self)
        if damage == "sound":
            with self.path.open("rb+") as file:
                file.seek(10_000)
                file.write(b"click")

    monkeypatch.setattr(TagFile, "save", save_wrong)
    (result,) = apply(plan, journals)
    assert result.outcome is WriteOutcome.REJECTED
    wrong = {"sound": "the audio stream", "other tags": "TIT2", "fields": "genre"}[damage]
    assert f"came out wrong in {wrong}" in result.message
    assert song.read_bytes() == data


def test_another_program_is_faster(song: Path, journals: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = change(song, {"genre": ("A",)})
    save = TagFile.save

    def save_and_interfere(self: TagFile) -> None:
        save(self)
        if self.path != song:
            song.write_bytes(song.read_bytes() + b"TAG".ljust(128, b"\0"))

    monkeypatch.setattr(TagFile, "save", save_and_interfere)
    (result,) = apply(plan, journals)
    assert result.outcome in (WriteOutcome.CHANGED, WriteOutcome.REJECTED)
    assert song.read_bytes().endswith(bytes(100))
    assert "genre" not in read_fields(song)


def test_files_that_cannot_be_written_are_reported_and_the_others_written(
    song: Path, journals: Path, tmp_path: Path
) -> None:
    broken = write_sound(tmp_path, "flac")
    broken.write_bytes(broken.read_bytes()[:60])
    text = tmp_path / "notes.txt"
    text.write_text("no sound at all")
    paths = [tmp_path / "missing.mp3", broken, text, song]
    plan = [Change(path, "genre", (), ("A",)) for path in paths]
    assert outcomes(apply(plan, journals)) == ["unreadable", "corrupt", "unsupported", "written"]
    song.unlink()
    (result,) = undo(journals)
    assert result.outcome is WriteOutcome.UNREADABLE
    assert "No such file" in result.message


def test_one_program_writes_at_a_time(song: Path, journals: Path) -> None:
    plan = change(song, {"genre": ("A",)})
    with Journal(journals), pytest.raises(FileTagError, match="another program is writing file tags"):
        apply(plan, journals)
    assert outcomes(apply(plan, journals)) == ["written"]


def test_stopping_leaves_the_rest(tmp_path: Path, journals: Path) -> None:
    songs = [write_sound(tmp_path, "mp3", seed=seed) for seed in range(3)]
    plan = [Change(song, "genre", (), ("A",)) for song in songs]
    with Journal(journals) as journal:
        answers = iter([False, True])
        done = list(apply_plan(plan, journal, stop=lambda: next(answers)))
    assert outcomes(done) == ["written"]
    assert [bool(read_fields(song)) for song in songs] == [True, False, False]


APPLY = """
import sys
from pathlib import Path
from tests.library.file_tags.test_apply import AFTER, apply, change
songs = sorted(Path(sys.argv[1]).iterdir())
plan = [line for song in songs for line in change(song, AFTER)]
print("ready", flush=True)
apply(plan, Path(sys.argv[2]))
"""
UNDO = """
import sys
from pathlib import Path
from tests.library.file_tags.test_apply import undo
print("ready", flush=True)
undo(Path(sys.argv[2]))
"""
AFTER = {"genre": ("A", "B" * 500)}


def kill(code: str, folder: Path, journals: Path, delay: float) -> None:
    """Run a program, and kill it some seconds after it has begun its work."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder), str(journals)], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    time.sleep(delay)
    process.kill()
    process.wait()
    process.stdout.close()


class Songs:
    """Songs that are all as before, and how many of them are as after."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = {path: path.read_bytes() for path in folder.iterdir()}
        self._audio = {path: identify(path).audio_hash for path in folder.iterdir()}

    def count_written(self) -> int:
        """Return how many are as after; the others are as before, to the byte."""
        written = [path for path, data in self.data.items() if path.read_bytes() != data]
        for path in written:
            assert read_fields(path) == AFTER
            assert identify(path).audio_hash == self._audio[path]
        return len(written)

    def are_as_before(self) -> bool:
        """Whether nothing has changed, and nothing is left beside them."""
        return {path: path.read_bytes() for path in self.folder.iterdir()} == self.data


def kill_apply(songs: Songs, journals: Path, delay: float) -> int:
    """Kill a run, and take it back; return how many files it had written."""
    kill(APPLY, songs.folder, journals, delay)
    n_written = songs.count_written()
    if any(run.n_undone < run.n_files for run in list_runs(journals)):
        # The file in hand may stand in the journal, and not have been replaced.
        found = outcomes(undo(journals))
        assert found in (["restored"] * n_written, ["unchanged"] + ["restored"] * n_written)
    else:
        assert n_written == 0
        apply([], journals)
    assert songs.are_as_before()
    return n_written


def kill_undo(songs: Songs, journals: Path, delay: float) -> int:
    """Kill the undo of a run, and undo the rest; return how many files the first had left."""
    plan = [line for song in songs.data for line in change(song, AFTER)]
    assert set(outcomes(apply(plan, journals))) == {"written"}
    kill(UNDO, songs.folder, journals, delay)
    n_left = songs.count_written()
    if any(run.n_undone < run.n_files for run in list_runs(journals)):
        # The file in hand may have been put back, and not be noted so.
        found = outcomes(undo(journals))
        assert found in (["restored"] * n_left, ["unchanged"] + ["restored"] * n_left)
    else:
        apply([], journals)
    assert songs.are_as_before()
    return n_left


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system knows no kill -9")
@pytest.mark.parametrize("kill_and_check", [kill_apply, kill_undo])
@pytest.mark.parametrize("n_kills", [3, pytest.param(60, marks=pytest.mark.slow)])
def test_kill_at_any_moment_leaves_every_file_before_or_after(
    tmp_path: Path, journals: Path, n_kills: int, kill_and_check: Callable[[Songs, Path, float], int]
) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    for name in SOUNDS:
        song = write_sound(tmp_path, name, duration=5)
        for number in range(2):
            shutil.copy(song, folder / f"{number} {song.name}")
    songs = Songs(folder)
    begun = time.monotonic()
    apply([line for song in songs.data for line in change(song, AFTER)], journals)
    middle = time.monotonic()
    undo(journals)
    takes = middle - begun if kill_and_check is kill_apply else time.monotonic() - middle
    moments = random.Random(20261121)
    counts = [kill_and_check(songs, journals, moments.uniform(0, takes)) for _ in range(n_kills)]
    assert any(0 < count < len(songs.data) for count in counts), counts
