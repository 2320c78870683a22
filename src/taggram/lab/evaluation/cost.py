"""What a model costs: its size, its work for a chunk, and how fast it hears on this machine.

Size and work follow from the model file alone, and are the same anywhere. Work is that of the graph's
convolutions, matrix products and recurrent layers, a multiplication and an addition counting as two; mel
filters in the graph are a matrix product, too. Spectrograms that the runtime computes, activations, pooling
and normalisation are not in it. Shapes are those of one chunk that really ran through the graph, so that no
rule for them can be wrong.

Speed is measured: spectrogram and network, one thread, chunks of noise in batches, the best of several
batches; decoding is not in it. It holds for this processor, and other work at the same time makes it lower.
"""

import math
import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from taggram.audio.chunk import Chunker
from taggram.errors import ModelFileError
from taggram.inference.session import Session
from taggram.modelfile.reader import ModelFile
from taggram.modelfile.specification import Specification

SONG_DURATION = 240.0
"""Seconds of the song that costs are stated for."""

_BATCH = 4
_LEAST_RUNS = 3
_SECONDS = 0.4  # that the measured runs take together, at least

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Speed:
    """A measurement of one thread on one machine.

    Attributes
    ----------
    seconds_per_chunk
        The best that was seen.
    times_real_time
        Seconds of a long sound that are heard in a second.
    processor
        As the operating system names it.
    """

    seconds_per_chunk: float
    times_real_time: float
    processor: str


@dataclass(frozen=True)
class Cost:
    """What a model costs.

    Attributes
    ----------
    n_bytes
        Of the model file.
    n_parameters
        Numbers in the graph that are not computed: weights, with fixed ones such as mel filters.
    gflop_per_chunk, gflop_per_song
        10⁹ additions and multiplications for one chunk, and for all of `SONG_DURATION`.
    speed
        On this machine.
    """

    n_bytes: int
    n_parameters: int
    gflop_per_chunk: float
    gflop_per_song: float
    speed: Speed

    def to_json(self) -> dict[str, Any]:
        """Return the cost as a document's object."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """Restore a cost."""
        return cls(**{**plain, "speed": Speed(**plain["speed"])})


def measure_cost(model_file: ModelFile) -> Cost:
    """Count and measure; the measurement takes about a second.

    Raises
    ------
    ModelFileError
        If ONNX Runtime cannot load the graph.
    """
    n_parameters, gflop = count_graph(model_file)
    return Cost(
        n_bytes=len(model_file.data),
        n_parameters=n_parameters,
        gflop_per_chunk=gflop,
        gflop_per_song=gflop * count_song_chunks(model_file.specification),
        speed=measure_speed(model_file),
    )


def count_song_chunks(specification: Specification) -> int:
    """Return how many chunks a song of `SONG_DURATION` is cut into."""
    chunker = Chunker(specification.chunk_length, round(specification.chunk_hop * specification.sample_rate))
    second = np.zeros(specification.sample_rate, np.float32)
    n_chunks = sum(1 for _ in range(round(SONG_DURATION)) for _ in chunker.add(second))
    return n_chunks + sum(1 for _ in chunker.flush())


def measure_speed(model_file: ModelFile) -> Speed:
    """Measure spectrogram and network on one thread."""
    session = Session(model_file, n_threads=1)
    specification = session.specification
    rng = np.random.default_rng(0)
    batch = 0.1 * rng.standard_normal((_BATCH, specification.chunk_length), np.float32)
    session.run(batch)  # the first run reserves memory
    times: list[float] = []
    while len(times) < _LEAST_RUNS or sum(times) < _SECONDS:
        begun = time.perf_counter()
        session.run(batch)
        times.append(time.perf_counter() - begun)
    seconds = min(times) / _BATCH
    return Speed(seconds, specification.chunk_hop / seconds, name_processor())


def name_processor() -> str:
    """Return the processor's name, as the operating system gives it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), platform.processor() or platform.machine() or os.name)


def count_graph(model_file: ModelFile) -> tuple[int, float]:
    """Return the numbers in a graph, and its 10⁹ floating-point operations for one chunk."""
    import onnx

    graph = onnx.load_model_from_string(model_file.data).graph
    constants = {tensor.name: tensor for tensor in graph.initializer} | {
        node.output[0]: attribute.t
        for node in graph.node
        for attribute in node.attribute
        if node.op_type == "Constant" and attribute.HasField("t")
    }
    n_parameters = sum(
        math.prod(tensor.dims) for tensor in constants.values() if tensor.data_type in _weight_types()
    )
    counted = [node for node in graph.node if node.op_type in _COUNTS]
    shapes = {name: tuple(tensor.dims) for name, tensor in constants.items()}
    shapes |= _run_for_shapes(
        model_file, [name for node in counted for name in (*node.input, *node.output)], shapes
    )
    n_operations = sum(_COUNTS[node.op_type](node, shapes) for node in counted)
    return n_parameters, n_operations / 1e9


