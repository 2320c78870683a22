"""Playlists as files: M3U8, XSPF and JSON; the ending of the name decides.

    .m3u8 .m3u   `#EXTINF:seconds,label` and a path; UTF-8, except that a path keeps its own bytes
    .xspf        https://xspf.org/spec, version 1; locations are URIs, percent-encoded byte by byte
    .json        schema `taggram-playlist/1`, below

Paths are relative to the folder of the playlist, so that both can be moved together; absolute on
another drive, or if asked for. A file appears under its name when it is complete.

    {"schema": "taggram-playlist/1", "title", "how": {…},
     "tracks": [{"path", "artist", "title", "album", "duration", "reason"}, …]}

`path` is as in the M3U8 file, with bytes that are no valid text as lone surrogates; `duration` is in
seconds or null; `how` is what the playlist was made from.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes
from xml.etree import ElementTree

from taggram.errors import LibraryError
from taggram.library.naming import artist_of, label_of, title_of
from taggram.library.tracks import FileRow

SCHEMA = "taggram-playlist/1"
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Entry:
    """One track of a playlist, and why it stands there."""

    file: FileRow
    reason: str = ""


@dataclass(frozen=True)
class Playlist:
    """Tracks in order.

    Attributes
    ----------
    title
        For people.
    entries
        The tracks.
    how
        What it was made from, to make it again: plain JSON values.
    """

    title: str
    entries: tuple[Entry, ...]
    how: Mapping[str, Any] = field(default_factory=dict)

    @property
    def duration(self) -> float:
        """Seconds of all tracks whose duration is known."""
        return sum(entry.file.duration or 0.0 for entry in self.entries)


def write_playlist(playlist: Playlist, path: Path, *, absolute: bool = False) -> None:
    """Write a playlist in the form that the ending of `path` names.

    Parameters
    ----------
    playlist, path
        What, and where.
    absolute
        Write absolute paths.

    Raises
    ------
    LibraryError
        If the ending is not known, or the form cannot hold the path of a track.
    """
    form = FORMS.get(path.suffix.lower())
    if form is None:
        raise LibraryError(
            f"{path}: the ending {path.suffix!r} names no playlist; known are {', '.join(FORMS)}"
        )
    folder = None if absolute else path.absolute().parent
    data = form(playlist, folder)
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def to_m3u8(playlist: Playlist, folder: Path | None) -> bytes:
    """Return the bytes of an M3U8 file that lies in `folder`; None: paths are absolute."""
    lines = [b"#EXTM3U", b"#PLAYLIST:" + _line(playlist.title)]
    for entry in playlist.entries:
        file = entry.file
        seconds = -1 if file.duration is None else round(file.duration)
        path = os.fsencode(_place(file, folder))
        if b"\n" in path or b"\r" in path:
            raise LibraryError(
                f"{os.fsdecode(path)!r}: the name holds a line break, which M3U8 cannot hold; "
                "write .xspf or .json, or rename the file"
            )
        # A path that begins like a comment would be taken for one, and a blank in front be lost.
        path = b"./" + path if path[:1] in (b"#", b" ") else path
        lines += [b"#EXTINF:%d," % seconds + _line(label_of(file)), path]
    return b"\n".join(lines) + b"\n"


def to_xspf(playlist: Playlist, folder: Path | None) -> bytes:
    """Return the bytes of an XSPF file that lies in `folder`; None: locations are absolute."""
    root = ElementTree.Element("playlist", {"version": "1", "xmlns": "http://xspf.org/ns/0/"})
    _add(root, "title", playlist.title)
    tracks = ElementTree.SubElement(root, "trackList")
    for entry in playlist.entries:
        file = entry.file
        track = ElementTree.SubElement(tracks, "track")
        _add(track, "location", _uri(_place(file, folder)))
        _add(track, "title", title_of(file))
        _add(track, "creator", artist_of(file))
        _add(track, "annotation", entry.reason)
        _add(track, "album", next(iter(file.fields.get("album", ())), ""))
        _add(track, "duration", "" if file.duration is None else str(round(1000 * file.duration)))
    ElementTree.indent(root)
    data: bytes = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return data + b"\n"


def to_json(playlist: Playlist, folder: Path | None) -> bytes:
    """Return the bytes of a JSON file that lies in `folder`; None: paths are absolute."""
    tracks = [
        {
            "path": _place(entry.file, folder),
            "artist": artist_of(entry.file),
            "title": title_of(entry.file),
            "album": next(iter(entry.file.fields.get("album", ())), ""),
            "duration": entry.file.duration,
            "reason": entry.reason,
        }
        for entry in playlist.entries
    ]
    document = {"schema": SCHEMA, "title": playlist.title, "how": dict(playlist.how), "tracks": tracks}
    return json.dumps(document, indent=1).encode("ascii") + b"\n"


FORMS: Mapping[str, Callable[[Playlist, Path | None], bytes]] = {
    ".m3u8": to_m3u8,
    ".m3u": to_m3u8,
    ".xspf": to_xspf,
    ".json": to_json,
}


def _place(file: FileRow, folder: Path | None) -> str:
    """Return the path of a file as it stands in a playlist in `folder`."""
    if folder is None:
        return str(file.path)
    try:
        return os.path.relpath(file.path, folder)
    except ValueError:  # another drive
        return str(file.path)


def _uri(place: str) -> str:
    """Return a path as URI reference; `./` keeps a colon in its first part from naming a scheme."""
    if os.path.isabs(place):  # noqa: PTH117  # a text, not yet a path
        return Path(place).as_uri()
    text = quote_from_bytes(os.fsencode(place.replace(os.sep, "/")), safe="/")
    return text if text.startswith("../") else f"./{text}"


def _line(text: str) -> bytes:
    return " ".join(text.split()).encode("utf-8", "replace")


def _add(parent: ElementTree.Element, name: str, text: str) -> None:
    if text:
        ElementTree.SubElement(parent, name).text = _NO_XML.sub("�", text)
