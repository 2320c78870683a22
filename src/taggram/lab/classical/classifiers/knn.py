"""k nearest neighbours: the share of the nearest training vectors that have the tag.

The share is pulled towards a half by one vote, (votes + 0.5) / (k + 1), so that its logit is finite; the
order of scores, and what lies above 0.5, stay as they are. For a multi-class task the logit is the
logarithm of the votes, with 0.5 for none.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from taggram.lab.classical.classifiers._base import Classifier, Fitted, Task, make_head
from taggram.lab.classical.classifiers.svm import squared_distances


@dataclass(frozen=True, kw_only=True)
class KNNClassifier(Classifier):
    """Votes of neighbours, by Euclidean distance.

    Parameters
    ----------
    n_neighbours
        k; at most the number of training vectors.
    """

    n_neighbours: int = 15

    def fit(self, x: NDArray[np.float32], y: NDArray[np.bool_], task: Task, seed: int) -> Fitted:
        """Store the training vectors; the body counts, the head passes the logits on."""
        n_tags = y.shape[1]
        body = NeighbourVotes(x, y, min(self.n_neighbours, len(x)), task)
        return body, make_head(np.eye(n_tags), np.zeros(n_tags))


class NeighbourVotes(nn.Module):
    """(batch, n_values) → logits of the votes, (batch, n_tags)."""

    vectors: Tensor
    labels: Tensor

    def __init__(
        self, vectors: NDArray[np.float32], labels: NDArray[np.bool_], n_neighbours: int, task: Task
    ) -> None:
        super().__init__()
        self.n_neighbours = n_neighbours
        self.is_multi_class = task == "multi_class"
        self.register_buffer("vectors", torch.from_numpy(vectors))
        self.register_buffer("labels", torch.from_numpy(labels.astype(np.float32)))

    def forward(self, x: Tensor) -> Tensor:
        """Count the votes."""
        nearest = squared_distances(x, self.vectors).topk(self.n_neighbours, dim=1, largest=False).indices
        votes = self.labels[nearest].sum(dim=1)
        if self.is_multi_class:
            return votes.clamp(min=0.5).log()
        return torch.log((votes + 0.5) / (self.n_neighbours - votes + 0.5))


CLASSIFIER = KNNClassifier
