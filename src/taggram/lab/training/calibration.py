"""Make a student's scores probabilities, and choose from which score a tag counts.

What a probability means here: the chance that annotators of the teachers' data would have given the tag to
the clip, as the ensemble of teachers estimates it. For a tag with a named low end (voice) it is the share of
those who say anything about it. Annotators name few of the tags that fit, so a clearly happy song has
a probability of being *called* happy of some percent; the threshold, not 0.5, is what such a score is to be
compared with.

The scale. Per tag, a slope and an offset of the logits of every chunk, fitted so that the mean over
a clip's chunks has the least cross-entropy to the ensemble's clip score (Platt, "Probabilistic outputs for
support vector machines", 1999, with soft targets). Both become part of the last layer.

The thresholds. The ensemble's own decision for a tag is the stricter of two:

- the score that gives the largest expected F-measure if its scores are right, which is half that F-measure
  (Lipton et al., "Optimal thresholding of classifiers to maximize F1 measure", 2014): for tags that are
  either clearly there or not;
- twice the odds of the mean clip: for tags whose scores hardly differ, where the first would say yes to
  most clips.

A tag on a scale of its own counts from one half. The student's thresholds are those of the ensemble, times
one factor on the odds of all tags: the smallest for which, of the tags that it then gives to clips it was
not trained on, the share asked for are given by the ensemble, too.

No music. The sum of a clip's scores is the number of tags to be expected. Sounds that are no music were
taught to have few; below `least_evidence` the model says that there is no music, or that it is not sure.

Conventions: logits (n_chunks, n_tags) per clip; reference and scores (n_clips, n_tags) in (0, 1).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Array = NDArray[np.float32]

PRECISION = 0.75
"""Share of the student's tags that the ensemble gives, too, on the clips that the factor is chosen on."""
LIFT = 2.0
"""How many times the odds of the mean clip a tag has at least, to be given."""
LARGEST_SLOPE = 4.0


@dataclass(frozen=True)
class Scale:
    """Slope and offset of every tag's logits, shape (n_tags,) each."""

    slope: Array
    offset: Array


def fit_scale(logits: Sequence[Array], reference: Array) -> Scale:
    """Fit the scale on clips that were not trained on.

    Parameters
    ----------
    logits
        One (n_chunks, n_tags) array per clip.
    reference : shape (n_clips, n_tags)
        The ensemble's clip scores.
    """
    rows = torch.from_numpy(np.concatenate(logits)).double()
    counts = torch.tensor([len(clip) for clip in logits])
    clip_of = torch.repeat_interleave(torch.arange(len(logits)), counts)
    target = torch.from_numpy(reference).double()
    parameters = torch.zeros(2, rows.shape[1], dtype=torch.double, requires_grad=True)
    # In units of the entropy, so that rare tags are fitted as closely as frequent ones.
    unit = _cross_entropy(target, target).mean(dim=0).clamp(min=1e-6)

    def loss() -> Tensor:
        slope, offset = _slope(parameters[0]), parameters[1]
        scores = (rows * slope + offset).sigmoid()
        means = torch.zeros_like(target).index_add(0, clip_of, scores) / counts[:, None]
        return (_cross_entropy(target, means).mean(dim=0) / unit).sum()

    optimiser = torch.optim.LBFGS(
        [parameters], max_iter=500, history_size=20, line_search_fn="strong_wolfe", tolerance_change=1e-10
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        value = loss()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    slope = _slope(parameters[0]).detach().numpy().astype(np.float32)
    return Scale(slope, parameters[1].detach().numpy().astype(np.float32))


def _slope(free: Tensor) -> Tensor:
    """Map any number to a slope between 1 / LARGEST_SLOPE and LARGEST_SLOPE."""
    return torch.exp(torch.tanh(free) * np.log(LARGEST_SLOPE))


def _cross_entropy(target: Tensor, scores: Tensor) -> Tensor:
    scores = scores.clamp(1e-7, 1 - 1e-7)
    return -(target * scores.log() + (1 - target) * (1 - scores).log())


@torch.no_grad()
def fold_scale(head: nn.Linear, scale: Scale) -> None:
    """Make the scale part of a last layer, in place."""
    slope, offset = torch.from_numpy(scale.slope), torch.from_numpy(scale.offset)
    head.weight.mul_(slope[:, None])
    head.bias.mul_(slope).add_(offset)


def ensemble_thresholds(reference: Array, is_scale: NDArray[np.bool_]) -> Array:
    """Return from which score on the ensemble itself gives each tag, shape (n_tags,)."""
    lifted = from_odds(LIFT * odds(reference.mean(axis=0)))
    chosen = np.maximum(_largest_expected_f(reference) / 2, lifted)
    return np.where(is_scale, np.float32(0.5), chosen).astype(np.float32)


def _largest_expected_f(reference: Array) -> Array:
    """Return the largest expected F-measure that a threshold gives, if the scores are right."""
    found = np.cumsum(np.sort(reference, axis=0)[::-1], axis=0, dtype=np.float64)
    n_given = np.arange(1, len(reference) + 1)[:, None]
    return np.asarray((2 * found / (n_given + found[-1])).max(axis=0), np.float32)


def student_thresholds(scores: Array, given: NDArray[np.bool_], thresholds: Array) -> tuple[Array, float]:
    """Raise the ensemble's thresholds until the student's tags are as precise as `PRECISION` asks.

    Parameters
    ----------
    scores : shape (n_clips, n_tags)
        The student's.
    given : shape (n_clips, n_tags)
        What the ensemble gives to the same clips.
    thresholds : shape (n_tags,)
        The ensemble's.

    Returns
    -------
    Thresholds, and the precision on these clips. If no factor up to 10 is enough, that of the best.
    """
    best = (thresholds, -1.0)
    for factor in np.geomspace(1, 10, 47):
        raised = from_odds(factor * odds(thresholds)).astype(np.float32)
        chosen = scores >= raised
        precision = float(given[chosen].mean()) if chosen.any() else 0.0
        if precision > best[1]:
            best = (raised, precision)
        if precision >= PRECISION:
            break
    return best


def choose_least_evidence(music: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Return the sum of scores that divides music from other sounds with the fewest errors.

    Both kinds count alike, however many sounds there are of each; of equally good values the middle of
    the widest range.
    """
    values = np.unique(np.concatenate([music, other]))
    middles = (values[1:] + values[:-1]) / 2
    errors = np.array([(music < cut).mean() + (other >= cut).mean() for cut in middles])
    best = np.flatnonzero(errors <= errors.min() + 1e-12)
    widths = (values[1:] - values[:-1])[best]
    return float(middles[best[np.argmax(widths)]])


def odds(probability: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return p / (1 − p)."""
    return np.asarray(probability / (1 - probability))


def from_odds(ratio: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the probability of odds."""
    return np.asarray(ratio / (1 + ratio))
