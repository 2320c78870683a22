"""Through the door: a model of the laboratory becomes a model file that needs no torch.

The graph holds everything behind the front end and ends in scores:

    waveform (batch, n_samples)  or  power_spectrogram (batch, n_frames, n_bins)
        → scores (batch, n_tags), in [0, 1]; embedding (batch, embedding_dim)

`draw_in_front_end` makes the self-contained form, in which the spectrogram is part of the graph, so that a
program in any language feeds plain waveforms: the same numbers, more slowly (measured in
docs/model_file.md).

No file is written before ONNX Runtime gives the numbers that torch gives.
"""

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from taggram.errors import MissingExtraError, ModelFileError
from taggram.inference.front_end import power_spectrogram
from taggram.inference.session import OUTPUTS, Session
from taggram.lab.features._power_spectrogram import PowerSpectrogramLayer
from taggram.lab.models import TaggingModel
from taggram.modelfile.container import read_specification, seal
from taggram.modelfile.reader import ModelFile
from taggram.modelfile.specification import PowerSpectrogram, Specification, Waveform
from taggram.modelfile.writer import write_model_file

OPSET = 18
TOLERANCE = 1e-4
"""Largest accepted difference of a score between the exported file and the model."""


class _Graph(nn.Module):
    """What the file computes: features → scores, embedding."""

    def __init__(self, model: TaggingModel, task: str) -> None:
        super().__init__()
        self.model = model
        self.multi_class = task == "multi_class"

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        embedding = self.model.embed_features(features)
        return self.score(embedding), embedding

    def score(self, embedding: Tensor) -> Tensor:
        """Map embeddings to scores, as the task asks."""
        logits: Tensor = self.model.head(embedding)
        return logits.softmax(dim=1) if self.multi_class else logits.sigmoid()


def export_model(
    model: TaggingModel, specification: Specification, path: Path, *, self_contained: bool = False
) -> Specification:
    """Write a model file, after comparing it with the model.

    Parameters
    ----------
    model
        Any model of the zoo; it is neither changed nor moved.
    specification
        What the file says about itself; must describe `model`. The checksum is filled in.
    path
        Where to write; an existing file is replaced in one step, or left alone if anything fails.
    self_contained
        Compute the spectrogram inside the graph; the written specification then says `Waveform`.

    Returns
    -------
    The specification as written.

    Raises
    ------
    ModelFileError
        If the specification does not describe the model, the model cannot be expressed in ONNX, or the
        file does not give the model's numbers.
    """
    _check_description(model, specification)
    graph = _Graph(copy.deepcopy(model).cpu().float(), specification.task).eval()
    model_file = seal_model_file(path, _to_onnx(graph, specification), specification)
    if self_contained:
        model_file = draw_in_front_end(model_file)
    _check_numbers(graph, model_file)
    write_model_file(path, model_file.data)
    return model_file.specification


def draw_in_front_end(model_file: ModelFile) -> ModelFile:
    """Return the self-contained form of a model file: the same scores, straight from the waveform.

    The spectrogram becomes one convolution, whose kernels are the rows of the windowed Fourier matrix.
    A file whose graph takes the waveform already is returned as it is.
    """
    front_end = model_file.specification.front_end
    if not isinstance(front_end, PowerSpectrogram):
        return model_file
    import onnx

    proto = onnx.load_model_from_string(model_file.data)
    nodes, initializers = _power_spectrogram_nodes(front_end)
    inner = list(proto.graph.node)
    del proto.graph.node[:], proto.graph.input[:]
    proto.graph.node.extend(nodes + inner)
    proto.graph.initializer.extend(initializers)
    shape: list[str | int | None] = ["batch", model_file.specification.chunk_length]
    proto.graph.input.append(onnx.helper.make_tensor_value_info("waveform", onnx.TensorProto.FLOAT, shape))
    onnx.checker.check_model(proto, full_check=True)
    specification = model_file.specification.model_copy(update={"front_end": Waveform()})
    return seal_model_file(model_file.path, proto.SerializeToString(deterministic=True), specification)


