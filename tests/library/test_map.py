"""Maps: near is alike, the same every time, and kept whole or not at all."""

from pathlib import Path

import numpy as np
import pytest

from taggram.errors import LibraryError, ShapeError
from taggram.library import Library
from taggram.library import map as library_map
from taggram.library.map import compute_map, lay_out_tags, map_path, read_map, scale_places, write_map
from tests.library.collection import Collection


@pytest.fixture
def collection(library: Library, tmp_path: Path, rng: np.random.Generator) -> Collection:
    collection = Collection(library, rng, tmp_path)
    collection.fill(80)
    return collection


def share_of_own_style(found: library_map.LibraryMap, collection: Collection) -> float:
    """Return how often the nearest neighbour is of the same style; a quarter is chance."""
    distances = np.linalg.norm(found.places[:, None] - found.places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    styles = np.array([collection.styles[i] for i in found.recording_ids.tolist()])
    return float((styles[distances.argmin(axis=1)] == styles).mean())


@pytest.mark.parametrize("method", ["umap", "pca"])
def test_near_is_alike(collection: Collection, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if method == "umap":
        pytest.importorskip("umap", reason="the optional part `map` is not installed")
    else:
        monkeypatch.setattr(library_map, "find_spec", lambda name: None)
    said: list[float] = []
    found = compute_map(collection.library, collection.model, say=lambda share, what: said.append(share))
    assert (found.method, found.places.shape) == (method, (80, 2))
    assert found.places.min() >= 0
    assert found.places.max() <= 1
    assert share_of_own_style(found, collection) > (0.9 if method == "umap" else 0.6)
    assert said == sorted(said)
    again = compute_map(collection.library, collection.model)
    np.testing.assert_array_equal(again.places, found.places)


def test_a_map_is_kept(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_map, "find_spec", lambda name: None)
    path = map_path(collection.library, collection.model)
    assert read_map(path) is None
    found = compute_map(collection.library, collection.model)
    write_map(found, path)
    kept = read_map(path)
    assert kept is not None
    np.testing.assert_array_equal(kept.places, found.places)
    assert (kept.version, kept.method) == (found.version, found.method)
    assert kept.version == collection.library.version(collection.model)
    collection.add(0)
    assert kept.version != collection.library.version(collection.model)
    path.write_bytes(path.read_bytes()[:100])
    assert read_map(path) is None, "a damaged one is made again"
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_tracks_have_a_map_too(
    library: Library, tmp_path: Path, rng: np.random.Generator, n: int
) -> None:
    collection = Collection(library, rng, tmp_path)
    collection.fill(n)
    found = compute_map(library, collection.model)
    assert found.places.shape == (n, 2)
    assert np.isfinite(found.places).all()


def test_nothing_has_no_map(library: Library, tmp_path: Path, rng: np.random.Generator) -> None:
    collection = Collection(library, rng, tmp_path)
    with pytest.raises(LibraryError, match="has heard nothing"):
        compute_map(library, collection.model)


def test_tags_that_come_together_lie_together(rng: np.random.Generator) -> None:
    causes = rng.uniform(size=(2, 400))
    scores = np.stack([causes[0], causes[0], causes[1], causes[1], np.full(400, 0.3)])
    scores = (0.9 * scores + 0.1 * rng.uniform(size=scores.shape)).astype(np.float32)
    scores[4] = 0.3  # never changes
    places, correlations = lay_out_tags(scores)
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    assert distances[0, 1] < 0.3 * distances[0, 2]
    assert distances[2, 3] < 0.3 * distances[2, 0]
    assert correlations[0, 1] > 0.9 > 0.3 > abs(correlations[0, 2])
    assert correlations[4, 0] == pytest.approx(0, abs=1e-9)
    with pytest.raises(ShapeError, match="two tracks"):
        lay_out_tags(scores[:, :1])


def test_places_fill_the_square_without_being_stretched(rng: np.random.Generator) -> None:
    places = rng.normal(size=(50, 2)) * [10, 2] + [100, -5]
    scaled = scale_places(places)
    assert scaled[:, 0].min() == pytest.approx(0, abs=1e-6)
    assert scaled[:, 0].max() == pytest.approx(1, abs=1e-6)
    ratio = np.linalg.norm(places[0] - places[1]) / np.linalg.norm(places[2] - places[3])
    found = np.linalg.norm(scaled[0] - scaled[1]) / np.linalg.norm(scaled[2] - scaled[3])
    assert found == pytest.approx(ratio, rel=1e-4)
    assert scale_places(np.ones((3, 2))).tolist() == [[0.5, 0.5]] * 3
