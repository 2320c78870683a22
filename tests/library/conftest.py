"""Fixtures for the library: an empty one, a tagger that hears three bands, and a folder of songs."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from taggram import Tagger
from taggram.library import Library
from tests.inference.test_tagger import write_wav

Tone = Callable[..., np.ndarray]


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    """An empty library."""
    with Library.open(tmp_path / "library.db") as library:
        yield library


@pytest.fixture
def tagger(tiny_model: Path) -> Iterator[Tagger]:
    with Tagger.load(tiny_model, n_threads=1) as tagger:
        yield tagger


@pytest.fixture
def songs(tmp_path: Path, tone: Tone) -> Path:
    """A folder: a low and a high song, one of them twice, and files that hold no sound."""
    folder = tmp_path / "music"
    (folder / "deep").mkdir(parents=True)
    write_wav(folder / "low.wav", tone(300, 2.0))
    write_wav(folder / "high 🎵.wav", tone(3500, 2.5))
    write_wav(folder / "deep" / "low again.wav", tone(300, 2.0))
    write_wav(folder / "deep" / "short.wav", tone(300, 0.5))
    (folder / "broken.mp3").write_bytes(b"nothing to hear " * 100)
    (folder / "cover.jpg").write_bytes(b"\xff\xd8")
    return folder
