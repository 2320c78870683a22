"""The network of a model file as a torch network, which can be trained on.

A model file holds a finished graph. Here every node of it, up to the embedding, becomes the torch operation
of the same meaning, and its weights become parameters; a fresh last layer follows. What was learned is
exported like any other model.

What the exporter folded stays folded: batch normalisation goes on with the statistics that it has, or is part
of a convolution, and there is no dropout. Filter banks and other numbers that the architecture computes, and
single numbers of formulas, stay as they are.

Operators are those that the architectures of Taggram consist of. A file with another one is refused; a
quantised file has such operators.

References
----------
https://onnx.ai/onnx/operators, opset 18.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from taggram.errors import ModelFileError
from taggram.lab.models import MODELS, Architecture, TaggingModel
from taggram.modelfile.reader import ModelFile
from taggram.modelfile.specification import ConstantQ, PowerSpectrogram, Waveform

_PREFIX = "model."  # of the names of parameters and buffers in an exported graph
_WHOLE = 2**31 - 1  # beyond it a slice means: to the end
_TYPES = {1: torch.float32, 10: torch.float16, 11: torch.float64}


class ModelFileNetwork(TaggingModel):
    """The network of a model file, with a fresh last layer.

    Parameters
    ----------
    model_file
        A model of tags.
    n_tags
        Size of the new tag vocabulary.

    Raises
    ------
    ModelFileError
        If it is no model of tags, or the graph holds an operator that is not known here.
    """

    def __init__(self, model_file: ModelFile, n_tags: int) -> None:
        spec = model_file.specification
        super().__init__(
            n_tags,
            spec.embedding_dim,
            architecture=Architecture(
                name=spec.architecture,
                title=spec.name,
                paper=spec.paper,
                chunk_length=spec.chunk_length,
                front_end=front_end_of(model_file),
                sample_rate=spec.sample_rate,
            ),
        )
        graph = onnx.load_from_string(model_file.data).graph
        self._nodes = nodes_behind(graph, "embedding")
        _check_operators(model_file, self._nodes)
        self._input = graph.input[0].name
        self._numbers: dict[str, Any] = {}  # shapes and axes, as Python integers
        self._names: dict[str, str] = {}  # initializer → attribute
        used = {name for node in self._nodes for name in node.input}
        learned = _learned(self._nodes, graph, spec.architecture)
        for initializer in graph.initializer:
            if initializer.name in used:
                self._take(initializer, is_learned=initializer.name in learned)

    def _take(self, initializer: onnx.TensorProto, *, is_learned: bool) -> None:
        array = numpy_helper.to_array(initializer)
        if array.dtype.kind in "iu":
            self._numbers[initializer.name] = array.tolist()
            return
        tensor = torch.from_numpy(array.copy())
        self._names[initializer.name] = attribute = initializer.name.replace(".", "/")
        if is_learned:
            self.register_parameter(attribute, nn.Parameter(tensor))
        else:
            self.register_buffer(attribute, tensor)

    def embed_features(self, features: Tensor) -> Tensor:
        """Map what the front end gives to the embedding (batch, embedding_dim), node by node."""
        values: dict[str, Any] = {"": None, self._input: features, **self._numbers}
        values |= {name: getattr(self, attribute) for name, attribute in self._names.items()}
        for node in self._nodes:
            found = OPERATORS[node.op_type](*(values[name] for name in node.input), **_attributes(node))
            values |= zip(node.output, found if isinstance(found, tuple) else (found,), strict=False)
        embedding: Tensor = values["embedding"]
        return embedding


def front_end_of(model_file: ModelFile) -> Waveform | PowerSpectrogram:
    """Return the front end of a model of tags.

    Raises
    ------
    ModelFileError
        If it is a model of chords, which has no embedding.
    """
    front_end = model_file.specification.front_end
    if isinstance(front_end, ConstantQ):
        raise ModelFileError(
            f"{model_file.path}: is a model of chords; only a model of tags can learn new ones"
        )
    return front_end


def nodes_behind(graph: onnx.GraphProto, output: str) -> list[onnx.NodeProto]:
    """Return the nodes that `output` depends on, in their order."""
    needed = {output}
    kept = []
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed |= set(node.input)
            kept.append(node)
    return kept[::-1]


def _check_operators(model_file: ModelFile, nodes: Sequence[onnx.NodeProto]) -> None:
    unknown = sorted({node.op_type for node in nodes} - OPERATORS.keys())
    if unknown:
        raise ModelFileError(
            f"{model_file.path}: the network cannot be trained on, its graph holds {', '.join(unknown)}. If "
            "the file is quantised, take the one it was made from; or train a new last layer only"
        )


def _learned(nodes: Sequence[onnx.NodeProto], graph: onnx.GraphProto, architecture: str) -> set[str]:
    """Return the names of the numbers that training may change."""
    fixed = set()
    if architecture in MODELS.names():
        fixed = {_PREFIX + name for name, _ in MODELS.get(architecture)().named_buffers()}
    layers = {"Conv": 2, "Gemm": 2, "MatMul": 2, "GRU": 4}  # operator → up to which input its weights stand
    weights = {name for node in nodes for name in node.input[1 : layers.get(node.op_type, 1)]}
    return {
        initializer.name
        for initializer in graph.initializer
        if initializer.data_type == onnx.TensorProto.FLOAT
        # The exporter renames the weights that it transposes or puts together, but not those of a feature.
        and (initializer.name.startswith(_PREFIX) or (initializer.name in weights and initializer.dims))
        and initializer.name not in fixed
        and not initializer.name.startswith(f"{_PREFIX}feature.")
    }


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    values = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in values.items()}


# One function for each operator: inputs by position, attributes by their names in ONNX. Shapes are lists of
# integers, so that an open batch size stays open.


def _conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    strides: Sequence[int] = (),
    pads: Sequence[int] = (),
    dilations: Sequence[int] = (),
    group: int = 1,
    kernel_shape: Sequence[int] = (),
    auto_pad: str = "NOTSET",
) -> Tensor:
    n_dimensions = x.dim() - 2
    convolve = {1: functional.conv1d, 2: functional.conv2d}[n_dimensions]
    found: Tensor = convolve(
        functional.pad(x, _torch_order(pads)) if any(pads) else x,
        weight,
        bias,
        stride=tuple(strides) or 1,
        dilation=tuple(dilations) or 1,
        groups=group,
    )
    return found


def _max_pool(
    x: Tensor,
    *,
    kernel_shape: Sequence[int],
    strides: Sequence[int] = (),
    pads: Sequence[int] = (),
    dilations: Sequence[int] = (),
    ceil_mode: int = 0,
    storage_order: int = 0,
    auto_pad: str = "NOTSET",
) -> Tensor:
    pool = {1: functional.max_pool1d, 2: functional.max_pool2d}[x.dim() - 2]
    padded = functional.pad(x, _torch_order(pads), value=-torch.inf) if any(pads) else x
    found: Tensor = pool(
        padded,
        tuple(kernel_shape),
        tuple(strides) or 1,
        dilation=tuple(dilations) or 1,
        ceil_mode=bool(ceil_mode),
    )
    return found


def _pad(
    x: Tensor, pads: Sequence[int], value: Tensor | None = None, axes: None = None, *, mode: str = "constant"
) -> Tensor:
    sides = _torch_order(pads)
    while sides[-2:] == [0, 0]:
        sides = sides[:-2]
    if mode == "constant":
        return functional.pad(x, sides, value=0.0 if value is None else float(value))
    return functional.pad(x, sides, mode={"edge": "replicate", "reflect": "reflect"}[mode])


def _torch_order(pads: Sequence[int]) -> list[int]:
    """Turn (begins …, ends …) by axis into torch's (begin, end) of the last axis first."""
    half = len(pads) // 2
    return [
        side for begin, end in list(zip(pads[:half], pads[half:], strict=True))[::-1] for side in (begin, end)
    ]


