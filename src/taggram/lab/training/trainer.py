"""The training loop: one small loop on torch's own tools, on one process or on many (torchrun).

A loop of our own, because every published schedule – reload the best weights, change the optimiser – is
a few lines here and a fight with hooks in a framework; gradients across processes and mixed precision
come from torch itself.

A run can be killed at any moment: its state is written after each epoch, all randomness of an epoch is
seeded by (seed, epoch), and continuing gives the result that the unbroken run would have had.

The loss is binary cross-entropy (multi-label) or cross-entropy (multi-class); by song, of the mean of
the chunks' scores. The best epoch is the one with the lowest validation loss, over all chunks of every
clip, as the evaluation protocol cuts and averages them. Of several processes each scores a part of the
clips, and all decide by the same figures.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from taggram.errors import RecipeError
from taggram.lab.metrics.ranking import pr_auc, roc_auc
from taggram.lab.models import TaggingModel
from taggram.lab.training.batches import Batch, Epochs
from taggram.lab.training.clips import Clips
from taggram.lab.training.data import Task
from taggram.lab.training.processes import gather_rows, process_share, share_buffers, wait_for_all
from taggram.lab.training.recipe import Recipe
from taggram.lab.training.run import RunFolder
from taggram.lab.training.schedules import Phase, list_phases

Report = Callable[[dict[str, Any]], None]
_SMALLEST = 1e-7  # a score of exactly 0 or 1 would make the loss of a song infinite


@dataclass
class Progress:
    """Where a run stands."""

    epoch: int = 0
    phase: int = 0
    epoch_of_phase: int = 0
    best_epoch: int = -1
    best_loss: float = float("inf")


@dataclass
class Stopwatch:
    """Seconds that an epoch spent on each kind of work."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, kind: str) -> Iterator[None]:
        """Add the time of a block to one kind of work."""
        begun = time.perf_counter()
        yield
        self.seconds[kind] = self.seconds.get(kind, 0.0) + time.perf_counter() - begun

    def shares(self) -> dict[str, float]:
        """Return kind → share of the measured time."""
        total = sum(self.seconds.values()) or 1.0
        return {kind: round(seconds / total, 3) for kind, seconds in self.seconds.items()}


