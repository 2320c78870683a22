import shutil
from pathlib import Path

import numpy as np
import pytest

from taggram.errors import DatasetError
from taggram.lab.chords.corpus import TRAINING_FONTS
from taggram.lab.training.renderings import SOUND_FONTS, Renderer


def test_missing_sound_fonts_are_named(tmp_path: Path) -> None:
    (tmp_path / TRAINING_FONTS[0]).touch()
    with pytest.raises(DatasetError, match=f"lacks {TRAINING_FONTS[1]}.*install"):
        Renderer(tmp_path, tmp_path, seed=1).list_clips(1)


def test_song_of_pop909_becomes_a_clip_that_the_teachers_can_hear(shared: Path) -> None:
    if shutil.which("fluidsynth") is None or not all(
        (SOUND_FONTS / name).exists() for name in TRAINING_FONTS
    ):
        pytest.skip("fluidsynth or its sound fonts are not installed")
    renderer = Renderer(shared / "music" / "pop909", SOUND_FONTS, seed=1)
    with pytest.raises(DatasetError, match="100000 renderings asked for"):
        renderer.list_clips(100_000)
    clips = renderer.list_clips(3)
    assert [clip.key for clip in clips] == ["pop909/001", "pop909/002", "pop909/003"]
    assert {clip.split for clip in clips} == {"train"}
    sound = renderer.render(clips[1].path)
    assert sound.dtype == np.float32
    assert 27 * 16_000 < len(sound) < 47 * 16_000
    assert 0.05 < np.abs(sound).max() <= 1
    assert np.abs(np.diff(sound)).max() > 1e-3
