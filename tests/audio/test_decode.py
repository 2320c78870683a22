"""Whole files and parts of them: every container, channel count, sample rate and sample type."""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from taggram.audio.container import Limits
from taggram.audio.decode import DecodeReport, decode
from taggram.audio.resample import Mixer
from taggram.errors import AudioError
from tests.audio.conftest import SONG_DURATION
from tests.audio.make_audio import (
    CONTAINERS,
    Waveform,
    encode,
    make_music,
    make_song,
    without_xing,
    write_sound,
)

LOSSLESS = {"song.wav", "song.aiff", "song.caf", "song.au", "song.w64", "song.flac", "song.mka"}
# Nothing in these files says how long the encoder's delay is, so it cannot be removed.
WITHOUT_DELAY = {"song.mp2", "song.aac", "song.wma", "song.ac3"}
# libsndfile decodes these with other code than FFmpeg does.
READ_BY_LIBSNDFILE = ["song.wav", "song.aiff", "song.flac", "song.ogg", "song.mp3", "song.opus"]


def hear(path: Path | bytes, sample_rate: int = 16_000, **part: Any) -> tuple[Waveform, DecodeReport]:
    decoding = decode(path, sample_rate=sample_rate, **part)
    blocks = list(decoding)
    assert all(block.dtype == np.float32 and block.ndim == 1 and len(block) for block in blocks)
    return np.concatenate([np.empty(0, np.float32), *blocks]), decoding.report


def mix_and_resample(waveform: NDArray[Any], native: int, sample_rate: int) -> NDArray[Any]:
    """Do the same in the plain way: float64, whole file."""
    return np.asarray(soxr.resample(waveform.astype(np.float64).mean(axis=0), native, sample_rate, "HQ"))


def largest_difference(one: NDArray[Any], other: NDArray[Any]) -> float:
    assert abs(len(one) - len(other)) <= 1  # two ways to round the last sample
    n_samples = min(len(one), len(other))
    assert np.abs(other).max() > 0.05
    return float(np.abs(one[:n_samples] - other[:n_samples]).max())


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container_is_heard_to_its_end(songs: dict[str, Path], name: str) -> None:
    sound, report = hear(songs[name])
    assert report.duration == len(sound) / 16_000
    assert report.duration == pytest.approx(SONG_DURATION, abs=0.06)  # a frame of padding
    assert (report.n_bad_packets, report.n_nonfinite, report.is_truncated, report.notes) == (0, 0, False, ())
    assert report.native_sample_rate == CONTAINERS[name][1]
    assert report.n_channels == 2
    assert 0.2 < report.peak < 1
    source = mix_and_resample(make_music(SONG_DURATION, CONTAINERS[name][1]), CONTAINERS[name][1], 16_000)
    n_samples = min(len(source), len(sound))
    if name in LOSSLESS:
        # 16 bits: half a step, dithered or truncated, of each channel
        assert largest_difference(sound, source) < 2**-14
    if name not in WITHOUT_DELAY:
        assert np.corrcoef(sound[:n_samples], source[:n_samples])[0, 1] > 0.99


@pytest.mark.parametrize("name", READ_BY_LIBSNDFILE)
@pytest.mark.parametrize("sample_rate", [16_000, 22_050, 48_000])
def test_agrees_with_another_decoder(songs: dict[str, Path], name: str, sample_rate: int) -> None:
    """libsndfile, mean over channels in float64 and soxr over the whole file give the same samples.

    Lossless formats differ by float32 rounding in the filter. Lossy decoders may round in their own way:
    the mp3 and Opus standards allow an error of about one step of 16 bits.
    """
    waveform, native = soundfile.read(songs[name], dtype="float64", always_2d=True)
    expected = mix_and_resample(waveform.T, native, sample_rate)
    sound, _ = hear(songs[name], sample_rate)
    tolerance = 1e-6 if CONTAINERS[name][0].startswith(("pcm", "flac")) else 1e-4
    assert largest_difference(sound, expected) < tolerance


@pytest.mark.parametrize("n_channels", [1, 2, 6, 8])
@pytest.mark.parametrize("name", ["song.wav", "song.flac", "song.m4a", "song.opus"])
def test_channel_counts(tmp_path: Path, name: str, n_channels: int) -> None:
    """Eight channels of AAC crash PyAV 18 when they are read as planes."""
    codec, sample_rate, options = CONTAINERS[name]
    music = make_music(3.0, sample_rate, n_channels)
    sound, report = hear(encode(tmp_path / name, music, sample_rate, codec, options=options), sample_rate)
    assert report.n_channels == n_channels
    mono = music.mean(axis=0)
    n_samples = min(len(mono), len(sound))
    # Lossy codecs keep only the bass of the channel that is for it.
    assert np.corrcoef(sound[:n_samples], mono[:n_samples])[0, 1] > (0.9 if n_channels > 2 else 0.99)