def _gemm(
    a: Tensor,
    b: Tensor,
    c: Tensor | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,  # noqa: N803 - the name of the attribute
    transB: int = 0,  # noqa: N803
) -> Tensor:
    product = alpha * ((a.T if transA else a) @ (b.T if transB else b))
    return product if c is None else product + beta * c


def _batch_normalisation(
    x: Tensor,
    scale: Tensor,
    bias: Tensor,
    mean: Tensor,
    variance: Tensor,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
) -> Tensor:
    # Where numbers are equal, as in a network that has learned nothing yet, the exporter stores them once.
    mean, variance = mean.detach(), variance.detach()
    return functional.batch_norm(x, mean, variance, scale, bias, training=False, eps=epsilon)


def _layer_normalisation(
    x: Tensor,
    scale: Tensor,
    bias: Tensor | None = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = 1,
) -> Tensor:
    return functional.layer_norm(x, list(x.shape[axis:]), scale, bias, epsilon)


def _gru(
    x: Tensor,
    weight: Tensor,
    recurrence: Tensor,
    bias: Tensor,
    lengths: None = None,
    state: Tensor | None = None,
    *,
    hidden_size: int,
    layout: int = 0,
    linear_before_reset: int = 0,
    direction: str = "forward",
) -> tuple[Tensor, Tensor]:
    """One layer in one direction; ONNX orders gates as update, reset, new, torch as reset, update, new."""
    if direction != "forward" or layout or not linear_before_reset or state is None:
        raise ModelFileError(f"a recurrent layer of this kind cannot be trained on (direction {direction})")
    of_input, of_state = bias[0].chunk(2)
    parameters = [_swap_gates(part) for part in (weight[0], recurrence[0], of_input, of_state)]
    found, last = torch.gru(x, state, parameters, True, 1, 0.0, False, False, False)
    return found.unsqueeze(1), last


