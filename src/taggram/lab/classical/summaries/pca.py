"""PCA: projection of a whole feature, all rows and frames, on the principal components of training.

Every row is standardised first: otherwise the components follow the row with the largest numbers.
"""

from collections.abc import Sequence

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import Tensor

from taggram.lab.classical._standardise import Standardise
from taggram.lab.classical.summaries._base import Feature, Shape, Summary


class PCASummary(Summary):
    """Principal components.

    Parameters
    ----------
    shape
        (n_features, n_frames).
    n_components
        Kept; at most as many as there are training features.
    max_features
        Training features that components are computed from, drawn at random: all of them are held in
        memory at once.
    """

    mean: Tensor
    components: Tensor

    def __init__(self, shape: Shape, *, n_components: int = 64, max_features: int = 5000) -> None:
        super().__init__()
        self.n_components = n_components
        self.max_features = max_features
        self.standardise = Standardise(shape[0])
        n_values = shape[0] * shape[1]
        self.register_buffer("mean", torch.zeros(n_values))
        self.register_buffer("components", torch.zeros(n_values, n_components))

    def fit(self, features: Sequence[Feature], rng: np.random.Generator) -> None:
        """Compute the components."""
        chosen = rng.permutation(len(features))[: self.max_features]
        frames = np.stack([features[index].T for index in np.sort(chosen)])
        self.standardise.fit_transform(frames.reshape(-1, frames.shape[2]))
        matrix = self._flatten(torch.from_numpy(frames)).numpy()
        n_components = min(self.n_components, *matrix.shape)
        pca = PCA(n_components, svd_solver="randomized", random_state=int(rng.integers(2**31))).fit(matrix)
        self.mean = torch.from_numpy(pca.mean_.astype(np.float32))
        self.components = torch.from_numpy(np.ascontiguousarray(pca.components_.T, np.float32))

    def forward(self, features: Tensor) -> Tensor:
        """Map (batch, n_features, n_frames) to (batch, n_components)."""
        return (self._flatten(features.transpose(1, 2)) - self.mean) @ self.components

    def _flatten(self, frames: Tensor) -> Tensor:
        standardised: Tensor = self.standardise(frames)
        return standardised.flatten(1)


SUMMARY = PCASummary
