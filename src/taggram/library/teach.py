"""Learn a tag from few examples: a logistic regression on embeddings, its quality, what to label next.

A new tag starts from nothing; a tag of the model that is being corrected starts from what the model
says, to which the examples add. Both minimise, by Newton's method,

    Σᵢ cᵢ log(1 + exp(−yᵢ fᵢ)) + penalty/2 · ‖w‖²,   fᵢ = w·zᵢ + b [+ the model's logit],

where zᵢ is the embedding, standardised by the library's mean and deviation and divided by √embedding_dim so
that the penalty means the same for all models; yᵢ = ±1; and cᵢ gives both kinds of example equal weight.
`b` is free. The penalties were chosen on the validation clips of 4Q (docs/results/teach.md).

Conventions: embeddings (n, embedding_dim); `is_accepted` (n,) bool; logits (n,), 0 is a score of 0.5.

References
----------
Airola et al., "An experimental comparison of cross-validation techniques for estimating the area under
the ROC curve", CSDA 2011: pairs are compared only within a held-out fold.
Newcombe, "Confidence intervals for an effect size measure based on the Mann–Whitney statistic", part 2,
Statistics in Medicine 2006, method 5.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from math import ceil

import numpy as np
from numpy.typing import NDArray

from taggram.errors import ShapeError

MIN_EXAMPLES = 5
"""Accepted and rejected examples together from which a tag can be learned, two of each at least."""
PENALTY = 0.3
CORRECTION_PENALTY = 1.0
"""More, as the model already knows something."""
N_FOLDS = 5
_N_PAIRS = 200  # of held-out accepted and rejected examples to compare, at least
_MAX_REPEATS = 20
_CONVERGED = 1e-8
_MAX_STEPS = 100
_Z_90 = 1.6449  # of the standard normal distribution, two-sided 90 %

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Statistics:
    """Mean and standard deviation of the library's embeddings, both of shape (embedding_dim,)."""

    mean: Floats = field(repr=False)
    deviation: Floats = field(repr=False)

    @classmethod
    def of(cls, embeddings: Floats) -> "Statistics":
        """Measure embeddings; a dimension that never changes gets a deviation of 1."""
        values = embeddings.astype(np.float64)
        deviation = values.std(axis=0)
        return cls(values.mean(axis=0), np.where(deviation > 1e-6, deviation, 1.0))

    def standardise(self, embeddings: Floats) -> NDArray[np.float64]:
        """Return z as in the header of this module."""
        scale = np.sqrt(embeddings.shape[-1])
        return np.asarray((embeddings.astype(np.float64) - self.mean) / (self.deviation * scale))


@dataclass(frozen=True, eq=False)
class Classifier:
    """Says how much a sound deserves a tag.

    Attributes
    ----------
    weights : shape (embedding_dim,), float32
        For embeddings as they are, not standardised.
    intercept
        Added to the product.
    adds_to_model
        The model's own logit is added: this corrects a tag that the model has.
    """

    weights: NDArray[np.float32] = field(repr=False)
    intercept: float
    adds_to_model: bool = False

    def logits(self, embeddings: Floats, model_logits: Floats | None = None) -> NDArray[np.float32]:
        """Return logits of embeddings.

        Parameters
        ----------
        embeddings : shape (n, embedding_dim)
        model_logits : shape (n,)
            What the model says; for a correction.
        """
        if embeddings.shape[-1] != len(self.weights):
            raise ShapeError(
                f"the tag was learned on embeddings of length {len(self.weights)}, got "
                f"{embeddings.shape[-1]}: they come from another model"
            )
        own = embeddings.astype(np.float32) @ self.weights + np.float32(self.intercept)
        if not self.adds_to_model:
            return np.asarray(own)
        if model_logits is None:
            raise ShapeError("this tag corrects one of the model's and needs the model's logits")
        return np.asarray(own + model_logits, np.float32)


@dataclass(frozen=True)
class Quality:
    """What to expect of a taught tag, measured on examples that it did not learn from.

    Attributes
    ----------
    n_accepted, n_rejected
        Examples.
    roc_auc
        Chance that a held-out accepted example scores above a held-out rejected one; 0.5 is guessing.
        None if there are too few examples to hold any out.
    interval
        90 % confidence interval of `roc_auc`.
    model_roc_auc
        The same of the model's own tag, for a correction.
    warnings
        Reasons not to trust the tag, in plain words; none if there are none.
    """

    n_accepted: int
    n_rejected: int
    roc_auc: float | None
    interval: tuple[float, float] | None
    model_roc_auc: float | None = None
    warnings: tuple[str, ...] = ()

    @property
    def is_trustworthy(self) -> bool:
        """Whether nothing speaks against the tag."""
        return not self.warnings


