"""Read and write the tags of sound files, whatever the container: the only module that knows mutagen.

    family    containers                                               many values of one field are
    id3       mp3, aiff, wav, tta, dsf (ID3v2.3 stays 2.3, 2.4 2.4)    texts in one frame, zero between them
    vorbis    flac, ogg, opus, flac in ogg, speex                      comments of one name
    mp4       m4a, m4b, mp4                                            data atoms below one item
    asf       wma, asf                                                 attributes of one name
    ape       wv, ape, mpc, and an mp3 that has nothing else           texts in one item, zero between them

A wav without ID3 may have a RIFF INFO list, which programs overlook as soon as there is an ID3 chunk; so
its fields are read, and come along into the chunk that is written. An ID3v1 tag stays as it is. All
other tags, pictures and padding are kept as mutagen keeps them; `TagFile.others` tells.

Mutagen is under the GPL, version 2 or later.
"""

import errno
import os
import re
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import mutagen
from mutagen.aiff import AIFF
from mutagen.apev2 import APETextValue, APEv2File
from mutagen.asf import ASF, ASFUnicodeAttribute
from mutagen.dsf import DSF
from mutagen.flac import FLAC, Padding, VCFLACDict
from mutagen.id3 import ID3, TXXX, Encoding, Frames, ID3NoHeaderError
from mutagen.monkeysaudio import MonkeysAudio
from mutagen.mp3 import MP3
from mutagen.mp4 import MP4, AtomDataType, MP4FreeForm
from mutagen.musepack import Musepack
from mutagen.oggflac import OggFLAC
from mutagen.oggopus import OggOpus
from mutagen.oggspeex import OggSpeex
from mutagen.oggvorbis import OggVorbis
from mutagen.trueaudio import TrueAudio
from mutagen.wave import WAVE
from mutagen.wavpack import WavPack

from taggram.audio.container import printable
from taggram.errors import FileTagError
from taggram.library.file_tags.fields import FIELDS, OWN_FIELDS, Family, Field, find_field

_ID3_KINDS = (MP3, AIFF, WAVE, TrueAudio, DSF)
_VORBIS_KINDS = (FLAC, OggVorbis, OggOpus, OggFLAC, OggSpeex)
_APE_KINDS = (WavPack, MonkeysAudio, Musepack)
_KINDS = (*_ID3_KINDS, *_VORBIS_KINDS, *_APE_KINDS, MP4, ASF)

_ID3V1_SIZE = 128
_LONGEST_INFO = 1 << 20  # bytes; a longer RIFF INFO list is damage
_INFO_FRAMES = {
    "INAM": "TIT2",
    "IART": "TPE1",
    "IPRD": "TALB",
    "IGNR": "TCON",
    "ICRD": "TDRC",
    "ITRK": "TRCK",
    "IMUS": "TCOM",
}


def read_fields(path: Path, names: Iterable[str] = ()) -> dict[str, tuple[str, ...]]:
    """Return the fields of a file that are not empty: the known ones, Taggram's own, and those of `names`.

    `year` is the first four digits of `date`. A file whose container holds no tags that can be read, such
    as webm or raw AAC, has no fields.

    Raises
    ------
    FileTagError
        "unreadable" if the system does not let us read the file, "corrupt" if its tags are damaged.
    """
    file = TagFile.find(path)
    if file is None:
        return {}
    fields = {name: file.get(name) for name in dict.fromkeys([*FIELDS, *OWN_FIELDS, *names])}
    fields["year"] = tuple(match[0] for date in fields["date"][:1] if (match := re.match(r"\d{4}", date)))
    return {name: values for name, values in fields.items() if values}


class _Tags(Protocol):
    """The tags of one family, read by the family's own names."""

    family: Family

    def get(self, name: str) -> tuple[str, ...]: ...

    def set(self, name: str, values: tuple[str, ...]) -> None: ...

    def takes(self, name: str) -> bool: ...

    def others(self, names: frozenset[str]) -> dict[str, str]: ...


