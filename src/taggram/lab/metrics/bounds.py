"""What figures can be true together: bounds between MCC, F1, AP and ROC-AUC, whatever the model.

One tag, one ranking of the clips by score, one threshold anywhere. Write π for the share of clips with the
tag (prevalence), r for recall and p for precision at the threshold, s for the share of the clips without
the tag that were given it. All bounds hold for any number of clips, any scores (also equal ones) and any
threshold; where π does not appear, for any prevalence.

**AP from below.** Let t = rπ be the share of hits and f = t(1−p)/p the share of false ones above the
threshold. AP is the mean over the clips with the tag of the precision at their place. It is least if above
the threshold all false ones come first, and below it all clips without the tag. The hit at u then has
precision u/(f+u) above and u/(1−π+u) below, so

    AP ≥ (1/π) [ ∫₀ᵗ u/(f+u) du + ∫ₜ^π u/(1−π+u) du ]
       = (1/π) [ t − f·ln(1+t/f)  +  (π−t) + (1−π)·ln(1−π+t) ].

For finitely many clips the integrals are sums of a rising function at the right ends of its steps, which is
more; equal scores take the precision at the end of their group for all of it, which is more again. With
q = f/t = (1−p)/p, and without the second integral, which is not negative,

    AP ≥ r·g(q),   g(q) = 1 − q·ln(1+1/q),   whatever π.                                            (1)

**MCC and F1 from above.** MCC = √(PPV·TPR·TNR·NPV) − √(FDR·FNR·FPR·FOR) ≤ √(pr), and F1, the harmonic mean
of p and r, is at most their geometric mean √(pr). How large can pr be while r·g(q) ≤ AP, with p = 1/(1+q)?
While r = AP/g(q) ≤ 1, pr = AP/(g(q)(1+q)) rises with q, as g(q)(1+q) falls from 1 to 1/2; once r = 1,
pr = 1/(1+q) falls. So it is largest where both meet:

    MCC, F1 ≤ M(AP) = √(1/(1+q)),   where g(q) = AP.                                                (2)

**MCC from ROC-AUC.** In the same worst order every hit above the threshold still stands above all clips
without the tag below it: AUC ≥ r(1−s). And MCC ≤ √(TPR·TNR) = √(r(1−s)):

    MCC ≤ √AUC,   whatever π.                                                                       (3)

**Means over tags.** M and the square root are concave, so the mean of MCC over tags is at most M(mean AP)
and √(mean AUC): (2) and (3) hold for macro means too, whatever the tags' prevalences, if all means are over
the same tags, clips and scores.

**AP from ROC-AUC.** Let F(u) be the share of clips without the tag above the hit at u. Then
AP = (1/π)∫ u/(u+F) du, while ∫F du = π(1−π)(1−AUC). Without the demand that F rises and stays in [0, 1−π]
the least AP has u + F = c√u (equal derivatives), which gives

    AP ≥ (4/9)·π / ((1−π)(1−AUC) + π/2).                                                            (4)

The relaxed problem has the lower minimum, so (4) holds, if not tightly. It is convex in AUC: it holds for
the mean over tags of **one** prevalence.
"""

import math

import numpy as np

_LARGEST_Q = 1e12


def least_ap(recall: float, precision: float, prevalence: float) -> float:
    """Return the least AP that a ranking with this point can have: the first display above.

    Parameters
    ----------
    recall, precision : in [0, 1] and (0, 1]
        At some threshold.
    prevalence : in (0, 1)
    """
    hits = recall * prevalence
    false = hits * (1 - precision) / precision
    above = hits - (false * math.log1p(hits / false) if false > 0 else 0.0)
    below = (prevalence - hits) + (1 - prevalence) * math.log(1 - prevalence + hits)
    return (above + below) / prevalence


def greatest_mcc_from_ap(ap: float) -> float:
    """Return M(AP), bound (2): what MCC and F1 cannot exceed at any threshold and any prevalence.

    Examples
    --------
    >>> round(greatest_mcc_from_ap(0.4129), 3), greatest_mcc_from_ap(1.0), greatest_mcc_from_ap(0.0)
    (0.792, 1.0, 0.0)
    """
    if ap <= 0:
        return 0.0
    if ap >= 1:
        return 1.0
    low, high = 0.0, _LARGEST_Q
    for _ in range(200):  # g falls from 1 to 0; bisect its logarithmic axis
        middle = math.sqrt(max(low, 1e-15) * high)
        low, high = (middle, high) if _g(middle) > ap else (low, middle)
    return math.sqrt(1 / (1 + low))


def greatest_mcc_from_roc_auc(roc_auc: float) -> float:
    """Return bound (3): √AUC."""
    return math.sqrt(min(max(roc_auc, 0.0), 1.0))


def greatest_mcc(prevalence: float, *, ap: float | None = None, roc_auc: float | None = None) -> float:
    """Return what MCC of a tag of this prevalence cannot exceed, given its AP, its ROC-AUC, or both.

    Found on a grid of points (recall, false positive rate) that are fine enough for three digits; a point is
    possible if the least AP and the least AUC that it implies are not above the given ones. Sharper than
    (2) and (3), and never above them but for the grid.
    """
    steps = np.linspace(0, 1, 801)
    recall = steps[1:, None]
    # False positives matter on the scale of the prevalence: close to 0 the grid is fine.
    false_rate = steps[None, :] ** 3
    given = prevalence * recall + (1 - prevalence) * false_rate
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = prevalence * (1 - prevalence)
        mcc = np.sqrt(spread) * (recall - false_rate) / np.sqrt(given * (1 - given))
    possible = np.isfinite(mcc)
    if roc_auc is not None:
        possible &= recall * (1 - false_rate) <= roc_auc
    if ap is not None:
        possible &= _least_ap_of_points(recall, false_rate, prevalence) <= ap
    return float(mcc[possible].max(initial=0.0))


def least_ap_from_roc_auc(roc_auc: float, prevalence: float) -> float:
    """Return bound (4): what AP of a tag of this prevalence cannot fall below."""
    return (4 / 9) * prevalence / ((1 - prevalence) * (1 - roc_auc) + prevalence / 2)


def _g(q: float) -> float:
    """Return g(q) of (1); its series 1/(2q) − 1/(3q²) where the difference would lose its digits."""
    return 1 / (2 * q) - 1 / (3 * q * q) if q > 1e6 else 1 - q * math.log1p(1 / q)


def _least_ap_of_points(recall: np.ndarray, false_rate: np.ndarray, prevalence: float) -> np.ndarray:
    hits, false = recall * prevalence, false_rate * (1 - prevalence)
    with np.errstate(divide="ignore", invalid="ignore"):
        above = hits - np.where(false > 0, false * np.log1p(hits / false), 0.0)
    below = (prevalence - hits) + (1 - prevalence) * np.log(1 - prevalence + hits)
    found: np.ndarray = (above + below) / prevalence
    return found
