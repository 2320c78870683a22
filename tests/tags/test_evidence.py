"""Moments of a tag: strongest first, apart from each other, within the sound."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taggram.errors import ShapeError
from taggram.tags.evidence import GAP, GAP_SHARE, LEAST_DURATION, find_moments


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=40),
    st.floats(0.1, 8.0),
    st.floats(0.5, 6.0),
    st.integers(1, 5),
    st.one_of(st.none(), st.floats(0, 20)),
)
def test_moments_are_strong_apart_and_inside(
    values: list[float], hop: float, chunk_duration: float, n: int, gap: float | None
) -> None:
    scores = np.array(values)
    times = hop * np.arange(len(scores))
    duration = float(times[-1] + chunk_duration)
    found = find_moments(scores, times, chunk_duration=chunk_duration, duration=duration, n=n, gap=gap)
    assert 1 <= len(found) <= n
    assert found[0].score == scores.max()
    assert [moment.score for moment in found] == sorted((m.score for m in found), reverse=True)
    apart = min(GAP, GAP_SHARE * duration) if gap is None else gap
    assert all(one.end + apart <= other.start + 1e-5 for one, other in pairwise(sorted(found)))
    for moment in found:
        assert 0 <= moment.start < moment.end <= duration + 1e-9
        assert moment.end - moment.start == pytest.approx(min(duration, max(chunk_duration, LEAST_DURATION)))


def test_a_long_passage_is_one_moment_and_a_weaker_one_elsewhere_is_named() -> None:
    scores = np.zeros(100)
    scores[10:20], scores[70] = 0.9, 0.4
    found = find_moments(scores, 3.0 * np.arange(100), chunk_duration=3.0, duration=300.0)
    assert [round(moment.start) for moment in found[:2]] == [30, 45]
    assert (found[2].start, found[2].score) == (210.0, 0.4)


def test_a_time_for_each_score() -> None:
    with pytest.raises(ShapeError, match="one time"):
        find_moments(np.zeros(3), np.zeros(2), chunk_duration=3, duration=9)
