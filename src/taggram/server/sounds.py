"""Sound that clients may play, and its waveform: only files of uploads that are kept, and of the library.

No path comes from a client. A track is named by its id; its path comes from the library, and the file that it
leads to, links resolved, must lie in one of the library's directories.
"""

from pathlib import Path

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi.responses import FileResponse

from taggram.audio.decoder import Decoder
from taggram.audio.peaks import PeakMeter, Peaks
from taggram.library.store import Library
from taggram.library.tracks import FileRow
from taggram.server.problems import ProblemError, not_found
from taggram.server.settings import Settings
from taggram.server.shelf import Shelf
from taggram.server.store import Store

_PEAK_RATE = 16_000  # Hz; more cannot be seen
_N_DECODERS = 2
_MEDIA_TYPES = {
    ".aac": "audio/aac", ".aif": "audio/aiff", ".aiff": "audio/aiff", ".flac": "audio/flac",
    ".m4a": "audio/mp4", ".m4b": "audio/mp4", ".mp4": "audio/mp4", ".mp3": "audio/mpeg",
    ".oga": "audio/ogg", ".ogg": "audio/ogg", ".opus": "audio/ogg", ".wav": "audio/wav",
    ".wave": "audio/wav", ".weba": "audio/webm", ".webm": "audio/webm", ".wma": "audio/x-ms-wma",
}  # fmt: skip


class Sounds:
    """Gives sound and waveforms.

    Parameters
    ----------
    settings, store
        Of the server.
    shelf
        Where the library is.
    """

    def __init__(self, settings: Settings, store: Store, shelf: Shelf) -> None:
        self._settings = settings
        self._store = store
        self._shelf = shelf
        # Whoever waits for a decoder keeps no thread from those who answer at once.
        self._decoding = CapacityLimiter(_N_DECODERS)

    def of_analysis(self, analysis_id: str) -> FileResponse:
        """Play an upload that is kept.

        Raises
        ------
        ProblemError
            404 if there is no such analysis, or its sound is not kept.
        """
        analysis = self._store.analysis(analysis_id)
        path = Path(self._store.job(analysis_id).task["path"])
        if not analysis.is_kept or not path.is_file():
            raise ProblemError(
                404, "not_kept", "the sound of this analysis was not kept", "upload it with keep=true"
            )
        return _play(path, analysis.sound.name)

    def of_track(self, track_id: int) -> FileResponse:
        """Play a track.

        Raises
        ------
        ProblemError
            404 if there is no such track, 403 if its file lies outside the library's directories.
        """
        with self._shelf.library() as library:
            file = find_track(library, track_id)
            return _play(resolve_below(file.path, library.roots()), file.path.name)

    async def peaks_of_track(self, track_id: int) -> Peaks:
        """Return the waveform of a track, which is decoded for it the first time.

        Raises
        ------
        AudioError
            If it cannot be decoded.
        ProblemError
            As of `of_track`.
        """
        path, audio_hash = await run_sync(self._locate, track_id)
        peaks = await run_sync(self._store.peaks, audio_hash)
        if peaks is None:
            peaks = await run_sync(self._measure, path, limiter=self._decoding)
            await run_sync(self._store.add_peaks, audio_hash, peaks)
        return peaks

    def _locate(self, track_id: int) -> tuple[Path, bytes]:
        """Return where a track lies, and the hash of its sound."""
        with self._shelf.library() as library:
            file, audio_hash = find_sound(library, track_id)
            return resolve_below(file.path, library.roots()), audio_hash

    def _measure(self, path: Path) -> Peaks:
        limits = self._settings.limits
        meter = PeakMeter(_PEAK_RATE)
        with Decoder(max_memory=limits.worker_bytes) as decoder:
            blocks = decoder.decode(path, sample_rate=_PEAK_RATE, total_timeout=limits.decode_seconds)
            for block in blocks:
                meter.add(block)
        return meter.result()


def find_track(library: Library, track_id: int) -> FileRow:
    """Return a file of the library.

    Raises
    ------
    ProblemError
        404 if there is none of this id.
    """
    file = library.file_by_id(track_id)
    if file is None:
        raise not_found("track", track_id)
    return file


def find_sound(library: Library, track_id: int) -> tuple[FileRow, bytes]:
    """Return a file of the library, and the hash of the sound in it.

    Raises
    ------
    ProblemError
        404 if there is no such track, or no sound was found in it.
    """
    file = find_track(library, track_id)
    hashes = library.rows("SELECT audio_hash FROM recording WHERE id = ?", (file.recording_id,))
    if not hashes:
        raise ProblemError(404, "no_sound", f"no sound was found in track {track_id}", file.message)
    return file, hashes[0][0]


def resolve_below(path: Path, roots: tuple[Path, ...]) -> Path:
    """Return the file that a path leads to, if it lies in one of some directories.

    Raises
    ------
    ProblemError
        404 if it is not there, 403 if it lies elsewhere or is no regular file.
    """
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError):
        raise ProblemError(404, "missing", "the file is not there any more", "scan the library") from None
    inside = (real.is_relative_to(root.resolve()) for root in roots)
    if not real.is_file() or not any(inside):
        raise ProblemError(403, "outside", "the file does not lie in the library's directories")
    return real


def _play(path: Path, name: str) -> FileResponse:
    kind = _MEDIA_TYPES.get(Path(name).suffix.lower(), "application/octet-stream")
    headers = {"Cache-Control": "private, max-age=3600"}
    safe_name = name.encode("utf-8", "replace").decode()
    return FileResponse(
        path, media_type=kind, filename=safe_name, content_disposition_type="inline", headers=headers
    )
