"""Reading mp3 files by their frames gives to the bit what FFmpeg's demuxer gives, also of broken ones."""

from io import FileIO
from pathlib import Path

import numpy as np
import pytest

from taggram.audio.container import Limits, open_sound
from taggram.audio.decode import DecodeReport, decode
from taggram.audio.frames import FrameReader
from taggram.audio.mp3 import Mp3Header, read_header
from tests.audio.make_audio import Waveform, cut, encode, make_music, make_song, overwrite, without_xing

NOISE = np.random.default_rng(3).bytes(100_000)


def make_variant(folder: Path, name: str) -> Path:
    """Write one mp3 of five seconds."""
    song, path = make_song(folder, "song.mp3", 5.0), folder / "variant.mp3"
    match name:
        case "constant":
            return song
        case "variable":
            return encode(path, make_music(5.0), 44_100, "libmp3lame", quality=3)
        case "low rate":
            return encode(path, make_music(5.0, 22_050, 1), 22_050, "libmp3lame", bit_rate=32_000)
        case "layer 2":
            return make_song(folder, "song.mp2", 5.0)
        case "without count":
            return without_xing(song, path)
        case "half":
            return cut(song, path, 0.5)
        case "noise":
            return overwrite(song, path, NOISE[:4096])
        case "junk":
            path.write_bytes(NOISE + song.read_bytes())
        case "joined":
            path.write_bytes(song.read_bytes() * 2)
        case "joined with another":
            (folder / "other").mkdir()
            other = encode(folder / "other" / "a.mp3", make_music(3.0, 48_000, 1), 48_000, "libmp3lame")
            path.write_bytes(song.read_bytes() + other.read_bytes())
        case "tags behind":
            path.write_bytes(song.read_bytes() + b"APETAGEX" + bytes(24) + NOISE[:900] + b"TAG" + bytes(125))
    return path


VARIANTS = [
    *("constant", "variable", "low rate", "layer 2", "without count", "half"),
    *("noise", "junk", "joined", "joined with another", "tags behind"),
]


def hear(path: Path) -> tuple[Waveform, DecodeReport]:
    decoding = decode(path, sample_rate=44_100)
    return np.concatenate(list(decoding)), decoding.report


@pytest.mark.parametrize("name", VARIANTS)
def test_the_same_as_from_the_demuxer(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_variant(tmp_path, name)
    parsed, parsed_report = hear(path)
    monkeypatch.setattr(FrameReader, "_parse_mp3", FrameReader._demux)
    demuxed, demuxed_report = hear(path)
    np.testing.assert_array_equal(parsed, demuxed)
    assert parsed_report == demuxed_report
    assert parsed_report.container == "mp3"


@pytest.mark.parametrize("name", ["constant", "variable", "low rate"])
def test_delay_and_padding_are_those_of_ffmpeg(tmp_path: Path, name: str) -> None:
    """So that a song is as long as it was before it was encoded, and begins where it began."""
    path = make_variant(tmp_path, name)
    sound, _ = hear(path)
    assert len(sound) == 5 * 44_100
    with FileIO(path) as file, open_sound(path, Limits()) as opened:
        file.seek(7)
        header = read_header(file)
        assert file.tell() == 7
        stream = opened.stream
        assert stream.start_time is not None
        assert stream.duration is not None
        assert stream.time_base is not None
        rate = stream.codec_context.sample_rate
        assert header.delay == round(stream.start_time * stream.time_base * rate)
        assert header.n_frames is not None
        n_samples = header.n_frames * (1152 if rate >= 32_000 else 576)
        assert n_samples - header.delay - header.padding == round(stream.duration * stream.time_base * rate)


def write_header(path: Path, *parts: bytes) -> Mp3Header:
    path.write_bytes(b"".join(parts))
    with FileIO(path) as file:
        return read_header(file)


def test_headers_by_example(tmp_path: Path) -> None:
    path, start = tmp_path / "a.mp3", b"\xff\xfb\x90\x44"
    tag = b"ID3\4\0\0\0\0\2\1" + bytes(257)
    footer = b"ID3\4\0\x10\0\0\0\5" + bytes(15)
    assert write_header(path) == Mp3Header(0)
    assert write_header(path, start, bytes(900)) == Mp3Header(0)
    assert write_header(path, tag, footer, start, bytes(900)) == Mp3Header(267 + 25)
    counted = b"Xing" + (1).to_bytes(4, "big") + (1234).to_bytes(4, "big")
    assert write_header(path, tag, start, bytes(32), counted) == Mp3Header(267, b"Xing", 1234)
    assert write_header(path, start, bytes(17), b"Info", bytes(200)) == Mp3Header(0, b"Info", None)
    assert write_header(path, start, bytes(17), b"Info") == Mp3Header(0, b"Info", None)
    vbri = b"VBRI" + bytes(10) + (77).to_bytes(4, "big")
    assert write_header(path, start, bytes(32), vbri) == Mp3Header(0, b"VBRI", 77)
    lame = counted.ljust(120, b"\0") + b"LAME3.100" + bytes(12) + bytes([0x24, 0x05, 0x00])
    assert write_header(path, start, bytes(32), lame) == Mp3Header(0, b"Xing", 1234, 576 + 529, 0x500 - 529)
