"""Batches of one epoch, made in the background while the network works.

Item `i` of epoch `e` has a generator of its own, seeded by (seed, e, i): where its chunk lies, how it is
augmented and with what it is mixed do not depend on threads, batch order or an interruption.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taggram.errors import RecipeError
from taggram.lab.deformations import DEFORMATIONS, Deformation
from taggram.lab.deformations.mixing import mix_tags
from taggram.lab.training.clips import Clips, Waveform, draw_order
from taggram.lab.training.recipe import Augmentation, Recipe
from taggram.registry import check_options

_AHEAD = 4  # batches that wait for the network at most

Labels = NDArray[np.float32]
Chunk = tuple[Waveform, Labels]


@dataclass(frozen=True)
class Batch:
    """What one step learns from.

    Attributes
    ----------
    waveforms : shape (n_clips, n_chunks, n_samples), float32
    labels : shape (n_clips, n_tags), float32 in [0, 1]
        Between 0 and 1 where two chunks were mixed.
    """

    waveforms: NDArray[np.float32]
    labels: Labels


class Augmenter:
    """Puts chunks through deformations, each with its probability."""

    def __init__(self, augmentations: tuple[Augmentation, ...], sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._chain = [(_build(augmentation), augmentation.probability) for augmentation in augmentations]

    def __call__(self, chunk: Chunk, rng: np.random.Generator, draw_partner: Callable[[], Chunk]) -> Chunk:
        """Return the augmented chunk, of the same length, and its labels."""
        waveform, labels = chunk
        length = len(waveform)
        for deformation, probability in self._chain:
            if rng.random() >= probability:
                continue
            state, partner = deformation.draw(rng), None
            if deformation.needs_partner:
                partner, partner_labels = draw_partner()
                labels = mix_tags(labels, partner_labels)
            waveform = deformation.apply(waveform, self._sample_rate, state, partner=partner)
        # A stretched chunk is repeated or cut to the length that the network takes.
        return waveform if len(waveform) == length else np.resize(waveform, length), labels


def _build(augmentation: Augmentation) -> Deformation:
    deformation = DEFORMATIONS.get(augmentation.name)
    check_options(f"the augmentation {augmentation.name!r}", deformation, augmentation.options)
    return deformation(**augmentation.options)


class Epochs:
    """Makes the batches of any epoch of a run.

    Parameters
    ----------
    clips
        Training split.
    recipe
        What decides about batches: unit, sizes, balance, augmentations, mixing, seed.
    chunk_length
        Samples that the network takes.
    sample_rate
        Hz, of the clips.
    share
        (rank, number of processes) of a distributed run: each takes every n-th clip of a batch.
    """

    def __init__(
        self,
        clips: Clips,
        recipe: Recipe,
        *,
        chunk_length: int,
        sample_rate: int,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        self._clips = clips
        self._recipe = recipe
        self._chunk_length = chunk_length
        self._augment = Augmenter(recipe.augmentations, sample_rate)
        self._rank, self._n_processes = share
        if recipe.batch_size % self._n_processes:
            raise RecipeError(
                f"batch_size must be a multiple of the {self._n_processes} processes that share it, "
                f"got {recipe.batch_size}"
            )
        by_song = recipe.unit == "song"
        self._chunks_per_item = recipe.chunks_per_clip if by_song else 1
        self._n_repeats = 1 if by_song else recipe.chunks_per_clip
        # The clips left over come in other epochs; a short batch would be a loud one.
        self.n_steps = max(1, len(clips) * self._n_repeats // recipe.batch_size)

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of an epoch, some of them made ahead."""
        order = draw_order(
            self._clips.labels,
            np.random.default_rng([self._recipe.seed, epoch]),
            n_repeats=self._n_repeats,
            by_rarity=self._recipe.balance == "sampling",
        )
        size = self._recipe.batch_size
        waiting: deque[Future[Batch]] = deque()
        with ThreadPoolExecutor(2, "taggram-batches") as pool:
            for step in range(self.n_steps):
                positions = range(step * size, min((step + 1) * size, len(order)))
                mine = positions[self._rank :: self._n_processes]
                waiting.append(pool.submit(self._batch, epoch, order, mine))
                if len(waiting) > _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _batch(self, epoch: int, order: NDArray[np.int64], positions: range) -> Batch:
        items = [self._item(epoch, order, position) for position in positions]
        return Batch(
            np.stack([waveforms for waveforms, _ in items]), np.stack([labels for _, labels in items])
        )

    def _item(self, epoch: int, order: NDArray[np.int64], position: int) -> tuple[Waveform, Labels]:
        rng = np.random.default_rng([self._recipe.seed, epoch, position])
        waveforms, labels = self._chunks(order[position], order, rng)
        if rng.random() < self._recipe.mixing:
            other_waveforms, other_labels = self._chunks(rng.choice(order), order, rng)
            amount = np.float32(rng.beta(1.0, 1.0))
            waveforms = amount * waveforms + (1 - amount) * other_waveforms
            labels = amount * labels + (1 - amount) * other_labels
        return waveforms, labels

    def _chunks(
        self, clip: int, order: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[Waveform, Labels]:
        """Return augmented chunks of a clip, shape (n_chunks, n_samples), and the tags of all of them."""
        chunks = [
            self._augment(self._chunk(clip, rng), rng, lambda: self._chunk(rng.choice(order), rng))
            for _ in range(self._chunks_per_item)
        ]
        waveforms, labels = zip(*chunks, strict=True)
        return np.stack(waveforms), np.max(labels, axis=0)

    def _chunk(self, clip: int, rng: np.random.Generator) -> Chunk:
        return self._clips.chunk(clip, self._chunk_length, rng), self._clips.labels[clip].astype(np.float32)
