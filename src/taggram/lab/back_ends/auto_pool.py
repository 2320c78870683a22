"""AutoPool: two convolutions, three linear layers at every step, and a learned weighting of the steps.

The back end of the tutorial at ISMIR 2024. Of the last linear layer's channels, one half are values and
the other half decide how much each step counts: softmax over time of α times these. The learned α begins
at 0, which is the mean; it can grow towards the maximum.

References
----------
McFee, Salamon, Bello, "Adaptive pooling operators for weakly labeled sound event detection", TASLP 2018.
"""

import torch
from torch import Tensor, nn

from taggram.lab.front_ends._layers import Shape, output_shape


class AutoPoolBackEnd(nn.Module):
    """Convolutions → linear layers → automatic pooling.

    Parameters
    ----------
    shape
        (n_channels, n_steps) of what comes in.
    n_filters, width, pool
        Of each of the two convolutions: filters, steps that a filter sees, steps pooled into one.
    n_units
        Of each of the three linear layers; the embedding has half as many elements.
    """

    def __init__(
        self, shape: Shape, *, n_filters: int = 60, width: int = 5, pool: int = 3, n_units: int = 128
    ) -> None:
        super().__init__()
        first = _ConvBlock(shape, n_filters, width, pool)
        second = _ConvBlock(output_shape(first, shape), n_filters, width, pool)
        n_steps = output_shape(second, output_shape(first, shape))[1]
        self.convolutions = nn.Sequential(first, second)
        self.norm = nn.LayerNorm((n_steps, n_filters))
        self.linear = nn.Sequential(*(_LinearBlock(n_in, n_units) for n_in in (n_filters, n_units, n_units)))
        self.pool = AutoPool()

    def forward(self, sequence: Tensor) -> Tensor:
        """Map (batch, n_channels, n_steps) to the embedding (batch, n_units // 2)."""
        steps = self.norm(self.convolutions(sequence).transpose(1, 2))  # (batch, n_steps, n_filters)
        pooled: Tensor = self.pool(self.linear(steps).transpose(1, 2))
        return pooled


class AutoPool(nn.Module):
    """Weighted mean over time, with weights from the other half of the channels."""

    def __init__(self) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(1))

    def forward(self, sequence: Tensor) -> Tensor:
        """Map (batch, 2 · n_values, n_steps) to (batch, n_values)."""
        values, weights = sequence.chunk(2, dim=1)
        return (values * (self.alpha * weights).softmax(dim=2)).sum(dim=2)


class _ConvBlock(nn.Sequential):
    """Valid convolution → max pooling → layer norm → leaky ReLU."""

    def __init__(self, shape: Shape, n_filters: int, width: int, pool: int) -> None:
        conv, pooling = nn.Conv1d(shape[0], n_filters, width), nn.MaxPool1d(pool)
        norm = nn.LayerNorm(output_shape(nn.Sequential(conv, pooling), shape))
        super().__init__(conv, pooling, norm, nn.LeakyReLU())


class _LinearBlock(nn.Module):
    """Linear layer at every step → batch norm over batch and steps → leaky ReLU."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(n_in, n_out)
        self.norm = nn.BatchNorm1d(n_out)

    def forward(self, steps: Tensor) -> Tensor:
        """Map (batch, n_steps, n_in) to (batch, n_steps, n_out)."""
        normalised = self.norm(self.linear(steps).transpose(1, 2)).transpose(1, 2)
        return nn.functional.leaky_relu(normalised)


BACK_END = AutoPoolBackEnd
