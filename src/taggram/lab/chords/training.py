"""Training of a chord network on the corpus, resumable, on one core if need be.

A step draws crops of random items, transposes each by whole bins, changes its level and its colour. All
that a step draws comes from (seed, step), and the state is kept every few steps, so a run that was
interrupted gives the network that the unbroken run would have given.

The loss is the sum of three cross-entropies: of the root, of the quality on the true root, and of the bass;
frames whose target is `IGNORED` count in none. What is kept is a running mean of the weights: the last one
or, with patience, that of the lowest loss on validation songs.

Conventions: batches are float32 (batch, n_frames, n_bins) and targets int64 (batch, n_frames).
"""

import copy
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from taggram.errors import RecipeError
from taggram.lab.chords.corpus import FRONT_END, SAMPLE_RATE, Item
from taggram.lab.chords.models import MODELS, ChordModel
from taggram.lab.chords.models._base import ChordLogits
from taggram.lab.chords.recipe import ChordRecipe
from taggram.lab.chords.targets import IGNORED, Targets, compute_targets, transpose_targets
from taggram.registry import check_options

FRAME_DURATION = FRONT_END.hop_length / SAMPLE_RATE
"""Seconds between frames."""

_log = logging.getLogger(__name__)


class Check(NamedTuple):
    """How good a network was on validation songs after so many steps.

    Attributes
    ----------
    root, triad
        Share of frames with the right root; of those on major and minor triads, with root and third.
    loss, training_loss
        On validation songs; the mean of the steps since the check before. NaN where it was not noted.
    """

    step: int
    root: float
    triad: float
    loss: float = math.nan
    training_loss: float = math.nan


@dataclass(frozen=True)
class TrainingRecord:
    """How a training went, through all its interruptions.

    Attributes
    ----------
    checks
        In order.
    lengths
        Step since which the schedule had so many steps; more than one if it was changed on the way.
    """

    checks: tuple[Check, ...] = ()
    lengths: tuple[tuple[int, int], ...] = ()

    @property
    def best(self) -> Check | None:
        """The first check with the lowest validation loss; None if there was no check."""
        return min(self.checks, key=lambda check: check.loss, default=None)

    @property
    def n_since_best(self) -> int:
        """Checks that followed it."""
        return 0 if self.best is None else len(self.checks) - 1 - self.checks.index(self.best)


class Example(NamedTuple):
    """Spectrum and targets of one item."""

    spectrum: NDArray[np.float16]
    targets: Targets


class Batch(NamedTuple):
    """Crops and their targets."""

    spectrum: Tensor
    root: Tensor
    quality: Tensor
    bass: Tensor


