"""Multilayer perceptron: rectified hidden layers, all tags at once."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as Perceptron
from torch import nn

from taggram.lab.classical.classifiers._base import Classifier, Fitted, Task, make_head, spread_classes


@dataclass(frozen=True, kw_only=True)
class MLPClassifier(Classifier):
    """Perceptron, trained by Adam.

    Parameters
    ----------
    hidden
        Units of each hidden layer.
    decay
        L2 regularisation, alpha of scikit-learn.
    max_epochs
        Passes over the training vectors, unless the loss stands still before.
    """

    hidden: Sequence[int] = (128,)
    decay: float = 1.0
    max_epochs: int = 100

    def fit(self, x: NDArray[np.float32], y: NDArray[np.bool_], task: Task, seed: int) -> Fitted:
        """Fit; the body is the hidden layers."""
        estimator = Perceptron(
            hidden_layer_sizes=tuple(self.hidden),
            alpha=self.decay,
            max_iter=self.max_epochs,
            random_state=seed,
        )
        by_class = task == "multi_class"
        with warnings.catch_warnings():
            # The number of epochs is a setting, a kind of regularisation.
            warnings.simplefilter("ignore", ConvergenceWarning)
            estimator.fit(x, y.argmax(axis=1) if by_class else _two_columns(y).astype(int))
        layers = zip(estimator.coefs_, estimator.intercepts_, strict=True)
        *hidden, (weights, bias) = [(weights.T, bias) for weights, bias in layers]
        if by_class:
            weights, bias = spread_classes(weights, bias, estimator.classes_, y.shape[1])
        rectified = [(make_head(*layer), nn.ReLU()) for layer in hidden]
        head = make_head(weights[: y.shape[1]], bias[: y.shape[1]])
        return nn.Sequential(*(module for pair in rectified for module in pair)), head


def _two_columns(y: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Repeat a single tag: scikit-learn takes one column for a list of classes."""
    return np.hstack([y, y]) if y.shape[1] == 1 else y


CLASSIFIER = MLPClassifier
