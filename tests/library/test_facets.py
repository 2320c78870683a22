"""The space of similarity: unit blocks, weights in the query alone."""

from pathlib import Path

import numpy as np
import pytest

from taggram.library import Library
from taggram.library.facets import DEFAULT_WEIGHTS, FACETS, Space
from taggram.library.sample import Sample, draw_sample
from taggram.modelfile.specification import Tag
from tests.library.collection import EMBEDDING_DIM, Collection, specification


@pytest.fixture
def sample(library: Library, rng: np.random.Generator, tmp_path: Path) -> Sample:
    collection = Collection(library, rng, tmp_path)
    collection.fill(60)
    return draw_sample(library, collection.model)


@pytest.fixture
def space(sample: Sample) -> Space:
    return Space.of(specification(), sample)


def test_blocks_have_unit_length(space: Space, sample: Sample) -> None:
    vectors = space.vectors(sample.embeddings, sample.scores)
    assert tuple(space.blocks) == FACETS
    assert vectors.shape == (60, space.n_dimensions) == (60, EMBEDDING_DIM + 2 + 2 + 2)
    for block in space.blocks.values():
        np.testing.assert_allclose(np.linalg.norm(vectors[:, block], axis=1), 1, rtol=1e-4)


@pytest.mark.parametrize("weights", [{}, {"mood": 2.0}, {"sound": 1.0, "genre": 3.0}])
def test_one_inner_product_is_the_weighted_mean_of_cosines(
    space: Space, sample: Sample, weights: dict[str, float]
) -> None:
    vectors = space.vectors(sample.embeddings, sample.scores)
    weighed = space.weigh(weights)
    assert sum(weighed.values()) == pytest.approx(1)
    query = space.query(vectors[:2], weighed)
    means = vectors[:2].mean(axis=0)
    expected = np.zeros(len(vectors))
    for facet, block in space.blocks.items():
        own = means[block] / np.linalg.norm(means[block])
        expected += weighed[facet] * (vectors[:, block] @ own)
    np.testing.assert_allclose(vectors @ query, expected, atol=1e-5)
    assert set(DEFAULT_WEIGHTS) == set(FACETS)


def test_the_mean_of_the_library_is_near_to_nothing(space: Space, sample: Sample) -> None:
    typical = np.square(np.sqrt(sample.scores).mean(axis=0))[None].astype(np.float32)
    vector = space.vectors(sample.embeddings.astype(np.float32).mean(axis=0)[None], typical)
    assert np.isfinite(vector).all()
    assert np.abs(space.centred(typical)).max() < 1e-3


def test_facets_that_the_model_does_not_know_are_left_out(sample: Sample) -> None:
    tags = tuple(Tag(name=f"tag {i}", category="other" if i else "mood") for i in range(6))
    own = specification().model_copy(update={"tags": tags})
    space = Space.of(own, sample)
    assert tuple(space.blocks) == ("sound", "mood")
    assert space.weigh({}) == pytest.approx({"sound": 2 / 3, "mood": 1 / 3})
