"""Classifiers: the modules say what scikit-learn says, and learn what can be learned."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from taggram.lab.classical import CLASSIFIERS
from taggram.lab.classical._mixtures import DiagonalGaussians
from taggram.lab.classical.classifiers._base import CERTAIN

every_classifier = pytest.mark.parametrize("name", CLASSIFIERS.names())


def data(rng: np.random.Generator, n: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """Vectors whose place says three tags, with some doubt; of the third it is the distance from 0."""
    x = rng.standard_normal((n, 6)).astype(np.float32)
    doubt = 0.4 * rng.standard_normal((n, 3))
    places = np.column_stack([x[:, 0], x[:, 1] - x[:, 2] - 0.5, (x[:, :3] ** 2).sum(axis=1) - 3])
    return x, places + doubt > 0


def logits(name: str, x: np.ndarray, y: np.ndarray, task: Any, at: np.ndarray, **options: Any) -> np.ndarray:
    body, head = CLASSIFIERS.get(name)(**options).fit(x, y, task, 0)
    with torch.inference_mode():
        found: np.ndarray = head(body(torch.from_numpy(at))).numpy()
    return found


def sigmoid(values: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-values.astype(np.float64).clip(-500, 500))))


def softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values.astype(np.float64) - values.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


@every_classifier
def test_learns_tags(name: str, rng: np.random.Generator) -> None:
    (x, y), (other, truth) = data(rng, 300), data(rng, 300)
    found = logits(name, x, y, "multi_label", other)
    assert found.shape == (300, 3)
    for tag in range(2 if name == "logistic_regression" else 3):  # a distance is no linear thing
        assert roc_auc_score(truth[:, tag], found[:, tag]) > 0.75, tag


@every_classifier
@pytest.mark.parametrize("n_classes", [2, 3])
def test_learns_classes(name: str, n_classes: int, rng: np.random.Generator) -> None:
    centres = 1.5 * np.eye(n_classes, 6)
    labels = rng.integers(0, n_classes, (2, 300))
    x, other = ((centres[row] + rng.normal(0, 0.7, (300, 6))).astype(np.float32) for row in labels)
    found = logits(name, x, np.eye(n_classes, dtype=bool)[labels[0]], "multi_class", other)
    assert (found.argmax(axis=1) == labels[1]).mean() > 0.8


@every_classifier
@pytest.mark.parametrize("task", ["multi_label", "multi_class"])
def test_a_label_that_was_never_there_scores_low(name: str, task: Any, rng: np.random.Generator) -> None:
    x, y = data(rng, 60)
    if task == "multi_class":
        y = np.eye(3, dtype=bool)[y[:, 0].astype(int)]
    y[:, 2] = False
    found = logits(name, x, y, task, 20 * rng.standard_normal((50, 6)).astype(np.float32))
    assert np.isfinite(found).all()
    scores = sigmoid(found) if task == "multi_label" else softmax(found)
    assert scores[:, 2].max() < 0.2
    if task == "multi_class":
        assert (scores.argmax(axis=1) != 2).all()


@every_classifier
def test_a_tag_that_is_always_there_and_a_single_vector(name: str, rng: np.random.Generator) -> None:
    x, y = data(rng, 60)
    y[:, 0] = True
    assert sigmoid(logits(name, x, y, "multi_label", x))[:, 0].min() > 0.5
    assert np.isfinite(logits(name, x[:1], y[:1], "multi_label", x)).all()


@every_classifier
def test_the_same_seed_gives_the_same_model(name: str, rng: np.random.Generator) -> None:
    x, y = data(rng)
    first, second = (logits(name, x, y, "multi_label", x) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_logistic_regression_agrees(rng: np.random.Generator) -> None:
    x, y = data(rng)
    found = sigmoid(logits("logistic_regression", x, y, "multi_label", x, strength=0.3))
    for tag in range(3):
        expected = LogisticRegression(C=0.3, max_iter=2000).fit(x, y[:, tag]).predict_proba(x)[:, 1]
        np.testing.assert_allclose(found[:, tag], expected, atol=1e-4)
    for n_classes in (2, 3):
        labels = rng.integers(0, n_classes, len(x))
        classes = np.eye(n_classes, dtype=bool)[labels]
        expected = LogisticRegression(C=0.1, max_iter=2000).fit(x, labels).predict_proba(x)
        np.testing.assert_allclose(
            softmax(logits("logistic_regression", x, classes, "multi_class", x)), expected, atol=1e-4
        )


def test_svm_agrees(rng: np.random.Generator) -> None:
    x, y = data(rng)
    found = logits("svm", x, y, "multi_label", x, strength=2.0, width=0.5)
    for tag in range(3):
        machine = SVC(C=2.0, gamma=0.5 / 6, class_weight="balanced").fit(x, y[:, tag])
        np.testing.assert_allclose(found[:, tag], machine.decision_function(x), atol=1e-4)


def test_knn_agrees(rng: np.random.Generator) -> None:
    x, y = data(rng)
    at = rng.standard_normal((40, 6)).astype(np.float32)
    found = sigmoid(logits("knn", x, y, "multi_label", at, n_neighbours=7))
    for tag in range(3):
        share = KNeighborsClassifier(7).fit(x, y[:, tag]).predict_proba(at)[:, 1]
        np.testing.assert_allclose(found[:, tag], (7 * share + 0.5) / 8, atol=1e-5)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_mlp_agrees(rng: np.random.Generator) -> None:
    x, y = data(rng)
    options: dict[str, Any] = {"hidden": [8, 5], "max_epochs": 500, "decay": 0.1}
    settings: dict[str, Any] = {
        "hidden_layer_sizes": (8, 5),
        "alpha": 0.1,
        "max_iter": 500,
        "random_state": 0,
    }
    expected = MLPClassifier(**settings).fit(x, y.astype(int)).predict_proba(x)
    np.testing.assert_allclose(sigmoid(logits("mlp", x, y, "multi_label", x, **options)), expected, atol=1e-4)
    classes = np.eye(3, dtype=bool)[rng.integers(0, 3, len(x))]
    expected = MLPClassifier(**settings).fit(x, classes.argmax(axis=1)).predict_proba(x)
    np.testing.assert_allclose(
        softmax(logits("mlp", x, classes, "multi_class", x, **options)), expected, atol=1e-4
    )


def test_gmm_is_the_ratio_of_likelihoods(rng: np.random.Generator) -> None:
    x, y = data(rng, 400)
    found = logits("gmm", x, y, "multi_label", x, n_components=3)
    settings: dict[str, Any] = {"covariance_type": "diag", "reg_covar": 1e-2, "max_iter": 500, "tol": 1e-2}
    for tag in range(3):
        with_tag, without = (
            GaussianMixture(3, random_state=0, **settings).fit(x[y[:, tag] == there])
            for there in (True, False)
        )
        prior = np.log(y[:, tag].mean() / (1 - y[:, tag].mean()))
        expected = with_tag.score_samples(x) - without.score_samples(x) + prior
        np.testing.assert_allclose(found[:, tag], expected, atol=1e-3)


def test_densities_agree_with_scikit_learn(rng: np.random.Generator) -> None:
    x = rng.normal(1, 2, (300, 4)).astype(np.float32)
    mixture = GaussianMixture(5, covariance_type="diag", random_state=0, max_iter=500).fit(x)
    gaussians = DiagonalGaussians(5, 4)
    gaussians.copy_from(mixture)
    found = gaussians(torch.from_numpy(x)).logsumexp(dim=1).numpy()
    np.testing.assert_allclose(found, mixture.score_samples(x), atol=1e-3)


def test_constant_logits_are_certain(rng: np.random.Generator) -> None:
    x, y = data(rng)
    y[:, 0], y[:, 1] = True, False
    for name in ("logistic_regression", "svm", "gmm"):
        found = logits(name, x, y, "multi_label", x)
        np.testing.assert_allclose(found[:, :2], [[CERTAIN, -CERTAIN]] * len(x), atol=1e-5)