class Trainer:
    """Trains a model by a recipe; the best weights are in it at the end."""

    def __init__(
        self,
        model: TaggingModel,
        recipe: Recipe,
        task: Task,
        training: Clips,
        validation: Clips,
        folder: RunFolder,
        report: Report = lambda figures: None,
    ) -> None:
        self._recipe = recipe
        self._task = task
        self._validation = validation
        self._folder = folder
        self._report = report
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model = model.to(self._device)
        if recipe.freeze:
            freeze_all_but_head(model)
        if task == "multi_class" and any(a.name == "mixing" for a in recipe.augmentations):
            raise RecipeError(
                "the augmentation 'mixing' gives a clip the tags of two, and a class is only one: "
                "use the key mixing=0.3, which averages the labels"
            )
        rank, n_processes = process_share()
        self._is_first = rank == 0
        self._parallel: nn.Module = model
        if n_processes > 1:
            self._parallel = nn.parallel.DistributedDataParallel(model)
        architecture = model.architecture
        hop = recipe.validation_hop
        self._hop_length = architecture.chunk_length if hop is None else round(hop * architecture.sample_rate)
        self._epochs = Epochs(
            training,
            recipe,
            chunk_length=architecture.chunk_length,
            sample_rate=architecture.sample_rate,
            share=(rank, n_processes),
        )
        self._weights = _loss_weights(training.labels, task) if recipe.balance == "loss" else None
        self._phases = list_phases(recipe.schedule)
        self._progress = Progress()
        self._optimiser = self._build_optimiser()

    def run(self) -> Progress:
        """Train to the end of the schedule, from where the folder's state stands."""
        self._restore()
        while self._progress.phase < len(self._phases):
            self._epoch()
        self._load_best()
        return self._progress

    @property
    def _phase(self) -> Phase:
        return self._phases[self._progress.phase]

    def _build_optimiser(self) -> torch.optim.Optimizer:
        return self._phase.build(p for p in self._model.parameters() if p.requires_grad)

    def _epoch(self) -> None:
        progress = self._progress
        torch.manual_seed(_seed(self._recipe.seed, progress.epoch, process_share()[0]))
        watch = Stopwatch()
        training_loss = self._learn(watch)
        figures: dict[str, Any] = {"epoch": progress.epoch, "phase": progress.phase}
        figures |= {"training_loss": training_loss} | self._validate()
        figures["learning_rate"] = self._optimiser.param_groups[0]["lr"]
        figures["time"] = watch.shares() | {"seconds": round(sum(watch.seconds.values()), 2)}
        if figures["validation_loss"] < progress.best_loss:
            progress.best_loss, progress.best_epoch = figures["validation_loss"], progress.epoch
            self._save("best.pt", {"model": self._model.state_dict()})
        self._advance()
        self._save_last()
        if self._is_first:
            self._folder.log_epoch(figures)
            self._report(figures)

    def _learn(self, watch: Stopwatch) -> float:
        """Run one epoch of updates; return its mean loss."""
        self._model.train()
        if self._recipe.freeze:
            self._model.eval()  # batch statistics of a frozen network stay what they were
        total = 0.0
        batches = self._epochs.batches(self._progress.epoch)
        for step in range(self._epochs.n_steps):
            with watch.measure("data"):
                batch = next(batches)
            self._set_rate(step)
            with watch.measure("forward"):
                loss = self._loss(batch)
                value = loss.item()
            if not np.isfinite(value):
                raise FloatingPointError(
                    f"the loss became {value} in epoch {self._progress.epoch}; lower schedule.learning_rate"
                )
            with watch.measure("backward"):
                self._optimiser.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                self._optimiser.step()
            total += value
        return total / self._epochs.n_steps

    def _loss(self, batch: Batch) -> Tensor:
        n_clips, n_chunks, n_samples = batch.waveforms.shape
        waveforms = torch.from_numpy(batch.waveforms).to(self._device).view(-1, n_samples)
        labels = torch.from_numpy(batch.labels).to(self._device)
        with self._precision():
            logits = self._parallel(waveforms).float()
        if n_chunks == 1:
            return self._chunk_loss(logits, labels)
        return self._song_loss(logits.view(n_clips, n_chunks, -1), labels)

    def _chunk_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        if self._task == "multi_class":
            return functional.cross_entropy(logits, labels, weight=self._weights_here())
        return functional.binary_cross_entropy_with_logits(logits, labels, pos_weight=self._weights_here())

    def _song_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of the mean score of each clip's chunks; logits (n_clips, n_chunks, n_tags)."""
        scores = logits.softmax(-1) if self._task == "multi_class" else logits.sigmoid()
        return score_loss(scores.mean(dim=1), labels, self._task, self._weights_here())

    def _weights_here(self) -> Tensor | None:
        return None if self._weights is None else self._weights.to(self._device)

    def _precision(self) -> AbstractContextManager[Any]:
        if self._recipe.precision == "float32":
            return nullcontext()
        return torch.autocast(self._device.type, torch.bfloat16)

    def _set_rate(self, step: int) -> None:
        phase = self._phase
        share = (self._progress.epoch_of_phase + (step + 0.5) / self._epochs.n_steps) / phase.n_epochs
        for group in self._optimiser.param_groups:
            group["lr"] = phase.learning_rate * phase.rate(share)

    @torch.no_grad()
    def _validate(self) -> dict[str, float]:
        share_buffers(self._model)
        clips = self._validation.part(*process_share())
        scores = gather_rows(predict(self._model, clips, self._task, hop_length=self._hop_length))
        labels = self._validation.labels
        loss = score_loss(torch.from_numpy(scores), torch.from_numpy(labels).float(), self._task)
        figures = {"validation_loss": loss.item()}
        if self._task == "multi_class":
            figures["validation_accuracy"] = float((scores.argmax(1) == labels.argmax(1)).mean())
            return figures
        for name, metric in (("roc_auc", roc_auc), ("pr_auc", pr_auc)):
            if (value := metric(labels, scores.astype(np.float64)).macro) is not None:
                figures[f"validation_{name}"] = value
        return figures

    def _advance(self) -> None:
        """Go to the next epoch, and to the next phase if this one is over."""
        progress = self._progress
        progress.epoch += 1
        progress.epoch_of_phase += 1
        since_best = progress.epoch - 1 - progress.best_epoch
        patience = self._phase.patience
        if progress.epoch_of_phase < self._phase.n_epochs and (patience is None or since_best < patience):
            return
        progress.phase += 1
        progress.epoch_of_phase = 0
        if progress.phase < len(self._phases):
            if self._phase.begins_with_best:
                self._load_best()
            self._optimiser = self._build_optimiser()

    def _load_best(self) -> None:
        wait_for_all()
        state = self._folder.load("best.pt")
        if state is not None:
            self._model.load_state_dict(state["model"])

    def _save_last(self) -> None:
        self._save(
            "last.pt",
            {
                "progress": vars(self._progress),
                "model": self._model.state_dict(),
                "optimiser": self._optimiser.state_dict(),
            },
        )

    def _save(self, name: str, state: dict[str, Any]) -> None:
        if self._is_first:
            self._folder.save(name, state)

    def _restore(self) -> None:
        state = self._folder.load("last.pt")
        if state is None:
            return
        self._progress = Progress(**state["progress"])
        self._model.load_state_dict(state["model"])
        if self._progress.phase < len(self._phases):
            self._optimiser = self._build_optimiser()
            self._optimiser.load_state_dict(state["optimiser"])


