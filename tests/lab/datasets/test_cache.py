"""The cache of decoded sound: exact, complete, resumable after any kill, and checked."""

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from taggram.errors import ChecksumError, DatasetError, ShapeError
from taggram.lab.datasets import AudioCache, CacheIndex, Track, estimate, prepare
from taggram.lab.datasets import _prepare as prepare_module
from taggram.lab.datasets._prepare import JOURNAL, to_pcm
from tests.lab.datasets.copies import write_sound

ROOT = Path(__file__).resolve().parents[3]
RATE = 16_000


def make_tracks(folder: Path, n_tracks: int = 12) -> list[Track]:
    """Write tones of different lengths; two of the files are not sound, and one is missing."""
    tracks = [Track(f"t{number:02}", folder / f"{number}.wav") for number in range(n_tracks)]
    for number, track in enumerate(tracks):
        write_sound(track.path, n_samples=3000 + 517 * number, frequency=100 + 37 * number)
    tracks[3].path.write_bytes(b"no sound")
    tracks[7].path.write_bytes(b"")
    tracks[8].path.unlink()
    return tracks


def content_of(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


def expected(number: int) -> np.ndarray:
    tone = 0.5 * np.sin(2 * np.pi * (100 + 37 * number) * np.arange(3000 + 517 * number) / RATE)
    return (np.rint(tone * 32767) / 32768).astype(np.float32)


@pytest.fixture
def tracks(tmp_path: Path) -> list[Track]:
    """Twelve tracks, three of them bad."""
    return make_tracks(tmp_path / "sound")


def test_sound_comes_back_exactly(tracks: list[Track], tmp_path: Path, rng: np.random.Generator) -> None:
    prepare(reversed(tracks), tmp_path / "cache", sample_rate=RATE, workers=2, shard_bytes=30_000)
    cache = AudioCache(tmp_path / "cache")
    assert len(list((tmp_path / "cache").glob("shard-*.pcm"))) > 1
    assert cache.ids == tuple(track.id for number, track in enumerate(tracks) if number not in (3, 7, 8))
    assert len(cache) == 9
    for id_ in cache.ids:
        whole = expected(int(id_[1:]))
        np.testing.assert_array_equal(cache.read(id_), whole)
        assert cache.read(id_).dtype == np.float32
        for _ in range(20):
            start = int(rng.integers(0, cache.length(id_)))
            length = int(rng.integers(0, cache.length(id_) - start + 1))
            np.testing.assert_array_equal(
                cache.read(id_, start=start, length=length), whole[start : start + length]
            )
    cache.verify()


def test_bad_files_are_left_out_by_name(tracks: list[Track], tmp_path: Path) -> None:
    index = prepare(tracks, tmp_path / "cache", workers=2)
    assert {id_: cause.outcome for id_, cause in index.bad.items()} == {
        "t03": "not_audio",
        "t07": "not_audio",
        "t08": "unreadable",
    }
    cache = AudioCache(tmp_path / "cache")
    assert "t03" not in cache
    assert str(tracks[3].path) in cache.bad["t03"].message
    with pytest.raises(DatasetError, match=r"t03 was left out when the cache was made: .*3\.wav"):
        cache.read("t03")
    with pytest.raises(DatasetError, match="t99 is not in the cache"):
        cache.length("t99")


def test_bad_files_are_tried_again_only_if_asked(tracks: list[Track], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    prepare(tracks, cache, workers=1)
    write_sound(tracks[3].path)
    assert "t03" in prepare(tracks, cache, workers=1).bad
    index = prepare(tracks, cache, workers=1, retry_bad=True)
    assert sorted(index.bad) == ["t07", "t08"]
    assert AudioCache(cache).length("t03") == 800


def test_other_sample_rates_are_resampled(tmp_path: Path) -> None:
    track = Track("a", tmp_path / "a.wav")
    write_sound(track.path, n_samples=44_100, sample_rate=44_100)
    prepare([track], tmp_path / "cache", sample_rate=8_000, workers=1)
    sound = AudioCache(tmp_path / "cache").read("a")
    assert AudioCache(tmp_path / "cache").sample_rate == 8_000
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(8_000) / 8_000)
    assert len(sound) == 8_000
    # The filter rings at both ends; in between only rounding to 16 bit is left.
    assert np.abs(sound - tone)[200:-200].max() < 1e-4


def test_loud_sound_is_clipped_not_wrapped() -> None:
    samples = to_pcm(np.array([-1.5, -1.0, 0.0, 1.0, 2.0], np.float32))
    assert samples.tolist() == [-32768, -32768, 0, 32767, 32767]


def test_a_stretch_outside_the_track_is_an_error(tracks: list[Track], tmp_path: Path) -> None:
    prepare(tracks[:1], tmp_path / "cache", workers=1)
    cache = AudioCache(tmp_path / "cache")
    for start, length in ((0, 3001), (2999, 2), (-1, 1), (5, -1), (3001, None)):
        with pytest.raises(ShapeError, match="it has 3000"):
            cache.read("t00", start=start, length=length)
    assert len(cache.read("t00", start=3000)) == 0


def test_a_cache_travels_to_other_processes_without_its_sound(tracks: list[Track], tmp_path: Path) -> None:
    prepare(tracks, tmp_path / "cache", workers=2)
    cache = AudioCache(tmp_path / "cache")
    pickled = pickle.dumps(cache)
    assert len(pickled) < 500
    np.testing.assert_array_equal(pickle.loads(pickled).read("t01"), cache.read("t01"))


def test_it_does_not_depend_on_workers_or_order(tracks: list[Track], tmp_path: Path) -> None:
    for workers, order in ((1, tracks), (3, tracks[::-1])):
        prepare(order, tmp_path / f"cache{workers}", workers=workers, shard_bytes=20_000)
    assert content_of(tmp_path / "cache1") == content_of(tmp_path / "cache3")


def test_a_second_variant_extends_a_cache(tracks: list[Track], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    prepare(tracks[::2], cache, workers=1, shard_bytes=20_000)
    decoded: list[str] = []

    def watch(ids: Iterable[str], total: int) -> Iterable[str]:
        for id_ in ids:
            decoded.append(id_)
            yield id_

    index = prepare(tracks, cache, workers=1, shard_bytes=20_000, watch=watch)
    assert decoded == [track.id for track in tracks[1::2]]
    assert len(index.tracks) == 9
    assert len(index.bad) == 3
    reader = AudioCache(cache)
    reader.verify()
    for id_ in reader.ids:
        np.testing.assert_array_equal(reader.read(id_), expected(int(id_[1:])))


def test_a_finished_cache_is_left_as_it_is(tracks: list[Track], tmp_path: Path) -> None:
    prepare(tracks, tmp_path / "cache", workers=1)
    before = content_of(tmp_path / "cache")
    prepare(tracks, tmp_path / "cache", workers=1)
    assert content_of(tmp_path / "cache") == before


def test_nothing_but_bad_files_is_a_cache_too(tracks: list[Track], tmp_path: Path) -> None:
    prepare([tracks[3]], tmp_path / "cache", workers=1)
    cache = AudioCache(tmp_path / "cache")
    assert len(cache) == 0
    cache.verify()


# Interruption


def run_until_killed(tracks: Path, cache: Path, n_lines: int, delay: float) -> bool:
    """Prepare in another process and kill it when the journal has so many lines; False if it was faster."""
    program = (
        "import sys, pickle; from pathlib import Path; from taggram.lab.datasets import prepare\n"
        "tracks = pickle.loads(Path(sys.argv[1]).read_bytes())\n"
        "prepare(tracks, Path(sys.argv[2]), workers=2, shard_bytes=60_000)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(tracks), str(cache)], cwd=ROOT)
    journal = cache / JOURNAL
    while process.poll() is None:
        lines = journal.read_bytes().count(b"\n") if journal.is_file() else 0
        if lines >= n_lines:
            time.sleep(delay)
            os.kill(process.pid, signal.SIGKILL)
            break
        time.sleep(0.0005)
    return process.wait() == -signal.SIGKILL


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL on Windows")
def test_a_killed_run_goes_on_and_ends_like_an_unbroken_one(tmp_path: Path, rng: np.random.Generator) -> None:
    tracks = make_tracks(tmp_path / "sound", 60)
    (tmp_path / "tracks").write_bytes(pickle.dumps(tracks))
    prepare(tracks, tmp_path / "unbroken", workers=2, shard_bytes=60_000)
    broken = tmp_path / "broken"
    n_kills = 0
    for n_lines in (1, 12, 29, 47):
        n_kills += run_until_killed(tmp_path / "tracks", broken, n_lines, rng.uniform(0, 0.01))
        state = prepare_module._read_state(broken)
        assert len(state.known) >= n_lines - 1, "what was done before the kill is known after it"
    assert n_kills >= 3, "the runs were killed in the middle"
    done = prepare_module._read_state(broken).known
    decoded: list[str] = []

    def watch(ids: Iterable[str], total: int) -> Iterable[str]:
        assert total == 60 - len(done)
        for id_ in ids:
            decoded.append(id_)
            yield id_

    prepare(tracks, broken, workers=2, shard_bytes=60_000, watch=watch)
    assert not done & set(decoded), "what was done is not done again"
    assert content_of(broken) == content_of(tmp_path / "unbroken")


def test_a_stop_at_any_byte_ends_like_an_unbroken_run(
    tracks: list[Track], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    """Cut the journal anywhere, with anything behind the samples that it knows, and go on."""
    prepare(tracks, tmp_path / "unbroken", workers=1, shard_bytes=20_000)
    full = tmp_path / "full"

    def stop(writer: object) -> CacheIndex:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(prepare_module._Writer, "finish", stop)
        with pytest.raises(KeyboardInterrupt):
            prepare(tracks, full, workers=1, shard_bytes=20_000)
    journal = (full / JOURNAL).read_bytes()
    assert journal.count(b"\n") == 13
    ends = [0, 1, journal.index(b"\n"), journal.index(b"\n") + 1, len(journal) - 1, len(journal)]
    for end in [*ends, *map(int, rng.integers(0, len(journal), 12))]:
        cut = tmp_path / f"cut-{end}"
        shutil.copytree(full, cut)
        (cut / JOURNAL).write_bytes(journal[:end])
        prepare(tracks, cut, workers=1, shard_bytes=20_000)
        found = content_of(cut)
        used = {name: content for name, content in found.items() if name in content_of(tmp_path / "unbroken")}
        assert used == content_of(tmp_path / "unbroken")


def test_a_stop_while_extending_keeps_the_finished_part(
    tracks: list[Track], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    prepare(tracks[:6], cache, workers=1)
    before = AudioCache(cache)

    def watch(ids: Iterable[str], total: int) -> Iterable[str]:
        for number, id_ in enumerate(ids):
            if number == 2:
                raise KeyboardInterrupt
            yield id_

    with pytest.raises(KeyboardInterrupt):
        prepare(tracks, cache, workers=2, watch=watch)
    # The finished part stays readable, also while the rest is on its way.
    assert AudioCache(cache).ids == before.ids
    prepare(tracks, cache, workers=2)
    AudioCache(cache).verify()
    assert AudioCache(cache).ids == tuple(t.id for n, t in enumerate(tracks) if n not in (3, 7, 8))


# What is refused


def test_another_sample_rate_is_refused(tracks: list[Track], tmp_path: Path) -> None:
    prepare(tracks, tmp_path / "cache", workers=1)
    with pytest.raises(DatasetError, match=r"16000.*, asked for is .*22050.*; choose another folder"):
        prepare(tracks, tmp_path / "cache", sample_rate=22_050)


def test_a_full_disk_is_noticed_before_decoding(
    tracks: list[Track], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    assert not estimate(tracks, tmp_path / "cache").fits
    with pytest.raises(DatasetError, match=r"12 tracks need about 0\.0 GB, 0\.0 GB are free; choose another"):
        prepare(tracks, tmp_path / "cache")


def test_the_estimate_is_close_and_counts_what_is_left(tracks: list[Track], tmp_path: Path) -> None:
    whole = estimate(tracks, tmp_path / "cache", sample_rate=RATE)
    assert whole.n_tracks == 12
    prepare(tracks[:6], tmp_path / "cache", workers=1)
    assert estimate(tracks, tmp_path / "cache").n_tracks == 6
    prepare(tracks, tmp_path / "cache", workers=1)
    n_bytes = sum(path.stat().st_size for path in (tmp_path / "cache").glob("*.pcm"))
    # Bad files are expected to be as long as the others; a tenth is kept in reserve.
    assert n_bytes <= whole.n_bytes < 2 * n_bytes
    assert estimate(tracks, tmp_path / "cache").n_bytes == 0


@pytest.mark.skipif(os.name == "nt", reason="files cannot be locked there")
def test_two_runs_cannot_write_one_cache(tracks: list[Track], tmp_path: Path) -> None:
    def watch(ids: Iterable[str], total: int) -> Iterable[str]:
        with pytest.raises(DatasetError, match="another run is preparing this cache"):
            prepare(tracks, tmp_path / "cache", workers=1)
        return ids

    prepare(tracks, tmp_path / "cache", workers=1, watch=watch)


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2])


@pytest.mark.parametrize(("damage", "error"), [(_flip, ChecksumError), (_cut, DatasetError)])
def test_damage_is_noticed(
    tracks: list[Track], tmp_path: Path, damage: Callable[[Path], None], error: type[Exception]
) -> None:
    cache = tmp_path / "cache"
    prepare(tracks[:3], cache, workers=1)
    damage(cache / "shard-00000.pcm")
    with pytest.raises(error, match=r"shard-00000\.pcm.*delete the folder and prepare anew"):
        AudioCache(cache).verify()
    with pytest.raises((ChecksumError, DatasetError), match=r"shard-00000\.pcm"):
        prepare(tracks[:5], cache, workers=1)


def test_what_is_no_cache_says_so(tracks: list[Track], tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is no finished cache of decoded sound"):
        AudioCache(tmp_path)
    prepare(tracks[:1], tmp_path, workers=1)
    index = json.loads((tmp_path / "index.json").read_text())
    (tmp_path / "index.json").write_text(json.dumps({**index, "format": 99}))
    with pytest.raises(DatasetError, match="format 99, this version reads 1"):
        AudioCache(tmp_path)
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(DatasetError, match=r"index\.json: is damaged"):
        AudioCache(tmp_path)