class TagFile:
    """The tags of one file, in memory until they are saved.

    Attributes
    ----------
    path
        The file that was read.
    """

    def __init__(self, path: Path, kind: type[mutagen.FileType]) -> None:
        self.path = path
        self._kind = kind
        with _explained(path):
            self._file = _load(path, kind)
            self._id3v1 = _read_id3v1(path) if kind is MP3 else b""
            self._tags = _family_of(self._file)

    @classmethod
    def find(cls, path: Path) -> "TagFile | None":
        """Read the tags of a file; None if its container holds none that are known here.

        Raises
        ------
        FileTagError
            "unreadable" or "corrupt".
        """
        with _explained(path):
            kind = _find_kind(path)
        return None if kind is None else cls(path, kind)

    @classmethod
    def open(cls, path: Path) -> "TagFile":
        """Read the tags of a file.

        Raises
        ------
        FileTagError
            "unreadable", "corrupt", or "unsupported" if the container holds no tags that are known here.
        """
        file = cls.find(path)
        if file is None:
            raise FileTagError(
                f"{printable(path)}: its container has no tags that can be written; "
                "convert it to flac, mp3, m4a, ogg or opus",
                outcome="unsupported",
            )
        return file

    def copied_to(self, path: Path) -> "TagFile":
        """Read the tags of a copy of this file, or of what has become of it, whatever its name."""
        return TagFile(path, self._kind)

    def get(self, name: str) -> tuple[str, ...]:
        """Return the values of a field, each once; an empty tuple if it is not there."""
        found = [value for key in self._names(find_field(name)) for value in self._tags.get(key)]
        return tuple(dict.fromkeys(filter(None, found)))

    def set(self, name: str, values: tuple[str, ...]) -> None:
        """Give a field other values in memory: under the name that it has in the file, or the usual one."""
        names = [key for key in self._names(find_field(name)) if self._tags.takes(key)]
        chosen = next((key for key in names if self._tags.get(key)), names[0])
        for key in names:
            self._tags.set(key, values if key == chosen else ())

    def others(self, names: Iterable[str]) -> dict[str, str]:
        """Return a description of all tags except the fields `names`, to compare."""
        hidden = frozenset(key.casefold() for name in names for key in self._names(find_field(name)))
        return self._tags.others(hidden) | _describe_blocks(self._file)

    def save(self) -> None:
        """Write the tags into the file, in place.

        Raises
        ------
        FileTagError
            "corrupt" if the file's structure does not allow it.
        OSError
            If the system does not allow it, or the disk is full.
        """
        with _explained(self.path, writing=True):
            if self._tags.family == "id3":
                # A zero byte between values also in 2.3: Picard and TagLib, so Navidrome, read all of them.
                self._file.save(self.path, v2_version=_id3_version(self._file.tags), v23_sep=None)
            else:
                self._file.save(self.path)
            _write_id3v1(self.path, self._id3v1)

    def _names(self, field: Field) -> tuple[str, ...]:
        return field.names(self._tags.family)


class _Id3Tags:
    family: Family = "id3"

    def __init__(self, tags: ID3) -> None:
        self._tags = tags
        self._version = _id3_version(tags)

    def takes(self, name: str) -> bool:
        return not (name == "TMOO" and self._version == 3)  # TMOO came with 2.4

    def get(self, name: str) -> tuple[str, ...]:
        frames = [frame for _, frame in self._frames(name)]
        if name == "TCON":
            return tuple(genre for frame in frames for genre in frame.genres)
        return tuple(str(text) for frame in frames for text in getattr(frame, "text", ()))

    def set(self, name: str, values: tuple[str, ...]) -> None:
        for key, _ in list(self._frames(name)):
            del self._tags[key]
        if not values:
            return
        frame_id, _, description = name.partition(":")
        # ASCII is the same in every encoding; otherwise the one Unicode encoding that the version knows.
        unicode = Encoding.UTF16 if self._version == 3 else Encoding.UTF8
        encoding = Encoding.LATIN1 if all(map(str.isascii, values)) else unicode
        if description:
            self._tags.add(TXXX(encoding=encoding, desc=description, text=list(values)))
        else:
            self._tags.add(Frames[frame_id](encoding=encoding, text=list(values)))

    def others(self, names: frozenset[str]) -> dict[str, str]:
        frames = {key: repr(frame) for key, frame in self._tags.items() if _id3_name(frame) not in names}
        return frames | {f"unknown {i}": repr(data) for i, data in enumerate(self._tags.unknown_frames)}

    def _frames(self, name: str) -> Iterator[tuple[str, Any]]:
        wanted = name.casefold()
        for key, frame in self._tags.items():
            if _id3_name(frame) == wanted:
                yield key, frame


