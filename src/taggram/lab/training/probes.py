"""How much a frozen embedding knows: simple classifiers on top of it, trained on train, judged on test.

Embeddings are standardised on the training clips. The strength of regularisation is chosen on the
validation clips; the classifier is then fitted on the training clips alone.

Conventions: embeddings (n_clips, embedding_dim), one mean over the chunks of a clip per row; `y_true`
is bool (n_clips, n_labels) for multi-label tasks and one class per clip otherwise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taggram.lab.training.agreement import roc_auc_per_column

Embeddings = NDArray[np.floating]
Labels = NDArray[Any]

STRENGTHS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
"""Inverse regularisation, scikit-learn's C."""


@dataclass(frozen=True)
class LabelledSet:
    """Embeddings and labels of one split."""

    embeddings: Embeddings
    labels: Labels


def probe_labels(train: LabelledSet, validation: LabelledSet, test: LabelledSet) -> NDArray[np.float64]:
    """Fit one logistic regression per label and return its scores on test, (n_test, n_labels)."""
    from sklearn.linear_model import LogisticRegression

    def scores(strength: float, judged: LabelledSet) -> NDArray[np.float64]:
        columns = []
        for present in train.labels.T:
            classifier = LogisticRegression(C=strength, class_weight="balanced", max_iter=2000)
            columns.append(_fit(classifier, train.embeddings, present).decision_function(judged.embeddings))
        return np.stack(columns, axis=1)

    best = _choose(lambda strength: macro_auc(validation.labels, scores(strength, validation)))
    return scores(best, test)


def probe_class(train: LabelledSet, validation: LabelledSet, test: LabelledSet) -> Labels:
    """Fit a support vector machine with a Gaussian kernel and return its classes on test, (n_test,)."""
    from sklearn.svm import SVC

    def classes(strength: float, judged: LabelledSet) -> Labels:
        # SVMs want less regularisation than logistic regression at the same place of the grid.
        classifier = SVC(C=100 * strength, class_weight="balanced")
        fitted = _fit(classifier, train.embeddings, train.labels)
        return np.asarray(fitted.predict(judged.embeddings))

    best = _choose(lambda strength: macro_recall(validation.labels, classes(strength, validation)))
    return classes(best, test)


def macro_auc(y_true: NDArray[np.bool_], y_score: NDArray[np.floating]) -> float:
    """Return the mean ROC-AUC of the labels that have both kinds of clips."""
    mixed = y_true.any(axis=0) & ~y_true.all(axis=0)
    return float(np.mean(roc_auc_per_column(y_true[:, mixed], y_score[:, mixed])))


def macro_recall(y_true: Labels, y_predicted: Labels) -> float:
    """Return the mean over classes of the share of their clips that was found."""
    return float(np.mean([np.mean(y_predicted[y_true == label] == label) for label in np.unique(y_true)]))


def _fit(classifier: Any, embeddings: Embeddings, labels: Labels) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), classifier).fit(embeddings, labels)


def _choose(figure: Callable[[float], float]) -> float:
    return max(STRENGTHS, key=figure)
