"""How published checkpoints name their tensors, in terms of ours.

Every model file states its own differences as a map from name prefixes to name prefixes; what a whole
family has in common stands here. A tensor without a rule keeps its name and is reported by strict
loading.
"""

from collections.abc import Mapping

from torch import Tensor

#: Names inside the blocks of sota-music-tagging-models, by our names of `_layers`.
_SOTA_BLOCK_NAMES = {
    "bn": "norm",
    "conv_1": "main.0",
    "bn_1": "main.1",
    "conv_2": "main.3",
    "bn_2": "main.4",
    "conv_3": "shortcut.0",
    "bn_3": "shortcut.1",
}
_SOTA_PREFIXES = {
    "spec.mel_scale.fb": "log_mel.mel.filters",
    "spec_bn.": "log_mel.norm.",
    **{f"layer{number}.": f"layers.{number - 1}." for number in range(1, 12)},
}
#: The hidden layer that several of those models have in front of the head.
SOTA_DENSE_BLOCK = {"dense1.": "hidden.linear.", "bn.": "hidden.norm.", "dense2.": "head."}

_KERAS_LEAVES = {
    "bias": "bias",
    "beta": "bias",
    "gamma": "weight",
    "kernel": "weight",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def rename_prefixes(state: Mapping[str, Tensor], prefixes: Mapping[str, str]) -> dict[str, Tensor]:
    """Replace the prefix of every name; names without a rule stay."""

    def rename(name: str) -> str:
        for old, new in prefixes.items():
            if name.startswith(old):
                return new + name.removeprefix(old)
        return name

    return {rename(name): tensor for name, tensor in state.items()}


def convert_sota_state(state: Mapping[str, Tensor], prefixes: Mapping[str, str]) -> dict[str, Tensor]:
    """Rename the tensors of a sota-music-tagging-models checkpoint.

    The window is dropped because it is computed; the mel filter bank is kept unless the file holds the
    empty one that a model has before its first forward pass.
    """
    kept = {
        _rename_within_blocks(name): tensor
        for name, tensor in state.items()
        if not name.endswith(".window") and not (name.endswith(".fb") and tensor.numel() == 0)
    }
    return rename_prefixes(kept, {**_SOTA_PREFIXES, **prefixes})


def _rename_within_blocks(name: str) -> str:
    """Rename the part in the middle: layer3.conv_1.weight → layer3.main.0.weight."""
    first, *rest = name.split(".")
    return ".".join([first, *(_SOTA_BLOCK_NAMES.get(part, part) for part in rest)])


def convert_keras_state(state: Mapping[str, Tensor], layers: Mapping[str, str]) -> dict[str, Tensor]:
    """Rename and transpose the tensors of a Keras file.

    Keras names are `model_weights/<layer>/<layer>/<leaf>:0`, where the leaf may carry a suffix `_1`.
    Convolution kernels go from (time, frequency, in, out) to (out, in, time, frequency), dense ones from
    (in, out) to (out, in).

    Parameters
    ----------
    state
        Tensors by their path in the file.
    layers
        Our module name of every Keras layer.
    """
    converted = {}
    for path, tensor in state.items():
        layer, leaf = path.removesuffix(":0").split("/")[-2:]
        leaf = leaf.removesuffix("_1")
        if layer not in layers or leaf not in _KERAS_LEAVES:
            converted[path] = tensor
        else:
            # Reversing all axes does it for dense kernels; for four axes the last two must swap back.
            axes = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[tensor.ndim]
            converted[f"{layers[layer]}.{_KERAS_LEAVES[leaf]}"] = tensor.permute(axes).contiguous()
    return converted
