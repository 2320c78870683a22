"""Sound files in every container, and with every kind of tags that an mp3 may have."""

from pathlib import Path

import pytest
from mutagen.apev2 import APEv2
from mutagen.id3 import ID3, TIT2

from tests.library.file_tags.sounds import SOUNDS, write_sound

MP3_TAGS = ("mp3 with ID3v2.3", "mp3 with ID3v1", "mp3 with APEv2")


@pytest.fixture(params=[*SOUNDS, *MP3_TAGS])
def sound(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A short file of each kind in turn, without tags or with one that no test looks at."""
    if request.param in SOUNDS:
        return write_sound(tmp_path, request.param)
    path = write_sound(tmp_path, "mp3")
    ID3(path).delete()
    if request.param == "mp3 with ID3v2.3":
        tags = ID3()
        tags.add(TIT2(encoding=0, text=""))
        tags.save(path, v2_version=3)
    elif request.param == "mp3 with ID3v1":
        path.write_bytes(path.read_bytes() + b"TAG".ljust(127, b"\0") + b"\xff")
    else:
        ape = APEv2()
        ape["Tool"] = "none"
        ape.save(path)
    return path
