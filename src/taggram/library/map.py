"""The library, and its tags, in two dimensions: near is alike.

The map of tracks starts from the vectors of `taggram.library.facets`, in their first principal components.
UMAP (McInnes et al. 2018), the optional part `map`, lays them out so that neighbours stay neighbours; without
it, and for a handful of tracks, the first two components are the map. It is computed once and kept beside the
library, in `<library>.similar/map-N.npz`, where N is the id of the model.

The map of tags puts those together that are heard together: metric multidimensional scaling by majorisation
(SMACOF, de Leeuw 1977) of √(2 − 2r), where r is the correlation of the square roots of two tags' scores.

Conventions: places have shape (n, 2) and lie in [0, 1], with one scale for both axes.
"""

import os
import time
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from taggram.errors import LibraryError, ShapeError
from taggram.library.facets import DEFAULT_WEIGHTS, Space
from taggram.library.nearest import vector_batches
from taggram.library.sample import draw_sample
from taggram.library.store import Library
from taggram.library.tracks import ModelRow

N_COMPONENTS = 50
"""Principal components that UMAP starts from."""
FEWEST_FOR_UMAP = 30
"""Tracks below which neighbours are too few to lay out by."""
_N_NEIGHBOURS = 15
_SEED = 0
_FORMAT = 1
_N_STEPS = 300  # of majorisation
_STILL = 1e-6

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LibraryMap:
    """Where recordings lie.

    Attributes
    ----------
    recording_ids : shape (n,), ascending
    places : shape (n, 2), in [0, 1]
    method
        "umap" or "pca".
    version
        Of the library that it was made from, as `Library.version` says.
    created_at
        Unix seconds.
    """

    recording_ids: NDArray[np.int64]
    places: Floats = field(repr=False)
    method: str
    version: str
    created_at: float


def compute_map(
    library: Library, model: ModelRow, *, say: Callable[[float, str], None] = lambda share, what: None
) -> LibraryMap:
    """Lay out all recordings that `model` has heard.

    Parameters
    ----------
    library, model
        What was heard, and by whom.
    say
        Told now and then how far it is, from 0 to 1, and what is being done.

    Raises
    ------
    LibraryError
        If the model has heard nothing.
    """
    version = library.version(model)
    say(0.0, "reading")
    sample = draw_sample(library, model)
    if not len(sample.recording_ids):
        raise LibraryError(f"{library.path}: {model.name!r} has heard nothing that could be drawn on a map")
    ids, components = _read_components(library, model, Space.of(model.specification, sample))
    is_umap = len(ids) >= FEWEST_FOR_UMAP and find_spec("umap") is not None
    say(0.2, "looking for neighbours" if is_umap else "laying out")
    places = _umap(components) if is_umap else _first_two(components)
    method = "umap" if is_umap else "pca"
    return LibraryMap(ids, scale_places(places), method, version, time.time())


def map_path(library: Library, model: ModelRow) -> Path:
    """Return where the map of a library is kept."""
    folder = library.path.with_name(library.path.name + ".similar")
    return folder / f"map-{model.id}.npz"


