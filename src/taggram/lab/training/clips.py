"""The clips of one split as training sees them: labels, lengths, and any stretch of sound at once.

Everything random is drawn from a generator that the caller seeds with (seed, epoch), so an epoch is
the same whether the run was interrupted before it or not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from taggram.audio.chunk import cut_chunks

Waveform = NDArray[np.float32]
Augment = Callable[[Waveform, np.random.Generator], Waveform]


class SoundSource(Protocol):
    """Anything that gives a stretch of a clip at once; `taggram.lab.datasets.AudioCache` does."""

    def read(self, id_: str, *, start: int = 0, length: int | None = None) -> Waveform:
        """Return `length` samples from `start` on, or all that follow."""

    def length(self, id_: str) -> int:
        """Return the length of a clip in samples."""


@dataclass(frozen=True)
class Clips:
    """The clips of one split.

    Attributes
    ----------
    source
        Where their sound is.
    ids
        Clip ids, in the order of the rows of `labels`.
    labels : shape (n_clips, n_tags), bool
        For a multi-class task exactly one per row.
    """

    source: SoundSource
    ids: Sequence[str]
    labels: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, rank: int, n_parts: int) -> "Clips":
        """Return every n-th clip, beginning at `rank`."""
        return Clips(self.source, self.ids[rank::n_parts], self.labels[rank::n_parts])

    def chunk(self, clip: int, length: int, rng: np.random.Generator) -> Waveform:
        """Return a random chunk of a clip, shape (length,); a shorter clip is repeated to fill it."""
        id_ = self.ids[clip]
        n_samples = self.source.length(id_)
        if n_samples < length:
            return np.resize(self.source.read(id_), length)
        start = int(rng.integers(0, n_samples - length + 1))
        return self.source.read(id_, start=start, length=length)

    def chunks(self, clip: int, length: int, hop_length: int) -> NDArray[np.float32]:
        """Return all chunks of a clip as the evaluation protocol cuts them, (n_chunks, length)."""
        waveform = self.source.read(self.ids[clip])
        return np.stack([chunk for _, chunk in cut_chunks(waveform, length, hop_length)])


def draw_order(
    labels: NDArray[np.bool_], rng: np.random.Generator, *, n_repeats: int, by_rarity: bool
) -> NDArray[np.int64]:
    """Draw the clips of one epoch.

    Parameters
    ----------
    labels : shape (n_clips, n_tags)
    rng
        Of this epoch.
    n_repeats
        How often each clip comes.
    by_rarity
        Draw with replacement, a clip in proportion to the rarity of its rarest tag.

    Returns
    -------
    shape (n_clips * n_repeats,), clip indices
    """
    n_drawn = len(labels) * n_repeats
    if not by_rarity:
        return rng.permutation(np.repeat(np.arange(len(labels)), n_repeats))
    rarity = 1 / np.maximum(labels.sum(axis=0), 1)
    weights = np.where(labels, rarity, rarity.min()).max(axis=1)
    return rng.choice(len(labels), n_drawn, p=weights / weights.sum())
