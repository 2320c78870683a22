"""Open a file of unknown content as sound, and say in one error what is wrong with it.

The content decides what a file is, never its name: FFmpeg (through PyAV) sees an anonymous stream of
bytes. Only containers of `CONTAINERS` are opened and nothing else can be opened from inside them, so
that a playlist, however named, cannot make the program read another file or reach the network.
"""

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, Never

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError

from taggram.errors import AudioError

StrPath = str | bytes | os.PathLike[str] | os.PathLike[bytes]

# FFmpeg's names of the demuxers that may carry sound. No playlists (hls, concat, dash …), no pictures,
# no subtitles, no devices, no headerless raw samples.
CONTAINERS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,bonk,caf,dsf,dts,dtshd,eac3,flac,flv,iff,ircam,loas,"
    "matroska,mov,mp3,mpc,mpc8,mpeg,mpegts,mxf,nistsphere,nut,ogg,oma,paf,pvf,qoa,rm,shn,sox,tak,truehd,"
    "tta,voc,vqf,w64,wav,wavarc,wsd,wv,xwma"
)

# Elementary streams have no signature at the start: any bytes may look like one of them.
WITHOUT_SIGNATURE = frozenset({"aac", "ac3", "dts", "eac3", "loas", "mp3", "mpeg", "mpegts", "truehd"})

# How sound files begin: enough to tell a damaged one from something else.
_SIGNATURES = {
    rb"(RIFF|RF64|BW64)....WAVE": "wav",
    rb"RIFF....AVI ": "avi",
    rb"FORM....AIF[FC]": "AIFF",
    rb"fLaC": "FLAC",
    rb"OggS": "Ogg",
    rb"ID3": "mp3",
    rb"....ftyp": "MP4",
    rb"\x1aE\xdf\xa3": "Matroska",
    rb"0&\xb2u\x8ef\xcf\x11": "Windows Media",
    rb"caff": "Core Audio",
    rb"wvpk": "WavPack",
    rb"\.snd": "Sun audio",
    rb"MAC ": "Monkey's Audio",
    rb"TTA1": "True Audio",
}

_BUFFER_SIZE = 1 << 16

# Before version 19, PyAV fails on tags that are not UTF-8 unless told not to.
_TOLERANT: dict[str, Any] = {} if int(av.__version__.split(".")[0]) >= 19 else {"metadata_errors": "replace"}

# Lossless codecs whose frames carry a checksum. FFmpeg gives damaged frames out, as noise, unless told not
# to. Elsewhere checksums are often wrong in files that are in order.
_CHECKED_CODECS = frozenset({"flac", "tta", "wavpack"})

# FFmpeg searches the first 5 MB of 16-bit samples in a wav for hidden DTS, which takes longer than
# decoding a short clip; what it looks for is at the start.
_WAV_PROBE_SIZE = "65536"


@dataclass(frozen=True)
class Limits:
    """What a file may ask of the program; beyond it lies damage or an attack.

    Attributes
    ----------
    min_sample_rate, max_sample_rate
        Hz; a rate outside is "unsupported".
    max_channels
        More channels are "unsupported".
    max_duration
        Seconds; decoding stops there and says so.
    max_bad_packets, max_bad_reads
        Packets in a row that cannot be decoded, and attempts in a row to read one, before the rest of
        the file is given up.
    """

    min_sample_rate: int = 1_000
    max_sample_rate: int = 768_000
    max_channels: int = 64
    max_duration: float = 24 * 3600.0
    max_bad_packets: int = 10_000
    max_bad_reads: int = 1_000


@dataclass(frozen=True)
class Sound:
    """An open file with the one audio stream that is read."""

    path: StrPath
    file: FileIO
    container: InputContainer
    stream: AudioStream

    @property
    def name(self) -> str:
        """The path as text for messages."""
        return printable(self.path)

    @property
    def container_name(self) -> str:
        """FFmpeg's first name of the container, such as "mp3", "mov" or "ogg"."""
        return self.container.format.name.split(",")[0]

    @property
    def codec_name(self) -> str:
        """Name of the codec, such as "aac", whichever implementation decodes it."""
        return self.stream.codec_context.codec.canonical_name


