import numpy as np
import pytest

from taggram.lab.training.probes import (
    LabelledSet,
    fit_class_probe,
    fit_label_probe,
    macro_auc,
    macro_recall,
)


def labelled(n_clips: int, seed: int) -> LabelledSet:
    """Embeddings of which one dimension tells the label, under noise."""
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(n_clips, 8))
    return LabelledSet(embeddings, embeddings[:, :1] + 0.3 * rng.normal(size=(n_clips, 1)) > 0)


def test_probe_finds_the_label() -> None:
    from sklearn.metrics import roc_auc_score

    train, validation, test = (labelled(n, seed) for seed, n in enumerate((120, 60, 60)))
    assert roc_auc_score(test.labels[:, 0], fit_label_probe(train, validation)(test.embeddings)[:, 0]) > 0.9


def test_probe_finds_the_class() -> None:
    train, validation, test = (
        LabelledSet(x.embeddings, np.where(x.labels[:, 0], "happy", "sad"))
        for x in (labelled(n, seed) for seed, n in enumerate((120, 60, 60)))
    )
    said = fit_class_probe(train, validation)(test.embeddings)
    assert macro_recall(test.labels, said) > 0.8


def test_either_kind_finds_label_and_class() -> None:
    train, validation, test = (labelled(n, seed) for seed, n in enumerate((120, 60, 60)))
    scores = fit_label_probe(train, validation, "svm")(test.embeddings)
    assert scores.shape == test.labels.shape
    assert macro_auc(test.labels, scores) > 0.9

    class_train, class_validation, class_test = (
        LabelledSet(x.embeddings, x.labels[:, 0]) for x in (train, validation, test)
    )
    said = fit_class_probe(class_train, class_validation, "logistic_regression")(test.embeddings)
    assert macro_recall(class_test.labels, said) > 0.8


def test_a_refitted_probe_of_labels_has_learned_the_validation_clips_too() -> None:
    few, many, test = (labelled(n, seed) for seed, n in enumerate((12, 400, 400)))
    alone, both = (fit_label_probe(few, many, refit=refit)(test.embeddings) for refit in (False, True))
    assert np.mean((both > 0) == test.labels) > np.mean((alone > 0) == test.labels) + 0.03


def test_a_refitted_probe_of_classes_has_learned_the_validation_clips_too() -> None:
    few, many, test = (
        LabelledSet(x.embeddings, x.labels[:, 0])
        for x in (labelled(n, seed) for seed, n in enumerate((12, 400, 400)))
    )
    alone, both = (fit_class_probe(few, many, refit=refit)(test.embeddings) for refit in (False, True))
    assert np.mean(both == test.labels) > np.mean(alone == test.labels) + 0.03


def test_macro_recall_counts_classes_alike() -> None:
    truth = np.array(["a", "a", "a", "b"])
    assert macro_recall(truth, np.array(["a", "a", "a", "a"])) == pytest.approx(0.5)
