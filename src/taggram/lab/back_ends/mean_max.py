"""Mean and maximum over time, then one hidden layer."""

import torch
from torch import Tensor, nn

from taggram.lab.front_ends._layers import Shape


class MeanMax(nn.Module):
    """Pooling over time → linear → batch norm → ReLU → dropout.

    Parameters
    ----------
    shape
        (n_channels, n_steps) of what comes in.
    n_units
        Length of the embedding.
    dropout
        Probability of dropping an element of the embedding, in training.
    """

    def __init__(self, shape: Shape, *, n_units: int = 128, dropout: float = 0.3) -> None:
        super().__init__()
        self.hidden = nn.Sequential(
            nn.Linear(2 * shape[0], n_units, bias=False),
            nn.BatchNorm1d(n_units),
            nn.ReLU(),
            nn.Dropout(dropout),
        )

    def forward(self, sequence: Tensor) -> Tensor:
        """Map (batch, n_channels, n_steps) to the embedding (batch, n_units)."""
        embedding: Tensor = self.hidden(torch.cat([sequence.mean(dim=2), sequence.amax(dim=2)], dim=1))
        return embedding


BACK_END = MeanMax
