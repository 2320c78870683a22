"""Broken files, false files and files that are none: each ends in one outcome, and nothing is invented."""

import errno
import os
import stat
import struct
import sys
from io import FileIO
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from taggram.audio import container
from taggram.audio.decode import DecodeReport, decode
from taggram.errors import AudioError
from tests.audio.conftest import SONG_DURATION
from tests.audio.make_audio import (
    CONTAINERS,
    Waveform,
    claim_length,
    cut,
    encode,
    make_film,
    make_music,
    make_song,
    overwrite,
    without_xing,
)

NOISE = np.random.default_rng(7).bytes(200_000)
# Nothing in them says how long they are, or FFmpeg does not pass it on (w64).
WITHOUT_PROMISE = {"song.mp2", "song.aac", "song.ac3", "song.w64"}
PROMISING = sorted(set(CONTAINERS) - WITHOUT_PROMISE - {"song.m4a", "lossless.m4a"})  # index at the end


def hear(path: Path, sample_rate: int = 16_000) -> tuple[Waveform, DecodeReport]:
    decoding = decode(path, sample_rate=sample_rate)
    return np.concatenate([np.empty(0, np.float32), *decoding]), decoding.report


def refuse(path: Path, outcome: str, match: str) -> None:
    """Assert that the file is refused, by a message that names it, the cause and the remedy."""
    with pytest.raises(AudioError, match=match) as caught:
        hear(path)
    assert caught.value.outcome == outcome
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("name", PROMISING)
def test_a_file_cut_in_half_is_truncated(tmp_path: Path, songs: dict[str, Path], name: str) -> None:
    heard, report = hear(cut(songs[name], tmp_path / name, 0.5))
    whole, _ = hear(songs[name])
    assert report.is_truncated
    assert 0.3 * SONG_DURATION < report.duration < 0.6 * SONG_DURATION
    assert any("of the 9.0 s that its header declares" in n or "middle of a page" in n for n in report.notes)
    # The last quarter of a second may hold the filter's or the codec's end instead of what came next.
    n_safe = len(heard) - 4_000
    np.testing.assert_allclose(heard[:n_safe], whole[:n_safe], rtol=0, atol=1e-6)


def test_a_cut_m4a_is_truncated_if_its_index_is_in_front(tmp_path: Path, songs: dict[str, Path]) -> None:
    whole = encode(
        tmp_path / "stream.m4a",
        make_music(SONG_DURATION),
        44_100,
        "aac",
        container_options={"movflags": "faststart"},
    )
    _, report = hear(cut(whole, tmp_path / "front.m4a", 0.5))
    assert report.is_truncated
    assert 0.4 * SONG_DURATION < report.duration < 0.6 * SONG_DURATION
    behind = cut(songs["song.m4a"], tmp_path / "behind.m4a", 0.5)
    refuse(
        behind,
        "corrupt",
        r"behind\.m4a: begins like a file in the format MP4, but is too damaged or incomplete.*get it again",
    )


@pytest.mark.parametrize("name", ["song.aac", "song.mp2", "song.ac3", "trap.mp3"])
def test_a_guessed_length_makes_nothing_truncated(tmp_path: Path, songs: dict[str, Path], name: str) -> None:
    if name == "trap.mp3":
        path = without_xing(songs["song.mp3"], tmp_path / name)
    else:
        path = cut(songs[name], tmp_path / name, 0.5)
    _, report = hear(path)
    assert (report.declared_duration, report.is_truncated) == (None, False)


def test_joined_mp3_files_are_heard_to_the_end(tmp_path: Path, songs: dict[str, Path]) -> None:
    """The frame count of the first file is no promise for both."""
    path = tmp_path / "joined.mp3"
    path.write_bytes(songs["song.mp3"].read_bytes() * 2)
    _, report = hear(path)
    assert report.duration == pytest.approx(2 * SONG_DURATION, abs=0.1)
    assert (report.declared_duration, report.is_truncated) == (None, False)


