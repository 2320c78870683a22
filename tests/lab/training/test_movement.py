import numpy as np
import pytest

from taggram.lab.training.agreement import within_song_correlation_per_tag
from taggram.lab.training.movement import ceiling, coarser


def test_coarser_averages_neighbours_and_leaves_the_rest_out() -> None:
    song = np.array([[1, 10], [3, 30], [5, 50], [7, 70], [9, 90]], np.float32)
    np.testing.assert_array_equal(coarser(song, 2), [[2, 20], [6, 60]])
    np.testing.assert_array_equal(coarser(song, 1), song)
    assert coarser(song, 6).shape == (0, 2)


@pytest.mark.parametrize("n_teachers", [2, 3])
def test_ceiling_is_how_far_the_common_part_correlates_with_the_mean(
    n_teachers: int, rng: np.random.Generator
) -> None:
    common = rng.standard_normal((20_000, 1))
    teachers = common + rng.standard_normal((20_000, n_teachers)) * 1.2
    between = np.corrcoef(teachers[:, 0], teachers[:, 1])[0, 1]
    found = within_song_correlation_per_tag([common], [teachers.mean(axis=1, keepdims=True)])
    assert 0.3 < between < 0.5
    assert ceiling(np.array([between]), np.array([n_teachers])) == pytest.approx(found, abs=0.02)
    assert ceiling(np.array([-0.1]), np.array([n_teachers])) == 0