def compare_front_ends(specification: Specification) -> float:
    """Return the largest difference of the runtime's and the laboratory's front end, over the largest value.

    Raises
    ------
    ModelFileError
        If they differ by more than `TOLERANCE`.
    """
    front_end = specification.front_end
    if not isinstance(front_end, PowerSpectrogram):
        return 0.0
    waveforms = example_waveforms(specification, 3)
    expected = PowerSpectrogramLayer(front_end)(torch.from_numpy(waveforms)).numpy()
    difference = float(np.abs(power_spectrogram(waveforms, front_end) - expected).max() / expected.max())
    if not difference <= TOLERANCE:
        raise ModelFileError(
            f"the front ends of {specification.name!r} differ by {difference:.1e} of the largest value, "
            f"at most {TOLERANCE:.0e} is accepted: numpy or torch on this machine computes wrong spectra"
        )
    return difference


def seal_model_file(path: Path, onnx_bytes: bytes, specification: Specification) -> ModelFile:
    """Return the model file that will stand at `path`, with its checksum filled in."""
    data = seal(onnx_bytes, specification)
    return ModelFile(path, read_specification(data, source=str(path)), data)


def _power_spectrogram_nodes(spec: PowerSpectrogram) -> tuple[list[Any], list[Any]]:
    """Return ONNX nodes and constants from `waveform` to `power_spectrogram`."""
    from onnx import helper, numpy_helper

    half = spec.n_fft // 2
    constants: dict[str, NDArray[Any]] = {
        "front_end.channel_axis": np.array([1], np.int64),
        "front_end.padding": np.array([0, 0, half, 0, 0, half], np.int64),
        "front_end.kernel": _fourier_kernel(spec),
    }
    mode = "reflect" if spec.pad_mode == "reflect" else "constant"
    steps: list[tuple[str, list[str], list[str], dict[str, Any]]] = [
        ("Unsqueeze", ["waveform", "front_end.channel_axis"], ["front_end.channel"], {}),
        ("Pad", ["front_end.channel", "front_end.padding"], ["front_end.padded"], {"mode": mode}),
        (
            "Conv",
            ["front_end.padded", "front_end.kernel"],
            ["front_end.spectrum"],
            {"strides": [spec.hop_length]},
        ),
        ("Mul", ["front_end.spectrum", "front_end.spectrum"], ["front_end.squared"], {}),
        (
            "Split",
            ["front_end.squared"],
            ["front_end.real", "front_end.imaginary"],
            {"axis": 1, "num_outputs": 2},
        ),
        ("Add", ["front_end.real", "front_end.imaginary"], ["front_end.power"], {}),
        ("Transpose", ["front_end.power"], ["power_spectrogram"], {"perm": [0, 2, 1]}),
    ]
    nodes = [
        helper.make_node(operator, inputs, outputs, name=f"front_end.{operator}", **attributes)
        for operator, inputs, outputs, attributes in steps
    ]
    return nodes, [numpy_helper.from_array(value, name) for name, value in constants.items()]


def _fourier_kernel(spec: PowerSpectrogram) -> NDArray[np.float32]:
    """Return the windowed cosines and sines, shape (2 · n_bins, 1, n_fft)."""
    periodic = spec.window == "hann_periodic"
    window = np.hanning(spec.n_fft + 1)[:-1] if periodic else np.hanning(spec.n_fft)
    # Whole turns are dropped before the product becomes an angle, so the rows stay exact for large n_fft.
    turns = np.outer(np.arange(spec.n_bins), np.arange(spec.n_fft)) % spec.n_fft
    angle = 2 * np.pi * turns / spec.n_fft
    kernel: NDArray[np.float32] = (np.concatenate([np.cos(angle), np.sin(angle)]) * window).astype(np.float32)
    return kernel[:, np.newaxis]


def example_waveforms(specification: Specification, n_chunks: int, *, seed: int = 0) -> NDArray[np.float32]:
    """Return chunks that exercise a model: noise whose level falls from full scale, then silence.

    Returns
    -------
    shape (n_chunks, chunk_length), in [−1, 1]; the last chunk is silent if there is more than one.
    """
    rng = np.random.default_rng(seed)
    noise = rng.uniform(-1, 1, (n_chunks, specification.chunk_length))
    level = 10.0 ** -np.arange(n_chunks, dtype=np.float64)
    if n_chunks > 1:
        level[-1] = 0.0
    return (noise * level[:, None]).astype(np.float32)