@pytest.mark.parametrize(
    "name", ["song.mp3", "song.flac", "song.m4a", "song.aac", "song.opus", "song.ogg", "song.mka", "song.wv"]
)
def test_noise_in_the_middle_costs_no_more_than_itself(
    tmp_path: Path, songs: dict[str, Path], name: str
) -> None:
    _, report = hear(overwrite(songs[name], tmp_path / name, NOISE[:4096]))
    missing = SONG_DURATION - report.duration
    assert 0 <= missing < 2.5
    assert report.notes
    if name not in WITHOUT_PROMISE:
        assert report.is_truncated == (missing > 0.99)  # Opus declares 6.5 ms more than it holds


@pytest.mark.parametrize("damage", [bytes(60_000), NOISE[:4096]], ids=["zeros", "noise"])
@pytest.mark.parametrize("name", ["song.flac", "song.mka", "lossless.m4a", "song.wv", "song.tta"])
def test_nothing_is_invented(tmp_path: Path, songs: dict[str, Path], name: str, damage: bytes) -> None:
    """What is heard of a damaged lossless file is its beginning and its end, to the bit: no silence."""
    native = CONTAINERS[name][1]
    whole, _ = hear(songs[name], native)
    heard, report = hear(overwrite(songs[name], tmp_path / name, damage), native)
    assert report.duration < SONG_DURATION - 0.05
    assert report.notes
    n_samples = len(heard)
    front = np.argmax(np.append(heard != whole[:n_samples], True))
    back = np.argmax(np.append((heard != whole[-n_samples:])[::-1], True))
    assert front > 3 * native
    assert front + back == n_samples


@pytest.mark.parametrize("name", ["song.mp3", "song.aac"])
def test_junk_in_front_is_passed_over(tmp_path: Path, songs: dict[str, Path], name: str) -> None:
    path = tmp_path / name
    path.write_bytes(NOISE + songs[name].read_bytes())
    _, report = hear(path)
    assert report.duration == pytest.approx(SONG_DURATION, abs=0.3)
    assert not report.is_truncated


def test_a_large_tag_in_front_is_passed_over(tmp_path: Path, songs: dict[str, Path]) -> None:
    path = tmp_path / "tagged.mp3"
    size = bytes(3_000_000 >> shift & 0x7F for shift in (21, 14, 7, 0))
    path.write_bytes(b"ID3\4\0\0" + size + bytes(3_000_000) + songs["song.mp3"].read_bytes())
    heard, report = hear(path)
    np.testing.assert_array_equal(heard, hear(songs["song.mp3"])[0])
    assert report.declared_duration == pytest.approx(SONG_DURATION)


@pytest.mark.parametrize("name", ["song.ogg", "song.flac", "song.mp3", "song.wav", "song.wv"])
def test_a_scrap_at_the_end_is_no_damage(tmp_path: Path, songs: dict[str, Path], name: str) -> None:
    """As programs that write ID3 tags leave it behind files of every kind."""
    path = tmp_path / name
    path.write_bytes(songs[name].read_bytes() + b"TAG" + b"Title".ljust(125, b"\0"))
    _, report = hear(path)
    assert report.duration == pytest.approx(SONG_DURATION, abs=0.02)  # FFmpeg 8.0 misses the end of FLAC
    assert not report.is_truncated


def test_a_wav_that_claims_more_than_it_holds_is_truncated(tmp_path: Path, songs: dict[str, Path]) -> None:
    wav = songs["song.wav"]
    for length in (10 * wav.stat().st_size, 3_000_000_000):
        _, report = hear(claim_length(wav, tmp_path / "claim.wav", length))
        assert report.duration == SONG_DURATION
        assert report.declared_duration == pytest.approx(length / 176_400)
        assert report.is_truncated


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF, 0xFFFFFFFF - 36, 0x7FFFF000, 0x7FFFFFFF, 0x80000000])
def test_a_wav_from_a_pipe_promises_nothing(tmp_path: Path, songs: dict[str, Path], length: int) -> None:
    _, report = hear(claim_length(songs["song.wav"], tmp_path / "pipe.wav", length))
    assert report.duration == SONG_DURATION
    assert (report.declared_duration, report.is_truncated) == (None, False)


def test_a_long_wav_states_its_length_in_64_bits(tmp_path: Path) -> None:
    music = make_music(3.0, 16_000)
    path = tmp_path / "long.wav"
    soundfile.write(path, music.T, 16_000, subtype="PCM_16", format="RF64")
    assert path.read_bytes()[:4] == b"RF64"
    assert hear(path)[1].declared_duration == 3.0
    assert hear(cut(path, tmp_path / "half.wav", 0.5))[1].is_truncated


