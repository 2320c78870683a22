"""Logistic regression: one per tag, or one multinomial for a multi-class task."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import nn

from taggram.lab.classical.classifiers._base import (
    Classifier,
    Fitted,
    Task,
    constant_logit,
    make_head,
    spread_classes,
)


@dataclass(frozen=True, kw_only=True)
class LogisticRegressionClassifier(Classifier):
    """Linear logits.

    Parameters
    ----------
    strength
        Inverse of the L2 regularisation, C of scikit-learn.
    class_weight
        "balanced" makes rare and frequent labels weigh the same.
    """

    strength: float = 0.1
    class_weight: Literal["balanced"] | None = None

    def fit(self, x: NDArray[np.float32], y: NDArray[np.bool_], task: Task, seed: int) -> Fitted:
        """Fit; the body passes the vector on."""
        n_values, n_tags = x.shape[1], y.shape[1]
        if task == "multi_class" and (y.any(axis=0).sum() > 1):
            estimator = self._estimator(seed).fit(x, y.argmax(axis=1))
            weights, bias = spread_classes(estimator.coef_, estimator.intercept_, estimator.classes_, n_tags)
            return nn.Identity(), make_head(weights, bias)
        weights, bias = np.zeros((n_tags, n_values)), np.zeros(n_tags)
        for tag in range(n_tags):
            constant = constant_logit(y[:, tag])
            if constant is not None:
                bias[tag] = constant
                continue
            estimator = self._estimator(seed).fit(x, y[:, tag])
            weights[tag], bias[tag] = estimator.coef_[0], estimator.intercept_[0]
        return nn.Identity(), make_head(weights, bias)

    def _estimator(self, seed: int) -> Any:
        return LogisticRegression(
            C=self.strength, class_weight=self.class_weight, max_iter=2000, random_state=seed
        )


CLASSIFIER = LogisticRegressionClassifier
