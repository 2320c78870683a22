"""The user's collection: scan, store, search, playlists, file tags, own tags.

from taggram.library import Library

with Library.open() as library:
    for file in library.files():
        print(file.path, file.outcome)
"""

from taggram.library.store import Library
from taggram.library.tracks import Analysis, FileRow, ModelRow

__all__ = ["Analysis", "FileRow", "Library", "ModelRow"]