def test_an_empty_wav_holds_no_sound_and_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "empty.wav"
    soundfile.write(path, np.empty((0, 2)), 44_100)
    heard, report = hear(path)
    assert len(heard) == 0
    assert (report.duration, report.is_truncated, report.peak) == (0.0, False, 0.0)


def test_silence_is_sound(tmp_path: Path) -> None:
    path = tmp_path / "silence.flac"
    soundfile.write(path, np.zeros((44_100, 2)), 44_100)
    heard, report = hear(path)
    assert (len(heard), report.peak) == (16_000, 0.0)


@pytest.mark.parametrize("name", ["song.mp3", "song.flac", "song.ogg", "song.m4a", "song.mka", "song.wma"])
def test_only_a_head_is_corrupt(tmp_path: Path, songs: dict[str, Path], name: str) -> None:
    path = tmp_path / name
    path.write_bytes(songs[name].read_bytes()[:60])
    refuse(
        path, "corrupt", "begins like a file in the format .*, but is too damaged or incomplete.*get it again"
    )


def test_a_promise_without_sound_is_corrupt(tmp_path: Path, songs: dict[str, Path]) -> None:
    path = tmp_path / "head.wv"
    path.write_bytes(songs["song.wv"].read_bytes()[:300])
    refuse(path, "corrupt", "is a wv file, but nothing in it can be decoded; get it again")


@pytest.mark.parametrize("ending", ["mp3", "flac", "wav", "ogg", "m4a", "aac"])
@pytest.mark.parametrize("n_bytes", [300, 20_000, 200_000])
def test_garbage_is_no_sound_whatever_its_name(tmp_path: Path, ending: str, n_bytes: int) -> None:
    path = tmp_path / f"garbage.{ending}"
    path.write_bytes(NOISE[-n_bytes:])
    refuse(path, "not_audio", "is in no sound format that is known; if it should hold sound.*get it again")


