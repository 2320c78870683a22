"""Where the power spectrogram is computed fastest: beside the graph or inside it, and in which form.

python -m benchmarks.front_ends     prints Markdown

Each way runs on a batch of 16 chunks of 3 s at 16 kHz (n_fft 512, hop 256: Musicnn's), in a process bound
to the stated number of cores. Beside the graph, chunks are spread over as many threads as cores, as the
tagger does; inside it, ONNX Runtime has as many threads. *Difference* is the largest one from a spectrogram
in double precision, over its largest value.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from benchmarks.measure import best_time
from taggram.inference.front_end import power_spectrogram
from taggram.inference.session import usable_cores
from taggram.modelfile.specification import PowerSpectrogram

SPEC = PowerSpectrogram(n_fft=512, hop_length=256)
SHAPE = (16, 48_000)
# The frames that lie within the padded waveform end on a whole number of hops.
PADDED_LENGTH = (SPEC.n_frames(SHAPE[1]) + 1) * SPEC.hop_length
Way = Callable[[], NDArray[np.float32]]


def fourier_rows() -> NDArray[np.float32]:
    """Return the windowed cosines and sines, shape (2 · n_bins, n_fft)."""
    angle = 2 * np.pi * np.outer(np.arange(SPEC.n_bins), np.arange(SPEC.n_fft)) / SPEC.n_fft
    return (np.concatenate([np.cos(angle), np.sin(angle)]) * window()).astype(np.float32)


def window() -> NDArray[np.float32]:
    """Return the periodic Hann window."""
    return np.hanning(SPEC.n_fft + 1)[:-1].astype(np.float32)


def graph_with(nodes: list[Any], constants: dict[str, NDArray[Any]], cores: int) -> Any:
    """Return an ONNX Runtime session from `padded` (batch, n_samples) to `power`."""
    from onnxruntime import InferenceSession, SessionOptions

    shape: list[str | int | None] = ["batch", PADDED_LENGTH]
    value = helper.make_tensor_value_info("padded", TensorProto.FLOAT, shape)
    result = helper.make_tensor_value_info("power", TensorProto.FLOAT, None)
    weights = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "front_end", [value], [result], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    options = SessionOptions()
    options.intra_op_num_threads = cores
    return InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def stft_operator(cores: int) -> Any:
    """ONNX's STFT, which leaves the squares to do."""
    nodes = [
        helper.make_node("STFT", ["padded", "hop", "window"], ["spectrum"], onesided=1),
        helper.make_node("Mul", ["spectrum", "spectrum"], ["squared"]),
        helper.make_node("ReduceSum", ["squared", "last"], ["power"], keepdims=0),
    ]
    return graph_with(
        nodes, {"hop": np.array(SPEC.hop_length), "window": window(), "last": np.array([-1])}, cores
    )


def convolution(cores: int) -> Any:
    """One convolution with the Fourier matrix: what the self-contained form holds."""
    nodes = [
        helper.make_node("Unsqueeze", ["padded", "channel_axis"], ["channel"]),
        helper.make_node("Conv", ["channel", "rows"], ["spectrum"], strides=[SPEC.hop_length]),
        helper.make_node("Mul", ["spectrum", "spectrum"], ["squared"]),
        helper.make_node("Split", ["squared"], ["real", "imaginary"], axis=1, num_outputs=2),
        helper.make_node("Add", ["real", "imaginary"], ["sum"]),
        helper.make_node("Transpose", ["sum"], ["power"], perm=[0, 2, 1]),
    ]
    return graph_with(nodes, {"channel_axis": np.array([1]), "rows": fourier_rows()[:, None]}, cores)


def matrix_product(cores: int) -> Any:
    """Frames as halves of two hops, each multiplied with its half of the Fourier matrix."""
    rows = fourier_rows().T
    first, second = np.split(rows, 2)
    nodes = [
        helper.make_node("Reshape", ["padded", "shape"], ["hops"]),
        helper.make_node("MatMul", ["hops", "first"], ["firsts"]),
        helper.make_node("MatMul", ["hops", "second"], ["seconds"]),
        helper.make_node("Slice", ["firsts", "zero", "minus_one", "axis"], ["until_last"]),
        helper.make_node("Slice", ["seconds", "one", "end", "axis"], ["from_second"]),
        helper.make_node("Add", ["until_last", "from_second"], ["spectrum"]),
        helper.make_node("Mul", ["spectrum", "spectrum"], ["squared"]),
        helper.make_node("Split", ["squared"], ["real", "imaginary"], axis=2, num_outputs=2),
        helper.make_node("Add", ["real", "imaginary"], ["power"]),
    ]
    numbers = {"zero": 0, "one": 1, "minus_one": -1, "end": 1 << 30, "axis": 1}
    constants = {name: np.array([number]) for name, number in numbers.items()}
    shape = np.array([0, -1, SPEC.hop_length])
    return graph_with(nodes, {**constants, "shape": shape, "first": first, "second": second}, cores)


def beside(waveform: NDArray[np.float32], cores: int, pool: ThreadPoolExecutor) -> NDArray[np.float32]:
    """Numpy's FFT, a thread for each core."""
    parts = np.array_split(waveform, cores)
    return np.concatenate(list(pool.map(lambda part: power_spectrogram(part, SPEC), parts)))


def measure(cores: int) -> dict[str, tuple[float, float]]:
    """Return way → (milliseconds a chunk, difference)."""
    waveform = np.random.default_rng(0).normal(0, 0.1, SHAPE).astype(np.float32)
    padded = np.pad(waveform, [(0, 0), (SPEC.n_fft // 2,) * 2], mode="reflect")[:, :PADDED_LENGTH]
    frames = np.lib.stride_tricks.sliding_window_view(padded.astype(np.float64), SPEC.n_fft, axis=1)
    exact = np.abs(np.fft.rfft(frames[:, :: SPEC.hop_length] * window())) ** 2
    graphs = {
        "ONNX `STFT` in the graph": stft_operator(cores),
        "convolution in the graph (self-contained form)": convolution(cores),
        "matrix product in the graph": matrix_product(cores),
    }
    with ThreadPoolExecutor(cores) as pool:
        ways: dict[str, Way] = {
            "numpy FFT beside the graph (the runtime)": lambda: beside(waveform, cores, pool)
        }
        for name, graph in graphs.items():
            ways[name] = lambda graph=graph: graph.run(None, {"padded": padded})[0]  # type: ignore[misc]
        return {
            name: (1000 * best_time(way) / SHAPE[0], _difference(way(), exact)) for name, way in ways.items()
        }


def _difference(found: NDArray[np.float32], exact: NDArray[np.float64]) -> float:
    return float(np.abs(found - exact).max() / exact.max())


def main() -> None:
    if len(sys.argv) > 1:
        cores = int(sys.argv[1])
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
        print(json.dumps(measure(cores)))
        return
    counts = [cores for cores in (1, 2) if cores <= usable_cores()]
    results = {
        cores: json.loads(
            subprocess.check_output([sys.executable, "-m", "benchmarks.front_ends", str(cores)], text=True)
        )
        for cores in counts
    }
    print(
        "| way |",
        " | ".join(f"ms a chunk, {cores} core{'s' * (cores > 1)}" for cores in counts),
        "| difference |",
    )
    print("|---|" + "---|" * (len(counts) + 1))
    for name in results[counts[0]]:
        times = " | ".join(f"{results[cores][name][0]:.2f}" for cores in counts)
        print(f"| {name} | {times} | {results[counts[0]][name][1]:.0e} |")


if __name__ == "__main__":
    main()
