"""Front ends of composed models: the first layers, from a feature to a sequence; one per file.

A module `<name>.py` defines the front end called `<name>` under the attribute `FRONT_END`: a module
that is built as `FRONT_END(shape, …)`, where `shape` is (n_features, n_frames) of the feature, and that
maps (batch, n_features, n_frames) to (batch, n_channels, n_steps). A third party adds one through an
entry point in the group `taggram.lab.front_ends`.

Conv2d, SincNet, Conv1d and TCN are those of the tutorial on deep learning for music information
retrieval at ISMIR 2024 (Peeters, Meseguer-Brocal, Riou, Lattner), written from its description: layer
norm over all but the batch axis in front and behind, with a scale and a shift for every element.
"""

from collections.abc import Callable

from torch import nn

from taggram.registry import Registry

FRONT_ENDS: Registry[Callable[..., nn.Module]] = Registry("front end", "taggram.lab.front_ends", "FRONT_END")

__all__ = ["FRONT_ENDS"]
