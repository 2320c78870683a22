"""What front ends share: the check of their input, and the size of what a layer gives."""

import torch
from torch import Tensor, nn

from taggram.errors import ShapeError

Shape = tuple[int, ...]


def output_shape(module: nn.Module, shape: Shape) -> Shape:
    """Return the shape, without the batch axis, that a module gives for one input of `shape`.

    Raises
    ------
    ShapeError
        If the module cannot take such an input, as when a chunk is too short for its filters.
    """
    was_training = module.training
    module.eval()
    try:
        with torch.no_grad():
            output: Tensor = module(torch.zeros(1, *shape))
    except RuntimeError as error:
        raise ShapeError(
            f"{type(module).__name__} cannot take an input of shape {shape}: {error}. Is the chunk too short?"
        ) from error
    finally:
        module.train(was_training)
    return tuple(output.shape[1:])


def need_one_row(name: str, shape: Shape) -> None:
    """Raise ShapeError unless the feature has one row, as the waveform has."""
    if shape[0] != 1:
        raise ShapeError(
            f"{name} filters a waveform, got a feature of {shape[0]} rows: choose the feature 'waveform'"
        )


class Normalised(nn.Module):
    """Layer norm → filters → layer norm → leaky ReLU, the frame of the tutorial's front ends."""

    def __init__(self, shape: Shape, filters: nn.Module) -> None:
        super().__init__()
        self.input_norm = nn.LayerNorm(shape)
        self.filters = filters
        self.norm = nn.LayerNorm(output_shape(filters, shape))

    def forward(self, feature: Tensor) -> Tensor:
        """Map (batch, n_features, n_frames) to (batch, n_channels, n_steps)."""
        filtered = self.norm(self.filters(self.input_norm(feature)))
        return nn.functional.leaky_relu(filtered)
