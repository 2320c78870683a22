"""The tag map: vectors from files and from annotations, places, and labels that do not overlap."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from taggram.errors import ModelFileError, ShapeError, UnknownNameError
from taggram.lab.evaluation.plots import render
from taggram.lab.evaluation.tag_map import (
    METHODS,
    Method,
    compute_co_occurrence_vectors,
    draw_tag_map,
    lay_out,
    nearest_tags,
    place_labels,
    read_tag_vectors,
)
from taggram.modelfile.reader import ModelFile, load_model_file
from tests.conftest import tiny_specification

WEIGHTS = np.arange(9, dtype=np.float32).reshape(3, 3)


def model_file(nodes: list[onnx.NodeProto], weights: np.ndarray) -> ModelFile:
    """A file whose scores come from the embedding by `nodes`; the graph is only read, never run."""
    bias = numpy_helper.from_array(np.zeros(3, np.float32), "bias")
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "head",
        [value("embedding", TensorProto.FLOAT, ["batch", 3])],
        [value("scores", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(weights, "weight"), bias],
    )
    return ModelFile(Path("m.onnx"), tiny_specification(), helper.make_model(graph).SerializeToString())


@pytest.mark.parametrize(
    ("nodes", "weights"),
    [
        (
            [
                helper.make_node("Gemm", ["embedding", "weight", "bias"], ["logits"], transB=1),
                helper.make_node("Sigmoid", ["logits"], ["scores"]),
            ],
            WEIGHTS,
        ),
        (
            [
                helper.make_node("MatMul", ["embedding", "weight"], ["product"]),
                helper.make_node("Add", ["bias", "product"], ["logits"]),
                helper.make_node("Softmax", ["logits"], ["scores"]),
            ],
            np.ascontiguousarray(WEIGHTS.T),
        ),
    ],
)
def test_vectors_are_the_rows_of_the_last_layer(nodes: list[onnx.NodeProto], weights: np.ndarray) -> None:
    np.testing.assert_array_equal(read_tag_vectors(model_file(nodes, weights)), WEIGHTS)


def test_files_without_a_plain_last_layer(tiny_model: Path) -> None:
    with pytest.raises(ModelFileError, match="one linear layer"):
        read_tag_vectors(load_model_file(tiny_model))
    squared = helper.make_node("Mul", ["embedding", "embedding"], ["scores"])
    with pytest.raises(ModelFileError, match=r"m\.onnx: .*3 × 3"):
        read_tag_vectors(model_file([squared], WEIGHTS))


def two_groups(rng: np.random.Generator) -> np.ndarray:
    """Clips of two kinds, each with its own three tags, now and then a foreign one; the last tag has none."""
    kind = rng.random(600) < 0.5
    chances = np.where(kind[:, None], [[0.5] * 3 + [0.04] * 3], [[0.04] * 3 + [0.5] * 3])
    return np.hstack([rng.random((600, 6)) < chances, np.zeros((600, 1), bool)])


def test_tags_that_come_together_are_near(rng: np.random.Generator) -> None:
    vectors = compute_co_occurrence_vectors(two_groups(rng))
    assert vectors.shape == (7, 7)
    assert not vectors[6].any()
    for tag in range(6):
        group = {0, 1, 2} if tag < 3 else {3, 4, 5}
        assert set(nearest_tags(vectors[:6], tag, 2)) == group - {tag}
    with pytest.raises(ShapeError, match="no clip has two tags"):
        compute_co_occurrence_vectors(np.eye(4, dtype=bool))


@pytest.mark.parametrize("method", METHODS)
def test_places_keep_groups_together(rng: np.random.Generator, method: Method) -> None:
    centres = np.repeat(3 * np.eye(3, 8), 10, axis=0)
    vectors = centres + 0.3 * rng.normal(size=centres.shape)
    places = lay_out(vectors, method=method)
    assert places.min() == 0
    assert places.max() == 1
    groups = places.reshape(3, 10, 2)
    within = np.linalg.norm(groups - groups.mean(axis=1, keepdims=True), axis=2).mean()
    between = np.linalg.norm(groups.mean(axis=1) - places.mean(axis=0), axis=1).mean()
    assert between > 2.5 * within
    np.testing.assert_array_equal(lay_out(vectors, method=method), places)
    if method == "pca":
        np.testing.assert_allclose(lay_out(vectors * 7 + 2, method=method), places, atol=1e-9)


def test_what_cannot_be_laid_out() -> None:
    with pytest.raises(ShapeError, match="at least 4 tags"):
        lay_out(np.zeros((3, 5)))
    with pytest.raises(UnknownNameError, match="did you mean 'tsne'"):
        lay_out(np.zeros((5, 5)), method="tsn")  # type: ignore[arg-type]


def overlaps(low_a: np.ndarray, high_a: np.ndarray, low_b: np.ndarray, high_b: np.ndarray) -> np.ndarray:
    return np.asarray(((low_a[:, None] < high_b[None]) & (high_a[:, None] > low_b[None])).all(axis=2))


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.sampled_from([300.0, 20.0, 0.0]))
def test_labels_never_overlap(seed: int, n_tags: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    points = 250 + spread * (rng.random((n_tags, 2)) - 0.5)
    sizes = np.stack([rng.uniform(10, 90, n_tags), np.full(n_tags, 12.0)], axis=1)
    centres = place_labels(points, sizes, radius=3, limits=(500, 500))
    low, high = centres - sizes / 2, centres + sizes / 2
    assert not (overlaps(low, high, low, high) & ~np.eye(n_tags, dtype=bool)).any()
    assert not overlaps(low, high, points - 3, points + 3).any()


def test_a_label_with_room_stands_beside_its_point() -> None:
    centres = place_labels(np.array([[100.0, 100.0]]), np.array([[40.0, 12.0]]), radius=3, limits=(500, 500))
    assert centres[0, 1] == pytest.approx(100)
    assert 120 < centres[0, 0] < 130


def test_the_picture(rng: np.random.Generator) -> None:
    tags = ["rock", "piano", "happy", "genre---jazz", "$weird$", "é" * 40]
    places = lay_out(rng.normal(size=(6, 4)), method="pca")
    for theme in ("light", "dark"):
        picture = render(lambda page: draw_tag_map(tags, places, page, title="Tags"), theme, format_="png")
        assert picture.startswith(b"\x89PNG")
