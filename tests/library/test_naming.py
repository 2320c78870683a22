"""What a file is called."""

from pathlib import Path

import pytest

from taggram.library.naming import artist_keys, artist_of, label_of, song_key, title_of
from taggram.library.tracks import FileRow


def row(**fields: tuple[str, ...]) -> FileRow:
    return FileRow(1, Path("/music/01 Song.mp3"), 1, 1, 1, None, "", fields, None, False, None)


@pytest.mark.parametrize(
    ("file", "artist", "title", "label"),
    [
        (row(), "", "01 Song", "01 Song"),
        (row(artist=("A", "B"), title=("T", "U")), "A, B", "T", "A, B - T"),
        (row(albumartist=("Various",)), "Various", "01 Song", "Various - 01 Song"),
        (row(artist=("A",), albumartist=("Various",), title=("",)), "A", "01 Song", "A - 01 Song"),
    ],
)
def test_names(file: FileRow, artist: str, title: str, label: str) -> None:
    assert (artist_of(file), title_of(file), label_of(file)) == (artist, title, label)


def test_keys_compare_what_people_mean() -> None:
    first = row(artist=("Björk", "X"), title=("Jóga ",))
    second = row(artist=("x", "BJORK"), title=("joga",))
    assert artist_keys(first) == artist_keys(second) == {"bjork", "x"}
    assert song_key(first) == song_key(second)
    assert song_key(first) != song_key(row(artist=("Björk",), title=("Jóga",)))
    assert song_key(row(artist=("A",))) is None
    assert song_key(row(title=("T",))) is None
    assert artist_keys(row()) == frozenset()
