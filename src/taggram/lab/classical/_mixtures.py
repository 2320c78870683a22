"""Gaussian mixtures with diagonal covariances as a torch module: log of weight times density."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


class DiagonalGaussians(nn.Module):
    """(…, n_columns) → log(weight · density) of each component, (…, n_components)."""

    linear: Tensor
    quadratic: Tensor
    constant: Tensor

    def __init__(self, n_components: int, n_columns: int) -> None:
        super().__init__()
        self.register_buffer("linear", torch.zeros(n_columns, n_components))
        self.register_buffer("quadratic", torch.zeros(n_columns, n_components))
        self.register_buffer("constant", torch.zeros(n_components))

    def copy_from(self, *mixtures: Any) -> None:
        """Take over the components of fitted `sklearn.mixture.GaussianMixture`, one after the other."""
        weights, means, variances = (
            np.concatenate([getattr(mixture, name) for mixture in mixtures])
            for name in ("weights_", "means_", "covariances_")
        )
        # The square is written out, so that the density is two products with the columns.
        determinant = np.log(2 * np.pi * variances).sum(axis=1)
        constant = np.log(weights) - 0.5 * (determinant + (means**2 / variances).sum(axis=1))
        self.linear = _float32((means / variances).T)
        self.quadratic = _float32((-0.5 / variances).T)
        self.constant = _float32(constant)

    def forward(self, values: Tensor) -> Tensor:
        """Compute the logarithms."""
        return values.square() @ self.quadratic + values @ self.linear + self.constant


def _float32(array: np.ndarray[Any, np.dtype[Any]]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))
