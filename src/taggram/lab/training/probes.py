"""How much a frozen embedding knows: simple classifiers on top of it, trained on train, judged on test.

Embeddings are standardised on the training clips. The strength of regularisation is chosen on the
validation clips; the classifier is then fitted on the training clips alone, or on both (`refit`).

Conventions: embeddings (n_clips, embedding_dim), one mean over the chunks of a clip per row; `y_true`
is bool (n_clips, n_labels) for multi-label tasks and one class per clip otherwise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from taggram.lab.training.agreement import roc_auc_per_column

Embeddings = NDArray[np.floating]
Labels = NDArray[Any]
Kind = Literal["logistic_regression", "svm"]
"""Linear, or with a Gaussian kernel."""
Probe = Callable[[Embeddings], Labels]
"""What a fitted classifier says about embeddings, (n_clips, embedding_dim)."""

STRENGTHS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
"""Inverse regularisation, scikit-learn's C."""


@dataclass(frozen=True)
class LabelledSet:
    """Embeddings and labels of one split."""

    embeddings: Embeddings
    labels: Labels

    def joined(self, other: "LabelledSet") -> "LabelledSet":
        """Return the clips of both."""
        return LabelledSet(
            np.concatenate([self.embeddings, other.embeddings]), np.concatenate([self.labels, other.labels])
        )


def fit_label_probe(
    train: LabelledSet,
    validation: LabelledSet,
    kind: Kind = "logistic_regression",
    *,
    refit: bool = False,
) -> Probe:
    """Fit one classifier per label; the probe maps embeddings to scores, (n_clips, n_labels)."""

    def fit(strength: float, known: LabelledSet) -> Probe:
        fitted = [_fit(_classifier(kind, strength), known.embeddings, present) for present in known.labels.T]
        return lambda embeddings: np.stack([f.decision_function(embeddings) for f in fitted], axis=1)

    return _fit_best(fit, macro_auc, train, validation, refit)


def fit_class_probe(
    train: LabelledSet, validation: LabelledSet, kind: Kind = "svm", *, refit: bool = False
) -> Probe:
    """Fit one classifier of several classes; the probe maps embeddings to classes, (n_clips,)."""

    def fit(strength: float, known: LabelledSet) -> Probe:
        fitted = _fit(_classifier(kind, strength), known.embeddings, known.labels)
        return lambda embeddings: np.asarray(fitted.predict(embeddings))

    return _fit_best(fit, macro_recall, train, validation, refit)


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


def _classifier(kind: Kind, strength: float) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import SVC

    if kind == "logistic_regression":
        return LogisticRegression(C=strength, class_weight="balanced", max_iter=2000)
    # SVMs want less regularisation than logistic regression at the same place of the grid.
    return SVC(C=100 * strength, class_weight="balanced")


def _fit_best(
    fit: Callable[[float, LabelledSet], Probe],
    measure: Callable[[Labels, Labels], float],
    train: LabelledSet,
    validation: LabelledSet,
    refit: bool,
) -> Probe:
    """Return the probe of the strength that is best on validation; fitted on both splits if `refit`."""
    probes = {strength: fit(strength, train) for strength in STRENGTHS}
    best = max(
        probes, key=lambda strength: measure(validation.labels, probes[strength](validation.embeddings))
    )
    return fit(best, train.joined(validation)) if refit else probes[best]
