"""The spectrum of a sound on its own tuning: what a chord network hears, in training as in use.

    sound → tuning (of its first minute) → constant-Q spectrum on that tuning

Everything after the first minute is a stream, so memory holds a minute of sound, whatever its length.

Conventions: blocks float32 (n_samples,) at one rate; frames float32 (n_frames, n_bins).
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from taggram.chords.constant_q import Frames, compute_constant_q
from taggram.chords.tuning import estimate_tuning
from taggram.errors import AudioError
from taggram.modelfile.specification import ConstantQ

MIN_DURATION = 1.0
"""Seconds of sound that there must be."""
TUNING_DURATION = 60.0
"""Seconds from the start of which the tuning is measured."""

Block = NDArray[np.float32]


class TunedSpectrum:
    """Hears the first minute of a sound at once, and the rest as its frames are asked for.

    Parameters
    ----------
    blocks
        The sound.
    spec
        Bins and hop.
    sample_rate
        Hz.
    watch
        Called with every block as it streams by; what it raises ends the work.

    Raises
    ------
    AudioError
        If there is less than a second of sound, or what the blocks raise.
    """

    def __init__(
        self,
        blocks: Iterable[Block],
        spec: ConstantQ,
        sample_rate: int,
        watch: Callable[[Block], None] | None = None,
    ) -> None:
        self._spec, self._sample_rate = spec, sample_rate
        self._watch = watch
        self._n_samples = 0
        self._blocks = self._heard(blocks)
        self._head = self._first(TUNING_DURATION)
        if self.duration < MIN_DURATION:
            raise AudioError(
                f"{self.duration:.2f} s of sound; at least {MIN_DURATION:g} s are needed for chords",
                outcome="too_short",
            )
        frames = compute_constant_q(self._head, spec, sample_rate)
        self.tuning_cents = estimate_tuning(np.concatenate(list(frames)), spec)

    @property
    def duration(self) -> float:
        """Seconds heard so far."""
        return self._n_samples / self._sample_rate

    def frames(self) -> Iterator[Frames]:
        """Yield the frames of the whole sound, once."""
        blocks = chain(self._head, self._blocks)
        return compute_constant_q(blocks, self._spec, self._sample_rate, tuning_cents=self.tuning_cents)

    def _first(self, seconds: float) -> list[Block]:
        head = []
        for block in self._blocks:
            head.append(block)
            if self.duration >= seconds:
                break
        return head

    def _heard(self, blocks: Iterable[Block]) -> Iterator[Block]:
        for block in blocks:
            self._n_samples += len(block)
            if self._watch is not None:
                self._watch(block)
            yield block
