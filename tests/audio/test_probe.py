"""What headers say, without decoding."""

from pathlib import Path

import pytest

from taggram.audio.decode import decode
from taggram.audio.frames import FrameReader
from taggram.audio.probe import AudioInfo, probe
from taggram.errors import AudioError
from tests.audio.conftest import SONG_DURATION
from tests.audio.make_audio import CONTAINERS, claim_length, make_film, make_music, without_xing

GUESSED = {"song.mp2", "song.aac", "song.ac3"}
NAMES = {
    "song.aiff": ("aiff", "pcm_s16be"),
    "song.opus": ("ogg", "opus"),
    "song.ogg": ("ogg", "vorbis"),
    "song.m4a": ("mov", "aac"),
    "lossless.m4a": ("mov", "alac"),
    "song.webm": ("matroska", "opus"),
    "song.wma": ("asf", "wmav2"),
    "song.mp3": ("mp3", "mp3"),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container(songs: dict[str, Path], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(FrameReader, "frames")  # nothing is decoded
    info = probe(songs[name])
    assert (info.sample_rate, info.n_channels) == (CONTAINERS[name][1], 2)
    assert info.duration == pytest.approx(SONG_DURATION, rel=0.05)
    assert info.is_estimate == (name in GUESSED)
    if name in NAMES:
        assert (info.container, info.codec) == NAMES[name]


def test_a_guess_is_called_a_guess(tmp_path: Path, songs: dict[str, Path]) -> None:
    assert not probe(songs["song.mp3"]).is_estimate
    info = probe(without_xing(songs["song.mp3"], tmp_path / "trap.mp3"))
    assert info.is_estimate
    info = probe(claim_length(songs["song.wav"], tmp_path / "pipe.wav", 0xFFFFFFFF))
    assert info == AudioInfo("wav", "pcm_s16le", 44_100, 2, SONG_DURATION, is_estimate=True)


def test_a_film_does_not_say_how_long_its_sound_is(tmp_path: Path) -> None:
    """A Matroska file declares the length of its longest stream, which here are the pictures."""
    film = make_film(tmp_path / "film.mkv", 10.0, make_music(2.0))
    assert probe(film).is_estimate
    decoding = decode(film, sample_rate=16_000)
    assert sum(map(len, decoding)) == 32_000
    assert not decoding.report.is_truncated


def test_errors_are_those_of_decoding(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"gone\.mp3: does not exist; check the path") as caught:
        probe(tmp_path / "gone.mp3")
    assert caught.value.outcome == "unreadable"