def predict(model: TaggingModel, clips: Clips, task: Task, *, hop_length: int) -> NDArray[np.float32]:
    """Score whole clips: the mean over all chunks, cut as the evaluation protocol does.

    Returns
    -------
    shape (n_clips, n_tags), in [0, 1]
    """
    model.eval()
    device = next(model.parameters()).device
    rows = []
    with torch.no_grad():
        for clip in range(len(clips)):
            chunks = torch.from_numpy(clips.chunks(clip, model.architecture.chunk_length, hop_length))
            logits = torch.cat([model(part.to(device)) for part in chunks.split(16)])  # type: ignore[no-untyped-call]
            scores = logits.softmax(1) if task == "multi_class" else logits.sigmoid()
            rows.append(scores.mean(dim=0).cpu().numpy())
    return np.stack(rows) if rows else np.empty((0, model.n_tags), np.float32)


def score_loss(scores: Tensor, labels: Tensor, task: Task, weights: Tensor | None = None) -> Tensor:
    """Return the cross-entropy of scores (n_clips, n_tags) in [0, 1] that are no logits."""
    scores = scores.clamp(_SMALLEST, 1 - _SMALLEST)
    ones = torch.ones(labels.shape[1], device=labels.device) if weights is None else weights
    if task == "multi_class":
        per_clip = -(labels * scores.log() * ones).sum(dim=1)
        return per_clip.sum() / (labels * ones).sum()
    return -(ones * labels * scores.log() + (1 - labels) * (1 - scores).log()).mean()


def freeze_all_but_head(model: TaggingModel) -> None:
    """Let only the last layer learn."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for parameter in model.head.parameters():
        parameter.requires_grad_(True)


def _seed(*numbers: int) -> int:
    """Return a seed for torch from several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def _loss_weights(labels: NDArray[np.bool_], task: Task) -> Tensor:
    """Return the weight of each tag's positives, or of each class: the rarer, the heavier."""
    n_positive = np.maximum(labels.sum(axis=0), 1)
    weights = len(labels) / (n_positive * labels.shape[1])
    if task == "multi_label":
        weights = np.sqrt((len(labels) - n_positive) / n_positive)  # the full ratio makes rare tags shout
    return torch.from_numpy(weights.astype(np.float32))