def _weight_types() -> frozenset[int]:
    from onnx import TensorProto

    return frozenset(
        {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.INT8, TensorProto.UINT8}
    )


def _run_for_shapes(
    model_file: ModelFile, names: Iterable[str], known: Mapping[str, Shape]
) -> dict[str, Shape]:
    """Return the shapes of tensors within the graph, for a batch of one chunk."""
    import onnx
    import onnxruntime

    proto = onnx.load_model_from_string(model_file.data)
    outputs = {output.name for output in proto.graph.output}
    inputs = {each.name for each in proto.graph.input}
    wanted = [name for name in dict.fromkeys(names) if name and name not in known]
    proto.graph.output.extend(
        onnx.ValueInfoProto(name=name) for name in wanted if name not in outputs | inputs
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    # What an optimiser melts together has no shape any more.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(
            proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's exceptions have no common base class
        raise ModelFileError(f"{model_file.path}: the graph cannot be run for its shapes: {error}") from error
    plain = Session(model_file)
    features = plain.compute_features(np.zeros((1, plain.specification.chunk_length), np.float32))
    (fed,) = session.get_inputs()
    shapes: dict[str, Shape] = {fed.name: features.shape}
    asked = [name for name in wanted if name != fed.name]
    found = session.run(asked, {fed.name: features}) if asked else []
    return shapes | {name: value.shape for name, value in zip(asked, found, strict=True)}


# Operations of a node from the shapes of its tensors.


def _convolution(node: Any, shapes: Mapping[str, Shape], weight: int = 1) -> int:
    """Each number of the output is a sum over a kernel (n_outputs, n_inputs / groups, *kernel)."""
    return 2 * math.prod(shapes[node.output[0]]) * math.prod(shapes[node.input[weight]][1:])


def _transposed_convolution(node: Any, shapes: Mapping[str, Shape]) -> int:
    """Each number of the input is spread over a kernel (n_inputs, n_outputs / groups, *kernel)."""
    return 2 * math.prod(shapes[node.input[0]]) * math.prod(shapes[node.input[1]][1:])


def _product(node: Any, shapes: Mapping[str, Shape]) -> int:
    """Each number of the output is a sum over the last axis of the first matrix."""
    first = shapes[node.input[0]]
    inner = first[-1] if node.op_type != "Gemm" or not _attribute(node, "transA") else first[0]
    return 2 * math.prod(shapes[node.output[0]]) * inner


def _einsum(node: Any, shapes: Mapping[str, Shape]) -> int:
    """A product for each combination of the indices; a sum, too, where there is more than one factor."""
    (equation,) = (a.s.decode() for a in node.attribute if a.name == "equation")
    terms = equation.replace(" ", "").partition("->")[0].split(",")
    if any("." in term for term in terms):
        raise ModelFileError(f"the operations of the Einsum {equation!r} are not known")
    sizes = {
        letter: size
        for term, name in zip(terms, node.input, strict=True)
        for letter, size in zip(term, shapes[name], strict=True)
    }
    return 2 * (len(terms) - 1) * math.prod(sizes.values())


def _recurrence(node: Any, shapes: Mapping[str, Shape]) -> int:
    """Two matrix products a step: weights (n_directions, gates, n) with the input and with the state."""
    n_steps, n_batch = shapes[node.input[0]][:2]
    weights = math.prod(shapes[node.input[1]]) + math.prod(shapes[node.input[2]])
    return 2 * n_steps * n_batch * weights


def _attribute(node: Any, name: str) -> int:
    return next((int(each.i) for each in node.attribute if each.name == name), 0)


_COUNTS: Mapping[str, Callable[[Any, Mapping[str, Shape]], int]] = {
    "Conv": _convolution,
    "ConvInteger": _convolution,
    "QLinearConv": lambda node, shapes: _convolution(node, shapes, 3),
    "ConvTranspose": _transposed_convolution,
    "Gemm": _product,
    "MatMul": _product,
    "MatMulInteger": _product,
    "QLinearMatMul": _product,
    "Einsum": _einsum,
    "LSTM": _recurrence,
    "GRU": _recurrence,
    "RNN": _recurrence,
}