@pytest.mark.parametrize("n_channels", [1, 2, 3, 5, 7, 9, 16, 24, 64])
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_mono_is_the_mean_of_all_channels(
    tmp_path: Path, rng: np.random.Generator, n_channels: int, subtype: str
) -> None:
    noise = rng.uniform(-0.9, 0.9, (n_channels, 10_000)).astype(np.float32)
    path = write_sound(tmp_path / "many.wav", noise, 32_000, subtype=subtype, container_format="WAVEX")
    sound, _ = hear(path, 32_000)
    written = soundfile.read(path, dtype="float64", always_2d=True)[0].mean(axis=1)
    np.testing.assert_allclose(sound, written, rtol=0, atol=3e-7)


@pytest.mark.parametrize("sample_rate", [8_000, 11_025, 22_050, 32_000, 88_200, 96_000, 176_400, 192_000])
def test_sample_rates(tmp_path: Path, sample_rate: int) -> None:
    music = make_music(3.0, sample_rate)
    sound, report = hear(write_sound(tmp_path / "song.flac", music, sample_rate, subtype="PCM_24"))
    assert report.native_sample_rate == sample_rate
    assert largest_difference(sound, mix_and_resample(music, sample_rate, 16_000)) < 1e-5


@pytest.mark.parametrize("n_channels", [1, 2, 3])
@pytest.mark.parametrize(
    ("container_format", "subtype", "step"),
    [
        ("WAV", "PCM_U8", 2**-7),
        ("AIFF", "PCM_S8", 2**-7),
        ("WAV", "PCM_16", 2**-15),
        ("WAV", "PCM_24", 2**-23),
        ("AIFF", "PCM_24", 2**-23),
        ("WAV", "PCM_32", 2**-23),
        ("WAV", "FLOAT", 0),
        ("WAV", "DOUBLE", 0),
        ("WAV", "ULAW", 2**-5),
    ],
)
def test_sample_types(
    tmp_path: Path, container_format: str, subtype: str, step: float, n_channels: int
) -> None:
    music = make_music(1.0, 16_000, n_channels)
    path = write_sound(tmp_path / "song", music, 16_000, subtype=subtype, container_format=container_format)
    sound, _ = hear(path)
    np.testing.assert_allclose(sound, music.mean(axis=0), rtol=0, atol=step + 1e-6)
    assert abs(sound.mean() - music.mean()) < 0.6 * step + 1e-6  # libsndfile rounds down


def test_full_scale_is_one(tmp_path: Path) -> None:
    edges = np.tile(np.array([-1.0, 1.0 - 2**-15], np.float32), (2, 500))
    sound, report = hear(write_sound(tmp_path / "edges.wav", edges, 16_000, subtype="PCM_16"))
    assert (sound.min(), sound.max(), report.peak) == (-1.0, np.float32(1 - 2**-15), 1.0)


def test_what_is_no_number_becomes_zero_and_is_counted(tmp_path: Path) -> None:
    music = make_music(2.0, 16_000).astype(np.float64)
    music[0, 1_000:2_000] = np.nan
    music[1, 3_000] = np.inf
    music[0, 4_000] = 1e300  # too large for float32, and for a spectrogram
    music[0, 4_001] = 1e20
    path = tmp_path / "odd.wav"
    soundfile.write(path, music.T, 16_000, subtype="DOUBLE")
    sound, report = hear(path)
    assert report.n_nonfinite == 1_003
    assert np.isfinite(sound).all()
    assert not sound[1_000:2_000].any()
    assert report.peak < 1
    assert report.notes == ("samples that were not finite and became 0: 1003",)
    expected = np.nan_to_num(music.mean(axis=0), nan=0, posinf=0)
    expected[4_000:4_002] = 0
    np.testing.assert_allclose(sound, expected, rtol=0, atol=1e-7)


def test_mostly_no_numbers_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "nan.wav"
    soundfile.write(path, np.full((4_000, 2), np.nan), 16_000, subtype="DOUBLE")
    with pytest.raises(AudioError, match=r"nan\.wav: most of its samples are not numbers.*export") as caught:
        hear(path)
    assert caught.value.outcome == "corrupt"


