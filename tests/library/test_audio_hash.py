"""A recording is known by its packets: whatever is written around them, and by no other sound's."""

import shutil
from pathlib import Path

import av
import pytest

from taggram.audio.decode import decode
from taggram.errors import AudioError
from taggram.library.audio_hash import identify
from taggram.library.file_tags.containers import TagFile
from tests.conftest import ROOT
from tests.library.file_tags.sounds import SOUNDS, write_sound

CLIPS = ROOT / "examples" / "clips"


@pytest.mark.parametrize("kind", SOUNDS)
def test_tags_do_not_count(kind: str, tmp_path: Path) -> None:
    path = write_sound(tmp_path, kind)
    before, content = identify(path), path.read_bytes()
    for values in [("jazz", "blues" * 5000), ("x",), ()]:
        file = TagFile.open(path)
        file.set("genre", values)
        file.save()
        assert (path.read_bytes() != content) or not values
        assert identify(path) == before


@pytest.mark.parametrize("kind", SOUNDS)
def test_the_sound_counts(kind: str, tmp_path: Path) -> None:
    one, other = (write_sound(tmp_path, kind, seed=seed) for seed in (0, 1))
    assert identify(one).audio_hash != identify(other).audio_hash
    again = shutil.copy(one, tmp_path / "another name.mp3")
    assert identify(again) == identify(one)


def test_a_single_byte_of_sound_counts(tmp_path: Path) -> None:
    path = write_sound(tmp_path, "wav")
    before = identify(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert identify(path).audio_hash != before.audio_hash


@pytest.mark.parametrize("clip", ["adagio.m4a", "tide.opus"])
def test_another_container_file_of_the_same_packets_is_the_same(clip: str, tmp_path: Path) -> None:
    copy = tmp_path / clip
    with av.open(str(CLIPS / clip)) as source, av.open(str(copy), "w") as output:
        stream = output.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)
    assert copy.read_bytes() != (CLIPS / clip).read_bytes()
    assert identify(copy).audio_hash == identify(CLIPS / clip).audio_hash


APE_ITEM = (5).to_bytes(4, "little") + bytes(4) + b"genre\0Blues"


def ape_tag(*, with_header: bool) -> bytes:
    size = (len(APE_ITEM) + 32).to_bytes(4, "little")
    flags = (0x80 if with_header else 0) << 24

    def block(flags: int) -> bytes:
        version, n_items = (2000).to_bytes(4, "little"), (1).to_bytes(4, "little")
        return b"APETAGEX" + version + size + n_items + flags.to_bytes(4, "little") + bytes(8)

    return (block(flags | 0x20 << 24) if with_header else b"") + APE_ITEM + block(flags)


LYRICS = b"LYRICSBEGININD0000200"
ENDINGS = {
    "id3v1": b"TAG" + bytes(125),
    "ape": ape_tag(with_header=False),
    "ape with header": ape_tag(with_header=True),
    "ape, id3v1": ape_tag(with_header=True) + b"TAG" + bytes(125),
    "lyrics3, id3v1": LYRICS + b"%06d" % len(LYRICS) + b"LYRICS200" + b"TAG" + bytes(125),
    "twice": (b"TAG" + bytes(125)) * 2,
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_what_programs_write_behind_an_mp3_does_not_count(ending: bytes, tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    data = (CLIPS / "nocturne.mp3").read_bytes()
    path.write_bytes(data + ending)
    assert identify(path).audio_hash == identify(CLIPS / "nocturne.mp3").audio_hash
    path.write_bytes(data + b"\x55" * 7)
    assert identify(path).audio_hash != identify(CLIPS / "nocturne.mp3").audio_hash


def test_an_absurd_tag_size_is_survived(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    footer = b"APETAGEX" + (2000).to_bytes(4, "little") + b"\xff" * 4 + bytes(16)
    path.write_bytes((CLIPS / "nocturne.mp3").read_bytes() + footer)
    with pytest.raises(AudioError, match="holds headers, but no sound"):
        identify(path)


@pytest.mark.parametrize("clip", sorted(path.name for path in CLIPS.iterdir()))
def test_headers_are_read(clip: str) -> None:
    identity = identify(CLIPS / clip)
    decoding = decode(CLIPS / clip, sample_rate=16_000)
    assert sum(map(len, decoding)) > 0
    report = decoding.report
    assert (identity.container, identity.codec) == (report.container, report.codec)
    assert (identity.sample_rate, identity.n_channels) == (report.native_sample_rate, report.n_channels)
    assert identity.duration == report.declared_duration
    assert len(identity.audio_hash) == 32


def test_damage_in_the_middle_is_still_an_identity(tmp_path: Path) -> None:
    path = tmp_path / "cut.opus"
    data = (CLIPS / "tide.opus").read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert identify(path).audio_hash not in (b"", identify(CLIPS / "tide.opus").audio_hash)


@pytest.mark.parametrize(
    ("content", "outcome"), [(b"", "not_audio"), (b"words " * 500, "not_audio"), (None, "unreadable")]
)
def test_what_is_no_sound_has_no_identity(content: bytes | None, outcome: str, tmp_path: Path) -> None:
    path = tmp_path / "x.mp3"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AudioError, match=r"x\.mp3") as caught:
        identify(path)
    assert caught.value.outcome == outcome