def fit(
    embeddings: Floats,
    is_accepted: Bools,
    statistics: Statistics,
    *,
    model_logits: Floats | None = None,
    penalty: float | None = None,
) -> Classifier:
    """Learn from examples.

    Parameters
    ----------
    embeddings : shape (n, embedding_dim)
    is_accepted : shape (n,)
        At least one example of each kind.
    statistics
        Of the library, or of the examples.
    model_logits : shape (n,)
        Of the model's own tag, to correct it; None for a new tag.
    penalty
        None is `PENALTY`, or `CORRECTION_PENALTY`.

    Raises
    ------
    ShapeError
        If the shapes do not agree, a value is not finite, or one kind of example is missing.
    """
    _check(embeddings, is_accepted, model_logits)
    inputs, back = _reduce(statistics.standardise(embeddings))
    weights, intercept = _minimise(
        inputs, is_accepted, _offset(model_logits, len(inputs)), _of(penalty, model_logits)
    )
    scaled = (back @ weights) / (statistics.deviation * np.sqrt(embeddings.shape[1]))
    return Classifier(
        weights=scaled.astype(np.float32),
        intercept=float(intercept - scaled @ statistics.mean),
        adds_to_model=model_logits is not None,
    )


def cross_validate(
    embeddings: Floats,
    is_accepted: Bools,
    statistics: Statistics,
    *,
    artists: Sequence[Hashable] | None = None,
    model_logits: Floats | None = None,
    penalty: float | None = None,
    seed: int = 0,
) -> Quality:
    """Measure what `fit` on these examples is worth.

    Repeated stratified cross-validation; examples of one artist are held out together, because a
    classifier that has learned an artist's sound has not learned the tag.

    Parameters
    ----------
    embeddings, is_accepted, statistics, model_logits, penalty
        As for `fit`.
    artists
        Something equal for examples of the same artist, None where that is not known.
    seed
        Of the folds.
    """
    _check(embeddings, is_accepted, model_logits)
    groups = _groups(artists, len(is_accepted))
    n_accepted, n_rejected = int(is_accepted.sum()), int((~is_accepted).sum())
    n_folds = min(N_FOLDS, *(len(np.unique(groups[kind])) for kind in (is_accepted, ~is_accepted)))
    value = interval = None
    if n_folds >= 2:
        inputs, _ = _reduce(statistics.standardise(embeddings))
        offset = _offset(model_logits, len(inputs))
        n_repeats = min(_MAX_REPEATS, ceil(_N_PAIRS * n_folds / (n_accepted * n_rejected)))
        rng = np.random.default_rng(seed)
        wins: list[float] = []
        for _ in range(n_repeats):
            folds = _draw_folds(groups, is_accepted, n_folds, rng)
            for fold in range(n_folds):
                wins += _held_out_wins(inputs, is_accepted, offset, folds == fold, _of(penalty, model_logits))
        value = float(np.mean(wins)) if wins else None
    if value is not None:
        interval = auc_interval(value, n_accepted, n_rejected)
    model_value = None if model_logits is None else roc_auc(is_accepted, model_logits)
    return Quality(
        n_accepted,
        n_rejected,
        value,
        interval,
        model_value,
        _warnings(n_accepted, n_rejected, value, interval, model_value, groups[is_accepted]),
    )