class ChordTraining:
    """Trains a network on items; its state lies in a folder."""

    def __init__(
        self,
        model: ChordModel,
        recipe: ChordRecipe,
        training: Sequence[Item],
        validation: Sequence[Item],
        folder: Path,
    ) -> None:
        self._model = model
        self._recipe = recipe
        self._training = [example_of(item) for item in training]
        self._validation = [example_of(item) for item in validation]
        self._state_file = folder / "last.pt"
        running_mean = get_ema_multi_avg_fn(recipe.mean_decay)  # type: ignore[no-untyped-call]
        self._mean = AveragedModel(model, multi_avg_fn=running_mean, use_buffers=True)
        self._optimiser = torch.optim.AdamW(
            model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        self._best: dict[str, Tensor] | None = None
        self._step = 0
        self._record = TrainingRecord()

    @property
    def record(self) -> TrainingRecord:
        """How the training went so far."""
        return self._record

    @property
    def kept(self) -> Check:
        """How good the network is that `run` returns; there was a check."""
        best = self._record.best if self._recipe.patience is not None else None
        return best or self._record.checks[-1]

    def run(self, *, watch: Callable[[Check], None] = lambda check: None) -> ChordModel:
        """Train to the end of the recipe, from where the folder's state stands.

        Parameters
        ----------
        watch
            Called with every check, after the state was kept; what it raises ends the run.

        Returns
        -------
        The mean network.
        """
        self._restore()
        self._note_length()
        losses = []
        while self._step < self._recipe.n_steps and not self._has_stalled():
            losses.append(self._learn())
            if self._step % self._recipe.check_every == 0 or self._step == self._recipe.n_steps:
                self._check(float(np.mean(losses)))
                losses.clear()
                self._save()
                watch(self._record.checks[-1])
        if self._best is not None:
            self._mean_model.load_state_dict(self._best)
        return self._mean_model.eval()

    @property
    def _mean_model(self) -> ChordModel:
        model = self._mean.module
        assert isinstance(model, ChordModel)
        return model

    def validate(self) -> Check:
        """Judge the mean network on the validation items."""
        said = [predict(self._mean_model, example.spectrum) for example in self._validation]
        logits = ChordLogits(*(torch.cat(parts) for parts in zip(*said, strict=True)))
        wanted = Targets.join([example.targets for example in self._validation])
        root = logits.root.argmax(1).numpy()
        is_known = wanted.root != IGNORED
        # Major and minor are the first two qualities.
        is_triad = (wanted.quality == 0) | (wanted.quality == 1)
        triad = logits.quality[np.arange(len(root)), np.minimum(root, 11), :2].argmax(1).numpy()
        right_root = root == wanted.root
        right_triad = right_root & (triad == wanted.quality)
        return Check(
            self._step,
            root=int(right_root[is_known].sum()) / max(int(is_known.sum()), 1),
            triad=int(right_triad[is_triad].sum()) / max(int(is_triad.sum()), 1),
            loss=compute_loss(
                ChordLogits(*(part[None] for part in logits)),
                *(torch.from_numpy(part)[None] for part in (wanted.root, wanted.quality, wanted.bass)),
            ).item(),
        )

    def _check(self, training_loss: float) -> None:
        """Judge the network, and remember it if it is the best so far."""
        if not math.isfinite(training_loss):
            raise FloatingPointError(
                f"the loss became {training_loss} before step {self._step}; lower learning_rate"
            )
        check = self.validate()._replace(training_loss=training_loss)
        self._record = replace(self._record, checks=(*self._record.checks, check))
        if self._recipe.patience is not None and self._record.n_since_best == 0:
            self._best = copy.deepcopy(self._mean_model.state_dict())
        _log.info(
            "step %d: loss %.3f, validation loss %.3f, root %.4f, maj/min %.4f",
            *(check.step, training_loss, check.loss, check.root, check.triad),
        )

    def _has_stalled(self) -> bool:
        patience = self._recipe.patience
        return patience is not None and self._record.n_since_best >= patience

    def _learn(self) -> float:
        recipe = self._recipe
        rng = np.random.default_rng([recipe.seed, self._step])
        torch.manual_seed(int(rng.integers(1 << 62)))  # dropout
        share_of_rate = 1.0 if recipe.rates == "constant" else rate_at(self._step / recipe.n_steps)
        for group in self._optimiser.param_groups:
            group["lr"] = recipe.learning_rate * share_of_rate
        self._model.train()
        batch = draw_batch(self._training, recipe, rng)
        loss = compute_loss(self._model(batch.spectrum), batch.root, batch.quality, batch.bass)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 5.0)
        self._optimiser.step()
        self._mean.update_parameters(self._model)
        self._step += 1
        return loss.item()

    def _note_length(self) -> None:
        """Note from which step on the schedule is as long as now."""
        lengths, n_steps = self._record.lengths, self._recipe.n_steps
        if not lengths or lengths[-1][1] != n_steps:
            self._record = replace(self._record, lengths=(*lengths, (self._step, n_steps)))

    def _save(self) -> None:
        state = {
            "step": self._step,
            "model": self._model.state_dict(),
            "mean": self._mean.state_dict(),
            "best": self._best,
            "optimiser": self._optimiser.state_dict(),
            "checks": [tuple(check) for check in self._record.checks],
            "lengths": list(self._record.lengths),
        }
        self._state_file.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._state_file.with_suffix(".part")
        torch.save(state, temporary)
        temporary.replace(self._state_file)

    def _restore(self) -> None:
        if not self._state_file.exists():
            return
        state = torch.load(self._state_file, weights_only=True)
        self._step = state["step"]
        self._model.load_state_dict(state["model"])
        self._mean.load_state_dict(state["mean"])
        self._best = state.get("best")
        self._optimiser.load_state_dict(state["optimiser"])
        checks = tuple(Check(*check) for check in state["checks"])
        self._record = TrainingRecord(checks, tuple(tuple(length) for length in state["lengths"]))
        _log.info("continuing at step %d", self._step)


def build_network(recipe: ChordRecipe) -> ChordModel:
    """Build the recipe's network with fresh weights.

    Raises
    ------
    UnknownNameError
        If there is no such network or option.
    RecipeError
        If the network does not take crops of that length.
    """
    factory = MODELS.get(recipe.model)
    check_options(recipe.model, factory, recipe.model_options)
    if factory.n_frames not in (None, recipe.n_frames):
        raise RecipeError(f"n_frames: {recipe.model} takes {factory.n_frames}, got {recipe.n_frames}")
    torch.manual_seed(recipe.seed)
    # Convolutions run 1.5 times faster on a processor with the channels last.
    model = factory(**recipe.model_options)
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def example_of(item: Item) -> Example:
    """Return the spectrum of an item with its targets."""
    times = np.arange(len(item.spectrum), dtype=np.float64) * FRAME_DURATION
    return Example(item.spectrum, compute_targets(item.chords, times, transposition=item.transposition))


