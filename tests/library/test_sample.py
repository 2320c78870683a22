"""The sample of a library: all of a small one, a fair and steady part of a large one."""

from pathlib import Path

import numpy as np

from taggram.library import Library
from taggram.library.sample import draw_sample
from tests.library.collection import STYLES, Collection


def test_a_small_library_is_its_own_sample(
    library: Library, rng: np.random.Generator, tmp_path: Path
) -> None:
    collection = Collection(library, rng, tmp_path)
    model = collection.model
    assert [len(column) for column in draw_sample(library, model)] == [0, 0, 0]
    collection.fill(40)
    sample = draw_sample(library, model)
    ids, scores = library.scores(model)
    np.testing.assert_array_equal(sample.recording_ids, ids)
    np.testing.assert_array_equal(sample.scores, scores)
    np.testing.assert_array_equal(sample.embeddings, library.embeddings(model)[1])


def test_a_part_is_fair_and_the_same_every_time(
    library: Library, rng: np.random.Generator, tmp_path: Path
) -> None:
    collection = Collection(library, rng, tmp_path)
    collection.fill(400)
    first, again = (draw_sample(library, collection.model, size=100) for _ in range(2))
    np.testing.assert_array_equal(first.recording_ids, again.recording_ids)
    assert 70 < len(first.recording_ids) < 130
    styles = np.bincount([collection.styles[i] for i in first.recording_ids.tolist()], minlength=len(STYLES))
    assert styles.min() > 10
    halves = np.bincount(first.recording_ids > 200)
    assert halves.min() > 30
