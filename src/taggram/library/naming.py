"""What a file is called: artist and title from its file tags, or the name of the file."""

from taggram.library.expressions import fold
from taggram.library.tracks import FileRow


def artist_of(file: FileRow) -> str:
    """Return the artists, joined by a comma; empty if the file does not say."""
    return ", ".join(file.fields.get("artist", ()) or file.fields.get("albumartist", ()))


def title_of(file: FileRow) -> str:
    """Return the title, or the name of the file without its ending."""
    return next(iter(file.fields.get("title", ())), "") or file.path.stem


def label_of(file: FileRow) -> str:
    """Return `artist - title`, or the title alone."""
    return " - ".join(part for part in (artist_of(file), title_of(file)) if part)


def artist_keys(file: FileRow) -> frozenset[str]:
    """Return the artists for comparing, without case and accents; none if the file does not say."""
    return frozenset(map(fold, file.fields.get("artist", ()) or file.fields.get("albumartist", ())))


def song_key(file: FileRow) -> tuple[frozenset[str], str] | None:
    """Return artists and title for comparing; None if the file does not state both."""
    title = fold(next(iter(file.fields.get("title", ())), ""))
    artists = artist_keys(file)
    return (artists, title) if artists and title else None
