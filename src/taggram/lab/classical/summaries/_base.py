"""What every summary offers: it may be fitted, and it maps a feature to a vector.

Conventions: a feature is (n_features, n_frames), all of one shape; a module takes a batch of them.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

Feature = NDArray[np.float32]
Shape = tuple[int, int]


class Summary(nn.Module):
    """Base of all summaries; built as `SUMMARY((n_features, n_frames), …)`."""

    def fit(self, features: Sequence[Feature], rng: np.random.Generator) -> None:
        """Learn from features of the training split; most summaries have nothing to learn."""

    def forward(self, features: Tensor) -> Tensor:
        """Map (batch, n_features, n_frames) to (batch, n_values)."""
        raise NotImplementedError


def draw_frames(features: Sequence[Feature], n_frames: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw frames evenly from all features, at most about `n_frames`: shape (n_drawn, n_features)."""
    per_feature = min(features[0].shape[1], max(1, -(-n_frames // len(features))))
    drawn = [
        feature[:, rng.choice(feature.shape[1], per_feature, replace=False)].T
        for feature in _some(features, n_frames, rng)
    ]
    return np.concatenate(drawn).astype(np.float32, copy=False)


def _some(features: Sequence[Feature], n_frames: int, rng: np.random.Generator) -> Sequence[Feature]:
    """Return all features, or so many that one frame of each is enough."""
    if len(features) <= n_frames:
        return features
    return [features[index] for index in np.sort(rng.choice(len(features), n_frames, replace=False))]
