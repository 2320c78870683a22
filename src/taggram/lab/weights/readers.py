"""Read published weights as data: a file becomes tensors by name, and nothing in it is executed.

The content decides the format, not the extension: PyTorch files are read with weights-only unpickling,
HDF5 through h5py without following links out of the file, safetensors by its own reader.
"""

import pickle
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from taggram.errors import MissingExtraError, ModelFileError

State = dict[str, Tensor]


def read_weights(path: Path) -> State:
    """Read the tensors of a weight file into memory.

    Parameters
    ----------
    path
        A PyTorch checkpoint that holds a state dictionary, an HDF5 file (Keras), or a safetensors file.

    Returns
    -------
    Tensors on the CPU by name; in an HDF5 file the name is the path inside the file.

    Raises
    ------
    ModelFileError
        If the file cannot be read, is none of these formats, or holds something else than tensors.
    """
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise ModelFileError(f"{path}: cannot read the weights: {error.strerror or error}") from error
    state = _reader(start, path)(path)
    if not state:
        raise ModelFileError(f"{path}: the file holds no tensor; download it again")
    return state


def _reader(start: bytes, path: Path) -> Callable[[Path], State]:
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        return _read_hdf5
    if start.startswith((b"PK\x03\x04", b"\x80\x02")):
        return _read_torch
    if start[8:9] == b"{":
        return _read_safetensors
    raise ModelFileError(
        f"{path}: not a weight file that can be read as data (starts with {start[:8]!r}); accepted are "
        "PyTorch checkpoints, HDF5 and safetensors. The download may have been cut short or be a web page"
    )


def _read_torch(path: Path) -> State:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise ModelFileError(
            f"{path}: not a PyTorch file of plain tensors ({_first_line(error)}). Files that need code to "
            "be run when they are opened are refused; save the state dictionary alone"
        ) from error
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise ModelFileError(
            f"{path}: expected a state dictionary (name → tensor), found {_describe(content)}; save "
            "model.state_dict() instead of the model or the training state"
        )
    return dict(content)


def _read_hdf5(path: Path) -> State:
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError("reading HDF5 weights", "train") from error
    state: State = {}

    def collect(name: str, item: object) -> None:
        if not isinstance(item, h5py.Dataset):
            return
        if item.external or item.is_virtual:
            raise ModelFileError(f"{path}: {name} refers to another file, which weights never need; refused")
        state[name] = torch.from_numpy(item[()])

    try:
        with h5py.File(path, "r") as file:
            file.visititems(collect)
    except (OSError, RuntimeError, KeyError, TypeError) as error:
        raise ModelFileError(
            f"{path}: damaged HDF5 file ({_first_line(error)}); download it again"
        ) from error
    return state


def _read_safetensors(path: Path) -> State:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise MissingExtraError("reading safetensors weights", "train") from error
    try:
        return dict(load_file(path))
    except (SafetensorError, OSError) as error:
        raise ModelFileError(
            f"{path}: damaged safetensors file ({_first_line(error)}); download it again"
        ) from error


def _describe(content: object) -> str:
    if isinstance(content, dict):
        return f"a dictionary with the entries {', '.join(repr(key) for key in list(content)[:5])}"
    return type(content).__name__


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
