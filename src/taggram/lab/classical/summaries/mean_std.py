"""Mean and standard deviation of each row over time: 2 · n_features values."""

import torch
from torch import Tensor

from taggram.lab.classical.summaries._base import Shape, Summary


class MeanStd(Summary):
    """Mean and standard deviation."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()

    def forward(self, features: Tensor) -> Tensor:
        """Map (batch, n_features, n_frames) to (batch, 2 * n_features)."""
        mean = features.mean(dim=2)
        variance = (features - mean.unsqueeze(2)).square().mean(dim=2)
        return torch.cat([mean, variance.sqrt()], dim=1)


SUMMARY = MeanStd
