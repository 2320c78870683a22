"""How far to trust a figure: percentile intervals from resampled clips.

A resample draws as many clips as there are, with replacement; what matters is only how often each one was
drawn. So a bootstrap is a matrix of whole-number weights (n_replicates, n_clips), and a metric is a
function of weights. With weights nothing is sorted twice: `weighted_roc_auc` and `weighted_pr_auc` sort a
tag's clips once and then work on all replicates together: 2 s for 1000 replicates of 4332 clips and 50
tags, where scikit-learn on each takes 48 s.

Two models are compared on the **same** resamples (paired), which takes out what makes a clip hard for
both. A tag that a resample holds no clip of is undefined there and left out of that replicate's mean.

Conventions: `weights` (n_replicates, n_clips), `y_true`, `y_score` (n_clips, n_tags); results are
(n_replicates, n_tags) or (n_replicates,); the generator is an argument.

References
----------
Efron & Tibshirani, "An introduction to the bootstrap", 1993, chapters 13 and 16.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taggram.errors import ShapeError
from taggram.lab.metrics._tag_metric import Bools, Floats, check_scores, divide

N_REPLICATES = 1000
LEVEL = 0.95
_GroupMetric = Callable[[Floats, Floats], Floats]
_BLOCK_ELEMENTS = 1 << 17  # replicates × clips worked on at once: stays in the processor's cache


@dataclass(frozen=True)
class Interval:
    """A percentile interval.

    Attributes
    ----------
    low, high
        Its ends.
    level
        The share of replicates between them.
    """

    low: float
    high: float
    level: float = LEVEL


@dataclass(frozen=True)
class Difference:
    """Model b minus model a, on the same clips.

    Attributes
    ----------
    value
        On all clips.
    interval
        Of the paired bootstrap.
    p_value
        Two-sided: twice the share of replicates on the rarer side of 0, never below 2 / (n_replicates + 1).
    """

    value: float
    interval: Interval
    p_value: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.interval.low > 0 or self.interval.high < 0


def draw_weights(n_clips: int, rng: np.random.Generator, *, n_replicates: int = N_REPLICATES) -> Floats:
    """Draw how often each clip stands in each resample: (n_replicates, n_clips), rows sum to n_clips."""
    if n_clips < 1 or n_replicates < 1:
        raise ShapeError(f"a bootstrap needs clips and replicates, got {n_clips} and {n_replicates}")
    drawn = rng.multinomial(n_clips, np.full(n_clips, 1 / n_clips), size=n_replicates)
    return drawn.astype(np.float64)


def percentile_interval(replicates: Floats, *, level: float = LEVEL) -> Interval | None:
    """Return the interval that holds the middle `level` of the replicates; None if all are undefined.

    Parameters
    ----------
    replicates : shape (n_replicates,)
        NaN where the figure was undefined.
    """
    defined = replicates[~np.isnan(replicates)]
    if not len(defined):
        return None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level)


def macro(replicates: Floats) -> Floats:
    """Return the mean over the tags that are defined: (n_replicates, n_tags) → (n_replicates,)."""
    return divide(np.nansum(replicates, axis=1), (~np.isnan(replicates)).sum(axis=1))


def paired_difference(a: Floats, b: Floats, value: float, *, level: float = LEVEL) -> Difference | None:
    """Compare two models from their replicates on the same weights.

    Parameters
    ----------
    a, b : shape (n_replicates,)
        The figure of both models.
    value
        Their difference, b − a, on all clips.
    """
    if a.shape != b.shape:
        raise ShapeError(f"paired replicates must come from the same weights, got {a.shape} and {b.shape}")
    differences = b - a
    interval = percentile_interval(differences, level=level)
    if interval is None:
        return None
    defined = differences[~np.isnan(differences)]
    rarer = min((defined <= 0).sum(), (defined >= 0).sum())
    p_value = min(1.0, 2 * (rarer + 1) / (len(defined) + 1))
    return Difference(value, interval, p_value)


def weighted_mean(values: Floats, weights: Floats) -> Floats:
    """Return the mean of per-clip values (n_clips,) in every replicate, undefined (NaN) ones left out."""
    is_defined = ~np.isnan(values)
    return divide(weights[:, is_defined] @ values[is_defined], weights[:, is_defined].sum(axis=1))


def weighted_roc_auc(y_true: Bools, y_score: Floats, weights: Floats) -> Floats:
    """Return the ROC-AUC of every tag in every replicate: shape (n_replicates, n_tags).

    The area is the weighted share of (with, without) pairs in the right order, level pairs counting half.
    """
    return _each_tag_and_block(_roc_auc_of_groups, y_true, y_score, weights)


def weighted_pr_auc(y_true: Bools, y_score: Floats, weights: Floats) -> Floats:
    """Return the average precision of every tag in every replicate: shape (n_replicates, n_tags)."""
    return _each_tag_and_block(_pr_auc_of_groups, y_true, y_score, weights)


def weighted_precision_at_k(y_true: Bools, y_score: Floats, weights: Floats, k: int) -> Floats:
    """Return the share of clips with the tag among the k highest: shape (n_replicates, n_tags).

    A clip drawn twice stands twice. Undefined for a tag that no drawn clip has.
    """

    def of_groups(with_tag: Floats, without: Floats) -> Floats:
        given = np.cumsum(with_tag + without, axis=1)
        n_taken = np.diff(np.minimum(given, k), prepend=0, axis=1)  # from each group of equal scores
        found = (with_tag * n_taken / np.maximum(with_tag + without, 1e-300)).sum(axis=1)
        n_true = with_tag.sum(axis=1)
        return np.where(n_true > 0, found / np.minimum(given[:, -1], k), np.nan)

    return _each_tag_and_block(of_groups, y_true, y_score, weights)


def micro_weighted_roc_auc(y_true: Bools, y_score: Floats, weights: Floats) -> Floats:
    """Return the ROC-AUC of all (clip, tag) pairs pooled, per replicate: (n_replicates,)."""
    return _micro(_roc_auc_of_groups, y_true, y_score, weights)


def micro_weighted_pr_auc(y_true: Bools, y_score: Floats, weights: Floats) -> Floats:
    """Return the average precision of all (clip, tag) pairs pooled, per replicate: (n_replicates,)."""
    return _micro(_pr_auc_of_groups, y_true, y_score, weights)


def _micro(metric: _GroupMetric, y_true: Bools, y_score: Floats, weights: Floats) -> Floats:
    y_true, y_score = check_scores(y_true, y_score)
    clip_of_pair = np.repeat(np.arange(len(y_true)), y_true.shape[1])
    return _one_tag(metric, y_true.ravel(), y_score.ravel(), weights, clip_of_pair)


def _each_tag_and_block(metric: _GroupMetric, y_true: Bools, y_score: Floats, weights: Floats) -> Floats:
    y_true, y_score = check_scores(y_true, y_score)
    if weights.ndim != 2 or weights.shape[1] != len(y_true):
        raise ShapeError(f"weights must be (n_replicates, {len(y_true)}), got {weights.shape}")
    clips = np.arange(len(y_true))
    columns = [_one_tag(metric, y_true[:, t], y_score[:, t], weights, clips) for t in range(y_true.shape[1])]
    return np.stack(columns, axis=1)


def _one_tag(
    metric: _GroupMetric, y_true: Bools, y_score: Floats, weights: Floats, clips: NDArray[np.int64]
) -> Floats:
    """Sort once, then go through the replicates in blocks; `clips` says whose weight each row takes."""
    order = np.argsort(-y_score, kind="stable")
    truth, scores, clips = y_true[order], y_score[order], clips[order]
    first_of_equal = np.flatnonzero(np.diff(scores, prepend=np.inf))
    has_ties = len(first_of_equal) < len(order)
    n_rows = max(1, _BLOCK_ELEMENTS // len(order))
    blocks = []
    for start in range(0, len(weights), n_rows):
        block = weights[start : start + n_rows][:, clips]
        with_tag, without = block * truth, block * ~truth
        if has_ties:
            with_tag = np.add.reduceat(with_tag, first_of_equal, axis=1)
            without = np.add.reduceat(without, first_of_equal, axis=1)
        blocks.append(metric(with_tag, without))
    return np.concatenate(blocks)


def _roc_auc_of_groups(with_tag: Floats, without: Floats) -> Floats:
    """Area from the weights with and without the tag, (n_replicates, n_distinct_scores), scores falling."""
    above = np.cumsum(with_tag, axis=1) - with_tag / 2
    pairs = with_tag.sum(axis=1) * without.sum(axis=1)
    return divide((without * above).sum(axis=1), pairs)


def _pr_auc_of_groups(with_tag: Floats, without: Floats) -> Floats:
    """Average precision from the same; undefined in a replicate without a clip with or without the tag."""
    hits = np.cumsum(with_tag, axis=1)
    given = hits + np.cumsum(without, axis=1)
    # Where nothing is given yet there is no hit either: any precision will do.
    area = (with_tag * hits / np.maximum(given, 1e-300)).sum(axis=1)
    n_true = with_tag.sum(axis=1)
    return divide(np.where(without.sum(axis=1) > 0, area, np.nan), n_true)
