"""Walks find what is new, changed, missing or back, against a plain comparison of two lists."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taggram import Outcome
from taggram.library import Library, inventory
from taggram.library.inventory import Inventory, take_inventory


@pytest.fixture
def music(tmp_path: Path) -> Path:
    music = tmp_path / "music"
    music.mkdir()
    return music


def put(path: Path, content: str = "x", *, mtime: int = 1_000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    os.utime(path, (mtime, mtime))
    return path


def counts(found: Inventory) -> tuple[int, int, int, int, int]:
    return (found.n_new, found.n_changed, found.n_missing, found.n_returned, found.n_unchanged)


def present(library: Library) -> set[str]:
    return {str(file.path) for file in library.files()}


def settle(library: Library) -> None:
    """Give all files an outcome."""
    library.connection.execute("UPDATE file SET outcome = 'tagged'")


def waiting(library: Library) -> list[str]:
    return sorted(file.path.name for file in library.files() if file.outcome is None)


def test_the_life_of_a_file(library: Library, music: Path) -> None:
    one, other = put(music / "one.mp3"), put(music / "two.mp3")
    assert counts(take_inventory(library, [music])) == (2, 0, 0, 0, 0)
    assert waiting(library) == ["one.mp3", "two.mp3"]
    settle(library)
    assert counts(take_inventory(library, [music])) == (0, 0, 0, 0, 2)
    put(one, "longer")
    assert counts(take_inventory(library, [music])) == (0, 1, 0, 0, 1)
    assert waiting(library) == ["one.mp3"]
    settle(library)
    put(one, "longer", mtime=2_000)
    assert counts(take_inventory(library, [music])) == (0, 1, 0, 0, 1)
    settle(library)
    other.unlink()
    assert counts(take_inventory(library, [music])) == (0, 0, 1, 0, 1)
    assert counts(take_inventory(library, [music])) == (0, 0, 0, 0, 1)
    assert present(library) == {str(one)}
    put(other)
    assert counts(take_inventory(library, [music])) == (0, 0, 0, 1, 1)
    assert waiting(library) == []  # it came back as it was
    file = library.file(other)
    assert file is not None
    assert (file.outcome, file.is_missing) == (Outcome.TAGGED, False)


def test_nothing_is_written_for_what_is_as_it_was(library: Library, music: Path) -> None:
    for number in range(5):
        put(music / f"{number}.mp3")
    take_inventory(library, [music])
    before = library.connection.total_changes
    assert not take_inventory(library, [music]).is_news
    assert library.connection.total_changes == before


def test_only_names_that_promise_sound_are_taken(library: Library, music: Path) -> None:
    for name in ["a.mp3", "b.FLAC", "cover.jpg", ".hidden.mp3", "mp3", ".trash/c.mp3", "deep/er/d.ogg"]:
        put(music / name)
    found = take_inventory(library, [music])
    assert {Path(path).name for path in present(library)} == {"a.mp3", "b.FLAC", "d.ogg"}
    assert found.n_ignored == 3


def test_a_file_may_be_named_whatever_its_ending(library: Library, music: Path) -> None:
    odd = put(music / "strange.bin")
    assert counts(take_inventory(library, [odd])) == (1, 0, 0, 0, 0)
    assert counts(take_inventory(library, [odd])) == (0, 0, 0, 0, 1)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links(library: Library, music: Path, tmp_path: Path) -> None:
    target = put(tmp_path / "elsewhere" / "song.mp3")
    (music / "song.mp3").symlink_to(target)
    (music / "dangling.mp3").symlink_to(tmp_path / "nowhere")
    (music / "folder").symlink_to(target.parent)
    (music / "loop").symlink_to(music)
    take_inventory(library, [music])
    assert {Path(path).name for path in present(library)} == {"song.mp3", "dangling.mp3"}


def test_a_root_that_is_not_there_loses_nothing(library: Library, music: Path, tmp_path: Path) -> None:
    put(music / "a.mp3")
    take_inventory(library, [music])
    music.rename(tmp_path / "unplugged")
    found = take_inventory(library, [music])
    assert counts(found) == (0, 0, 0, 0, 0)
    assert found.problems == [f"{music}: is not there; bring its disk back, or take it out of the library"]
    assert present(library) == {str(music / "a.mp3")}


def test_a_directory_that_cannot_be_read_loses_nothing(
    library: Library, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ["a/1.mp3", "a/b/2.mp3", "a-c/3.mp3", "z/4.mp3"]:
        put(music / name)
    take_inventory(library, [music])
    shutil.rmtree(music / "z")
    listed = os.scandir

    def scandir(path: bytes) -> object:
        if path.endswith(b"/a"):
            raise PermissionError(13, "Permission denied", path)
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = take_inventory(library, [music])
    assert counts(found) == (0, 0, 1, 0, 1)
    assert found.problems == [
        f"{music / 'a'}: cannot be read: Permission denied; check its permissions and the disk"
    ]
    assert {Path(path).stem for path in present(library)} == {"1", "2", "3"}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not take such names")
def test_names_that_are_no_text(library: Library, music: Path) -> None:
    folder = os.fsencode(music) + b"/caf\xe9"
    os.mkdir(folder)  # noqa: PTH102  # bytes
    Path(os.fsdecode(folder + b"/\xff\n.mp3")).touch()
    take_inventory(library, [music])
    assert [os.fsencode(file.path.name) for file in library.files()] == [b"\xff\n.mp3"]
    assert counts(take_inventory(library, [music])) == (0, 0, 0, 0, 1)


def test_a_walk_can_be_stopped(library: Library, music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "PAGE", 2)
    for number in range(9):
        put(music / f"{number}.mp3")
    asked = iter([False, False, True])
    take_inventory(library, [music], stop=lambda: next(asked, True))
    assert len(present(library)) == 4
    assert take_inventory(library, [music]).n_new == 5


# Names that sort differently as text, as paths and by directory.
names = st.sampled_from(["a", "a-b", "a.b", "a0", "A", "é", "~", " ", "b"])
paths = st.lists(names, min_size=1, max_size=3).map(lambda parts: "/".join(parts) + ".mp3")
trees = st.dictionaries(paths, st.integers(0, 3), max_size=12)


@settings(max_examples=60)
@given(before=trees, after=trees)
def test_a_walk_agrees_with_a_plain_comparison(
    before: dict[str, int], after: dict[str, int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("walk")
    music = folder / "music"
    with pytest.MonkeyPatch.context() as patch, Library.open(folder / "l.db") as library:
        patch.setattr(inventory, "PAGE", 3)
        for tree in (before, after):
            shutil.rmtree(music, ignore_errors=True)
            music.mkdir()
            for name, size in tree.items():
                put(music / name, "x" * size)
            found = take_inventory(library, [music])
        assert present(library) == {str(music / name) for name in after}
        shared = before.keys() & after.keys()
        n_same = sum(before[name] == after[name] for name in shared)
        expected = (len(after) - len(shared), len(shared) - n_same, len(before) - len(shared), 0, n_same)
        assert counts(found) == expected