def _swap_gates(rows: Tensor) -> Tensor:
    update, reset, new = rows.chunk(3)
    return torch.cat([reset, update, new])


def _slice(x: Any, starts: Sequence[int], ends: Sequence[int], axes: Any = None, steps: Any = None) -> Any:
    for place, (start, end) in enumerate(zip(starts, ends, strict=True)):
        axis = place if axes is None else axes[place]
        step = 1 if steps is None else steps[place]
        if (start, step) == (-1, -1) and end < -_WHOLE:
            x = x.flip(axis)
            continue
        part = slice(start, end if end < _WHOLE else None, step)
        x = x[part] if isinstance(x, list) else x[(slice(None),) * (axis % x.dim()) + (part,)]
    return x


def _gather(x: Any, index: Any, *, axis: int = 0) -> Any:
    if isinstance(x, list):
        return [x[i] for i in index] if isinstance(index, list) else x[index]
    if isinstance(index, int):
        return x.select(axis, index)
    return x.index_select(axis, torch.tensor(index, device=x.device))


def _concat(*parts: Any, axis: int) -> Any:
    if isinstance(parts[0], Tensor):
        return torch.cat(parts, dim=axis)
    return [number for part in parts for number in part]


def _unsqueeze(x: Any, axes: Sequence[int]) -> Any:
    if not isinstance(x, Tensor):
        return [x]
    n_dimensions = x.dim() + len(axes)
    for axis in sorted(axis % n_dimensions for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _squeeze(x: Any, axes: Sequence[int]) -> Any:
    return x.squeeze(tuple(axes)) if isinstance(x, Tensor) else x[0]


def _multiply(a: Any, b: Any) -> Any:
    return [i * j for i, j in zip(a, b, strict=True)] if isinstance(a, list) else a * b


def _reshape(x: Any, shape: Sequence[int], *, allowzero: int = 0) -> Any:
    if isinstance(x, list):  # only ever to the one dimension that it has
        return x
    return x.reshape([x.shape[axis] if side == 0 else side for axis, side in enumerate(shape)])


def _split(
    x: Tensor, sizes: Sequence[int] | None = None, *, axis: int = 0, num_outputs: int = 0
) -> tuple[Tensor, ...]:
    return x.chunk(num_outputs, axis) if sizes is None else torch.split(x, list(sizes), axis)


def _reduce(of: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def reduce(x: Tensor, axes: Any = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0) -> Tensor:
        return of(x, dim=list(range(x.dim())) if axes is None else list(axes), keepdim=bool(keepdims))

    return reduce


OPERATORS: Mapping[str, Callable[..., Any]] = {
    "Abs": torch.abs,
    "Add": lambda a, b: a + b,
    "BatchNormalization": _batch_normalisation,
    "Cast": lambda x, *, to, saturate=1: x.to(_TYPES[to]) if isinstance(x, Tensor) else x,
    "Clip": lambda x, low=None, high=None: x.clamp(low, high),
    "Concat": _concat,
    "Conv": _conv,
    "Div": lambda a, b: a / b,
    "Elu": lambda x, *, alpha=1.0: functional.elu(x, alpha),
    "Erf": torch.erf,
    "Exp": torch.exp,
    "Expand": lambda x, shape: x + x.new_zeros(shape),
    "Gather": _gather,
    "Gemm": _gemm,
    "GRU": _gru,
    "LayerNormalization": _layer_normalisation,
    "LeakyRelu": lambda x, *, alpha=0.01: functional.leaky_relu(x, alpha),
    "Log": torch.log,
    "MatMul": lambda a, b: a @ b,
    "MaxPool": _max_pool,
    "Mul": _multiply,
    "Pad": _pad,
    "Pow": lambda a, b: a**b,
    "ReduceMax": _reduce(torch.amax),
    "ReduceMean": _reduce(torch.mean),
    "ReduceSum": _reduce(torch.sum),
    "Relu": torch.relu,
    "Reshape": _reshape,
    "Shape": lambda x, *, start=0, end=None: list(x.shape[start:end]),
    "Sigmoid": torch.sigmoid,
    "Sin": torch.sin,
    "Slice": _slice,
    "Softmax": lambda x, *, axis=-1: x.softmax(axis),
    "Split": _split,
    "Sqrt": torch.sqrt,
    "Squeeze": _squeeze,
    "Sub": lambda a, b: a - b,
    "Tanh": torch.tanh,
    "Transpose": lambda x, *, perm: x.permute(*perm),
    "Unsqueeze": _unsqueeze,
}
"""Operator → what it computes."""