def _check_description(model: TaggingModel, specification: Specification) -> None:
    architecture = model.architecture
    stated_and_true = {
        "architecture": (specification.architecture, architecture.name),
        "sample_rate": (specification.sample_rate, architecture.sample_rate),
        "chunk_length": (specification.chunk_length, architecture.chunk_length),
        "front_end": (specification.front_end, architecture.front_end),
        "number of tags": (specification.n_tags, model.n_tags),
        "embedding_dim": (specification.embedding_dim, model.embedding_dim),
    }
    for what, (stated, true) in stated_and_true.items():
        if stated != true:
            raise ModelFileError(
                f"the specification of {specification.name!r} does not describe the model: "
                f"{what} is {stated!r} in the specification and {true!r} in the model"
            )


def _to_onnx(graph: _Graph, specification: Specification) -> bytes:
    """Trace the graph with a batch of open size and return the checked ONNX file."""
    try:
        import onnx
        import onnxscript  # noqa: F401 - torch's exporter needs it and says so badly
    except ImportError as error:
        raise MissingExtraError("exporting a model", "train") from error
    waveforms = torch.from_numpy(example_waveforms(specification, 2))
    try:
        with torch.no_grad(), quiet_exporter():
            program = torch.onnx.export(
                graph,
                (graph.model.front_end(waveforms),),
                dynamo=True,
                external_data=False,
                opset_version=OPSET,
                input_names=[specification.front_end.kind],
                output_names=list(OUTPUTS),
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        raise ModelFileError(
            f"architecture {specification.architecture!r} cannot be expressed in ONNX by torch "
            f"{torch.__version__}: {_first_line(error)}"
        ) from error
    assert program is not None
    proto = without_traces(program.model_proto)
    onnx.checker.check_model(proto, full_check=True)
    data: bytes = proto.SerializeToString(deterministic=True)
    return data


def without_traces(proto: Any) -> Any:
    """Drop the exporter's notes: stack traces with paths of the machine, and no use to a runtime."""
    del proto.metadata_props[:]
    for function in proto.functions:
        _clear_notes(function)
    for graph in (proto.graph, *proto.functions):
        _clear_notes(graph)
        for part in (*graph.node, *graph.value_info):
            _clear_notes(part)
    for part in (*proto.graph.input, *proto.graph.output, *proto.graph.initializer):
        _clear_notes(part)
    return proto


def _clear_notes(part: Any) -> None:
    part.ClearField("doc_string")
    part.ClearField("metadata_props")


def _first_line(error: Exception) -> str:
    """Return what went wrong, without the exporter's general advice."""
    lines = [line for line in str(error.__cause__ or error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _check_numbers(graph: _Graph, model_file: ModelFile) -> None:
    """Compare what the file gives with what the model gives, for two batch sizes."""
    session = Session(model_file)
    for n_chunks in (1, 3):
        waveforms = example_waveforms(model_file.specification, n_chunks)
        with torch.no_grad():
            embedding = graph.model.embed(torch.from_numpy(waveforms))
            scores = graph.score(embedding)
        # Embeddings have no fixed range: their difference is measured in parts of the largest.
        scale = max(1.0, float(embedding.abs().max()))
        found = session.run(waveforms)
        for name, got, wanted, unit in zip(OUTPUTS, found, (scores, embedding), (1.0, scale), strict=True):
            difference = float(np.abs(got - wanted.numpy()).max(initial=0.0)) / unit
            if not difference <= TOLERANCE:
                raise ModelFileError(
                    f"{model_file.path}: not written: {name} of the exported graph differ from the model by "
                    f"{difference:.1e}, at most {TOLERANCE:.0e} is accepted. An operator of the model "
                    "was not exported rightly; try other versions of torch and onnxruntime"
                )


# What torch's exporter warns about in its own code: deprecated calls, and the recurrent layers' list
# of references to their weights, which it restores by itself.
_EXPORTER_WARNINGS = (
    (r".*isinstance\(treespec, LeafSpec\)", FutureWarning),
    (r"_check_is_size will be removed", FutureWarning),
    (r"The tensor attributes? \S*\._flat_weights\[0\].* assigned during export", UserWarning),
)


@contextmanager
def quiet_exporter() -> Iterator[None]:
    """Silence what torch's exporter says about itself, and nothing else."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it reports that torchvision, which is not needed, is missing
    try:
        with warnings.catch_warnings():
            for message, category in _EXPORTER_WARNINGS:
                warnings.filterwarnings("ignore", message, category)
            yield
    finally:
        logger.setLevel(level)
