"""Standardisation: every column minus its mean, over its standard deviation; a constant column becomes 0."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


class Standardise(nn.Module):
    """(…, n_columns) → the same shape."""

    mean: Tensor
    scale: Tensor

    def __init__(self, n_columns: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_columns))
        self.register_buffer("scale", torch.ones(n_columns))

    def fit_transform(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Learn mean and deviation from (n_rows, n_columns) and return the standardised rows."""
        mean, deviation = rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64)
        # What rounding makes of a constant is no deviation.
        is_constant = deviation < 1e-6 * np.maximum(1.0, np.abs(mean))
        self.mean = torch.from_numpy(mean.astype(np.float32))
        self.scale = torch.from_numpy(
            np.where(is_constant, 0.0, 1.0 / np.where(is_constant, 1.0, deviation)).astype(np.float32)
        )
        standardised: NDArray[np.float32] = self(torch.from_numpy(rows)).numpy()
        return standardised

    def forward(self, values: Tensor) -> Tensor:
        """Standardise."""
        return (values - self.mean) * self.scale