def printable(path: StrPath) -> str:
    r"""Return `path` as text for any terminal: invalid UTF-8 and control characters become \\xNN."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda match: f"\\x{ord(match[0]):02x}", text)


@contextmanager
def open_sound(path: StrPath, limits: Limits) -> Iterator[Sound]:
    """Open `path` and choose its audio stream.

    Raises
    ------
    AudioError
        "unreadable", "not_audio", "unsupported" or "corrupt"; see `docs/decoding.md`.
    """
    with _open_file(path) as file:
        container = _open_container(path, file)
        try:
            yield Sound(path, file, container, _choose_stream(path, container, limits))
        finally:
            container.close()


def _open_file(path: StrPath) -> FileIO:
    name = printable(path)
    place = Path(os.fsdecode(path))
    try:
        mode = place.stat().st_mode
        if stat.S_ISDIR(mode):
            raise AudioError(f"{name}: is a folder, not a file; name the files in it", outcome="unreadable")
        if not stat.S_ISREG(mode):
            raise AudioError(f"{name}: is no regular file; copy its sound to a file", outcome="unreadable")
        return FileIO(place, "rb")
    except FileNotFoundError:
        cause = "is a link to a file that does not exist" if place.is_symlink() else "does not exist"
        raise AudioError(f"{name}: {cause}; check the path", outcome="unreadable") from None
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error


def unreadable(path: StrPath, error: OSError | ValueError) -> AudioError:
    """Return the error for a file that the operating system does not let us read."""
    cause = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return AudioError(
        f"{printable(path)}: cannot be read: {cause}; check the path, the permissions and the disk",
        outcome="unreadable",
    )


class _Anonymous:
    """A file without a name, so that FFmpeg judges it by its content alone."""

    def __init__(self, file: FileIO) -> None:
        self._file = file
        self.read, self.tell = file.read, file.tell

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move, or tell FFmpeg that a damaged file sends it to an impossible place."""
        try:
            return self._file.seek(offset, whence)
        except OSError as error:
            if error.errno == errno.EINVAL:
                return -errno.EINVAL
            raise


def _refuse(*_: Any) -> Never:
    raise PermissionError("a sound file may not open another file")


def _open_container(path: StrPath, file: FileIO) -> InputContainer:
    options = {"format_whitelist": CONTAINERS}
    if _read_head(file)[8:12] == b"WAVE":
        options["probesize"] = _WAV_PROBE_SIZE
    try:
        container: InputContainer = av.open(
            _Anonymous(file),
            "r",
            container_options=options,
            buffer_size=_BUFFER_SIZE,
            io_open=_refuse,
            **_TOLERANT,
        )
    except FFmpegError as error:
        raise _unopened(path, file, error) from error
    except OSError as error:
        raise unreadable(path, error) from error
    return container


def _read_head(file: FileIO) -> bytes:
    file.seek(0)
    head = file.read(12)
    file.seek(0)
    return head


def _unopened(path: StrPath, file: FileIO, error: FFmpegError) -> AudioError:
    """Return the error for a file in which FFmpeg finds no sound format, or cannot open the one it finds."""
    head = _read_head(file)
    kind = next((kind for mark, kind in _SIGNATURES.items() if re.match(mark, head, re.DOTALL)), None)
    if kind is not None:
        return AudioError(
            f"{printable(path)}: begins like a file in the format {kind}, but is too damaged or "
            f"incomplete to be read ({error.strerror}); get it again",
            outcome="corrupt",
        )
    return AudioError(
        f"{printable(path)}: {'is empty' if not head else 'is in no sound format that is known'}; "
        "if it should hold sound, the file is damaged: get it again",
        outcome="not_audio",
    )


def _choose_stream(path: StrPath, container: InputContainer, limits: Limits) -> AudioStream:
    name, kind = printable(path), container.format.long_name
    streams = list(container.streams.audio)
    if not streams:
        raise AudioError(f"{name}: is a {kind} file without any sound", outcome="not_audio")
    known = [stream for stream in streams if stream.codec_context is not None]
    if not known:
        raise AudioError(
            f"{name}: its sound is in a codec that cannot be decoded, or protected; "
            "convert it with the program it came from",
            outcome="unsupported",
        )
    stream = next((s for s in known if s.codec_context.sample_rate), known[0])
    _check_stream(name, stream, limits)
    # A file is one job among several: threads belong to the caller.
    stream.codec_context.thread_count = 1
    if stream.codec_context.codec.canonical_name in _CHECKED_CODECS:
        stream.codec_context.options = {"err_detect": "crccheck+explode"}
    try:
        stream.codec_context.open()
    except FFmpegError as error:
        raise AudioError(
            f"{name}: uses a variant of {stream.codec_context.name} that cannot be decoded "
            f"({error.strerror}); convert it",
            outcome="unsupported",
        ) from error
    return stream


def _check_stream(name: str, stream: AudioStream, limits: Limits) -> None:
    rate, n_channels = stream.codec_context.sample_rate, stream.codec_context.channels
    if not rate or not n_channels:
        raise AudioError(
            f"{name}: its header states no sample rate or no channels; the file is damaged: get it again",
            outcome="corrupt",
        )
    if not limits.min_sample_rate <= rate <= limits.max_sample_rate:
        raise AudioError(
            f"{name}: has a sample rate of {rate} Hz, accepted are {limits.min_sample_rate} to "
            f"{limits.max_sample_rate} Hz; convert it",
            outcome="unsupported",
        )
    if n_channels > limits.max_channels:
        raise AudioError(
            f"{name}: has {n_channels} channels, accepted are up to {limits.max_channels}; mix it down",
            outcome="unsupported",
        )