def write_map(found: LibraryMap, path: Path) -> None:
    """Keep a map; it appears under its name when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            np.savez(
                file,
                format=_FORMAT,
                recording_ids=found.recording_ids,
                places=found.places,
                method=found.method,
                version=found.version,
                created_at=found.created_at,
            )
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def read_map(path: Path) -> LibraryMap | None:
    """Return a map that was kept; None if there is none, or it cannot be read and is to be made again."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            if int(kept["format"]) != _FORMAT:
                return None
            return LibraryMap(
                kept["recording_ids"],
                kept["places"],
                str(kept["method"]),
                str(kept["version"]),
                float(kept["created_at"]),
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def lay_out_tags(scores: Floats) -> tuple[Floats, NDArray[np.float64]]:
    """Lay out tags by how they come together.

    Parameters
    ----------
    scores : shape (n_tags, n_tracks), in [0, 1]
        At least two tracks.

    Returns
    -------
    places : shape (n_tags, 2), in [0, 1]
    correlations : shape (n_tags, n_tags), in [−1, 1]
        A tag that never changes correlates with nothing.

    Raises
    ------
    ShapeError
        If there are not two tracks.
    """
    if scores.ndim != 2 or scores.shape[1] < 2:
        raise ShapeError(f"tags are laid out by at least two tracks, got scores of shape {scores.shape}")
    correlations = _correlate(np.sqrt(scores, dtype=np.float64))
    distances = np.sqrt(2 - 2 * correlations)
    np.fill_diagonal(distances, 0)
    places = _majorise(distances, _classical_scaling(distances))
    return scale_places(places), correlations


def scale_places(places: NDArray[np.floating]) -> Floats:
    """Move and scale places, shape (n, 2), so that they fill [0, 1], in the middle of the shorter axis."""
    low, high = places.min(axis=0), places.max(axis=0)
    extent = float((high - low).max()) or 1.0
    return np.asarray((places - (low + high) / 2) / extent + 0.5, np.float32).clip(0, 1)


def _read_components(library: Library, model: ModelRow, space: Space) -> tuple[NDArray[np.int64], Floats]:
    """Return recordings and their first principal components, without holding their whole vectors."""
    weights = space.weigh(DEFAULT_WEIGHTS)
    roots = np.concatenate(
        [np.full(block.stop - block.start, np.sqrt(weights[name])) for name, block in space.blocks.items()]
    ).astype(np.float32)  # then distances go by the weighted similarity
    axes: Floats | None = None
    ids = [np.empty(0, np.int64)]
    parts: list[Floats] = []
    for own_ids, vectors in vector_batches(library, model, space):
        if axes is None:
            axes = _principal_axes(vectors * roots)
        ids.append(own_ids)
        parts.append(np.asarray((vectors * roots) @ axes, np.float32))
    return np.concatenate(ids), np.concatenate(parts) if parts else np.empty((0, 2), np.float32)


def _principal_axes(vectors: Floats) -> Floats:
    """Return axes as columns; at least two."""
    covariance = np.cov(vectors, rowvar=False) if len(vectors) > 1 else np.eye(vectors.shape[1])
    _, axes = np.linalg.eigh(covariance)
    return np.asarray(axes[:, ::-1][:, :N_COMPONENTS], np.float32)


def _first_two(components: Floats) -> Floats:
    return components[:, :2]


def _umap(components: Floats) -> Floats:
    from umap import UMAP

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says at length that a seed costs it its threads
        layout = UMAP(
            n_neighbors=min(_N_NEIGHBOURS, len(components) - 1),
            init="pca",
            random_state=_SEED,
            n_jobs=1,
            low_memory=True,
        ).fit_transform(components)
    return np.asarray(layout, np.float32)


def _correlate(values: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = values - values.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    units = centred / np.where(lengths > 1e-12, lengths, 1.0)
    return np.asarray((units @ units.T).clip(-1, 1))


def _classical_scaling(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the best projection of distances (Torgerson 1952), which majorisation begins with."""
    n = len(distances)
    centre = np.eye(n) - 1 / n
    values, vectors = np.linalg.eigh(-0.5 * centre @ np.square(distances) @ centre)
    places = np.zeros((n, 2))
    n_axes = min(2, n)
    places[:, :n_axes] = vectors[:, ::-1][:, :n_axes] * np.sqrt(values[::-1][:n_axes].clip(0))
    return places


def _majorise(distances: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move places until their distances fit best, in the sense of least squares."""
    n, stress = len(distances), np.inf
    for _ in range(_N_STEPS):
        found = np.linalg.norm(places[:, None] - places[None], axis=2)
        last, stress = stress, float(np.square(found - distances).sum())
        if last - stress < _STILL * stress:
            break
        ratio = np.divide(distances, found, out=np.zeros_like(found), where=found > 1e-12)
        guttman = -ratio
        np.fill_diagonal(guttman, ratio.sum(axis=1) - np.diag(ratio))
        places = guttman @ places / n
    return places