def suggest(logits: Floats, embeddings: Floats, n: int, statistics: Statistics) -> NDArray[np.int64]:
    """Choose what to label next: sounds about which the classifier is unsure, and that are not alike.

    Among the unsure ones, each next is the farthest from those chosen before, weighted by how unsure it is.

    Parameters
    ----------
    logits : shape (n_candidates,)
    embeddings : shape (n_candidates, embedding_dim)
    n
        How many.
    statistics
        Of the library.

    Returns
    -------
    shape (min(n, n_candidates),)
        Rows, the most useful first.
    """
    doubt = 1 - np.abs(np.tanh(logits.astype(np.float64) / 2))  # 1 at a score of 0.5, 0 at 0 and 1
    pool = np.argsort(-doubt, kind="stable")[: 10 * n]
    places, doubt = statistics.standardise(embeddings[pool]), doubt[pool]
    distance = np.full(len(pool), np.inf)
    chosen: list[int] = []
    for _ in range(min(n, len(pool))):
        merit = doubt.copy() if not chosen else doubt * distance
        merit[chosen] = -1
        chosen.append(int(np.argmax(merit)))
        distance = np.minimum(distance, np.linalg.norm(places - places[chosen[-1]], axis=1))
    return pool[chosen]


def roc_auc(is_accepted: Bools, logits: Floats) -> float:
    """Return the chance that an accepted example scores above a rejected one; a tie counts half."""
    return float(np.mean(_wins(logits[is_accepted], logits[~is_accepted])))


def auc_interval(value: float, n_accepted: int, n_rejected: int) -> tuple[float, float]:
    """Return the 90 % confidence interval of an area under the ROC curve (Newcombe, method 5).

    Examples
    --------
    >>> [round(end, 2) for end in auc_interval(1.0, 5, 5)]
    [0.72, 1.0]
    """
    candidates = np.linspace(0, 1, 2001)
    tails = (1 - candidates) / (2 - candidates) + candidates / (1 + candidates)
    per_side = (n_accepted + n_rejected) / 2 - 1
    variance = candidates * (1 - candidates) * (1 + per_side * tails) / (n_accepted * n_rejected)
    likely = candidates[np.abs(candidates - value) <= _Z_90 * np.sqrt(variance) + 1e-12]
    return float(likely.min(initial=value)), float(likely.max(initial=value))


def to_logits(scores: Floats) -> NDArray[np.float32]:
    """Return the logits of scores, bounded at ±10."""
    values = np.clip(scores.astype(np.float64), 1e-6, 1 - 1e-6)
    return np.asarray(np.clip(np.log(values / (1 - values)), -10, 10), np.float32)


def to_scores(logits: Floats) -> NDArray[np.float32]:
    """Return scores in [0, 1]."""
    return np.asarray((1 + np.tanh(logits / 2)) / 2, np.float32)


def _check(embeddings: Floats, is_accepted: Bools, model_logits: Floats | None) -> None:
    if embeddings.ndim != 2 or is_accepted.shape != embeddings.shape[:1]:
        raise ShapeError(
            "embeddings of shape (n, embedding_dim) and as many answers are needed, got "
            f"{embeddings.shape} and {is_accepted.shape}"
        )
    if model_logits is not None and model_logits.shape != is_accepted.shape:
        raise ShapeError(f"one logit per example is needed, got {model_logits.shape}")
    if not np.isfinite(embeddings).all():
        raise ShapeError("an embedding holds a value that is not finite: the sound was not analysed")
    if is_accepted.all() or not is_accepted.any():
        raise ShapeError("a tag is learned from examples of both kinds: accept some sounds and reject others")


