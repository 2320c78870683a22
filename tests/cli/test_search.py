"""`taggram search`, `similar`, `playlist` and `teach` as a user runs them."""

import io
import json
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
import pytest

from taggram.cli.main import main
from taggram.library import Library
from tests.library.collection import Collection


@pytest.fixture
def collection(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Collection]:
    """The user's own library, with invented music."""
    monkeypatch.setenv("TAGGRAM_LIBRARY", str(tmp_path / "library.db"))
    with Library.open(tmp_path / "library.db") as library:
        collection = Collection(library, rng, tmp_path / "music")
        collection.fill(60)
        yield collection


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def taggram(*arguments: object) -> Done:
    """Run the program in this process, which is a second faster each time."""
    out, err = io.StringIO(), io.StringIO()
    argv = ["taggram", *map(str, arguments)]
    with patch.object(sys, "argv", argv), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            return Done(int(ended.code or 0), out.getvalue(), err.getvalue())
    raise AssertionError("the program ends with an exit status")


def paths_of(collection: Collection, style: int) -> list[Path]:
    files = collection.library.files_of(collection.of_style(style))
    return [own[0].path for own in files.values()]


def test_search(collection: Collection) -> None:
    done = taggram("search", "piano", "and", "not", "rock", "--limit", 2)
    assert done.returncode == 0
    first, second = done.stdout.splitlines()
    value, duration, *_ = first.split()
    assert 0.5 < float(value) < 1
    assert duration == "3:20"
    assert "piano artist" in first
    assert first.endswith(".mp3")
    assert float(second.split()[0]) <= float(value)
    assert done.stderr.endswith("tracks match; 2 shown\n")
    document = json.loads(taggram("search", "piano and not rock", "--format", "json").stdout)
    assert document["schema"] == "taggram-search/1"
    assert document["matches"] == len(document["tracks"])
    assert set(document["tracks"][0]["scores"]) == {"piano", "rock"}
    listed = taggram("search", "piano and not rock", "--format", "paths").stdout.splitlines()
    assert listed == [track["path"] for track in document["tracks"]]
    rest = taggram("search", "piano and not rock", "--offset", 1, "--format", "paths").stdout.splitlines()
    assert rest == listed[1:]


def test_search_that_finds_nothing_or_cannot_be_read(collection: Collection) -> None:
    done = taggram("search", "artist: nobody")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "0 tracks match\n")
    done = taggram("search", "rock and pinao")
    assert done.returncode == 2
    assert done.stderr == (
        "taggram: unknown tag 'pinao': did you mean 'piano'?\n  rock and pinao\n           ^^^^^\n"
    )


def test_without_a_library(tmp_path: Path) -> None:
    for command in (
        ["search"],
        ["similar", "x.mp3"],
        ["playlist", "x.m3u8", "--query", ""],
        ["teach", "list"],
    ):
        done = taggram(*command, "--library", tmp_path / "none.db")
        assert (done.returncode, done.stdout) == (2, "")
        assert "there is no library yet; `taggram library add DIR` makes one" in done.stderr
    assert not (tmp_path / "none.db").exists()


def test_similar(collection: Collection) -> None:
    song = paths_of(collection, 1)[0]
    done = taggram("similar", song, "--limit", 3, "--why")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    tracks = [line for line in lines if not line.startswith(" ")]
    assert len(tracks) == 3
    assert all("/rock/" in track and str(song) not in track for track in tracks)
    assert any(line.startswith("      both: rock 0.") for line in lines)
    assert any(" like 0:" in line for line in lines)
    done = taggram("similar", song, "--limit", 3, "--why", "--format", "json", "--weight", "genre=1")
    track = json.loads(done.stdout)["tracks"][0]
    assert track["similarity"] == pytest.approx(track["why"]["facets"]["genre"], abs=1e-3)
    assert {"query_time", "time", "similarity"} == set(track["why"]["moments"][0])


