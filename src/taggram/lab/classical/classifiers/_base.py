"""What every classifier offers: a scikit-learn estimator, and what it has learned as torch modules.

Conventions: `x` is (n_vectors, n_values), standardised; `y` is (n_vectors, n_tags), bool, and for a
multi-class task exactly one per row. The two modules give logits = head(body(x)): a sigmoid makes them
scores of a multi-label task, a softmax those of a multi-class task.

A multi-label task is one binary task per tag (one-vs-rest). A tag that all training vectors have, or none,
teaches nothing: its logit is constant, ±7 (a score of 0.999 or 0.001).
"""

from abc import ABC, abstractmethod
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

Task = Literal["multi_label", "multi_class"]
Fitted = tuple[nn.Module, nn.Linear]

CERTAIN = 7.0
"""Logit of a tag that was always, or never, there."""


class Classifier(ABC):
    """Base of all classifiers; a subclass is a frozen dataclass of the estimator's settings."""

    @abstractmethod
    def fit(self, x: NDArray[np.float32], y: NDArray[np.bool_], task: Task, seed: int) -> Fitted:
        """Fit the estimator and return body and head.

        Parameters
        ----------
        x : shape (n_vectors, n_values)
        y : shape (n_vectors, n_tags)
        task
            Which of the two.
        seed
            Of what the estimator draws.
        """


def constant_logit(labels: NDArray[np.bool_]) -> float | None:
    """Return the logit of a tag whose labels, shape (n_vectors,), are all equal; None if they differ."""
    if labels.all():
        return CERTAIN
    return None if labels.any() else -CERTAIN


def make_head(weights: Any, bias: Any) -> nn.Linear:
    """Return a linear layer with these weights, (n_tags, n_inputs), and bias, (n_tags,)."""
    weights = np.asarray(weights, np.float32)
    head = nn.Linear(weights.shape[1], weights.shape[0])
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weights))
        head.bias.copy_(torch.from_numpy(np.asarray(bias, np.float32)))
    return head


def spread_classes(
    rows: NDArray[np.float64], bias: NDArray[np.float64], classes: NDArray[np.int64], n_tags: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return weights and bias of all classes, from those of the classes that training had.

    A classifier of two classes has one row, the logit of the second: half of it for, half against.
    """
    if len(classes) == 2 and len(rows) == 1:
        rows, bias = np.vstack([-rows, rows]) / 2, np.append(-bias, bias) / 2
    all_rows = np.zeros((n_tags, rows.shape[1]))
    all_bias = np.full(n_tags, -CERTAIN)
    all_rows[classes], all_bias[classes] = rows, bias
    return all_rows, all_bias
