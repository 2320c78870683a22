"""GMM: how much of a feature each component of a Gaussian mixture answers for; n_components values, sum 1.

The soft form of the codebook: the mean over time of the posterior probabilities of the components, of a
mixture with diagonal covariances over standardised frames of the training split.
"""

from collections.abc import Sequence

import numpy as np
from sklearn.mixture import GaussianMixture
from torch import Tensor

from taggram.lab.classical._mixtures import DiagonalGaussians
from taggram.lab.classical._standardise import Standardise
from taggram.lab.classical.summaries._base import Feature, Shape, Summary, draw_frames


class GMMSummary(Summary):
    """Mean posterior of mixture components.

    Parameters
    ----------
    shape
        (n_features, n_frames).
    n_components
        Of the mixture.
    max_frames
        Frames that the mixture is learned from, drawn evenly.
    """

    def __init__(self, shape: Shape, *, n_components: int = 32, max_frames: int = 50_000) -> None:
        super().__init__()
        self.max_frames = max_frames
        self.standardise = Standardise(shape[0])
        self.mixture = GaussianMixture(
            n_components, covariance_type="diag", reg_covar=1e-3, max_iter=50, tol=1e-2
        )
        self.gaussians = DiagonalGaussians(n_components, shape[0])

    def fit(self, features: Sequence[Feature], rng: np.random.Generator) -> None:
        """Learn scale and mixture."""
        frames = self.standardise.fit_transform(draw_frames(features, self.max_frames, rng))
        self.mixture.set_params(random_state=int(rng.integers(2**31)))
        self.gaussians.copy_from(self.mixture.fit(frames))

    def forward(self, features: Tensor) -> Tensor:
        """Map (batch, n_features, n_frames) to (batch, n_components)."""
        frames = self.standardise(features.transpose(1, 2))
        posterior: Tensor = self.gaussians(frames).softmax(dim=2)
        return posterior.mean(dim=1)


SUMMARY = GMMSummary
