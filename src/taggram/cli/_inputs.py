"""Which files a command works on: the paths as given, and what lies below directories if asked.

A file named on the command line is always taken; from a directory, those whose name promises sound.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from taggram.audio.names import is_audio_name


@dataclass(frozen=True)
class Inputs:
    """Files to work on, and how many others the directories held."""

    files: tuple[Path, ...]
    n_ignored: int = 0


def expand(paths: Iterable[Path], *, recursive: bool) -> Inputs:
    """Return the files to work on, in the order given and by name below each directory.

    Without `recursive` a directory stays in the list, where it ends as an unreadable input.
    Hidden files and files without an audio ending below a directory are counted as ignored.
    """
    files: list[Path] = []
    n_ignored = 0
    for path in paths:
        if not (recursive and path.is_dir()):
            files.append(path)
            continue
        for folder, folders, names in os.walk(path):
            folders.sort()
            chosen = sorted(name for name in names if is_audio_name(name))
            n_ignored += len(names) - len(chosen)
            files += [Path(folder, name) for name in chosen]
    return Inputs(tuple(files), n_ignored)
