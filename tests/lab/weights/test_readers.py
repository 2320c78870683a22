"""Weights are read as data; whatever else a file holds is refused with a reason."""

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from taggram.errors import ModelFileError
from taggram.lab.weights.readers import read_weights

STATE = {"conv.weight": torch.arange(6.0).reshape(2, 3), "conv.bias": torch.ones(2)}


def write_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        for name, tensor in STATE.items():
            file[name.replace(".", "/")] = tensor.numpy()


def write_legacy(path: Path) -> None:
    torch.save(STATE, path, _use_new_zipfile_serialization=False)


WRITERS = {
    "torch": lambda path: torch.save(STATE, path),
    "torch legacy": write_legacy,
    "safetensors": lambda path: save_file(STATE, path),
    "hdf5": write_hdf5,
}


@pytest.mark.parametrize("format_", WRITERS)
def test_reads_every_format_by_its_content(tmp_path: Path, format_: str) -> None:
    path = tmp_path / "weights.bin"
    WRITERS[format_](path)
    state = {name.replace("/", "."): tensor for name, tensor in read_weights(path).items()}
    assert state.keys() == STATE.keys()
    for name, tensor in STATE.items():
        assert torch.equal(state[name], tensor)


@pytest.mark.parametrize("format_", WRITERS)
def test_a_cut_file_is_an_error(tmp_path: Path, format_: str) -> None:
    path = tmp_path / "weights.bin"
    WRITERS[format_](path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ModelFileError, match=r"weights\.bin: "):
        read_weights(path)


class Evil:
    """Runs code when a careless reader opens it."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.victim,)


@pytest.mark.parametrize("plain_pickle", [True, False])
def test_code_inside_a_file_is_not_run(tmp_path: Path, plain_pickle: bool) -> None:
    path, victim = tmp_path / "evil.pth", tmp_path / "victim"
    if plain_pickle:
        path.write_bytes(pickle.dumps({"weight": Evil(victim)}, protocol=2))
    else:
        torch.save({"weight": Evil(victim)}, path)
    with pytest.raises(ModelFileError, match="refused"):
        read_weights(path)
    assert not victim.exists()


def test_a_training_state_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.pth"
    torch.save({"epoch": 3, "model": STATE}, path)
    with pytest.raises(ModelFileError, match=r"expected a state dictionary .* 'epoch', 'model'"):
        read_weights(path)


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html><html>", b"version https://git-lfs", b"\0" * 100])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="not a weight file"):
        read_weights(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="No such file"):
        read_weights(tmp_path / "absent.pth")


def test_an_empty_state_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({}, path)
    with pytest.raises(ModelFileError, match="no tensor"):
        read_weights(path)


def test_hdf5_never_reads_another_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(np.arange(4, dtype=np.float32).tobytes())
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        file["weight"] = np.zeros(2, np.float32)
        file["elsewhere"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/weight")
    write_hdf5(tmp_path / "other.h5")
    assert list(read_weights(path)) == ["weight"]
    with h5py.File(path, "a") as file:
        file.create_dataset("raw", (4,), np.float32, external=[(str(secret), 0, 16)])
    with pytest.raises(ModelFileError, match="raw refers to another file"):
        read_weights(path)
