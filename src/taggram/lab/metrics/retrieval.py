"""Retrieval metrics: what stands at the top when one searches.

Conventions: `is_relevant` (n_queries, n_items) bool, `y_score` of the same shape, higher is nearer. To
search clips by tag give `y_true.T` and `y_score.T`; for the top tags of a clip give them as they are.
Items with equal scores stand in no order: a metric is then the mean over all their orders, so that it
depends on no file name. A query without a relevant item is undefined.
"""

import numpy as np

from taggram.errors import ShapeError
from taggram.lab.metrics._tag_metric import Bools, Floats, TagMetric, check_scores, divide
from taggram.lab.metrics.ranking import pr_auc


def precision_at_k(is_relevant: Bools, y_score: Floats, k: int) -> TagMetric:
    """Return the share of relevant items among the first k of every query: shape (n_queries,).

    With fewer than k items, the share is of those there are.

    Raises
    ------
    ShapeError
        If k is less than 1.
    """
    is_relevant, y_score = check_scores(is_relevant, y_score)
    if k < 1:
        raise ShapeError(f"k must be at least 1, got {k}")
    k = min(k, y_score.shape[1])
    last = -np.partition(-y_score, k - 1, axis=1)[:, k - 1 : k]  # the k-th highest score
    above, level = y_score > last, y_score == last
    # Of the items level with the k-th, as many as there is room for, in expectation.
    n_room = k - above.sum(axis=1)
    share = divide((is_relevant & level).sum(axis=1), level.sum(axis=1))
    found = (is_relevant & above).sum(axis=1) + n_room * share
    return TagMetric(np.where(is_relevant.any(axis=1), found / k, np.nan))


def mean_average_precision(is_relevant: Bools, y_score: Floats) -> TagMetric:
    """Return the average precision of every query, shape (n_queries,); `.macro` is MAP.

    Equal scores form one step, as in PR-AUC. Over tags this is the macro PR-AUC.
    """
    is_relevant, y_score = check_scores(is_relevant, y_score)
    values = pr_auc(is_relevant.T, y_score.T).values
    # Where everything is relevant no order is wrong.
    return TagMetric(np.where(is_relevant.all(axis=1), 1.0, values))
