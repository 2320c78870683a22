"""What is packed comes back: exactly, or as near as is promised."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from taggram.library.tracks import (
    chunk_times,
    pack_fields,
    pack_taggram,
    pack_vector,
    unpack_fields,
    unpack_taggram,
    unpack_vectors,
)

shapes = st.tuples(st.integers(1, 40), st.integers(1, 60))
unit = st.floats(0, 1, width=32)


@given(arrays(np.float32, shapes, elements=unit))
def test_taggrams_are_exact_to_half_a_level(scores: np.ndarray) -> None:
    found = unpack_taggram(pack_taggram(scores), len(scores))
    assert found.shape == scores.shape
    assert found.min() >= 0
    assert found.max() <= 1
    # half a level of √score is 1/254; squared, it is √score/127 and a little
    np.testing.assert_array_less(np.abs(found - scores), np.sqrt(scores) / 127 + 1 / 127**2 + 1e-6)


def test_taggrams_are_compact(rng: np.random.Generator) -> None:
    slow = np.repeat(rng.random((10, 96), np.float32), 8, axis=0)
    assert len(pack_taggram(slow)) < slow.size / 4


@given(arrays(np.float32, st.integers(1, 300), elements=st.floats(-1e6, 1e6, width=32)))
def test_vectors_are_half_floats(vector: np.ndarray) -> None:
    (found,) = unpack_vectors([pack_vector(vector)], len(vector))
    assert np.isfinite(found).all()
    expected = np.clip(vector, -65504, 65504)
    np.testing.assert_allclose(found.astype(np.float32), expected, rtol=1e-3, atol=1e-7)


def test_vectors_come_back_in_order() -> None:
    rows = [pack_vector(np.full(3, number, np.float32)) for number in range(4)]
    np.testing.assert_array_equal(unpack_vectors(rows, 3)[:, 0], [0, 1, 2, 3])
    assert unpack_vectors([], 3).shape == (0, 3)


@given(st.dictionaries(st.text(), st.lists(st.text(st.characters())).map(tuple)))
def test_fields_come_back(fields: dict[str, tuple[str, ...]]) -> None:
    packed = pack_fields(fields)
    assert packed.isascii()
    assert unpack_fields(packed) == fields


def test_fields_with_bytes_that_are_no_text_come_back() -> None:
    fields = {"title": (os.fsdecode(b"caf\xe9"), "🎵")}
    assert unpack_fields(pack_fields(fields)) == fields


@pytest.mark.parametrize(
    ("last", "n_chunks", "expected"), [(5.5, 4, [0, 2, 4, 5.5]), (6.0, 4, [0, 2, 4, 6]), (0.0, 1, [0])]
)
def test_the_last_chunk_may_be_aligned_with_the_end(
    last: float, n_chunks: int, expected: list[float]
) -> None:
    np.testing.assert_array_equal(chunk_times(2.0, last, n_chunks), expected)
