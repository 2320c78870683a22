"""Ranking metrics: how well scores order clips for a tag, and tags for a clip.

`roc_auc`, `pr_auc` (per tag, macro), `micro_roc_auc`, `micro_pr_auc`, `ranking_ap` (per clip),
`roc_curve`, `pr_curve`.

Conventions: `y_true` (n_clips, n_tags) bool, `y_score` (n_clips, n_tags), higher is more likely; only
the order of the scores matters. PR-AUC is average precision, Σ (R_n − R_{n−1})·P_n over the distinct
scores in falling order: not interpolated, which would flatter (Davis & Goadrich 2006). Both areas of a
tag need a clip with it and a clip without it, and are undefined otherwise.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score
from sklearn.metrics import roc_curve as sklearn_roc_curve

from taggram.lab.metrics._tag_metric import Bools, Floats, TagMetric, both_present, check_scores


class Curve(NamedTuple):
    """Points of a curve, x rising; both of shape (n_points,)."""

    x: Floats
    y: Floats


def roc_auc(y_true: Bools, y_score: Floats) -> TagMetric:
    """Return the area under each tag's ROC curve: the chance that a clip with the tag outranks another."""
    y_true, y_score = check_scores(y_true, y_score)
    return TagMetric(_each_tag(roc_auc_score, y_true, y_score))


def pr_auc(y_true: Bools, y_score: Floats) -> TagMetric:
    """Return the average precision of every tag."""
    y_true, y_score = check_scores(y_true, y_score)
    return TagMetric(_each_tag(average_precision_score, y_true, y_score))


def micro_roc_auc(y_true: Bools, y_score: Floats) -> float | None:
    """Return the area under the ROC curve of all (clip, tag) pairs pooled; None if all are alike."""
    y_true, y_score = check_scores(y_true, y_score)
    return TagMetric(_each_tag(roc_auc_score, y_true.reshape(-1, 1), y_score.reshape(-1, 1))).at(0)


def micro_pr_auc(y_true: Bools, y_score: Floats) -> float | None:
    """Return the average precision of all (clip, tag) pairs pooled; None if all are alike."""
    y_true, y_score = check_scores(y_true, y_score)
    return TagMetric(_each_tag(average_precision_score, y_true.reshape(-1, 1), y_score.reshape(-1, 1))).at(0)


def ranking_ap(y_true: Bools, y_score: Floats) -> TagMetric:
    """Return the label ranking average precision of every clip; `.macro` is the mean over clips.

    For each tag that the clip has: the share of true tags among those ranked as high or higher. A clip
    without any tag, or with all of them, cannot be ranked wrongly; it is undefined here and left out, where
    scikit-learn counts it as 1.

    Returns
    -------
    One value per **clip**: shape (n_clips,)

    References
    ----------
    Tsoumakas et al., "Mining multi-label data", 2010.
    """
    y_true, y_score = check_scores(y_true, y_score)
    ranks = rankdata(-y_score, method="max", axis=1)
    # Among the true tags alone: the others are put behind.
    ranks_of_true = rankdata(np.where(y_true, -y_score, np.inf), method="max", axis=1)
    shares = np.where(y_true, ranks_of_true / ranks, 0.0)
    n_true = y_true.sum(axis=1)
    values = np.full(len(y_true), np.nan)
    rankable = both_present(y_true.T)
    values[rankable] = shares[rankable].sum(axis=1) / n_true[rankable]
    return TagMetric(values)


def roc_curve(y_true: Bools, y_score: Floats) -> Curve | None:
    """Return false positive rate (x) and true positive rate (y) of one tag; None if undefined.

    Parameters
    ----------
    y_true, y_score : shape (n_clips,)
    """
    y_true, y_score = check_scores(y_true[:, None], y_score[:, None])
    if not both_present(y_true)[0]:
        return None
    x, y, _ = sklearn_roc_curve(y_true[:, 0], y_score[:, 0])
    return Curve(x, y)


def pr_curve(y_true: Bools, y_score: Floats) -> Curve | None:
    """Return recall (x) and precision (y) of one tag, y belonging to the step up to x; None if undefined.

    Parameters
    ----------
    y_true, y_score : shape (n_clips,)
    """
    y_true, y_score = check_scores(y_true[:, None], y_score[:, None])
    if not both_present(y_true)[0]:
        return None
    precision, recall, _ = precision_recall_curve(y_true[:, 0], y_score[:, 0])
    return Curve(recall[::-1], precision[::-1])


def _each_tag(metric: Callable[[Bools, Floats], float], y_true: Bools, y_score: Floats) -> Floats:
    values = np.full(y_true.shape[1], np.nan)
    for tag in np.flatnonzero(both_present(y_true)):
        values[tag] = metric(y_true[:, tag], y_score[:, tag])
    return values