def test_variable_bit_rate_without_a_frame_count_is_read_whole(tmp_path: Path) -> None:
    """The trap: libsndfile believes the first bit rates and stops far too early, without an error."""
    loud, quiet = make_music(20.0), make_music(70.0, seed=1)
    loud += np.random.default_rng(1).normal(0, 0.2, loud.shape).astype(np.float32)
    music = np.concatenate([loud, quiet], axis=1)
    whole = encode(tmp_path / "vbr.mp3", music, 44_100, "libmp3lame", quality=2)
    trap = without_xing(whole, tmp_path / "trap.mp3")
    assert len(soundfile.read(trap)[0]) < 0.7 * 90 * 44_100
    sound, report = hear(trap)
    assert report.duration == pytest.approx(90.0, abs=0.1)
    assert report.declared_duration is None  # FFmpeg's guess is no promise
    assert (report.is_truncated, report.notes) == (False, ())
    # The tag also says how long the delay of the encoder is: without it, the sound begins 1105 samples later.
    delayed = sound[round(1105 * 16 / 44.1) :]
    reference, _ = hear(whole)
    assert np.corrcoef(delayed[: len(reference)], reference[: len(delayed)])[0, 1] > 0.99
    part, _ = hear(trap, start=61.3, duration=2.0)
    np.testing.assert_allclose(part, sound[round(61.3 * 16_000) :][: len(part)], rtol=0, atol=1e-6)


def test_cover_art_is_not_sound(tmp_path: Path, songs: dict[str, Path]) -> None:
    """An mp3 with a picture of 300 kB in its tag."""
    picture = b"\0image/jpeg\0\3\0" + b"\xff\xd8\xff\xe0" + bytes(300_000) + b"\xff\xd9"
    frame = b"APIC" + len(picture).to_bytes(4, "big") + b"\0\0" + picture
    size = bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0))
    path = tmp_path / "covered.mp3"
    song = songs["song.mp3"].read_bytes()
    assert song[:3] == b"ID3"
    path.write_bytes(b"ID3\3\0\0" + size + frame + song[10 + song[9] + (song[8] << 7) :])
    sound, report = hear(path)
    np.testing.assert_array_equal(sound, hear(songs["song.mp3"])[0])
    assert report.declared_duration == pytest.approx(SONG_DURATION)
    assert report.n_bad_packets == 0


def test_sample_rate_and_channels_may_change_in_mid_stream(tmp_path: Path) -> None:
    stereo = make_song(tmp_path, "song.mp3", 4.0)
    mono = encode(tmp_path / "mono.mp3", make_music(4.0, 32_000, 1, seed=5), 32_000, "libmp3lame")
    both = tmp_path / "both.mp3"
    both.write_bytes(stereo.read_bytes() + mono.read_bytes())
    sound, report = hear(both)
    assert report.duration == pytest.approx(8.0, abs=0.15)
    for part, where in ((hear(stereo)[0], slice(0, 60_000)), (hear(mono)[0], slice(66_000, 125_000))):
        heard = sound[where]
        match = np.correlate(heard, part[20_000:30_000], "valid").max() / np.sum(part[20_000:30_000] ** 2)
        assert match == pytest.approx(1.0, abs=0.02)


PARTS = [(0.0, 1.0), (0.4, 2.0), (1.0, 0.5), (2.7, 1.3), (4.123456, 2.0), (6.5, None), (8.9, 5.0)]
# Matroska, WebM and Windows Media round times to 1 ms; AC-3 fills gaps with noise of its own.
INEXACT = {"song.webm", "song.wma", "song.ac3"}