def rate_at(share: float) -> float:
    """Return the factor of the learning rate when so much of the schedule is done: up to 0.15, then down."""
    rise = 0.15
    if share < rise:
        return 0.04 + 0.96 * share / rise
    return max(1e-3, 0.5 + 0.5 * float(np.cos(np.pi * (share - rise) / (1 - rise))))


def draw_batch(examples: Sequence[Example], recipe: ChordRecipe, rng: np.random.Generator) -> Batch:
    """Draw crops of random examples, transposed, louder or softer, darker or brighter."""
    size, n_frames = recipe.batch_size, recipe.n_frames
    n_bins = examples[0].spectrum.shape[1]
    spectrum = np.zeros((size, n_frames, n_bins), np.float32)
    targets = np.full((3, size, n_frames), IGNORED)
    low, high = recipe.transpositions
    bins_per_semitone = FRONT_END.bins_per_octave // 12
    for row in range(size):
        example = examples[int(rng.integers(len(examples)))]
        start = int(rng.integers(max(1, len(example.spectrum) - n_frames + 1)))
        part = slice(start, start + n_frames)
        crop = example.spectrum[part].astype(np.float32)
        semitones = int(rng.integers(low, high + 1))
        spectrum[row, : len(crop)] = transpose_spectrum(crop, semitones * bins_per_semitone) * _colour(
            n_bins, recipe, rng
        )
        wanted = example.targets
        for kind, labels in enumerate((wanted.root[part], wanted.quality[part], wanted.bass[part])):
            # A quality moves with its root and stays what it is.
            moved = labels if kind == 1 else transpose_targets(labels, semitones)
            targets[kind, row, : len(moved)] = moved
    return Batch(torch.from_numpy(spectrum), *torch.from_numpy(targets))


def transpose_spectrum(spectrum: NDArray[np.float32], n_bins: int) -> NDArray[np.float32]:
    """Return frames (n_frames, n_bins) moved up by so many bins; what comes in from beyond is silent."""
    moved = np.zeros_like(spectrum)
    if n_bins >= 0:
        moved[:, n_bins:] = spectrum[:, : spectrum.shape[1] - n_bins]
    else:
        moved[:, :n_bins] = spectrum[:, -n_bins:]
    return moved


def compute_loss(logits: ChordLogits, root: Tensor, quality: Tensor, bass: Tensor) -> Tensor:
    """Return the sum of the cross-entropies of root, quality on the true root, and bass."""
    of_root = functional.cross_entropy(logits.root.flatten(0, 1), root.flatten(), ignore_index=IGNORED)
    of_bass = functional.cross_entropy(logits.bass.flatten(0, 1), bass.flatten(), ignore_index=IGNORED)
    place = root.clamp(0, 11)[..., None, None].expand(-1, -1, 1, logits.quality.shape[3])
    on_root = logits.quality.gather(2, place).squeeze(2)
    of_quality = functional.cross_entropy(
        on_root.flatten(0, 1), quality.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    n_known = (quality != IGNORED).sum().clamp(min=1)
    return of_root + of_quality / n_known + of_bass


@torch.no_grad()
def predict(model: ChordModel, spectrum: NDArray[np.float16]) -> ChordLogits:
    """Return the logits of a whole item, without a batch axis; patch by patch if the network wants that."""
    model.eval()
    frames = torch.from_numpy(spectrum.astype(np.float32))
    length = model.n_frames
    if length is None:
        return ChordLogits(*(part[0] for part in model(frames[None])))
    n_patches = -(-len(frames) // length)
    padded = functional.pad(frames, (0, 0, 0, n_patches * length - len(frames)))
    logits = model(padded.reshape(n_patches, length, -1))
    return ChordLogits(*(part.flatten(0, 1)[: len(frames)] for part in logits))


def _colour(n_bins: int, recipe: ChordRecipe, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw a factor for each bin: a level, and a slope over the range."""
    slope = rng.normal(0, recipe.tilt_db) * np.linspace(-0.5, 0.5, n_bins)
    gain_db = rng.normal(0, recipe.level_db) + slope
    return (10.0 ** (gain_db / 20)).astype(np.float32)
