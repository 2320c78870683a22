"""Codebook: how often each of a set of typical frames is the nearest one; n_words values that sum to 1.

Words are the centres of k-means over frames of the training split, in which every row is standardised.
"""

from collections.abc import Sequence

import numpy as np
import torch
from sklearn.cluster import KMeans
from torch import Tensor
from torch.nn import functional

from taggram.lab.classical._standardise import Standardise
from taggram.lab.classical.summaries._base import Feature, Shape, Summary, draw_frames


class Codebook(Summary):
    """Histogram of nearest words.

    Parameters
    ----------
    shape
        (n_features, n_frames).
    n_words
        Size of the codebook.
    max_frames
        Frames that the words are learned from, drawn evenly.
    """

    words: Tensor

    def __init__(self, shape: Shape, *, n_words: int = 128, max_frames: int = 50_000) -> None:
        super().__init__()
        self.n_words = n_words
        self.max_frames = max_frames
        self.standardise = Standardise(shape[0])
        self.register_buffer("words", torch.zeros(n_words, shape[0]))

    def fit(self, features: Sequence[Feature], rng: np.random.Generator) -> None:
        """Learn scale and words."""
        frames = self.standardise.fit_transform(draw_frames(features, self.max_frames, rng))
        means = KMeans(self.n_words, n_init=1, random_state=int(rng.integers(2**31))).fit(frames)
        self.words = torch.from_numpy(means.cluster_centers_.astype(np.float32))

    def forward(self, features: Tensor) -> Tensor:
        """Map (batch, n_features, n_frames) to (batch, n_words)."""
        frames = self.standardise(features.transpose(1, 2))
        # |frame − word|² without |frame|², which is the same for all words.
        distances = self.words.square().sum(dim=1) - 2.0 * frames @ self.words.T
        nearest = functional.one_hot(distances.argmin(dim=2), self.n_words)
        return nearest.to(features.dtype).mean(dim=1)


SUMMARY = Codebook