@pytest.mark.parametrize("name", sorted(set(CONTAINERS) - INEXACT))
@pytest.mark.parametrize("sample_rate", [16_000, 44_100])
def test_a_part_is_that_part_of_the_whole(songs: dict[str, Path], name: str, sample_rate: int) -> None:
    """To float32 rounding in the filter; MPEG layer 2 comes in 16 bits and differs by one step."""
    whole, _ = hear(songs[name], sample_rate)
    tolerance = 2**-14 if name == "song.mp2" else 1e-6
    for start, duration in PARTS:
        part, report = hear(songs[name], sample_rate, start=start, duration=duration)
        begin = round(start * sample_rate)
        end = len(whole) if duration is None else begin + round(duration * sample_rate)
        assert len(part) == len(whole[begin:end])
        assert report.duration == len(part) / sample_rate
        assert (report.is_truncated, report.n_bad_packets) == (False, 0)
        np.testing.assert_allclose(part, whole[begin:end], rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", ["song.webm", "song.wma"])
def test_a_part_where_times_are_rounded(songs: dict[str, Path], name: str) -> None:
    whole, _ = hear(songs[name])
    part, _ = hear(songs[name], start=4.5, duration=2.0)
    assert len(part) == 32_000
    near = whole[round(4.5 * 16_000) - 20 : round(6.5 * 16_000) + 20]
    lag = int(np.argmax(np.correlate(near, part, "valid"))) - 20
    assert abs(lag) <= 16  # 1 ms


def test_a_part_behind_the_end_is_empty(songs: dict[str, Path]) -> None:
    for name in ("song.flac", "song.mp3", "song.m4a", "song.opus"):
        part, report = hear(songs[name], start=60.0, duration=1.0)
        assert len(part) == 0
        assert (report.duration, report.n_bad_packets) == (0.0, 0)


@pytest.mark.parametrize("name", ["song.wav", "song.flac", "song.m4a", "song.ogg", "song.mp3"])
def test_a_part_is_not_paid_for_with_the_whole(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a second near the end decodes a few seconds."""
    path = make_song(tmp_path, name, 40.0)
    n_mixed: list[int] = []
    original = Mixer.add

    def counting(self: Mixer, frame: Any) -> bool:
        n_mixed.append(frame.samples)
        return original(self, frame)

    monkeypatch.setattr(Mixer, "add", counting)
    part, _ = hear(path, start=35.0, duration=0.5)
    assert len(part) == 8_000
    assert sum(n_mixed) < 6 * 44_100


def test_chained_ogg_is_heard_and_cut_right(tmp_path: Path) -> None:
    """Each stream of a chain counts its time from 0, so that seeking would go astray."""
    links = []
    for seed in (1, 2):
        folder = tmp_path / str(seed)
        folder.mkdir()
        links.append(make_song(folder, "song.opus", 5.0, seed=seed))
    chain = tmp_path / "chain.opus"
    chain.write_bytes(b"".join(link.read_bytes() for link in links))
    whole, report = hear(chain)
    assert report.duration == pytest.approx(10.0, abs=0.05)
    assert not report.is_truncated
    part, _ = hear(chain, start=6.5, duration=2.0)
    np.testing.assert_allclose(part, whole[104_000:136_000], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "name",
    ["with space.wav", "ünïcödé 🎵.wav", "song.wav.txt", "no ending", "-dash.wav", "http:host.wav", "%d.wav"],
)
def test_names_do_not_matter(tmp_path: Path, songs: dict[str, Path], name: str) -> None:
    path = tmp_path / name
    path.write_bytes(songs["song.flac"].read_bytes())
    np.testing.assert_array_equal(hear(path)[0], hear(songs["song.flac"])[0])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes any bytes as a file name")
def test_names_that_are_no_text(tmp_path: Path, songs: dict[str, Path]) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9 \xff.mp3"
    Path(os.fsdecode(name)).write_bytes(songs["song.mp3"].read_bytes())
    expected, _ = hear(songs["song.mp3"])
    for path in (name, Path(os.fsdecode(name))):
        np.testing.assert_array_equal(hear(path)[0], expected)
    with pytest.raises(AudioError, match=r"caf\\xe9 \\xff\.mp3\.gone: does not exist") as caught:
        hear(name + b".gone")
    assert str(caught.value).encode()  # can be written anywhere


def test_limits(tmp_path: Path, songs: dict[str, Path]) -> None:
    sound, report = hear(songs["song.mp3"], limits=Limits(max_duration=3.0))
    assert len(sound) == 48_000
    assert report.is_truncated
    assert report.notes == ("stopped after 3 s, the longest that is allowed",)
    part, report = hear(songs["song.mp3"], limits=Limits(max_duration=3.0), duration=2.0)
    assert (len(part), report.is_truncated) == (32_000, False)
    for limits, match in (
        (Limits(max_sample_rate=40_000), "sample rate of 44100 Hz, accepted are 1000 to 40000 Hz; convert"),
        (Limits(max_channels=1), "has 2 channels, accepted are up to 1; mix it down"),
    ):
        with pytest.raises(AudioError, match=match) as caught:
            hear(songs["song.flac"], limits=limits)
        assert caught.value.outcome == "unsupported"


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"sample_rate": 0}, "sample_rate must be 1 to"),
        ({"sample_rate": 16_000, "start": -1.0}, "start must be 0 to"),
        ({"sample_rate": 16_000, "start": float("nan")}, "start must be 0 to"),
        ({"sample_rate": 16_000, "duration": 0.0}, "duration must be above 0 s"),
        ({"sample_rate": 16_000, "duration": float("inf")}, "duration must be above 0 s"),
    ],
)
def test_arguments_out_of_range(songs: dict[str, Path], arguments: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        decode(songs["song.wav"], **arguments)


def test_the_report_comes_last(songs: dict[str, Path]) -> None:
    decoding = decode(songs["song.wav"], sample_rate=16_000)
    next(decoding)
    with pytest.raises(RuntimeError, match="when all blocks have been read"):
        _ = decoding.report
    decoding.close()
    assert list(decoding) == []
