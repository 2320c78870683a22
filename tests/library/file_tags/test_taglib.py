"""TagLib, through which Navidrome and many players read, finds what was written."""

from pathlib import Path

import pytest

from taggram.library.file_tags.containers import TagFile
from taggram.library.file_tags.fields import find_field

taglib = pytest.importorskip("taglib", reason="pytaglib is not installed")

VALUES = {
    "genre": ("Deep House", "Acid/Jazz", "電子"),
    "mood": ("dark", "Größe"),
    "key": ("F#m",),
    "grouping": ("Evening",),
    "taggram_scores": ("house=0.93; jazz=0.40",),
    "my words": ("piano", "flûte"),
}
OTHER_NAMES = {"key": "INITIALKEY", "grouping": "WORK"}
ONLY_KNOWN = {"taggram_scores", "my words"}  # in ASF, TagLib reads names that it knows, and no others


def test_taglib_reads_what_we_write(sound: Path) -> None:
    file = TagFile.open(sound)
    for name, values in VALUES.items():
        file.set(name, values)
    file.save()
    with taglib.File(sound) as opened:
        found = dict(opened.tags)
    is_asf = sound.suffix == ".wma"
    for name, values in VALUES.items():
        if is_asf and name in ONLY_KNOWN:
            continue
        key = name.upper() if name.upper() in found else OTHER_NAMES.get(name, "")
        assert sorted(found[key]) == sorted(values)
        assert is_asf or tuple(found[key]) == values  # of ASF attributes, the order is TagLib's own


def test_what_taglib_writes_is_read(sound: Path) -> None:
    with taglib.File(sound) as opened:
        for name, values in VALUES.items():
            if sound.suffix != ".wma" or name not in ONLY_KNOWN | {"grouping"}:
                opened.tags["INITIALKEY" if name == "key" else name.upper()] = list(values)
        assert not opened.save()
    file = TagFile.open(sound)
    for name in ("genre", "mood", "key"):
        assert sorted(file.get(name)) == sorted(VALUES[name]), find_field(name)
