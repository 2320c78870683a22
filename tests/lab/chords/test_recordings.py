"""What training hears of a recording is what the runtime hears of it, and it is computed once."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from taggram.chords.network import ChordNetwork, Evidence
from taggram.chords.recogniser import ChordRecogniser
from taggram.lab.chords import recordings
from taggram.lab.chords.recordings import Recordings
from taggram.lab.datasets import Segment, Track, load_dataset
from tests.chords.sounds import RATE, SONG, play


@pytest.fixture
def track(tmp_path: Path) -> Track:
    """A song out of tune, with an id that has folders in it, as those of Isophonics."""
    path = tmp_path / "song.wav"
    soundfile.write(path, play(SONG, tuning=30), RATE)
    return Track("artist/album/01_-_song", path, (), (Segment(0, 2, "C:maj"),))


@pytest.fixture
def kept(tmp_path: Path) -> Recordings:
    return Recordings(tmp_path / "cache", load_dataset("isophonics"))


def test_a_spectrum_is_kept_as_the_runtime_hears_it(
    track: Track, kept: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[np.ndarray] = []
    listen = ChordNetwork.listen

    def note(network: ChordNetwork, frames: Iterable[np.ndarray]) -> Iterator[Evidence]:
        return listen(network, (heard.append(block) or block for block in frames))  # type: ignore[func-returns-value]

    monkeypatch.setattr(ChordNetwork, "listen", note)
    with ChordRecogniser.load() as recogniser:
        assert recogniser.recognise(track.path).tuning_cents == pytest.approx(30, abs=4)
    assert kept.hear([track]) == {}
    item = kept.item(track)
    assert item.chords == track.segments
    np.testing.assert_array_equal(item.spectrum, np.concatenate(heard).astype(np.float16))


def test_a_spectrum_is_computed_anew_only_if_it_would_be_another(
    track: Track, kept: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hear() -> list[str]:
        asked: list[str] = []

        def watch(tracks: Iterable[Track]) -> Iterator[Track]:
            for each in tracks:
                asked.append(each.id)
                yield each

        assert kept.hear([track], watch=watch) == {}
        return asked

    assert hear() == [track.id]
    assert hear() == []
    monkeypatch.setattr(recordings, "_SETTINGS", "other settings")
    assert hear() == [track.id]
    assert hear() == []


def test_what_cannot_be_heard_is_named_and_tried_again(track: Track, kept: Recordings) -> None:
    sound = track.path.read_bytes()
    track.path.write_bytes(sound[:30])
    assert list(kept.hear([track])) == [track.id]
    soundfile.write(track.path, np.zeros(RATE // 2, np.float32), RATE)
    assert kept.hear([track])[track.id].outcome == "too_short"
    track.path.write_bytes(sound)
    assert kept.hear([track]) == {}
