"""A model file in 8-bit integers: several times faster, calibrated and measured on real music.

Static quantisation with ONNX Runtime: unsigned activations, signed weights with a scale of their own
per channel. Weights use 7 of their 8 bits, because processors without VNNI add products in 16 bits
and would overflow; it costs 0.0002 of the agreement and gives the same scores on every machine. The
file stays plain ONNX (QuantizeLinear and DequantizeLinear around operators), with the same input,
outputs and specification.

In 32-bit floats remain, because 8 bits would be heard there: the front part (spectrogram, mel filters,
logarithm, first normalisation, or the first layer on the waveform), a dense layer that gives the embedding
and everything behind it, and operators whose inputs are no integers anyway (attention, recurrence, squeeze
and excitation).
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taggram.audio.chunk import Chunker
from taggram.audio.decoder import Decoder
from taggram.errors import AudioError, MissingExtraError, ModelFileError
from taggram.inference.session import Session
from taggram.lab.export import seal_model_file
from taggram.lab.training.agreement import spearman_per_tag
from taggram.modelfile.reader import ModelFile
from taggram.modelfile.specification import Metric, Specification

MIN_CLIPS = 8
MAX_CLIPS = 64
"""Clips used for calibration, and clips held out, at most; evenly chosen if there are more."""
HELD_OUT = 4
"""Every so-manieth clip is held out to measure the agreement."""
DURATION_PER_CLIP = 30.0
"""Seconds of chunks taken from one clip, spread evenly over its first minutes."""
DECODED_DURATION = 300.0

WEIGHTED = {"Conv", "Gemm"}
PASSING = {"MaxPool", "Relu", "Squeeze", "Concat", "Add"}
"""Operators that stay in integers when all their inputs are integers."""

Chunks = NDArray[np.float32]


@dataclass(frozen=True)
class Agreement:
    """How closely the integers follow the floats, on clips that were not used for calibration.

    Attributes
    ----------
    spearman
        Rank correlation of the scores of all held-out chunks, mean over tags.
    largest_difference
        Of any score.
    n_clips, n_chunks
        Held out.
    n_calibration_clips
        Used for calibration.
    fingerprint
        SHA-256 over the held-out sound.
    """

    spearman: float
    largest_difference: float
    n_clips: int
    n_chunks: int
    n_calibration_clips: int
    fingerprint: str

    def describe(self) -> str:
        """Say it in one sentence."""
        return (
            f"Spearman correlation with the 32-bit scores {self.spearman:.4f}, largest difference of a score "
            f"{self.largest_difference:.3f}, on {self.n_chunks} chunks of {self.n_clips} held-out clips "
            f"({self.n_calibration_clips} clips for calibration)"
        )


def quantise(model_file: ModelFile, clips: Sequence[Path]) -> tuple[ModelFile, Agreement]:
    """Return the 8-bit form of a model file, and how well it agrees.

    Parameters
    ----------
    model_file
        In 32-bit floats.
    clips
        Sound files like those that will be tagged, at least `MIN_CLIPS`. Most of them set the ranges of
        the activations; every fourth is held out for the agreement, which is also written into the
        specification.

    Raises
    ------
    ModelFileError
        If there are too few usable clips, or the file holds integers already.
    """
    calibration, held_out = _load_clips(model_file.specification, clips)
    session = Session(model_file)
    proto = _prepare(model_file)
    nodes = _quantised_nodes(proto.graph)
    if not nodes:
        raise ModelFileError(f"{model_file.path}: the graph has no layer that gains from 8 bits")
    batches = [session.compute_features(chunks) for chunks in calibration]
    data = _quantise(proto, nodes, model_file.specification.front_end.kind, batches)
    small = seal_model_file(model_file.path, data, model_file.specification)
    agreement = _measure(session, Session(small), held_out, n_calibration_clips=len(calibration))
    return seal_model_file(model_file.path, data, _describe(small.specification, agreement)), agreement


def _load_clips(spec: Specification, clips: Sequence[Path]) -> tuple[list[Chunks], list[Chunks]]:
    """Return the chunks of each calibration clip and of each held-out clip."""
    held_out = _spread(clips[HELD_OUT - 1 :: HELD_OUT])
    rest = _spread([clip for n, clip in enumerate(clips, 1) if n % HELD_OUT])
    with Decoder() as decoder:
        loaded = [
            [chunks for clip in part if len(chunks := _chunks(decoder, clip, spec))]
            for part in (rest, held_out)
        ]
    if sum(map(len, loaded)) < MIN_CLIPS or not loaded[1]:
        raise ModelFileError(
            f"calibration needs at least {MIN_CLIPS} clips of real music, {sum(map(len, loaded))} of "
            f"{len(clips)} files are usable; 50 or more of the kind that will be tagged are better"
        )
    return loaded[0], loaded[1]


def _spread(clips: Sequence[Path]) -> list[Path]:
    return [clips[i] for i in np.linspace(0, len(clips) - 1, min(len(clips), MAX_CLIPS)).astype(int)]


def _chunks(decoder: Decoder, clip: Path, spec: Specification) -> Chunks:
    """Return some chunks of one clip, none if it cannot be decoded: shape (n, chunk_length)."""
    chunker = Chunker(spec.chunk_length, spec.chunk_length)
    chunks: list[Chunks] = []
    try:
        for block in decoder.decode(clip, sample_rate=spec.sample_rate, duration=DECODED_DURATION):
            chunks += [chunk for _, chunk in chunker.add(block)]
    except AudioError:
        return np.empty((0, spec.chunk_length), np.float32)
    chunks += [chunk for _, chunk in chunker.flush()]
    n_wanted = min(len(chunks), max(1, int(DURATION_PER_CLIP / spec.chunk_duration)))
    chosen = [chunks[i] for i in np.linspace(0, len(chunks) - 1, n_wanted).astype(int)]
    return np.stack(chosen) if chosen else np.empty((0, spec.chunk_length), np.float32)


def _prepare(model_file: ModelFile) -> Any:
    """Return the graph with shapes inferred, constants and batch norms folded, and maxima as pooling."""
    try:
        import onnx
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise MissingExtraError("quantising a model", "train") from error
    proto = onnx.load_model_from_string(model_file.data)
    if any(node.op_type == "QuantizeLinear" for node in proto.graph.node):
        raise ModelFileError(f"{model_file.path}: in integers already; quantise the 32-bit file")
    del proto.metadata_props[:]
    with tempfile.TemporaryDirectory(prefix="taggram-") as folder:
        # By way of files: given a message, it loses track of the weights.
        source, prepared = Path(folder, "source.onnx"), Path(folder, "prepared.onnx")
        onnx.save_model(proto, source)
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        proto = onnx.load_model(prepared)
    _pool_maxima(proto)
    _convolve_batch_norms(proto)
    return onnx.shape_inference.infer_shapes(proto, strict_mode=True)


def _pool_maxima(proto: Any) -> None:
    """Turn the maximum over axes of maps into max pooling, which ONNX Runtime has in integers."""
    from onnx import helper, numpy_helper

    graph = proto.graph
    constants = {value.name: numpy_helper.to_array(value) for value in graph.initializer}
    sizes = {
        value.name: [size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in graph.value_info
    }
    nodes: list[Any] = []
    for node in graph.node:
        kernel = _pooling_kernel(node, sizes, constants)
        if kernel is None:
            nodes.append(node)
            continue
        (maps, axes), (result,), name = node.input, node.output, f"{node.name}_pool"
        nodes.append(
            helper.make_node("MaxPool", [maps], [f"{result}_pool"], name, kernel_shape=kernel, strides=kernel)
        )
        nodes.append(helper.make_node("Squeeze", [f"{result}_pool", axes], [result], f"{node.name}_squeeze"))
    del graph.node[:]
    graph.node.extend(nodes)


def _convolve_batch_norms(proto: Any) -> None:
    """Turn each batch norm behind a convolution into a 1 × 1 convolution, which there is in integers.

    Only those are left that could not be folded, because an activation stands in between.
    """
    from onnx import helper, numpy_helper

    graph = proto.graph
    constants = {value.name: numpy_helper.to_array(value) for value in graph.initializer}
    n_axes = {value.name: len(value.type.tensor_type.shape.dim) for value in graph.value_info}
    producer = {output: node for node in graph.node for output in node.output}
    for node in graph.node:
        if node.op_type != "BatchNormalization" or n_axes.get(node.input[0], 0) < 3:
            continue
        if not any(source.op_type == "Conv" for source in _upstream(node, producer)):
            continue
        gain, offset, mean, variance = (constants[name].astype(np.float64) for name in node.input[1:])
        epsilon = next((attribute.f for attribute in node.attribute if attribute.name == "epsilon"), 1e-5)
        factor = gain / np.sqrt(variance + epsilon)
        kernel = factor.reshape(-1, *[1] * (n_axes[node.input[0]] - 1))
        names = [f"{node.output[0]}_kernel", f"{node.output[0]}_bias"]
        for name, value in zip(names, (kernel, offset - mean * factor), strict=True):
            graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), name))
        convolution = helper.make_node(
            "Conv", [node.input[0], *names], [node.output[0]], node.name, group=len(factor)
        )
        node.CopyFrom(convolution)


def _pooling_kernel(
    node: Any, sizes: Mapping[str, list[int]], constants: Mapping[str, NDArray[Any]]
) -> list[int] | None:
    """Return the kernel that covers what a ReduceMax reduces; None if this is no maximum over maps."""
    if node.op_type != "ReduceMax" or len(node.input) != 2 or node.input[1] not in constants:
        return None
    shape = sizes.get(node.input[0], [])  # (batch, channels, height, width)
    axes = {int(axis) % 4 for axis in constants[node.input[1]]}
    keeps_axes = next((attribute.i for attribute in node.attribute if attribute.name == "keepdims"), 1)
    if (
        len(shape) != 4
        or keeps_axes
        or not axes
        or not axes <= {2, 3}
        or not all(shape[axis] for axis in axes)
    ):
        return None
    return [shape[axis] if axis in axes else 1 for axis in (2, 3)]


def _quantised_nodes(graph: Any) -> list[str]:
    """Return the names of the nodes that compute in integers.

    Convolutions and dense layers between the front part and the embedding do, and what passes their
    results on. Everything upstream of a logarithm is front part, and so is the first layer of all. A dense
    layer that gives the embedding itself stays, too: small steps of its dimensions, which the last layer adds
    up with large weights of both signs, would be large ones of the scores.
    """
    producer = {output: node for node in graph.node for output in node.output}
    constants = {value.name for value in graph.initializer}
    weighted = [node for node in graph.node if node.op_type in (*WEIGHTED, "MatMul")]
    front = {node.name for log in graph.node if log.op_type == "Log" for node in _upstream(log, producer)}
    front |= {node.name for node in weighted[:1]}
    last = producer["embedding"]
    candidates = {node.name for node in _upstream(last, producer)} - front
    if last.op_type in WEIGHTED:
        candidates.remove(last.name)
    chosen: set[str] = set()
    for node in graph.node:  # in topological order, so that producers are decided before
        sources = [producer.get(name) for name in node.input if name and name not in constants]
        passes = node.op_type in PASSING and all(source and source.name in chosen for source in sources)
        if node.name in candidates and (node.op_type in WEIGHTED or passes):
            chosen.add(node.name)
    return sorted(chosen)


def _upstream(node: Any, producer: dict[str, Any]) -> Iterator[Any]:
    """Yield a node and everything that it is computed from, each once."""
    waiting, seen = [node], {node.name}
    while waiting:
        yield (current := waiting.pop())
        for name in current.input:
            if (source := producer.get(name)) is not None and source.name not in seen:
                seen.add(source.name)
                waiting.append(source)


def _quantise(proto: Any, nodes: list[str], input_name: str, batches: list[NDArray[np.float32]]) -> bytes:
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._batches = iter(batches)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            batch = next(self._batches, None)
            return None if batch is None else {input_name: batch}

    with tempfile.TemporaryDirectory(prefix="taggram-") as folder:
        source, output = Path(folder, "source.onnx"), Path(folder, "quantised.onnx")
        onnx.save_model(proto, source)
        quantize_static(
            source,
            output,
            Reader(),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            nodes_to_quantize=nodes,
            op_types_to_quantize=sorted(WEIGHTED | PASSING),
        )
        quantised = onnx.load_model(output)
    del quantised.metadata_props[:]
    onnx.checker.check_model(quantised)
    data: bytes = quantised.SerializeToString(deterministic=True)
    return data


def _measure(
    reference: Session, small: Session, held_out: list[Chunks], *, n_calibration_clips: int
) -> Agreement:
    wanted = np.concatenate([reference.run(chunks)[0] for chunks in held_out])
    found = np.concatenate([small.run(chunks)[0] for chunks in held_out])
    digest = sha256()
    for chunks in held_out:
        digest.update(chunks.tobytes())
    return Agreement(
        spearman=float(np.nanmean(spearman_per_tag(wanted, found))),
        largest_difference=float(np.abs(wanted - found).max()),
        n_clips=len(held_out),
        n_chunks=len(wanted),
        n_calibration_clips=n_calibration_clips,
        fingerprint=digest.hexdigest(),
    )


def _describe(spec: Specification, agreement: Agreement) -> Specification:
    metric = Metric(
        name="Spearman correlation with 32-bit scores",
        value=agreement.spearman,
        dataset="clips given for calibration",
        split="held out",
        split_fingerprint=agreement.fingerprint,
    )
    return spec.model_copy(update={"name": f"{spec.name}-int8", "metrics": (*spec.metrics, metric)})
