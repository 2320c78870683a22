"""What a field of a file is called in each family of file tags.

The names are those that MusicBrainz Picard writes and Navidrome reads: Picard's "Tag Mapping" appendix
and Navidrome's `resources/mappings.yaml`. Where programs disagree, the first name is the one written and
the others are read as well. A field that is not listed here has a name of its own in every family:
`TXXX:NAME` in ID3, `NAME` in Vorbis comments, APEv2 and ASF, `----:com.apple.iTunes:NAME` in MP4.

Conventions: names of fields are lower-case; a field is a tuple of texts in order, and an empty tuple is
a field that is not there.
"""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from taggram.errors import FileTagError

Family = Literal["id3", "vorbis", "mp4", "asf", "ape"]
FAMILIES: tuple[Family, ...] = get_args(Family)

OWN_FIELDS = ("taggram_scores", "taggram_model", "taggram_time")
"""Taggram's own namespace: scores as `name=0.93; …`, the model that gave them, and when (UTC)."""

_NAME = re.compile(r"[a-z][a-z0-9_ -]{0,63}")
_FREE_MP4 = "----:com.apple.iTunes:"
_FREE_ID3 = "TXXX:"


@dataclass(frozen=True)
class Field:
    """One field and its names in the families, the one that is written first.

    Attributes
    ----------
    name
        Taggram's name.
    id3, vorbis, mp4, asf, ape
        Names in the family; none where the family does not have the field.
    is_text
        The field is free text and may be written; numbers are only read.
    """

    name: str
    id3: tuple[str, ...]
    vorbis: tuple[str, ...]
    mp4: tuple[str, ...]
    asf: tuple[str, ...]
    ape: tuple[str, ...]
    is_text: bool = True

    def names(self, family: Family) -> tuple[str, ...]:
        """Return the names in `family`, the one that is written first."""
        names: tuple[str, ...] = getattr(self, family)
        return names


def _field(name: str, id3: str, vorbis: str, mp4: str, asf: str, ape: str, *, is_text: bool = True) -> Field:
    columns = {"id3": id3, "vorbis": vorbis, "mp4": mp4, "asf": asf, "ape": ape}
    names = {family: tuple(column.split("|")) for family, column in columns.items()}
    return Field(name=name, is_text=is_text, **names)


_IT = _FREE_MP4
_KEY = "KEY|INITIALKEY"
_TABLE = (
    # name, ID3, Vorbis comments, MP4, ASF, APEv2
    _field("title", "TIT2", "TITLE", "©nam", "Title", "Title"),
    _field("artist", "TPE1", "ARTIST", "©ART", "Author", "Artist"),
    _field("albumartist", "TPE2", "ALBUMARTIST|ALBUM ARTIST", "aART", "WM/AlbumArtist", "Album Artist"),
    _field("album", "TALB", "ALBUM", "©alb", "WM/AlbumTitle", "Album"),
    _field("composer", "TCOM", "COMPOSER", "©wrt", "WM/Composer", "Composer"),
    _field("genre", "TCON", "GENRE", "©gen", "WM/Genre", "Genre"),
    _field("mood", "TMOO|TXXX:MOOD", "MOOD", f"{_IT}MOOD", "WM/Mood", "Mood"),
    _field("key", "TKEY|TXXX:INITIALKEY", _KEY, f"{_IT}initialkey|{_IT}KEY", "WM/InitialKey", _KEY),
    _field("grouping", "GRP1|TXXX:GROUPING", "GROUPING", "©grp", "WM/ContentGroupDescription", "Grouping"),
    _field("language", "TLAN", "LANGUAGE", f"{_IT}LANGUAGE", "WM/Language", "Language"),
    _field("label", "TPUB", "LABEL|PUBLISHER", f"{_IT}LABEL", "WM/Publisher", "Label|Publisher"),
    _field("date", "TDRC|TYER", "DATE|YEAR", "©day", "WM/Year", "Year|Date", is_text=False),
    _field("bpm", "TBPM", "BPM|TEMPO", "tmpo", "WM/BeatsPerMinute", "BPM", is_text=False),
    _field("track", "TRCK", "TRACKNUMBER", "trkn", "WM/TrackNumber", "Track", is_text=False),
    _field("disc", "TPOS", "DISCNUMBER", "disk", "WM/PartOfSet", "Disc", is_text=False),
    _field("compilation", "TCMP", "COMPILATION", "cpil", "WM/IsCompilation", "Compilation", is_text=False),
)  # fmt: skip
FIELDS = {field.name: field for field in _TABLE}


def find_field(name: str) -> Field:
    """Return the field called `name`, which may be one of the user's own.

    Raises
    ------
    FileTagError
        If no family could hold a field of that name.
    """
    if name in FIELDS:
        return FIELDS[name]
    if not _NAME.fullmatch(name):
        raise FileTagError(
            f"{name!r} is no name for a field: a letter, then up to 63 of a to z, 0 to 9, space, - and _",
            outcome="unsupported",
        )
    own = (name.upper(),)
    return Field(name, (_FREE_ID3 + own[0],), own, (_FREE_MP4 + own[0],), own, own)


def find_writable_field(name: str) -> Field:
    """Return the field called `name`, if its values are free text.

    Raises
    ------
    FileTagError
        If no family could hold it, or it is a number.
    """
    field = find_field(name)
    if not field.is_text or name == "year":
        writable = ", ".join(sorted(field.name for field in _TABLE if field.is_text))
        raise FileTagError(
            f"the field {name!r} is only read; written are {writable}, and any name of your own",
            outcome="unsupported",
        )
    return field
