"""Write a model file in one step: it is there whole, or what was there before stays."""

import os
import tempfile
from pathlib import Path

from taggram.errors import ModelFileError


def write_model_file(path: Path, data: bytes) -> None:
    """Write `data` to `path`, creating folders on the way.

    Raises
    ------
    ModelFileError
        If the place cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, data)
    except OSError as error:
        raise ModelFileError(
            f"{path}: the model file cannot be written: {error.strerror}. Choose another place"
        ) from error


def _replace(path: Path, data: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes the file private; a model file is as public as any other new file.
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
