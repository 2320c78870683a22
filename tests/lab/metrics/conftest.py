"""Scores with known truth, with and without ties."""

import numpy as np
import pytest


@pytest.fixture(params=["distinct", "tied"])
def scored(request: pytest.FixtureRequest, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Annotations and scores (60, 7) that agree somewhat; every tag and clip has both kinds."""
    y_true = rng.random((60, 7)) < np.linspace(0.1, 0.7, 7)
    y_true[0], y_true[1] = [True, False] * 3 + [True], [False, True] * 3 + [False]
    y_score = 1 / (1 + np.exp(-(rng.normal(size=(60, 7)) + 1.2 * y_true)))
    return y_true, np.round(y_score, 1) if request.param == "tied" else y_score