def _reduce(inputs: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rotate n rows into at most n dimensions; exact, because the best weights lie in the rows' span."""
    if inputs.shape[0] >= inputs.shape[1]:
        return inputs, np.eye(inputs.shape[1])
    left, values, right = np.linalg.svd(inputs, full_matrices=False)
    return left * values, right.T


def _offset(model_logits: Floats | None, n: int) -> NDArray[np.float64]:
    return np.zeros(n) if model_logits is None else model_logits.astype(np.float64)


def _of(penalty: float | None, model_logits: Floats | None) -> float:
    if penalty is not None:
        return penalty
    return PENALTY if model_logits is None else CORRECTION_PENALTY


def _minimise(
    inputs: NDArray[np.float64], is_accepted: Bools, offset: NDArray[np.float64], penalty: float
) -> tuple[NDArray[np.float64], float]:
    """Return weights and intercept that minimise the loss; damped Newton steps on a convex function."""
    n, n_inputs = inputs.shape
    design = np.column_stack([inputs, np.ones(n)])
    counts = np.where(is_accepted, n / (2 * is_accepted.sum()), n / (2 * (~is_accepted).sum()))
    sign = np.where(is_accepted, 1.0, -1.0)
    # The intercept is all but free; the rest keeps it finite when the kinds are separable by it alone.
    ridge = np.append(np.full(n_inputs, penalty), 1e-6)

    def loss(solution: NDArray[np.float64]) -> float:
        margins = sign * (design @ solution + offset)
        return float(counts @ np.logaddexp(0, -margins) + ridge @ solution**2 / 2)

    solution = np.zeros(n_inputs + 1)
    current = loss(solution)
    for _ in range(_MAX_STEPS):
        chance = (1 + np.tanh((design @ solution + offset) / 2)) / 2
        gradient = design.T @ (counts * (chance - is_accepted)) + ridge * solution
        curvature = (design.T * (counts * chance * (1 - chance))) @ design + np.diag(ridge)
        step = np.linalg.solve(curvature, gradient)
        decrease = float(gradient @ step)
        if decrease < _CONVERGED:
            break
        length = 1.0
        while (
            reached := loss(solution - length * step)
        ) > current - 1e-4 * length * decrease and length > 1e-6:
            length /= 2
        solution, current = solution - length * step, reached
    return solution[:-1], float(solution[-1])


def _groups(artists: Sequence[Hashable] | None, n: int) -> NDArray[np.int64]:
    """Return a number for each artist; an example without one is a group of its own."""
    numbers: dict[Hashable, int] = {}
    given = [None] * n if artists is None else list(artists)
    keys = [("alone", i) if artist is None else ("artist", artist) for i, artist in enumerate(given)]
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


def _draw_folds(
    groups: NDArray[np.int64], is_accepted: Bools, n_folds: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Deal groups to folds in random order, each to the fold that has fewest of its own kinds."""
    folds = np.empty(len(groups), np.int64)
    counts = np.zeros((n_folds, 2))
    totals = np.array([(~is_accepted).sum(), is_accepted.sum()])
    order = rng.permutation(np.unique(groups))
    sizes = {group: int((groups == group).sum()) for group in order}
    for group in sorted(order, key=lambda group: -sizes[group]):  # stable: equal sizes stay shuffled
        members = groups == group
        own = np.array([(members & ~is_accepted).sum(), (members & is_accepted).sum()]) / totals
        fold = int(np.argmin((counts + own).max(axis=1) + 1e-6 * counts.sum(axis=1)))
        counts[fold] += own
        folds[members] = fold
    return folds


def _held_out_wins(
    inputs: NDArray[np.float64],
    is_accepted: Bools,
    offset: NDArray[np.float64],
    is_held_out: Bools,
    penalty: float,
) -> list[float]:
    """Learn from the rest; return for every held-out pair whether it is in the right order."""
    learned = is_accepted[~is_held_out]
    if learned.all() or not learned.any():
        return []
    weights, _ = _minimise(inputs[~is_held_out], learned, offset[~is_held_out], penalty)
    values = inputs[is_held_out] @ weights + offset[is_held_out]
    accepted = is_accepted[is_held_out]
    return _wins(values[accepted], values[~accepted]).ravel().tolist()


def _wins(accepted: Floats, rejected: Floats) -> NDArray[np.float64]:
    return np.asarray((np.sign(accepted[:, None] - rejected[None, :]) + 1) / 2)


def _warnings(
    n_accepted: int,
    n_rejected: int,
    value: float | None,
    interval: tuple[float, float] | None,
    model_value: float | None,
    artists_of_accepted: NDArray[np.int64],
) -> tuple[str, ...]:
    found = []
    for count, kind in ((n_accepted, "accepted"), (n_rejected, "rejected")):
        if count < MIN_EXAMPLES:
            found.append(f"only {count} {kind} examples: give {MIN_EXAMPLES} or more")
    if n_accepted > 1 and len(np.unique(artists_of_accepted)) == 1:
        found.append("all accepted examples are by one artist: the tag may know the artist, not the sound")
    if value is None or interval is None:
        found.append("too few different artists or examples to check the tag")
    elif value < 0.7 or interval[0] < 0.55:
        found.append(
            f"on held-out examples it is right for {value:.0%} of pairs, where guessing is right for 50 %: "
            "do not rely on it; give more, or clearer, examples"
        )
    if value is not None and model_value is not None and value <= model_value:
        found.append(
            f"on your examples the model alone ({model_value:.2f}) is as good as the correction ({value:.2f})"
        )
    return tuple(found)