class _MappingTags:
    """Tags whose families differ only in how one value is told and made."""

    def __init__(
        self,
        family: Family,
        tags: Any,
        read: Callable[[Any], tuple[str, ...]],
        make: Callable[[str, tuple[str, ...]], Any],
    ) -> None:
        self.family = family
        self._tags = tags
        self._read = read
        self._make = make

    def takes(self, name: str) -> bool:
        return True

    def get(self, name: str) -> tuple[str, ...]:
        return tuple(value for key in self._keys(name) for value in self._read(self._tags[key]))

    def set(self, name: str, values: tuple[str, ...]) -> None:
        keys = self._keys(name)
        for key in keys:
            del self._tags[key]
        if values:
            key = keys[0] if keys else name
            self._tags[key] = self._make(key, values)

    def others(self, names: frozenset[str]) -> dict[str, str]:
        return {key: repr(self._tags[key]) for key in self._tags.keys() if key.casefold() not in names}  # noqa: SIM118

    def _keys(self, name: str) -> list[str]:
        """Return the keys in the file that are `name` but for upper and lower case."""
        wanted = name.casefold()
        return [key for key in dict.fromkeys(self._tags.keys()) if key.casefold() == wanted]


def _read_texts(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value))


def _read_mp4(value: Any) -> tuple[str, ...]:
    """Return the texts of an item: a list of texts, bytes, numbers or (number, total), or a flag."""
    items = value if isinstance(value, list) else [int(value)]
    return tuple(_mp4_text(item) for item in items)


def _mp4_text(item: Any) -> str:
    if isinstance(item, bytes):
        return item.decode("utf-8", "replace")
    if isinstance(item, tuple):
        return "/".join(str(number) for number in item if number)
    return str(item)


def _make_mp4(key: str, values: tuple[str, ...]) -> Any:
    if key.startswith("----:"):
        return [MP4FreeForm(value.encode(), AtomDataType.UTF8) for value in values]
    return list(values)


def _read_ape(value: Any) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, APETextValue) else ()


def _family_of(file: mutagen.FileType) -> _Tags:
    if isinstance(file, _ID3_KINDS):
        return _Id3Tags(file.tags)
    if isinstance(file, MP4):
        return _MappingTags("mp4", file.tags, _read_mp4, _make_mp4)
    if isinstance(file, ASF):
        return _MappingTags("asf", file.tags, _read_texts, lambda _, v: [ASFUnicodeAttribute(t) for t in v])
    if isinstance(file, _VORBIS_KINDS):
        return _MappingTags("vorbis", file.tags, _read_texts, lambda _, values: list(values))
    return _MappingTags("ape", file.tags, _read_ape, lambda _, values: list(values))


def _describe_blocks(file: mutagen.FileType) -> dict[str, str]:
    """Return what a FLAC file holds beside its comments: pictures, seek points, cue sheets."""
    if not isinstance(file, FLAC):
        return {}
    blocks = [block for block in file.metadata_blocks if not isinstance(block, (VCFLACDict, Padding))]
    return {f"block {number}": repr(block.write()) for number, block in enumerate(blocks)}


def _find_kind(path: Path) -> type[mutagen.FileType] | None:
    file = mutagen.File(path, options=_KINDS)
    if file is None:
        return None
    kind: type[mutagen.FileType] = type(file)
    # An mp3 whose only tags are APEv2: an ID3 tag beside them would hide them from most programs.
    if kind is MP3 and _id3_is_missing(path) and APEv2File(path).tags:
        kind = APEv2File
    return kind


