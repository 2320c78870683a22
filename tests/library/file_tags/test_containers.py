"""Fields are read and written in every container, and nothing else is touched."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import mutagen
import pytest
from mutagen.apev2 import APEv2
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, ID3, TCON, TDRC, TIT2, TMOO, TXXX, TYER
from mutagen.mp4 import MP4

from taggram.errors import FileTagError
from taggram.library.audio_hash import identify
from taggram.library.file_tags.containers import TagFile, read_fields
from taggram.library.file_tags.fields import FIELDS, find_field, find_writable_field
from tests.conftest import ROOT
from tests.library.file_tags.sounds import write_sound

VALUES = {
    "title": ("Ein Stück",),
    "genre": ("Deep House", "Acid/Jazz", "電子"),
    "mood": ("dark", "Größe"),
    "key": ("F#m",),
    "taggram_scores": ("house=0.93; jazz=0.40",),
    "instrument": ("piano", "flûte"),
}


def write(path: Path, values: dict[str, tuple[str, ...]]) -> None:
    file = TagFile.open(path)
    for name, texts in values.items():
        file.set(name, texts)
    file.save()


def test_fields_survive_in_every_container(sound: Path) -> None:
    audio_hash = identify(sound).audio_hash
    assert "genre" not in read_fields(sound)
    others = TagFile.open(sound).others(VALUES)
    write(sound, VALUES)
    assert read_fields(sound, ["instrument"]) == VALUES
    assert identify(sound).audio_hash == audio_hash
    assert TagFile.open(sound).others(VALUES) == others
    write(sound, {"genre": ("Techno",), "mood": (), "instrument": ()})
    expected = {**VALUES, "genre": ("Techno",)}
    del expected["mood"], expected["instrument"]
    assert read_fields(sound, ["instrument"]) == expected


def test_others_tell_what_else_changed(sound: Path) -> None:
    write(sound, VALUES)
    others = TagFile.open(sound).others(["genre"])
    write(sound, {"genre": ("other",)})
    assert TagFile.open(sound).others(["genre"]) == others
    write(sound, {"title": ("other",)})
    assert TagFile.open(sound).others(["genre"]) != others


def test_the_content_decides_not_the_name(sound: Path, tmp_path: Path) -> None:
    write(sound, {"genre": ("Techno",)})
    copy = TagFile.open(sound).copied_to(sound.rename(tmp_path / ".part"))
    assert copy.get("genre") == ("Techno",)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not take such a name")
def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9 \xf0\x9f\x8e\xb5.mp3"))
    write_sound(tmp_path, "mp3").rename(path)
    write(path, VALUES)
    assert read_fields(path)["genre"] == VALUES["genre"]


def test_id3_of_version_3_stays_version_3(tmp_path: Path) -> None:
    path = write_sound(tmp_path, "mp3")
    tags = ID3()
    tags.add(TYER(encoding=0, text="1999"))
    tags.add(TIT2(encoding=1, text="Größe"))
    tags.save(path, v2_version=3)
    write(path, VALUES)
    raw = ID3(path, translate=False)
    assert raw.version == (2, 3, 0)
    assert raw["TYER"].text == ["1999"]
    assert "TMOO" not in raw
    assert raw["TXXX:MOOD"].text == ["dark", "Größe"]
    assert all(frame.encoding in (0, 1) for frame in raw.values())
    fields = read_fields(path, ["instrument"])
    assert fields == {**VALUES, "date": ("1999",), "year": ("1999",)}


def test_id3_of_version_2_becomes_version_3(tmp_path: Path) -> None:
    path = write_sound(tmp_path, "mp3")
    frame = b"TCO" + (5).to_bytes(3, "big") + b"\0(17)"
    audio = path.read_bytes()
    size = 10 + int.from_bytes(audio[6:10], "big") if audio.startswith(b"ID3") else 0
    path.write_bytes(b"ID3\x02\0\0\0\0\0" + bytes([len(frame)]) + frame + audio[size:])
    assert read_fields(path) == {"genre": ("Rock",)}
    write(path, {"mood": ("dark",)})
    assert ID3(path, translate=False).version == (2, 3, 0)
    assert read_fields(path) == {"genre": ("Rock",), "mood": ("dark",)}


def test_id3v1_stays_as_it_is(tmp_path: Path) -> None:
    path = write_sound(tmp_path, "mp3")
    old = b"TAG" + b"Old title".ljust(124, b"\0") + b"\x11"
    path.write_bytes(path.read_bytes() + old)
    write(path, {"genre": ("Techno",)})
    assert path.read_bytes().endswith(old)
    assert "title" not in read_fields(path)


def test_id3v1_alone_is_read_and_taken_over(tmp_path: Path) -> None:
    path = write_sound(tmp_path, "mp3")
    ID3(path).delete()
    old = b"TAG" + b"Old title".ljust(124, b"\0") + b"\x11"
    path.write_bytes(path.read_bytes() + old)
    assert read_fields(path) == {"title": ("Old title",), "genre": ("Rock",)}
    write(path, {"mood": ("dark",)})
    assert read_fields(path) == {"title": ("Old title",), "genre": ("Rock",), "mood": ("dark",)}
    assert path.read_bytes().endswith(old)


def test_an_mp3_with_ape_tags_alone_keeps_them(tmp_path: Path) -> None:
    path = write_sound(tmp_path, "mp3")
    ID3(path).delete()
    tags = APEv2()
    tags["Title"] = "Song"
    tags["GENRE"] = ["Jazz", "Blues"]
    tags.save(path)
    assert read_fields(path) == {"title": ("Song",), "genre": ("Jazz", "Blues")}
    write(path, {"genre": ("Techno",)})
    assert read_fields(path) == {"title": ("Song",), "genre": ("Techno",)}
    assert not path.read_bytes().startswith(b"ID3")


def test_the_info_list_of_a_wav_comes_along(tmp_path: Path) -> None:
    path = write_sound(tmp_path, "wav")
    items = b"".join(
        name + struct.pack("<I", len(text)) + text + b"\0" * (len(text) % 2)
        for name, text in [(b"INAM", b"Titel\0"), (b"IART", "Größe".encode("cp1252")), (b"IGNR", b"Dub")]
    )
    data = path.read_bytes() + b"LIST" + struct.pack("<I", 4 + len(items)) + b"INFO" + items
    path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])
    found = {"title": ("Titel",), "artist": ("Größe",), "genre": ("Dub",)}
    assert read_fields(path) == found
    write(path, {"mood": ("dark",)})
    assert read_fields(path) == {**found, "mood": ("dark",)}
    assert items in path.read_bytes()


def test_fields_are_found_under_all_their_names(tmp_path: Path) -> None:
    path = write_sound(tmp_path, "flac")
    flac = FLAC(path)
    flac["initialkey"] = ["Am"]
    flac["Genre"] = ["Dub"]
    flac["album artist"] = ["Anna"]
    flac.save()
    assert read_fields(path) == {"key": ("Am",), "genre": ("Dub",), "albumartist": ("Anna",)}
    write(path, {"key": ("Cm",)})
    assert FLAC(path)["INITIALKEY"] == ["Cm"]
    assert "key" not in FLAC(path)
    path = write_sound(tmp_path, "mp3")
    tags = ID3()
    tags.add(TMOO(encoding=3, text=["calm"]))
    tags.add(TXXX(encoding=3, desc="Mood", text=["calm", "warm"]))
    tags.add(TCON(encoding=3, text=["(4)(9)", "52"]))
    tags.add(TDRC(encoding=3, text=["2001-02-03"]))
    tags.save(path)
    fields = read_fields(path)
    assert fields["mood"] == ("calm", "warm")
    assert fields["genre"] == ("Disco", "Metal", "Electronic")
    assert fields["year"] == ("2001",)
    write(path, {"mood": ("dark",)})
    assert ID3(path).getall("TMOO")[0].text == ["dark"]
    assert not ID3(path).getall("TXXX:Mood")


def test_numbers_of_an_mp4_are_read(tmp_path: Path) -> None:
    path = write_sound(tmp_path, "aac")
    file = MP4(path)
    file.tags["trkn"], file.tags["tmpo"], file.tags["cpil"] = [(3, 10)], [128], True
    file.tags["----:com.apple.iTunes:mood"] = [b"calm"]
    file.save()
    found = {"track": ("3/10",), "bpm": ("128",), "compilation": ("1",), "mood": ("calm",)}
    assert read_fields(path) == found
    write(path, {"mood": ("dark",)})
    assert read_fields(path) == {**found, "mood": ("dark",)}


def test_pictures_stay(tmp_path: Path) -> None:
    picture = os.urandom(100_000)
    path = write_sound(tmp_path, "flac")
    flac = FLAC(path)
    cover = Picture()
    cover.data = picture
    flac.add_picture(cover)
    flac.save()
    others = TagFile.open(path).others(VALUES)
    write(path, VALUES)
    assert FLAC(path).pictures[0].data == picture
    assert TagFile.open(path).others(VALUES) == others
    flac = FLAC(path)
    flac.clear_pictures()
    flac.save()
    assert TagFile.open(path).others(VALUES) != others
    path = write_sound(tmp_path, "mp3")
    tags = ID3(path)
    tags.add(APIC(encoding=0, mime="image/png", type=3, desc="", data=picture))
    tags.save(path)
    write(path, VALUES)
    assert ID3(path)["APIC:"].data == picture


def test_what_has_no_tags(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no sound at all")
    assert read_fields(path) == {}
    with pytest.raises(
        FileTagError, match=r"notes\.txt: its container has no tags that can be written"
    ) as caught:
        TagFile.open(path)
    assert caught.value.outcome == "unsupported"


def test_damage_and_absence_are_told_apart(tmp_path: Path) -> None:
    path = write_sound(tmp_path, "flac")
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(FileTagError, match="its tags are damaged") as caught:
        read_fields(path)
    assert caught.value.outcome == "corrupt"
    with pytest.raises(FileTagError, match="No such file") as caught:
        read_fields(tmp_path / "missing.mp3")
    assert caught.value.outcome == "unreadable"


@pytest.mark.parametrize("name", ["1st", "a=b", "", "Ü", "x" * 65])
def test_names_that_no_container_takes(name: str) -> None:
    with pytest.raises(FileTagError, match="is no name for a field"):
        find_field(name)


def test_numbers_are_not_written() -> None:
    assert find_writable_field("genre") is FIELDS["genre"]
    assert find_writable_field("my words").ape == ("MY WORDS",)
    for name in ("bpm", "year", "track"):
        with pytest.raises(FileTagError, match="is only read; written are album"):
            find_writable_field(name)


def test_one_module_knows_mutagen() -> None:
    source = ROOT / "src" / "taggram"
    users = [path.name for path in source.rglob("*.py") if "mutagen" in path.read_text().split('"""', 2)[-1]]
    assert users == ["containers.py"]
    code = "import sys, taggram, taggram.cli.main; sys.exit('mutagen' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert mutagen.version >= (1, 47)
