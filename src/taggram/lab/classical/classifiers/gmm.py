"""Gaussian mixtures: one for the vectors with a tag, one for those without; or one for each class.

The logit is the log-likelihood ratio with the share of the tag as prior; for a multi-class task the
log-likelihood of the class with its prior, so that the softmax gives Bayes' posterior. Covariances are
diagonal. A mixture has at most one component for every five vectors.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn

from taggram.lab.classical._mixtures import DiagonalGaussians
from taggram.lab.classical.classifiers._base import (
    Classifier,
    Fitted,
    Task,
    constant_logit,
    make_head,
)

_VECTORS_PER_COMPONENT = 5
_SMALLEST_VARIANCE = 1e-2


@dataclass(frozen=True, kw_only=True)
class GMMClassifier(Classifier):
    """Generative classifier.

    Parameters
    ----------
    n_components
        Of each mixture.
    """

    n_components: int = 4

    def fit(self, x: NDArray[np.float32], y: NDArray[np.bool_], task: Task, seed: int) -> Fitted:
        """Fit; the body gives the log-likelihood of every mixture, the head their differences."""
        fits = [(tag, True) for tag in range(y.shape[1])]
        if task == "multi_label":
            fits += [(tag, False) for tag in range(y.shape[1])]
        mixtures: list[Any] = []
        weights, bias = [], np.zeros(y.shape[1])
        for tag, is_there in fits:
            members = y[:, tag] == is_there
            constant = constant_logit(y[:, tag])
            if constant is not None and (task == "multi_label" or constant < 0):
                bias[tag] = constant
                continue
            mixtures.append(self._mixture(x[members], seed))
            sign = 1.0 if is_there else -1.0
            weights.append(np.eye(y.shape[1])[tag] * sign)
            bias[tag] += sign * np.log(members.mean())
        if not mixtures:  # nothing could be learned: a linear layer still needs an input
            mixtures, weights = [self._mixture(x, seed)], [np.zeros(y.shape[1])]
        return MixtureLikelihoods(mixtures, x.shape[1]), make_head(np.array(weights).T, bias)

    def _mixture(self, x: NDArray[np.float32], seed: int) -> Any:
        n_components = max(1, min(self.n_components, len(x) // _VECTORS_PER_COMPONENT))
        if len(x) == 1:  # scikit-learn wants two vectors; a copy changes neither mean nor variance
            x = np.vstack([x, x])
        mixture = GaussianMixture(
            n_components,
            covariance_type="diag",
            reg_covar=_SMALLEST_VARIANCE,
            max_iter=500,
            tol=1e-2,
            random_state=seed,
        )
        return mixture.fit(x)


class MixtureLikelihoods(nn.Module):
    """(batch, n_values) → log-likelihood under each mixture, less the largest: (batch, n_mixtures)."""

    def __init__(self, mixtures: list[Any], n_values: int) -> None:
        super().__init__()
        self.sizes = [mixture.n_components for mixture in mixtures]
        self.gaussians = DiagonalGaussians(sum(self.sizes), n_values)
        self.gaussians.copy_from(*mixtures)

    def forward(self, x: Tensor) -> Tensor:
        """Sum the densities of each mixture; what all have in common says nothing, and costs precision."""
        parts = self.gaussians(x).split(self.sizes, dim=1)
        likelihoods = torch.stack([part.logsumexp(dim=1) for part in parts], dim=1)
        return likelihoods - likelihoods.amax(dim=1, keepdim=True)


CLASSIFIER = GMMClassifier