def test_garbage_behind_a_signature_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "garbage.flac"
    path.write_bytes(b"fLaC" + NOISE)
    refuse(path, "corrupt", "begins like a file in the format FLAC")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.mp3", b""),
        ("zeros.mp3", bytes(100_000)),
        ("text.mp3", b"No music here, only words.\n" * 1_000),
        ("page.mp3", b"<!DOCTYPE html><html><body>Not found</body></html>"),
        ("subtitles.mp3", b"1\n00:00:01,000 --> 00:00:02,000\nla la la\n\n" * 50),
        ("archive.mp3", b"PK\3\4" + NOISE[:9_000]),
        ("notes.mid", b"MThd\0\0\0\6\0\1\0\1\0\x60MTrk\0\0\0\4\0\xff\x2f\0"),
    ],
)
def test_other_content_is_no_sound(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    refuse(path, "not_audio", "is empty" if not content else "is in no sound format that is known")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
def test_pictures_are_no_sound(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "picture.mp3"
    Image.effect_noise((64, 64), 50).save(path, format=kind)
    refuse(path, "not_audio", "is in no sound format that is known")


def test_a_film_without_sound_is_no_sound(tmp_path: Path) -> None:
    refuse(
        make_film(tmp_path / "film.mp4", 2.0, None),
        "not_audio",
        "is a QuickTime / MOV file without any sound",
    )


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{song}\n#EXT-X-ENDLIST\n",
    "hls address": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{song}\n#EXT-X-ENDLIST\n",
    "m3u": "#EXTM3U\n#EXTINF:9,song\n{song}\n",
    "concat": "ffconcat version 1.0\nfile '{song}'\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet '
    'mimeType="audio/mp4"><Representation id="1"><BaseURL>{song}</BaseURL></Representation>'
    "</AdaptationSet></Period></MPD>",
    "session": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_playlist_opens_nothing(tmp_path: Path, songs: dict[str, Path], kind: str) -> None:
    """Uploaded under a harmless name, it must not make the program read a file beside it."""
    path = tmp_path / "song.mp3"
    path.write_text(PLAYLISTS[kind].format(song=songs["song.mp3"]), encoding="utf-8")
    refuse(path, "not_audio", "is in no sound format that is known")


def test_an_unknown_codec_is_unsupported(tmp_path: Path, songs: dict[str, Path]) -> None:
    path = tmp_path / "strange.wav"
    data = bytearray(songs["song.wav"].read_bytes())
    at = data.index(b"fmt ") + 8
    data[at : at + 2] = struct.pack("<H", 0x1234)
    path.write_bytes(data)
    refuse(path, "unsupported", "in a codec that cannot be decoded, or protected; convert it")


@pytest.mark.parametrize(("rate", "match"), [(100, "100 Hz"), (0x7FFFFFFF, "2147483647 Hz")])
def test_an_absurd_sample_rate_is_unsupported(
    tmp_path: Path, songs: dict[str, Path], rate: int, match: str
) -> None:
    path = tmp_path / "rate.wav"
    data = bytearray(songs["song.wav"].read_bytes())
    at = data.index(b"fmt ") + 12
    data[at : at + 4] = struct.pack("<I", rate)
    path.write_bytes(data)
    refuse(path, "unsupported", f"has a sample rate of {match}, accepted are 1000 to 768000 Hz; convert it")


def test_what_cannot_be_opened_is_unreadable(tmp_path: Path) -> None:
    refuse(tmp_path / "gone.mp3", "unreadable", "does not exist; check the path")
    refuse(tmp_path, "unreadable", "is a folder, not a file; name the files in it")
    (tmp_path / "link.mp3").symlink_to(tmp_path / "gone.mp3")
    refuse(tmp_path / "link.mp3", "unreadable", "is a link to a file that does not exist; check the path")
    (tmp_path / "loop.mp3").symlink_to(tmp_path / "loop.mp3")
    refuse(tmp_path / "loop.mp3", "unreadable", "cannot be read: .*; check the path")
    (tmp_path / "file").write_bytes(b"x")
    refuse(tmp_path / "file" / "song.mp3", "unreadable", "cannot be read: .*; check the path")
    with pytest.raises(AudioError, match=r"nul\\x00\.mp3: cannot be read: .*embedded null") as caught:
        decode("nul\0.mp3", sample_rate=16_000).__next__()
    assert caught.value.outcome == "unreadable"


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="permissions do not bind this user")
def test_without_permission_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "secret.mp3"
    path.write_bytes(b"x")
    path.chmod(0)
    refuse(path, "unreadable", "cannot be read: Permission denied; check the path, the permissions")
    path.chmod(stat.S_IRWXU)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_unreadable_and_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    refuse(tmp_path / "pipe.wav", "unreadable", "is no regular file; copy its sound to a file")


def test_an_error_of_the_disk_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class BadDisk(FileIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 400_000:
                raise OSError(5, "Input/output error")
            return super().read(size) or b""

    path = make_song(tmp_path, "song.wav", 9.0)
    monkeypatch.setattr(container, "FileIO", BadDisk)
    refuse(path, "unreadable", "cannot be read: Input/output error; check .* the disk")


def test_damage_at_random_places_is_survived(
    songs: dict[str, Path], tmp_path: Path, rng: np.random.Generator
) -> None:
    """Whatever ten random bytes do, the end is a report or one of our errors."""
    outcomes = set()
    for name in CONTAINERS:
        data = bytearray(songs[name].read_bytes())
        for _ in range(4):
            copy = bytearray(data)
            for place in rng.integers(0, min(len(copy), 4_000), 5):
                copy[place] = rng.integers(256)
            for place in rng.integers(0, len(copy), 5):
                copy[place] = rng.integers(256)
            path = tmp_path / name
            path.write_bytes(copy)
            try:
                _, report = hear(path)
                outcomes.add("truncated" if report.is_truncated else "heard")
            except AudioError as error:
                outcomes.add(error.outcome)
    assert {"heard", "corrupt"} <= outcomes
    assert "unreadable" not in outcomes


def test_an_impossible_place_in_the_file_is_no_error_of_the_disk(songs: dict[str, Path]) -> None:
    """Where a damaged header sends FFmpeg; the file is corrupt then, not unreadable."""
    with FileIO(songs["song.wav"]) as file:
        anonymous = container._Anonymous(file)
        assert anonymous.seek(-1) == -errno.EINVAL
        assert anonymous.seek(10) == anonymous.tell() == 10
