"""One song in every container, made once."""

from pathlib import Path

import pytest

from tests.audio.make_audio import CONTAINERS, make_song

SONG_DURATION = 9.0


@pytest.fixture(scope="session")
def songs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same music of nine seconds, by file name."""
    folder = tmp_path_factory.mktemp("songs")
    return {name: make_song(folder, name, SONG_DURATION) for name in CONTAINERS}
