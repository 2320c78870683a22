"""Read a model file: its bytes and its specification, checked."""

from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from taggram.errors import ModelFileError
from taggram.modelfile.container import read_specification
from taggram.modelfile.specification import Specification

MAX_BYTES = 2 << 30  # protobuf's own limit


@dataclass(frozen=True)
class ModelFile:
    """A model file in memory.

    Attributes
    ----------
    path
        Where it was read from.
    specification
        What is inside, validated.
    data
        The whole file. The network is built from these bytes and not from the path, so that what was
        checked is what runs and no file beside it can be drawn in as external data.
    """

    path: Path
    specification: Specification
    data: bytes = field(repr=False)


def load_model_file(path: str | PathLike[str]) -> ModelFile:
    """Read and check a model file.

    Raises
    ------
    ModelFileError
        If the file is missing, no ONNX file, has no valid specification, or was changed since it
        was written.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ModelFileError(f"{path}: larger than 2 GiB, which no ONNX file can be")
        data = path.read_bytes()
    except OSError as error:
        raise ModelFileError(
            f"{path}: the model file cannot be read: {error.strerror}. "
            "`taggram models list` names the models that are here."
        ) from error
    return ModelFile(path, read_specification(data, source=str(path)), data)
