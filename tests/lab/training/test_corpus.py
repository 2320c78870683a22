from pathlib import Path

import numpy as np

from taggram.lab.training.corpus import Clip, WaveformCache, fingerprint, read_corpus

MANIFEST = "path,artist,split,genre\nsound/a 1.opus,A,train,rock\nsound/b.opus,B,test,pop\n"


def corpus(folder: Path) -> list[Clip]:
    (folder / "set").mkdir()
    (folder / "set" / "manifest.csv").write_text(MANIFEST, encoding="utf-8")
    return read_corpus(folder, ["set"])


def test_manifest_gives_clips_with_labels(tmp_path: Path) -> None:
    first, second = corpus(tmp_path)
    assert (first.key, first.split, first.labels["genre"]) == ("set/a 1", "train", "rock")
    assert second.path == tmp_path / "set" / "sound" / "b.opus"


def test_a_waveform_is_made_once(tmp_path: Path) -> None:
    made: list[np.ndarray] = []

    def make() -> np.ndarray:
        made.append(np.array([0.5, -1.5, 0.0], np.float32))
        return made[-1]

    cache = WaveformCache(tmp_path / "cache")
    loaded = [cache.load("4q/song", make), cache.load("4q/song", make)]
    assert len(made) == 1
    for waveform in loaded:
        np.testing.assert_allclose(waveform, [0.5, -1.0, 0.0], atol=4e-5)  # half a step of 16 bits, clipped


def test_fingerprint_names_clips_and_tags_but_not_their_reading_order(tmp_path: Path) -> None:
    clips = corpus(tmp_path)
    assert fingerprint(clips, ["x", "y"]) == fingerprint(clips[::-1], ["x", "y"])
    assert fingerprint(clips, ["x", "y"]) != fingerprint(clips, ["y", "x"])
    assert fingerprint(clips, ["x", "y"]) != fingerprint(clips[:1], ["x", "y"])


def test_splits_share_no_artist(shared: Path) -> None:
    artists: dict[str, set[str]] = {}
    for clip in read_corpus(shared / "music"):
        artists.setdefault(clip.split, set()).add(clip.labels["artist"])
    assert not artists["train"] & (artists["validation"] | artists["test"])
    assert not artists["validation"] & artists["test"]
