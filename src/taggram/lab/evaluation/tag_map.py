"""A map of tags: which ones a model, or the people who tagged, hold for alike.

    vectors   `read_tag_vectors`: the weights of a model's last layer, one vector per tag. Two tags are near
              if the same features of the sound speak for both.
              `compute_co_occurrence_vectors`: from annotations. Two tags are near if they come with the same
              other tags: positive pointwise mutual information, reduced by SVD (Levy et al. 2015).
    places    `lay_out`: t-SNE of the directions; or PCA, which is far faster and keeps the large distances
              where t-SNE keeps the small ones; or a spectral embedding, between the two.
    picture   `draw_tag_map`: coloured by category, labels that do not overlap.

Conventions: vectors (n_tags, n_dimensions), places (n_tags, 2) in [0, 1]; the mean over tags is taken off the
vectors first, since what all tags share says nothing about which are alike.

References
----------
van der Maaten & Hinton, "Visualizing data using t-SNE", JMLR 2008.
Levy, Goldberg & Dagan, "Improving distributional similarity with lessons learned from word embeddings",
TACL 2015.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Patch

from taggram.errors import ModelFileError, ShapeError, UnknownNameError
from taggram.lab.evaluation.plots import Page, label_of
from taggram.lab.metrics._tag_metric import Bools, Floats
from taggram.modelfile.reader import ModelFile
from taggram.modelfile.specification import CATEGORIES
from taggram.tags.vocabularies import category_of

Method = Literal["tsne", "pca", "spectral"]
METHODS: tuple[Method, ...] = ("tsne", "pca", "spectral")
LEAST_TAGS = 4
_SMOOTHING = 0.75  # of the context distribution, against the preference of PMI for rare tags
_ACTIVATIONS = ("Sigmoid", "Softmax")
_MAP_SIZE = (11.0, 8.0)  # inches, if all labels find room
_MARGIN = np.array([80.0, 24.0])  # points of type, as all below
_RADIUS = 3.5
_FAR = 4.0  # a label further away is joined to its point by a line
_TITLE_HEIGHT, _LEGEND_HEIGHT = 30.0, 34.0
_FONT_SIZE = 9.0


def read_tag_vectors(model_file: ModelFile) -> Floats:
    """Return the weights of a model file's last layer: shape (n_tags, embedding_dim).

    Raises
    ------
    ModelFileError
        If the graph does not end in a linear layer with plain weights on the embedding.
    """
    import onnx

    graph = onnx.load_from_string(model_file.data).graph
    weights = _weights_of_last_layer(graph)
    spec = model_file.specification
    if weights is None or weights.shape != (spec.n_tags, spec.embedding_dim):
        raise ModelFileError(
            f"{model_file.path}: the scores do not come from the embedding by one linear layer with plain "
            f"weights ({spec.n_tags} × {spec.embedding_dim}); a quantised file has none: use the file it was "
            "made from"
        )
    return weights


def compute_co_occurrence_vectors(y_true: Bools, *, n_dimensions: int = 32) -> Floats:
    """Return a vector for every tag from what it comes together with.

    Parameters
    ----------
    y_true : shape (n_clips, n_tags)
    n_dimensions
        At most this many; never more than there are tags.

    Returns
    -------
    shape (n_tags, n_dimensions); zero for a tag that never comes with another
    """
    together = y_true.astype(np.float64).T @ y_true
    np.fill_diagonal(together, 0)
    of_tag = together.sum(axis=1)
    if not of_tag.any():
        raise ShapeError("no clip has two tags: co-occurrence says nothing; use the model's own tag vectors")
    smoothed = of_tag**_SMOOTHING / (of_tag**_SMOOTHING).sum()
    expected = of_tag[:, None] * smoothed[None, :]
    ratio = np.divide(together, expected, out=np.zeros_like(together), where=expected > 0)
    information = np.log(np.maximum(ratio, 1.0))
    left, strengths, _ = np.linalg.svd(information)
    kept = min(n_dimensions, len(strengths))
    vectors: Floats = left[:, :kept] * np.sqrt(strengths[:kept])
    return vectors


def lay_out(vectors: Floats, *, method: Method = "tsne", seed: int = 0) -> Floats:
    """Place tags in the unit square so that like ones are near: shape (n_tags, 2).

    Parameters
    ----------
    vectors : shape (n_tags, n_dimensions)
    method
        "tsne", "pca" or "spectral".
    seed
        Of t-SNE and of the spectral embedding.

    Raises
    ------
    ShapeError
        If there are fewer than four tags or two dimensions.
    """
    if method not in METHODS:
        raise UnknownNameError("method", method, METHODS)
    if vectors.ndim != 2 or len(vectors) < LEAST_TAGS or vectors.shape[1] < 2:
        raise ShapeError(
            f"a map needs at least {LEAST_TAGS} tags with vectors of 2 numbers, got {vectors.shape}"
        )
    directions = _directions(vectors)
    places = {"tsne": _tsne, "pca": _pca, "spectral": _spectral}[method](directions, seed)
    extent = np.ptp(places, axis=0)
    return np.asarray((places - places.min(axis=0)) / np.where(extent > 0, extent, 1))


def nearest_tags(vectors: Floats, tag: int, n_tags: int = 5) -> list[int]:
    """Return the tags most like one, nearest first, by the cosine of their vectors."""
    directions = _directions(vectors)
    likeness = directions @ directions[tag]
    likeness[tag] = -np.inf
    return [int(index) for index in np.argsort(-likeness, kind="stable")[: min(n_tags, len(vectors) - 1)]]


def place_labels(points: Floats, sizes: Floats, *, radius: float, limits: tuple[float, float]) -> Floats:
    """Find a place for every label, near its point, so that no label overlaps another or a point.

    Labels in crowded places are set first; each takes the first free place of a widening spiral that begins
    right of its point. One that finds none inside the limits is set outside, so that the promise is kept.

    Parameters
    ----------
    points : shape (n_tags, 2)
    sizes : shape (n_tags, 2)
        Width and height of the labels.
    radius
        Of the points.
    limits
        Width and height of the page, which begins at (0, 0).

    Returns
    -------
    Centres of the labels, shape (n_tags, 2)
    """
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    crowd = (distances < 3 * sizes.mean()).sum(axis=1)
    lows, highs = points - radius, points + radius  # boxes that are taken: first all points
    centres = np.zeros_like(points)
    for tag in np.argsort(-crowd, kind="stable"):
        half = sizes[tag] / 2
        for centre in _spiral(points[tag], half, radius, limits):
            low, high = centre - half, centre + half
            if not ((low < highs) & (high > lows)).all(axis=1).any():
                break
        centres[tag] = centre
        lows, highs = np.vstack([lows, low]), np.vstack([highs, high])
    return centres


def draw_tag_map(tags: Sequence[str], places: Floats, page: Page, *, title: str = "") -> Canvas:
    """Draw the map, for `taggram.lab.evaluation.plots.render`.

    Parameters
    ----------
    tags
        Names.
    places : shape (n_tags, 2), in [0, 1]
    """
    width, height = (72.0 * side for side in _MAP_SIZE)
    points = _MARGIN + places * (np.array([width, height]) - 2 * _MARGIN)
    texts = [label_of(tag) for tag in tags]
    sizes = _text_sizes(texts)
    centres = place_labels(points, sizes, radius=_RADIUS, limits=(width, height))
    canvas, axis = _canvas_around(np.vstack([centres, [[0, 0]], [[width, height]]]))
    colours = [page.category(category_of(tag)) for tag in tags]
    gaps = (np.abs(centres - points) - sizes / 2 - _RADIUS).max(axis=1)
    for text, colour, point, centre, gap in zip(texts, colours, points, centres, gaps, strict=True):
        if gap > _FAR:
            axis.plot(*np.stack([point, centre]).T, color=colour, lw=0.7, alpha=0.6, zorder=1)
        box = {"facecolor": page.background, "edgecolor": "none", "pad": 0.6}
        x, y = centre
        axis.text(x, y, text, ha="center", va="center", fontsize=_FONT_SIZE, color=colour, zorder=3, bbox=box)
    x, y = points.T
    axis.scatter(x, y, s=34, c=colours, edgecolors=page.background, linewidths=0.8, zorder=4)
    canvas.text(0.02, 1 - 16 / (72 * canvas.get_figheight()), title, va="center", weight="bold", fontsize=11)
    present = [c for c in CATEGORIES if c in {category_of(tag) for tag in tags}]
    handles = [Patch(color=page.category(category), label=category) for category in present]
    canvas.legend(handles=handles, loc="lower center", ncols=len(present), handlelength=0.9)
    return canvas


def _canvas_around(corners: Floats) -> tuple[Canvas, Axes]:
    """Return a canvas whose axes count in points of type and hold all corners, title and legend apart."""
    low, high = corners.min(axis=0) - 4, corners.max(axis=0) + 4
    width, height = high - low
    whole = height + _TITLE_HEIGHT + _LEGEND_HEIGHT
    canvas = Canvas(figsize=(width / 72, whole / 72))
    axis = canvas.add_axes((0.0, _LEGEND_HEIGHT / whole, 1.0, height / whole))
    axis.set_axis_off()
    axis.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    return canvas, axis


def _directions(vectors: Floats) -> Floats:
    """Take off the mean and the lengths."""
    centred = vectors - vectors.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / np.where(lengths > 0, lengths, 1))


def _tsne(directions: Floats, seed: int) -> Floats:
    from sklearn.manifold import TSNE

    perplexity = min(12.0, (len(directions) - 1) / 3)
    found = TSNE(perplexity=perplexity, init="pca", random_state=seed, max_iter=1500).fit_transform(
        directions
    )
    return np.asarray(found, np.float64)


def _pca(directions: Floats, seed: int) -> Floats:
    del seed
    left, strengths, _ = np.linalg.svd(directions - directions.mean(axis=0), full_matrices=False)
    # The sign of an axis means nothing; make the same one everywhere.
    signs = np.sign(left[np.abs(left[:, :2]).argmax(axis=0), [0, 1]])
    return np.asarray(left[:, :2] * strengths[:2] * signs)


def _spectral(directions: Floats, seed: int) -> Floats:
    from sklearn.manifold import SpectralEmbedding

    affinity = np.exp(4 * (directions @ directions.T - 1))
    embedding = SpectralEmbedding(n_components=2, affinity="precomputed", random_state=seed)
    return np.asarray(embedding.fit_transform(affinity), np.float64)


def _spiral(point: Floats, half: Floats, radius: float, limits: tuple[float, float]) -> Iterator[Floats]:
    """Yield centres for a label: beside the point, then ever further away; inside the page, then anywhere."""
    angles = np.pi * np.array([0, 1, 0.5, -0.5, 0.25, -0.25, 0.75, -0.75, *np.arange(1, 16, 2) / 8])
    reach = half + radius + 1.5
    for is_bound, n_turns in ((True, 60), (False, 2000)):
        for turn in range(n_turns):
            for angle in angles:
                way = np.array([np.cos(angle), np.sin(angle)])
                # From the point to where the label's edge just clears it, and further by each turn.
                stretch = float(np.min(reach / np.maximum(np.abs(way), 1e-9)))
                centre = point + way * (stretch + 4.0 * turn)
                if not is_bound or ((centre - half >= 0) & (centre + half <= limits)).all():
                    yield centre


def _text_sizes(texts: Sequence[str]) -> Floats:
    """Measure labels in points of type, with a little air around them."""
    canvas = Canvas()
    renderer = FigureCanvasAgg(canvas).get_renderer()  # type: ignore[no-untyped-call]
    boxes = [canvas.text(0, 0, text, fontsize=_FONT_SIZE).get_window_extent(renderer) for text in texts]
    return np.array([(box.width, box.height) for box in boxes]) * 72.0 / canvas.dpi + 3.0


def _weights_of_last_layer(graph: Any) -> Floats | None:
    """Walk from the scores back to the embedding; return weights (n_tags, embedding_dim), or None."""
    from onnx import numpy_helper

    constants = {value.name: value for value in graph.initializer}
    made_by = {output: node for node in graph.node for output in node.output}
    node = made_by.get("scores")
    while node is not None and node.op_type in (*_ACTIVATIONS, "Add"):
        inputs = [name for name in node.input if name not in constants]
        node = made_by.get(inputs[0]) if len(inputs) == 1 else None
    if node is None or node.op_type not in ("Gemm", "MatMul") or node.input[0] != "embedding":
        return None
    if node.input[1] not in constants:
        return None
    weights = np.asarray(numpy_helper.to_array(constants[node.input[1]]), np.float64)
    is_transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
    return weights if is_transposed else weights.T
