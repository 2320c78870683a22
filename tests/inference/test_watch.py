"""Watching the sound as it is tagged: every sample once, and a way to end the work."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from taggram import Tagger
from tests.inference.test_tagger import write_wav

Tone = Callable[..., np.ndarray]


def test_the_watcher_sees_all_that_is_heard(tiny_model: Path, tmp_path: Path, tone: Tone) -> None:
    song = write_wav(tmp_path / "song.wav", tone(300, 5.3))
    seen: list[np.ndarray] = []
    with Tagger.load(tiny_model, n_threads=1) as tagger:
        watched = tagger.tag(song, watch=lambda block: seen.append(block.copy()))
        alone = tagger.tag(song)
    np.testing.assert_array_equal(watched.taggram, alone.taggram)
    heard = np.concatenate(seen)
    assert len(heard) == round(alone.duration * 8000)
    np.testing.assert_allclose(heard, tone(300, 5.3), atol=1e-4)


def test_what_the_watcher_raises_ends_the_work(tiny_model: Path, tmp_path: Path, tone: Tone) -> None:
    class EnoughError(Exception):
        pass

    n_blocks = 0

    def watch(block: np.ndarray) -> None:
        nonlocal n_blocks
        n_blocks += 1
        raise EnoughError

    song = write_wav(tmp_path / "song.wav", tone(300, 60.0))
    with Tagger.load(tiny_model, n_threads=1) as tagger:
        with pytest.raises(EnoughError):
            tagger.tag(song, watch=watch)
        assert n_blocks == 1
        assert tagger.tag(song).duration == 60.0, "the next file is tagged as if nothing had been"
