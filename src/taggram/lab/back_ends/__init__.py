"""Back ends of composed models: from the sequence of a front end to the embedding; one per file.

A module `<name>.py` defines the back end called `<name>` under the attribute `BACK_END`: a module that is
built as `BACK_END(shape, …)`, where `shape` is (n_channels, n_steps) of the front end, and that maps
(batch, n_channels, n_steps) to the embedding (batch, embedding_dim). A third party adds one through an
entry point in the group `taggram.lab.back_ends`.
"""

from collections.abc import Callable

from torch import nn

from taggram.registry import Registry

BACK_ENDS: Registry[Callable[..., nn.Module]] = Registry("back end", "taggram.lab.back_ends", "BACK_END")

__all__ = ["BACK_ENDS"]
