"""Playlists as files: read back by independent readers, wherever they lie and whatever the names hold."""

import json
import os
import sys
from pathlib import Path
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree

import pytest

from taggram.errors import LibraryError
from taggram.library.playlist_files import Entry, Playlist, write_playlist
from taggram.library.tracks import FileRow

XSPF = "{http://xspf.org/ns/0/}"
NAMES = [
    "plain.mp3",
    "with space & ümlaut.flac",
    "emoji 🎵.ogg",
    "#hash.mp3",
    " blank.mp3",
    "50%25.mp3",
    "a:b.mp3",
    os.fsdecode(b"caf\xe9.mp3"),
]


def row(path: Path, **fields: tuple[str, ...]) -> FileRow:
    return FileRow(1, path, 1, 1, 1, None, "", fields, None, False, 123.6)


@pytest.fixture
def playlist(tmp_path: Path) -> Playlist:
    if sys.platform != "linux":
        pytest.skip("other systems do not take such names")
    folder = tmp_path / "music" / "deep"
    folder.mkdir(parents=True)
    entries = []
    for name in NAMES:
        (folder / name).write_bytes(b"")
        entries.append(Entry(row(folder / name, artist=("A & B",), title=(f"<{name[:3]}>",)), "why"))
    return Playlist("Evening\nmusic", tuple(entries), {"query": "piano"})


def m3u8_places(path: Path) -> list[Path]:
    lines = path.read_bytes().split(b"\n")
    return [path.parent / os.fsdecode(line) for line in lines if line and not line.startswith(b"#")]


def xspf_places(path: Path) -> list[Path]:
    locations = ElementTree.parse(path).iter(f"{XSPF}location")
    return [path.parent / os.fsdecode(unquote_to_bytes(location.text or "")) for location in locations]


def json_places(path: Path) -> list[Path]:
    return [path.parent / track["path"] for track in json.loads(path.read_text())["tracks"]]


READERS = {".m3u8": m3u8_places, ".m3u": m3u8_places, ".xspf": xspf_places, ".json": json_places}


@pytest.mark.parametrize("suffix", READERS)
@pytest.mark.parametrize("where", [".", "music", "music/deep", "elsewhere/far"])
def test_every_track_is_found_again(playlist: Playlist, tmp_path: Path, suffix: str, where: str) -> None:
    folder = tmp_path / where
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"list{suffix}"
    write_playlist(playlist, path)
    places = READERS[suffix](path)
    assert len(places) == len(NAMES)
    for place, entry in zip(places, playlist.entries, strict=True):
        assert place.samefile(entry.file.path)
    assert list(folder.glob("*.part")) == []


@pytest.mark.parametrize("suffix", [".m3u8", ".json"])
def test_absolute_paths(playlist: Playlist, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"list{suffix}"
    write_playlist(playlist, path, absolute=True)
    assert READERS[suffix](path) == [entry.file.path for entry in playlist.entries]


def test_absolute_locations_are_uris(playlist: Playlist, tmp_path: Path) -> None:
    path = tmp_path / "list.xspf"
    write_playlist(playlist, path, absolute=True)
    locations = [location.text for location in ElementTree.parse(path).iter(f"{XSPF}location")]
    assert locations == [entry.file.path.as_uri() for entry in playlist.entries]


def test_m3u8_says_what_a_track_is(playlist: Playlist, tmp_path: Path) -> None:
    path = tmp_path / "list.m3u8"
    write_playlist(playlist, path)
    lines = path.read_bytes().split(b"\n")
    assert lines[:4] == [
        b"#EXTM3U",
        b"#PLAYLIST:Evening music",
        b"#EXTINF:124,A & B - <pla>",
        b"music/deep/plain.mp3",
    ]


def test_xspf_says_what_a_track_is(playlist: Playlist, tmp_path: Path) -> None:
    path = tmp_path / "list.xspf"
    write_playlist(playlist, path)
    root = ElementTree.parse(path).getroot()
    assert root.attrib == {"version": "1"}
    track = root.find(f"{XSPF}trackList/{XSPF}track")
    assert track is not None
    said = {element.tag.removeprefix(XSPF): element.text for element in track}
    assert said == {
        "location": "./music/deep/plain.mp3",
        "title": "<pla>",
        "creator": "A & B",
        "annotation": "why",
        "duration": "123600",
    }


def test_json_says_how_it_was_made(playlist: Playlist, tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    write_playlist(playlist, path)
    document = json.loads(path.read_text())
    assert document["schema"] == "taggram-playlist/1"
    assert document["how"] == {"query": "piano"}
    assert document["tracks"][0] == {
        "path": "music/deep/plain.mp3",
        "artist": "A & B",
        "title": "<pla>",
        "album": "",
        "duration": 123.6,
        "reason": "why",
    }


def test_odd_texts_stay_in_their_place(tmp_path: Path) -> None:
    title = "two\nlines\x00\x0b \udce9"
    bare = FileRow(1, tmp_path / "x.mp3", 1, 1, 1, None, "", {"title": (title,)}, None, False, None)
    playlist = Playlist("", (Entry(bare),))
    write_playlist(playlist, tmp_path / "list.m3u8")
    lines = (tmp_path / "list.m3u8").read_bytes().split(b"\n")
    assert lines[2].startswith(b"#EXTINF:-1,two lines")
    assert lines[3] == b"x.mp3"
    write_playlist(playlist, tmp_path / "list.xspf")
    found = ElementTree.parse(tmp_path / "list.xspf").find(f".//{XSPF}track/{XSPF}title")
    assert found is not None
    assert (found.text or "").startswith("two\nlines")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such name on Windows")
def test_a_line_break_in_a_name(tmp_path: Path) -> None:
    playlist = Playlist("x", (Entry(row(tmp_path / "a\nb.mp3")),))
    with pytest.raises(LibraryError, match=r"line break.*write \.xspf or \.json"):
        write_playlist(playlist, tmp_path / "list.m3u8")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a\nb.mp3").touch()
    for suffix in (".xspf", ".json"):
        path = tmp_path / f"list{suffix}"
        write_playlist(playlist, path)
        assert READERS[suffix](path) == [tmp_path / "a\nb.mp3"]


def test_an_unknown_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match=r"ending '\.pls' names no playlist; known are \.m3u8"):
        write_playlist(Playlist("x", ()), tmp_path / "list.pls")