def test_similar_with_wrong_words(collection: Collection, tmp_path: Path) -> None:
    song = paths_of(collection, 1)[0]
    done = taggram("similar", song, "--weight", "colour=1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "unknown facet 'colour'" in done.stderr
    assert "'mood' is no weight" in taggram("similar", song, "--weight", "mood").stderr
    assert taggram("similar", song, "--where", "artist: nobody").returncode == 1


def test_playlist(collection: Collection, tmp_path: Path) -> None:
    first, last = paths_of(collection, 0)[0], paths_of(collection, 1)[0]
    path = tmp_path / "path.m3u8"
    done = taggram("playlist", path, "--from", first, "--to", last, "--tracks", 7)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"7 tracks, 23:20, written to {path}"
    places = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert len(places) == 7
    assert (tmp_path / places[0], tmp_path / places[-1]) == (first, last)
    again = tmp_path / "again.json"
    arguments = ("--like", first, "--seed", 3, "--tracks", 5, "--title", "Like it", "-q")
    assert taggram("playlist", again, *arguments).stdout == ""
    before = again.read_bytes()
    taggram("playlist", again, *arguments)
    assert again.read_bytes() == before
    document = json.loads(before)
    assert document["title"] == "Like it"
    assert document["how"]["seed"] == 3
    curve = tmp_path / "curve.xspf"
    assert taggram("playlist", curve, "--curve", "energetic: 0 1", "--curve", "piano: 1").returncode == 0
    assert b"<trackList>" in curve.read_bytes()


def test_playlist_with_wrong_words(collection: Collection, tmp_path: Path) -> None:
    path = tmp_path / "x.m3u8"
    assert "give one of --query" in taggram("playlist", path).stderr
    assert "give one of --query" in taggram("playlist", path, "--query", "", "--curve", "piano: 1").stderr
    assert "needs both" in taggram("playlist", path, "--from", "a.mp3").stderr
    assert "ends in none of" in taggram("playlist", tmp_path / "x.pls", "--query", "").stderr
    done = taggram("playlist", path, "--query", "artist: nobody")
    assert (done.returncode, done.stderr) == (1, "taggram: no track fits; nothing was written\n")
    assert not path.exists()


def test_teach(collection: Collection, tmp_path: Path) -> None:
    piano, others = (
        paths_of(collection, 0),
        [path for style in (1, 2, 3) for path in paths_of(collection, style)[:3]],
    )
    done = taggram("teach", "accept", "evening", *piano[:8], "--category", "mood")
    assert done.stdout == "evening: not learned yet; it needs 2 more rejected\n"
    done = taggram("teach", "reject", "evening", *others)
    assert done.stdout.startswith(
        "evening: 8 accepted, 9 rejected: ROC-AUC 1.00 on held-out examples (90 %: 0.8"
    )
    assert done.stderr == ""
    (tag,) = json.loads(taggram("teach", "list", "--json").stdout)["tags"]
    assert (tag["name"], tag["category"], tag["quality"]["trustworthy"]) == ("evening", "mood", True)
    assert taggram("teach", "list").stdout.startswith("evening  (mood)  8 accepted, 9 rejected: ROC-AUC 1.00")
    shown = taggram("teach", "show", "evening").stdout.splitlines()
    assert [line[0] for line in shown[:-1]] == ["+"] * 8 + ["-"] * 9
    suggested = taggram("teach", "suggest", "evening", "-n", 4, "--paths").stdout.splitlines()
    assert len(suggested) == 4
    assert not {Path(path) for path in suggested} & {*piano[:8], *others}
    found = taggram("search", "evening", "--limit", 5, "--format", "paths").stdout.splitlines()
    assert all("/piano/" in path for path in found)
    file = tmp_path / "evening.json"
    assert taggram("teach", "export", "evening", file).stdout == f"evening: 17 examples written to {file}\n"
    assert taggram("teach", "remove", "evening").stdout == "evening: removed, with 17 examples\n"
    done = taggram("teach", "import", file)
    assert done.stdout == "evening: 17 examples, 17 of them in this library; ready for invented\n"
    assert "already" in taggram("teach", "import", file).stderr
    assert taggram("teach", "forget", "evening", piano[0]).stdout.startswith("evening: 7 accepted")


def test_teach_with_wrong_words(collection: Collection, tmp_path: Path) -> None:
    done = taggram("teach", "accept", "evening", tmp_path / "elsewhere.mp3")
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not in" in done.stderr
    assert "`taggram library add` takes it in" in done.stderr
    song = paths_of(collection, 0)[0]
    assert "is no category" in taggram("teach", "accept", "x", song, "--category", "colour").stderr
    assert "unknown own tag 'nothing'" in taggram("teach", "show", "nothing").stderr
    (tmp_path / "x.json").write_text("{}")
    assert "is no exported tag" in taggram("teach", "import", tmp_path / "x.json").stderr
