"""Shared fixtures: isolation from the user's machine, seeded randomness, and a tiny model file."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import settings
from onnx import TensorProto, helper, numpy_helper

from taggram.modelfile.container import seal
from taggram.modelfile.specification import FrontEnd, PowerSpectrogram, Specification, Tag

ROOT = Path(__file__).resolve().parent.parent

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep every test away from the user's cache and library."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("TAGGRAM_CACHE", str(folder))
    monkeypatch.setenv("TAGGRAM_LIBRARY", str(folder / "library.db"))


@pytest.fixture
def rng() -> np.random.Generator:
    """A seeded generator, the only source of randomness in tests."""
    return np.random.default_rng(20261121)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of research material beside the project."""
    folder = ROOT.parent / "shared"
    if not (folder / "README.md").is_file():
        pytest.skip("the folder ../shared with weights, references and music is not on this machine")
    return folder


TAGS = (
    Tag(name="low", category="instrument"),
    Tag(name="middle", category="genre", threshold=0.5),
    Tag(name="high", category="mood"),
)


def tiny_specification(front_end: FrontEnd | None = None) -> Specification:
    """A model of three tags that hears one second at 8 kHz."""
    return Specification(
        name="tiny",
        architecture="three_bands",
        sample_rate=8000,
        chunk_duration=1.0,
        chunk_hop=1.0,
        front_end=front_end or PowerSpectrogram(n_fft=256, hop_length=128),
        embedding_dim=3,
        tags=TAGS,
        training_data="none: the weights are set by hand",
        licence="MIT",
        paper="none",
    )


def tiny_graph(specification: Specification, *, n_tags: int = 3, output: str = "scores") -> bytes:
    """An ONNX graph that hears how loud three frequency bands are."""
    front_end = specification.front_end
    assert isinstance(front_end, PowerSpectrogram)
    edges = np.linspace(0, front_end.n_bins, n_tags + 1).astype(int)
    bands = np.zeros((front_end.n_bins, n_tags), np.float32)
    for column, (low, high) in enumerate(pairwise(edges)):
        bands[low:high, column] = 1 / (high - low)
    n_frames = front_end.n_frames(specification.chunk_length)
    shape: list[int | str | None] = ["batch", n_frames, front_end.n_bins]
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["power_spectrogram", "axes"], ["mean"], keepdims=0),
            helper.make_node("MatMul", ["mean", "bands"], ["level"]),
            helper.make_node("Add", ["level", "floor"], ["level_or_floor"]),
            helper.make_node("Log", ["level_or_floor"], ["embedding"]),
            helper.make_node("Sigmoid", ["embedding"], [output]),
        ],
        "tiny",
        [helper.make_tensor_value_info("power_spectrogram", TensorProto.FLOAT, shape)],
        [
            helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", n_tags]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", n_tags]),
        ],
        [
            numpy_helper.from_array(np.array([1], np.int64), "axes"),
            numpy_helper.from_array(bands, "bands"),
            numpy_helper.from_array(np.array(1e-6, np.float32), "floor"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


@pytest.fixture
def tiny_model(tmp_path: Path) -> Path:
    """A small, complete model file that hears which of three frequency bands is loud."""
    specification = tiny_specification()
    path = tmp_path / "tiny.onnx"
    path.write_bytes(seal(tiny_graph(specification), specification))
    return path


@pytest.fixture
def tone() -> Callable[..., np.ndarray]:
    """Make a sine tone: tone(frequency_hz, duration_s, sample_rate=…)."""

    def make(frequency: float, duration: float, sample_rate: int = 8000) -> np.ndarray:
        times = np.arange(round(duration * sample_rate)) / sample_rate
        return (0.5 * np.sin(2 * np.pi * frequency * times)).astype(np.float32)

    return make
