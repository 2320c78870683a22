"""Small files of named arrays, written so that an interrupted run leaves no half file behind."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]


def save_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays to an npz file in one step, making its folder where needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        np.savez(file, **dict(arrays))  # type: ignore[arg-type]
    temporary.replace(path)


def load_arrays(path: Path) -> dict[str, Array]:
    """Read every array of an npz file; nothing is unpickled."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
