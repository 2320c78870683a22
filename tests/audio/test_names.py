"""Names that promise sound."""

import pytest

from taggram.audio.names import is_audio_name


@pytest.mark.parametrize("name", ["a.mp3", "b.FLAC", "two.parts.Ogg", "é.m4a"])
def test_sound(name: str) -> None:
    assert is_audio_name(name)


@pytest.mark.parametrize("name", ["mp3", ".mp3", ".hidden.mp3", "._a.mp3", "a.jpg", "a.mp3.part", "a.", ""])
def test_no_sound(name: str) -> None:
    assert not is_audio_name(name)
