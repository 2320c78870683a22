"""What every deformation offers: draw a state, fix a state, apply a state.

Conventions: `waveform` is float32 (n_samples,), nominally in [−1, 1]. A deformation keeps the type and,
but for time stretching, the length; it never changes its input. Values beyond ±1 pass, unless the
definition of the deformation ends in integer samples (gain, compression, mp3), which clip.

A *state* is everything that was drawn, a dict that JSON can hold: the same waveform and state give the
same result, on any machine, up to rounding.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from taggram.errors import ShapeError

Waveform = NDArray[np.float32]
Strength = float | str
State = dict[str, Any]


class Deformation(ABC):
    """Base of all deformations; a subclass is a frozen dataclass of the ranges to draw from.

    Attributes
    ----------
    title, unit
        What is changed, and the unit of its strength ("" if the strengths are names).
    strengths
        What the robustness study goes through by default, in order; empty: for augmentation only.
    published
        The strengths of Won et al., SMC 2020, a part of `strengths`.
    identity
        The strength that changes nothing, if there is one.
    keeps_length
        Whether the result is as long as the waveform.
    needs_partner
        Whether `apply` takes a second waveform, `partner`.
    """

    title: ClassVar[str]
    unit: ClassVar[str]
    strengths: ClassVar[tuple[Strength, ...]]
    published: ClassVar[tuple[Strength, ...]] = ()
    identity: ClassVar[Strength | None] = None
    keeps_length: ClassVar[bool] = True
    needs_partner: ClassVar[bool] = False

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> State:
        """Draw a state at random, as augmentation does."""

    @abstractmethod
    def fix(self, strength: Any, rng: np.random.Generator) -> State:
        """Return the state of one strength, as the robustness study does; `rng` draws what is left open."""

    def apply(
        self,
        waveform: Waveform,
        sample_rate: int,
        state: Mapping[str, Any],
        *,
        partner: Waveform | None = None,
    ) -> Waveform:
        """Return the deformed waveform.

        Parameters
        ----------
        waveform
            shape (n_samples,), float32; may be empty.
        sample_rate
            Hz.
        state
            What `draw` or `fix` returned, or the same read from JSON.
        partner
            shape (n_samples,): the second waveform of a deformation with `needs_partner`.

        Raises
        ------
        ShapeError
            If a waveform is not float32 of one dimension, or the partner is missing or not wanted.
        """
        _check(waveform)
        if (partner is not None) != self.needs_partner:
            needs = "needs a second waveform" if self.needs_partner else "takes no second waveform"
            raise ShapeError(
                f"{type(self).__name__} {needs}: {'pass' if self.needs_partner else 'drop'} partner="
            )
        if not len(waveform):
            return waveform.copy()
        if partner is not None:
            _check(partner)
            deformed = self._mix(waveform, partner, state)
        else:
            deformed = self._deform(waveform, sample_rate, state)
        return np.ascontiguousarray(deformed, np.float32)

    def _deform(self, waveform: Waveform, sample_rate: int, state: Mapping[str, Any]) -> NDArray[Any]:
        """Deform a waveform of at least one sample."""
        raise NotImplementedError

    def _mix(self, waveform: Waveform, partner: Waveform, state: Mapping[str, Any]) -> NDArray[Any]:
        """Deform a waveform of at least one sample with the help of another one."""
        raise NotImplementedError


def _check(waveform: Waveform) -> None:
    if waveform.ndim != 1 or waveform.dtype != np.float32:
        raise ShapeError(
            f"a deformation takes a float32 waveform of shape (n_samples,), got {waveform.dtype} of shape "
            f"{waveform.shape}: mix the channels to one and convert"
        )


def decibels_to_factor(gain_db: float) -> float:
    """Return the amplitude factor of a gain in decibels."""
    return float(10.0 ** (gain_db / 20.0))