def _load(path: Path, kind: type[mutagen.FileType]) -> mutagen.FileType:
    """Load the tags as they stand in the file, and make empty ones where there are none."""
    if kind not in _ID3_KINDS:
        file = kind(path)
    else:
        file = kind(path, translate=False, load_v1=False)
        if file.tags is None:
            file = kind(path)  # an ID3v1 tag, if there is one
        elif file.tags.version < (2, 3):
            file = kind(path, v2_version=3, load_v1=False)
    if file.tags is None:
        file.add_tags()
        if kind is WAVE:
            _add_info(file.tags, path)
    return file


def _id3_is_missing(path: Path) -> bool:
    try:
        ID3(path, load_v1=False)
    except ID3NoHeaderError:
        return True
    return False


def _id3_version(tags: ID3) -> int:
    """Return the version to write: that of the file, 4 where there was none."""
    return 3 if tags.version[:2] in ((2, 2), (2, 3)) else 4


def _id3_name(frame: Any) -> str:
    name: str = f"TXXX:{frame.desc}" if frame.FrameID == "TXXX" else frame.FrameID
    return name.casefold()


def _read_id3v1(path: Path) -> bytes:
    """Return the ID3v1 tag at the end of a file, if there is one."""
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) < _ID3V1_SIZE:
            return b""
        file.seek(-_ID3V1_SIZE, os.SEEK_END)
        tag = file.read()
    return tag if tag.startswith(b"TAG") else b""


def _write_id3v1(path: Path, tag: bytes) -> None:
    """Put an ID3v1 tag back that mutagen has rewritten from the fields of the other tag."""
    if tag and _read_id3v1(path):
        with path.open("rb+") as file:
            file.seek(-_ID3V1_SIZE, os.SEEK_END)
            file.write(tag)


def _add_info(tags: ID3, path: Path) -> None:
    """Take over the RIFF INFO list of a wav that has no ID3 chunk."""
    with path.open("rb") as file:
        for name, text in _read_info(file):
            frame_id = _INFO_FRAMES.get(name)
            if frame_id and text:
                encoding = Encoding.LATIN1 if text.isascii() else Encoding.UTF8
                tags.add(Frames[frame_id](encoding=encoding, text=[text]))


def _read_info(file: BinaryIO) -> Iterator[tuple[str, str]]:
    """Yield the items of a RIFF file's INFO lists."""
    file.seek(12)
    while len(header := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", header)
        begin = file.tell()
        if name == b"LIST" and file.read(4) == b"INFO":
            yield from _split_info(file.read(min(size - 4, _LONGEST_INFO)))
        file.seek(begin + size + size % 2)


def _split_info(data: bytes) -> Iterator[tuple[str, str]]:
    while len(data) >= 8:
        name, size = struct.unpack("<4sI", data[:8])
        text = data[8 : 8 + size].split(b"\0")[0]
        yield name.decode("ascii", "replace"), _decode_info(text).strip()
        data = data[8 + size + size % 2 :]


def _decode_info(text: bytes) -> str:
    """Decode a text whose encoding RIFF leaves open: UTF-8, or else Windows' own."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("cp1252", "replace")


@contextmanager
def _explained(path: Path, *, writing: bool = False) -> Iterator[None]:
    """Turn what a file may make mutagen raise into one error; the system's errors while writing pass."""
    try:
        yield
    except FileTagError:
        raise
    except Exception as error:  # mutagen promises MutagenError only, but parses bytes that may be hostile
        cause = _system_error(error)
        if cause is not None and writing:
            raise cause from error
        raise _explain(path, error, cause) from error


def _explain(path: Path, error: Exception, cause: OSError | None) -> FileTagError:
    if cause is not None:
        return FileTagError(
            f"{printable(path)}: cannot be read: {cause.strerror}; check path, permissions and disk",
            outcome="unreadable",
        )
    return FileTagError(
        f"{printable(path)}: its tags are damaged ({str(error) or type(error).__name__}); "
        "repair them with the program that wrote them, or get the file again",
        outcome="corrupt",
    )


def _system_error(error: BaseException | None) -> OSError | None:
    """Return the system's error behind an error of mutagen's, which passes them on in its own clothes."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None and error.errno != errno.EINVAL:
            return error
        inner = error.args[0] if error.args and isinstance(error.args[0], OSError) else None
        error = inner or error.__cause__ or error.__context__
    return None
