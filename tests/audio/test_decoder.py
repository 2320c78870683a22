"""Decoding in a child process: the same result, and crashes and hangs that end one file only."""

import gc
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from taggram.audio import worker
from taggram.audio.container import Limits
from taggram.audio.decode import decode
from taggram.audio.decoder import Decoder, _Child, _Watchdog
from taggram.audio.protocol import Kind, Request, pack_request, read_message, write_message
from taggram.errors import AudioError, TaggramError
from tests.audio.conftest import SONG_DURATION
from tests.audio.make_audio import Waveform, cut, make_music, make_song, write_sound

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    with Decoder() as decoder:
        yield decoder


@pytest.fixture(scope="module")
def long_song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five minutes: more blocks than the pipe holds."""
    music = make_music(300.0, 16_000, 1)
    return write_sound(tmp_path_factory.mktemp("long") / "long.wav", music, 16_000, subtype="PCM_16")


def concatenate(blocks: Iterator[Waveform]) -> Waveform:
    return np.concatenate([np.empty(0, np.float32), *blocks])


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("part", [{}, {"start": 2.5, "duration": 3.0}])
def test_the_same_blocks_report_and_errors(
    songs: dict[str, Path], tmp_path: Path, part: dict[str, Any]
) -> None:
    paths = [*songs.values(), cut(songs["song.flac"], tmp_path / "half.flac", 0.5)]
    with Decoder() as decoder:
        for path in paths:
            here = decode(path, sample_rate=22_050, **part)
            there = decoder.decode(path, sample_rate=22_050, **part)
            np.testing.assert_array_equal(concatenate(there), concatenate(here))
            assert there.report == here.report
        assert decoder.pid is not None
        pid = decoder.pid
        (tmp_path / "text.mp3").write_text("no music")
        for path in (tmp_path / "gone.mp3", tmp_path, tmp_path / "text.mp3"):
            with pytest.raises(AudioError) as here_error:
                next(decode(path, sample_rate=22_050, **part))
            with pytest.raises(AudioError) as there_error:
                next(decoder.decode(path, sample_rate=22_050, **part))
            assert str(there_error.value) == str(here_error.value)
            assert there_error.value.outcome == here_error.value.outcome
        assert decoder.pid == pid  # an error is no reason for a new process


def test_blocks_can_be_changed(decoder: Decoder, songs: dict[str, Path]) -> None:
    block = next(decoder.decode(songs["song.wav"], sample_rate=16_000))
    assert block.flags.writeable


def test_names_travel_unharmed(decoder: Decoder, songs: dict[str, Path], tmp_path: Path) -> None:
    names = ["with space.mp3", "ünïcödé 🎵.mp3", "new\nline.mp3"] if sys.platform != "win32" else ["a b.mp3"]
    paths: list[Path | bytes] = [tmp_path / name for name in names]
    if sys.platform == "linux":
        paths.append(os.fsencode(tmp_path) + b"/caf\xe9 \xff.mp3")
    for path in paths:
        Path(os.fsdecode(path)).write_bytes(songs["song.mp3"].read_bytes())
        decoding = decoder.decode(path, sample_rate=16_000)
        assert len(concatenate(decoding)) == SONG_DURATION * 16_000


def test_relative_names_are_those_of_this_process(
    songs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Decoder() as decoder:
        (tmp_path / "song.mp3").write_bytes(songs["song.mp3"].read_bytes())
        monkeypatch.chdir(tmp_path)
        assert len(concatenate(decoder.decode("song.mp3", sample_rate=16_000)))


@needs_posix
def test_a_crash_ends_one_file(decoder: Decoder, long_song: Path, songs: dict[str, Path]) -> None:
    decoding = decoder.decode(long_song, sample_rate=16_000)
    next(decoding)
    assert decoder.pid is not None
    pid = decoder.pid
    os.kill(pid, signal.SIGSEGV)
    match = r"long\.wav: crashed the decoder process \(signal SIGSEGV\); .* get it again or leave it out"
    with pytest.raises(AudioError, match=match) as caught:
        list(decoding)
    assert caught.value.outcome == "corrupt"
    assert not is_alive(pid)
    assert len(concatenate(decoder.decode(songs["song.flac"], sample_rate=16_000))) == SONG_DURATION * 16_000
    assert decoder.pid != pid


@needs_posix
def test_a_crash_between_files_is_nobodys_fault(decoder: Decoder, songs: dict[str, Path]) -> None:
    list(decoder.decode(songs["song.flac"], sample_rate=16_000))
    assert decoder.pid is not None
    os.kill(decoder.pid, signal.SIGKILL)
    os.waitid(os.P_PID, decoder.pid, os.WEXITED | os.WNOWAIT)
    assert len(concatenate(decoder.decode(songs["song.mp3"], sample_rate=16_000)))


@needs_posix
def test_a_hang_ends_in_a_timeout(decoder: Decoder, long_song: Path, songs: dict[str, Path]) -> None:
    list(decoder.decode(songs["song.mp3"], sample_rate=16_000))  # it has started
    decoding = decoder.decode(long_song, sample_rate=16_000, timeout=1.5)
    next(decoding)
    assert decoder.pid is not None
    pid = decoder.pid
    os.kill(pid, signal.SIGSTOP)
    begin = time.monotonic()
    match = r"long\.wav: the decoder gave nothing for 1\.5 s, .* leave it out or allow more time"
    with pytest.raises(AudioError, match=match) as caught:
        list(decoding)
    assert caught.value.outcome == "timeout"
    assert 1.4 < time.monotonic() - begin < 30
    assert not is_alive(pid)
    assert len(concatenate(decoder.decode(songs["song.mp3"], sample_rate=16_000)))


def test_the_whole_file_has_a_limit_too() -> None:
    """A child that gives something now and then, but too slowly."""
    stopped = threading.Event()
    child = cast("_Child", SimpleNamespace(stop=stopped.set))
    watchdog = _Watchdog(child, timeout=60.0, total_timeout=0.3)
    n_waits = 0
    while not stopped.is_set():
        assert watchdog.verdict("song.mp3") is None
        with watchdog:
            stopped.wait(0.05)
        n_waits += 1
    watchdog.end()
    assert 2 <= n_waits <= 7
    verdict = watchdog.verdict("song.mp3")
    assert verdict is not None
    assert verdict.outcome == "timeout"
    assert "took more than 0.3 s in all" in str(verdict)


def test_a_slow_reader_is_no_hang(decoder: Decoder, long_song: Path, songs: dict[str, Path]) -> None:
    """The time between two blocks belongs to the reader, also while the child waits for the pipe."""
    list(decoder.decode(songs["song.mp3"], sample_rate=16_000))  # it has started
    decoding = decoder.decode(long_song, sample_rate=16_000, timeout=1.5, total_timeout=1.9)
    next(decoding)
    time.sleep(2.0)
    n_samples = sum(map(len, decoding))
    assert n_samples > 290 * 16_000
    assert decoding.report.duration == 300.0


def test_giving_up_half_way_leaves_the_decoder_usable(
    decoder: Decoder, long_song: Path, songs: dict[str, Path]
) -> None:
    """By closing, by forgetting, and by beginning the next file."""
    song = songs["song.flac"]
    expected = concatenate(decode(song, sample_rate=16_000))
    decoding = decoder.decode(long_song, sample_rate=16_000)
    next(decoding)
    decoding.close()
    assert list(decoding) == []
    np.testing.assert_array_equal(concatenate(decoder.decode(song, sample_rate=16_000)), expected)

    next(decoder.decode(long_song, sample_rate=16_000))
    gc.collect()
    np.testing.assert_array_equal(concatenate(decoder.decode(song, sample_rate=16_000)), expected)

    left = decoder.decode(long_song, sample_rate=16_000)
    next(left)
    np.testing.assert_array_equal(concatenate(decoder.decode(song, sample_rate=16_000)), expected)
    with pytest.raises(RuntimeError, match="given up when the decoder began another"):
        list(left)
    np.testing.assert_array_equal(concatenate(decoder.decode(song, sample_rate=16_000)), expected)


def test_a_decoding_that_never_began_disturbs_nothing(decoder: Decoder, songs: dict[str, Path]) -> None:
    first = decoder.decode(songs["song.flac"], sample_rate=16_000)
    second = decoder.decode(songs["song.mp3"], sample_rate=16_000)
    assert len(concatenate(second)) == len(concatenate(first)) == SONG_DURATION * 16_000


def test_closing_and_using_again(songs: dict[str, Path]) -> None:
    decoder = Decoder()
    pids = {decoder.pid}
    for _ in range(2):
        assert len(concatenate(decoder.decode(songs["song.wav"], sample_rate=16_000)))
        pid = decoder.pid
        assert pid is not None
        decoder.close()
        pids |= {pid, decoder.pid}
        assert sys.platform == "win32" or not is_alive(pid)
    decoder.close()
    assert len(pids) == 3
    assert None in pids


def test_a_forgotten_decoder_takes_its_child_along(songs: dict[str, Path]) -> None:
    decoder = Decoder()
    list(decoder.decode(songs["song.wav"], sample_rate=16_000))
    pid = decoder.pid
    assert pid is not None
    del decoder
    gc.collect()
    assert sys.platform == "win32" or not is_alive(pid)


PARENT = """
import sys, os
from taggram.audio.decoder import Decoder
decoder = Decoder()
decoding = decoder.decode(sys.argv[1], sample_rate=16000)
next(decoding)
print(decoder.pid, flush=True)
os.kill(os.getpid(), 9)
"""


@needs_posix
def test_the_child_does_not_outlive_a_parent_that_is_killed(long_song: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PARENT, str(long_song)], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL
    assert done.stderr == ""
    pid = int(done.stdout)
    deadline = time.monotonic() + 10
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(pid)


@needs_posix
def test_ctrl_c_is_for_the_parent(decoder: Decoder, long_song: Path) -> None:
    decoding = decoder.decode(long_song, sample_rate=16_000)
    next(decoding)
    assert decoder.pid is not None
    os.kill(decoder.pid, signal.SIGINT)
    list(decoding)
    assert decoding.report.duration == 300.0


def test_a_script_needs_no_guard(songs: dict[str, Path], tmp_path: Path) -> None:
    """No `if __name__ == "__main__"`, nothing on the terminal, no import from where we happen to be."""
    (tmp_path / "numpy.py").write_text("raise SystemExit('imported from the working directory')")
    (tmp_path / "scripts").mkdir()
    script = tmp_path / "scripts" / "script.py"
    script.write_text(
        "import sys\nfrom taggram.audio.decoder import Decoder\n"
        "decoding = Decoder().decode(sys.argv[1], sample_rate=16000)\n"
        "print(sum(map(len, decoding)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", script, songs["song.mp3"]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("144000\n", "", 0)


def test_the_child_loads_only_what_decoding_needs() -> None:
    code = "import sys, taggram.audio.worker; print(*sorted({n.split('.')[0] for n in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"av", "numpy", "soxr"} <= loaded
    assert not loaded & {"onnxruntime", "torch", "pydantic", "rich", "typer", "PIL", "scipy", "librosa"}


def test_limits_reach_the_child(songs: dict[str, Path]) -> None:
    with Decoder(limits=Limits(max_duration=2.0)) as decoder:
        decoding = decoder.decode(songs["song.mp3"], sample_rate=16_000)
        assert len(concatenate(decoding)) == 32_000
        assert decoding.report.is_truncated
    with Decoder(limits=Limits(max_channels=1)) as decoder, pytest.raises(AudioError, match="has 2 channels"):
        next(decoder.decode(songs["song.mp3"], sample_rate=16_000))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_limited(songs: dict[str, Path]) -> None:
    with Decoder(max_memory=2_000_000_000) as decoder:
        list(decoder.decode(songs["song.wav"], sample_rate=16_000))
        limits = Path(f"/proc/{decoder.pid}/limits").read_text()
        assert re.search(r"Max address space +2000000000 +2000000000 +bytes", limits)


def test_want_of_memory_ends_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(worker, "decode", greedy)
    pipe = io.BytesIO()
    worker._answer(Request(b"", b"song.mp3", 16_000, 0.0, None, Limits()), pipe)
    pipe.seek(0)
    message = read_message(pipe)
    assert message is not None
    fields = json.loads(message[1])
    assert (message[0], fields["outcome"]) == (Kind.ERROR, "corrupt")
    assert fields["message"].startswith("song.mp3: needs more memory than a decoder may take; ")


def test_arguments_are_checked_here(decoder: Decoder, songs: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match="sample_rate must be"):
        decoder.decode(songs["song.wav"], sample_rate=0)


def test_a_child_that_cannot_start_says_so(
    songs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "av.py").write_text("raise ImportError('no av here')")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    match = r"ended with exit code 1 before its first file; `.*` shows why"
    with pytest.raises(TaggramError, match=match) as caught:
        next(Decoder().decode(songs["song.wav"], sample_rate=16_000))
    assert not isinstance(caught.value, AudioError)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(TaggramError, match=r"cannot be started with '.*python': No such file"):
        next(Decoder().decode(songs["song.wav"], sample_rate=16_000))


def test_an_error_of_ours_is_not_blamed_on_the_file(songs: dict[str, Path]) -> None:
    """A request that the worker cannot carry out comes back as a traceback."""
    command = [sys.executable, "-m", "taggram.audio.worker", "0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert read_message(child.stdout) == (Kind.READY, bytearray())
        request = Request(b"", b"song.mp3", "fast", 0.0, None, Limits())  # type: ignore[arg-type]
        write_message(child.stdin, Kind.REQUEST, pack_request(request))
        message = read_message(child.stdout)
        assert message is not None
        assert message[0] is Kind.BUG
        assert b"Traceback" in message[1]
        child.stdin.close()
        assert child.wait(10) == 0


def test_several_threads_each_with_a_decoder(songs: dict[str, Path]) -> None:
    expected = {name: concatenate(decode(path, sample_rate=16_000)) for name, path in songs.items()}
    failures: list[str] = []

    def work() -> None:
        with Decoder() as decoder:
            for name, path in songs.items():
                if not np.array_equal(concatenate(decoder.decode(path, sample_rate=16_000)), expected[name]):
                    failures.append(name)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_flat_in_the_length_of_the_file(tmp_path: Path) -> None:
    """Half an hour of mp3 takes no more memory than half a minute, in either process."""
    short = make_song(tmp_path, "song.mp3", 30.0)
    long = tmp_path / "long.mp3"
    long.write_bytes(short.read_bytes() * 60)

    def peak(pid: int) -> int:
        status = Path(f"/proc/{pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0])  # kB

    with Decoder() as decoder:
        sum(map(len, decoder.decode(short, sample_rate=16_000)))
        assert decoder.pid is not None
        before = peak(decoder.pid), peak(os.getpid())
        decoding = decoder.decode(long, sample_rate=16_000)
        n_samples = sum(map(len, decoding))
        assert n_samples == pytest.approx(1800 * 16_000, rel=0.01)
        assert peak(decoder.pid) - before[0] < 8_000
        assert peak(os.getpid()) - before[1] < 8_000
