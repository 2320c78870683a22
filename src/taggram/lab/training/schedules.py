"""Schedules as phases: which optimiser, at which rate, for how many epochs, from which weights."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import nn

from taggram.lab.training.recipe import Cosine, Published, Schedule, Tutorial


@dataclass(frozen=True)
class Phase:
    """A stretch of training with one optimiser.

    Attributes
    ----------
    optimiser
        "adam", "adamw", or "sgd" with Nesterov momentum 0.9.
    learning_rate, weight_decay
        Of the optimiser.
    n_epochs
        At most this many.
    begins_with_best
        Load the weights of the best epoch so far first.
    patience
        Stop after so many epochs without a better one; None never stops early.
    rate
        Share of the phase that is over, in [0, 1] → factor of the learning rate.
    """

    optimiser: Literal["adam", "adamw", "sgd"]
    learning_rate: float
    weight_decay: float
    n_epochs: int
    begins_with_best: bool = False
    patience: int | None = None
    rate: Callable[[float], float] = lambda share: 1.0

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Make the optimiser."""
        if self.optimiser == "sgd":
            return torch.optim.SGD(
                parameters, self.learning_rate, momentum=0.9, nesterov=True, weight_decay=self.weight_decay
            )
        kind = torch.optim.Adam if self.optimiser == "adam" else torch.optim.AdamW
        return kind(parameters, self.learning_rate, weight_decay=self.weight_decay)


def list_phases(schedule: Schedule) -> list[Phase]:
    """Return the phases of a schedule, at least one epoch each."""
    match schedule:
        case Published(epochs=epochs, learning_rate=rate, weight_decay=decay):
            switches = [round(epochs * share) for share in (0, 0.4, 0.5, 0.6, 1)]  # 0, 80, 100, 120, 200
            lengths = [max(1, end - begin) for begin, end in pairwise(switches)]
            return [
                Phase("adam", rate, decay, lengths[0]),
                Phase("sgd", 10 * rate, decay, lengths[1], begins_with_best=True),
                Phase("sgd", rate, decay, lengths[2], begins_with_best=True),
                Phase("sgd", rate / 10, decay, lengths[3], begins_with_best=True),
            ]
        case Tutorial(epochs=epochs, learning_rate=rate, patience=patience):
            return [Phase("adam", rate, 0.0, epochs, patience=patience)]
        case Cosine(epochs=epochs, learning_rate=rate, weight_decay=decay, warm_up=warm_up):
            return [Phase("adamw", rate, decay, epochs, rate=lambda share: _cosine(share, warm_up))]


def _cosine(share: float, warm_up: float) -> float:
    if share < warm_up:
        return share / warm_up
    return 0.5 + 0.5 * math.cos(math.pi * (share - warm_up) / (1 - warm_up))
