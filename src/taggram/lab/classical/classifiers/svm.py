"""Support vector machine, one per tag, with a Gaussian kernel.

The logit is the decision value: 0, a score of 0.5, is the boundary. It is no probability; calibrate it if
one is needed. For a multi-class task the class with the largest decision value wins (one-vs-rest).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.svm import SVC
from torch import Tensor, nn

from taggram.lab.classical.classifiers._base import Classifier, Fitted, Task, constant_logit, make_head


@dataclass(frozen=True, kw_only=True)
class SVMClassifier(Classifier):
    """Gaussian-kernel SVM.

    Parameters
    ----------
    strength
        C: how much a training vector on the wrong side costs.
    width
        Kernel exp(−width · |a − b|² / n_values); 1 is scikit-learn's gamma="scale" for standardised vectors.
    class_weight
        "balanced" makes rare and frequent labels weigh the same.
    """

    strength: float = 1.0
    width: float = 1.0
    class_weight: Literal["balanced"] | None = "balanced"

    def fit(self, x: NDArray[np.float32], y: NDArray[np.bool_], task: Task, seed: int) -> Fitted:
        """Fit; the body computes the kernel of all vectors that support any tag."""
        n_tags = y.shape[1]
        gamma = self.width / x.shape[1]
        weights, bias = np.zeros((n_tags, len(x))), np.zeros(n_tags)
        for tag in range(n_tags):
            constant = constant_logit(y[:, tag])
            if constant is not None:
                bias[tag] = constant
                continue
            machine = SVC(C=self.strength, gamma=gamma, class_weight=self.class_weight).fit(x, y[:, tag])
            weights[tag, machine.support_], bias[tag] = machine.dual_coef_[0], machine.intercept_[0]
        supports = np.flatnonzero(weights.any(axis=0))
        # A linear layer needs an input, even if no tag could be learned.
        supports = supports if len(supports) else np.array([0])
        return GaussianKernel(x[supports], gamma), make_head(weights[:, supports], bias)


class GaussianKernel(nn.Module):
    """exp(−gamma · |x − vector|²) for each stored vector: (batch, n_values) → (batch, n_vectors)."""

    vectors: Tensor

    def __init__(self, vectors: NDArray[np.float32], gamma: float) -> None:
        super().__init__()
        self.gamma = gamma
        self.register_buffer("vectors", torch.from_numpy(vectors))

    def forward(self, x: Tensor) -> Tensor:
        """Compute the kernel."""
        return torch.exp(-self.gamma * squared_distances(x, self.vectors))


def squared_distances(x: Tensor, vectors: Tensor) -> Tensor:
    """Return |x − vector|² of (batch, n_values) and (n_vectors, n_values): (batch, n_vectors)."""
    squares = x.square().sum(dim=1, keepdim=True) + vectors.square().sum(dim=1)
    return (squares - 2.0 * x @ vectors.T).clamp(min=0.0)


CLASSIFIER = SVMClassifier
