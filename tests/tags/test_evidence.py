"""Moments of a tag: strongest first, apart from each other, within the sound."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taggram.errors import ShapeError
from taggram.tags.evidence import LEAST_DURATION, find_moments


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=40),
    st.floats(0.1, 8.0),
    st.floats(0.5, 6.0),
    st.integers(1, 5),
)
def test_moments_are_strong_apart_and_inside(
    values: list[float], hop: float, chunk_duration: float, n: int
) -> None:
    scores = np.array(values)
    times = hop * np.arange(len(scores))
    duration = float(times[-1] + chunk_duration)
    found = find_moments(scores, times, chunk_duration=chunk_duration, duration=duration, n=n)
    assert 1 <= len(found) <= n
    assert found[0].score == scores.max()
    assert [moment.score for moment in found] == sorted((m.score for m in found), reverse=True)
    ordered = sorted(found)
    assert all(one.end <= other.start + 1e-5 for one, other in pairwise(ordered))
    for moment in found:
        assert 0 <= moment.start < moment.end <= duration + 1e-9
        assert moment.end - moment.start == pytest.approx(min(duration, max(chunk_duration, LEAST_DURATION)))


def test_a_time_for_each_score() -> None:
    with pytest.raises(ShapeError, match="one time"):
        find_moments(np.zeros(3), np.zeros(2), chunk_duration=3, duration=9)
