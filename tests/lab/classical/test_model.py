"""Classical models learn from sound, go through the door, and are heard by the product's tagger."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from taggram.errors import ShapeError, UnknownNameError
from taggram.inference.tagger import Tagger
from taggram.lab.classical import CLASSIFIERS, SUMMARIES
from taggram.lab.classical.model import ClassicalModel, Plan, fit_classical
from taggram.lab.export import export_model
from taggram.modelfile.specification import Specification, Tag

SAMPLE_RATE = 8000
TAGS = ("low", "high", "noisy")


def sounds(rng: np.random.Generator, n: int) -> tuple[list[np.ndarray], np.ndarray]:
    """One second each: a low tone, a high tone, noise, any of them together."""
    labels = rng.random((n, 3)) < 0.5
    times = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    chunks = []
    for low, high, noisy in labels:
        sound = low * np.sin(2 * np.pi * rng.uniform(200, 400) * times)
        sound += high * np.sin(2 * np.pi * rng.uniform(1500, 3000) * times)
        sound += (0.3 if noisy else 0.01) * rng.standard_normal(SAMPLE_RATE)
        chunks.append((rng.uniform(0.1, 0.3) * sound).astype(np.float32))
    return chunks, labels


def plan(**parts: Any) -> Plan:
    features = ({"name": "mfcc", "n_fft": 512, "hop_length": 256, "n_mels": 40},)
    return Plan(**{"features": features, "chunk_duration": 1.0, "sample_rate": SAMPLE_RATE, **parts})


def specification(model: ClassicalModel, task: Any, tags: tuple[str, ...] = TAGS) -> Specification:
    about = model.architecture
    return Specification(
        name="test",
        architecture=about.name,
        task=task,
        sample_rate=about.sample_rate,
        chunk_duration=about.chunk_duration,
        chunk_hop=about.chunk_duration,
        front_end=about.front_end,
        embedding_dim=model.embedding_dim,
        tags=tuple(Tag(name=tag, category="other") for tag in tags),
        training_data="tones",
        licence="MIT",
        paper=about.paper,
    )


PLANS = [
    *(("mean_std", classifier) for classifier in CLASSIFIERS.names()),
    *(
        (summary, "logistic_regression")
        for summary in SUMMARIES.names()
        if summary not in ("mean_std", "pca")
    ),
    ({"name": "pca", "n_components": 8}, "mlp"),
    ({"name": "codebook", "n_words": 16}, {"name": "knn", "n_neighbours": 5}),
]


@pytest.mark.parametrize(("summary", "classifier"), PLANS, ids=str)
def test_learns_and_tags_through_the_door(
    summary: Any, classifier: Any, rng: np.random.Generator, tmp_path: Path
) -> None:
    (chunks, labels), (others, truth) = sounds(rng, 60), sounds(rng, 40)
    model = fit_classical(plan(summary=summary, classifier=classifier), chunks, labels, "multi_label")
    export_model(model, specification(model, "multi_label"), tmp_path / "model.onnx")
    with Tagger.load(tmp_path / "model.onnx", n_threads=1) as tagger:
        found = np.stack([tagger.tag(chunk, sample_rate=SAMPLE_RATE).clip_scores for chunk in others])
    # Chance is 0.5, with a deviation of 0.05 over 120 decisions.
    assert ((found > 0.5) == truth).mean() > 0.68


def test_a_multi_class_model_gives_one_distribution(rng: np.random.Generator, tmp_path: Path) -> None:
    chunks, labels = sounds(rng, 60)
    classes = np.column_stack([labels[:, 2], ~labels[:, 2]])
    model = fit_classical(plan(classifier="svm"), chunks, classes, "multi_class")
    path = tmp_path / "model.onnx"
    export_model(model, specification(model, "multi_class", ("noisy", "clean")), path)
    with Tagger.load(path, n_threads=1) as tagger:
        found = np.stack([tagger.tag(chunk, sample_rate=SAMPLE_RATE).clip_scores for chunk in chunks])
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert (found.argmax(axis=1) == classes.argmax(axis=1)).mean() > 0.8


def test_features_are_stacked(rng: np.random.Generator) -> None:
    chunks, labels = sounds(rng, 20)
    names = ("chroma", "spectral_centroid", "spectral_flatness")
    features = tuple({"name": name, "n_fft": 512, "hop_length": 256} for name in names)
    model = fit_classical(plan(features=features), chunks, labels, "multi_label")
    assert model.embedding_dim == 2 * (12 + 1 + 1)


def test_features_of_different_front_ends_do_not_stack(rng: np.random.Generator) -> None:
    chunks, labels = sounds(rng, 5)
    with pytest.raises(ShapeError, match="one front end and one frame rate"):
        fit_classical(plan(features=("mfcc", "rms")), chunks, labels, "multi_label")


def test_chunks_and_labels_must_be_as_many(rng: np.random.Generator) -> None:
    chunks, labels = sounds(rng, 5)
    with pytest.raises(ShapeError, match="5 chunks and 4 rows"):
        fit_classical(plan(), chunks, labels[:4], "multi_label")


def test_an_unknown_option_is_an_error(rng: np.random.Generator) -> None:
    chunks, labels = sounds(rng, 5)
    with pytest.raises(UnknownNameError, match="option of the classifier 'knn' 'k': known are n_neighbours"):
        fit_classical(plan(classifier={"name": "knn", "k": 3}), chunks, labels, "multi_label")
