"""Teach a small network to say what an ensemble of larger ones says, chunk by chunk.

Hinton et al., "Distilling the knowledge in a neural network", 2015, with four changes:

- Targets are compared as logits that are standardised per tag over the training set. Most tags have
  tiny scores, and every tag is to be ranked well, so every tag gets the same weight.
- Every step takes several chunks of each clip; besides each chunk's own score their mean must be right,
  because a clip's score is the mean over its chunks.
- The differences between the chunks of a clip count on their own, in units of their usual size, which is
  small against the differences between clips: a tag is to be found in time, too.
- A linear map of the embedding also predicts the teachers' embeddings, which hold more than their tags. In
  the end the embedding is turned so that its distances are those of the predictions (`view`).

Chunks lie where the teachers heard, and nothing in them is disturbed: that costs a small student more than it
gains (docs/default_model.md has the figures).

Every step draws its batch from a generator seeded by (seed, step): a run that was interrupted continues
with the batches that it would have had.

Conventions: log-mel is (n_frames, n_mels) per clip; targets are (n_chunks, n_tags) per clip on a grid
of one chunk length, scores in (0, 1).
"""

import copy
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from taggram.lab.models.lean_cnn import LOG_OFFSET, LeanCNN
from taggram.lab.training.view import look_through_teachers

Array = NDArray[np.float32]

SMALLEST_SCORE = 1e-4

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lesson:
    """One clip as the student learns it.

    Attributes
    ----------
    log_mel : shape (n_frames, n_mels), float16
        Of the whole clip.
    targets : shape (n_chunks, n_tags), in (0, 1)
        What the teachers say of each chunk.
    teacher_embedding : shape (n_chunks, teacher_dim), float16, or None
        Of all teachers, each of the same weight; None where there is nothing to be imitated.
    """

    log_mel: NDArray[np.float16]
    targets: Array
    teacher_embedding: NDArray[np.float16] | None = None


@dataclass(frozen=True)
class DistillationSettings:
    """How to train.

    Attributes
    ----------
    n_steps
        Number of updates.
    clips_per_step, chunks_per_clip
        A batch has `clips_per_step * chunks_per_clip` chunks.
    learning_rate, weight_decay
        Of AdamW; the rate rises over `warm_up` of the steps and falls as a cosine to zero.
    averaging
        Decay per step of the running mean of the weights, which is what is kept.
    bag_weight, movement_weight, embedding_weight
        Weights of the clip's mean, of the differences within a clip, and of the teachers' embeddings,
        beside 1 for the chunks.
    quietening_db
        Half of the clips are made softer by up to so many dB, and keep their targets: a student of absolute
        level learns to say the same of a soft copy.
    checkpoint_every
        Steps between checkpoints.
    seed
        Of everything that is drawn.
    """

    n_steps: int = 14_000
    clips_per_step: int = 16
    chunks_per_clip: int = 4
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    warm_up: float = 0.05
    averaging: float = 0.998
    bag_weight: float = 1.0
    movement_weight: float = 0.3
    embedding_weight: float = 4.0
    quietening_db: float = 0.0
    checkpoint_every: int = 500
    seed: int = 2026


@dataclass(frozen=True)
class Batch:
    """Chunks of several clips: rows of one clip stand together."""

    log_mel: Tensor
    targets: Tensor
    teacher_embedding: Tensor
    has_embedding: Tensor

    def to(self, device: torch.device) -> Self:
        """Return it on a device."""
        parts = (self.log_mel, self.targets, self.teacher_embedding, self.has_embedding)
        return type(self)(*(part.to(device) for part in parts))


def draw_batch(
    lessons: Sequence[Lesson],
    frames_per_chunk: float,
    settings: DistillationSettings,
    rng: np.random.Generator,
) -> Batch:
    """Draw random chunks of random clips, with their targets.

    Parameters
    ----------
    lessons
        The training set; every clip is at least one chunk long.
    frames_per_chunk
        Frames from one point of the target grid to the next; a chunk has all that begin within it.
    """
    chosen = rng.choice(len(lessons), settings.clips_per_step, replace=len(lessons) < settings.clips_per_step)
    teacher_dim = next((t.shape[1] for x in lessons if (t := x.teacher_embedding) is not None), 1)
    n_frames = int(frames_per_chunk) + 1
    log_mel, targets, embeddings, known = [], [], [], []
    for lesson in (lessons[i] for i in chosen):
        n_chunks, n_drawn = len(lesson.targets), settings.chunks_per_clip
        for chunk in rng.choice(n_chunks, n_drawn, replace=n_chunks < n_drawn):
            start = min(int(chunk * frames_per_chunk), len(lesson.log_mel) - n_frames)
            log_mel.append(lesson.log_mel[start : start + n_frames])
            targets.append(lesson.targets[chunk])
            embedding = lesson.teacher_embedding
            known.append(embedding is not None)
            embeddings.append(np.zeros(teacher_dim) if embedding is None else embedding[chunk])
    sounds = np.stack(log_mel).astype(np.float32)
    if settings.quietening_db:
        sounds = _quieten(sounds, settings, rng)
    return Batch(
        torch.from_numpy(sounds),
        torch.from_numpy(np.stack(targets)),
        torch.from_numpy(np.stack(embeddings).astype(np.float32)),
        torch.tensor(known, dtype=torch.float32),
    )


def _quieten(log_mel: Array, settings: DistillationSettings, rng: np.random.Generator) -> Array:
    """Make half of the clips softer; what sinks below the offset of the logarithm is lost, as in a recording.

    All chunks of a clip alike: how loud a moment is beside others of its song is music.
    """
    drops_db = settings.quietening_db * np.maximum(0, rng.uniform(-1, 1, settings.clips_per_step))
    factors = 10 ** (-np.repeat(drops_db, settings.chunks_per_clip) / 10)
    return quieten(log_mel, factors[:, None, None])


def quieten(log_mel: Array, factor: NDArray[np.float64]) -> Array:
    """Return the log-mel that a sound has when its power is multiplied by `factor`."""
    # Rounding to half precision leaves silence a little below the offset.
    power = np.maximum(np.exp(log_mel) - LOG_OFFSET, 0)
    return np.log(power * factor + LOG_OFFSET).astype(np.float32)


class DistillationLoss(nn.Module):
    """The four parts of the loss; holds the constants per tag and the map to the teachers' embeddings.

    Parameters
    ----------
    lessons
        Training set; gives mean and spread of every tag's target logits.
    embedding_dim
        Of the student.
    """

    centre: Tensor
    spread: Tensor
    movement: Tensor

    def __init__(self, lessons: Sequence[Lesson], embedding_dim: int, settings: DistillationSettings) -> None:
        super().__init__()
        taught = [lesson for lesson in lessons if lesson.teacher_embedding is not None] or list(lessons)
        logits = [_logit(torch.from_numpy(lesson.targets)) for lesson in taught]
        together = torch.cat(logits)
        within = torch.cat([clip - clip.mean(dim=0) for clip in logits])
        self.register_buffer("centre", together.mean(dim=0))
        self.register_buffer("spread", together.std(dim=0).clamp(min=0.05))
        self.register_buffer("movement", within.std(dim=0).clamp(min=0.02))
        teacher = taught[0].teacher_embedding
        self.to_teacher = nn.Linear(embedding_dim, teacher.shape[1] if teacher is not None else 1)
        self.settings = settings

    def forward(self, embedding: Tensor, logits: Tensor, batch: Batch) -> Tensor:
        """Return the loss of one batch."""
        error = logits - _logit(batch.targets)
        chunks = (error / self.spread).square().mean()
        bags = _logit(self._mean_of_clip(logits.sigmoid())) - _logit(self._mean_of_clip(batch.targets))
        bag = (bags / self.spread).square().mean()
        by_clip = self._by_clip(error)
        movement = ((by_clip - by_clip.mean(dim=1, keepdim=True)) / self.movement).square().mean()
        difference = (self.to_teacher(embedding) - batch.teacher_embedding).square().mean(dim=1)
        teacher = (difference * batch.has_embedding).mean()
        total: Tensor = (
            chunks
            + self.settings.bag_weight * bag
            + self.settings.movement_weight * movement
            + self.settings.embedding_weight * teacher
        )
        return total

    def _by_clip(self, rows: Tensor) -> Tensor:
        return rows.reshape(-1, self.settings.chunks_per_clip, *rows.shape[1:])

    def _mean_of_clip(self, scores: Tensor) -> Tensor:
        return self._by_clip(scores).mean(dim=1)


def _logit(scores: Tensor) -> Tensor:
    return torch.logit(scores, eps=SMALLEST_SCORE)


def distil(
    student: LeanCNN,
    lessons: Sequence[Lesson],
    frames_per_chunk: float,
    settings: DistillationSettings,
    *,
    checkpoint: Path | None = None,
    on_checkpoint: Callable[[int, LeanCNN], None] | None = None,
) -> LeanCNN:
    """Train `student` and return the running mean of its weights with its view, in evaluation mode.

    It is trained on a GPU if there is one; what is returned is on the CPU.

    Parameters
    ----------
    student
        A network with fresh weights; it is trained in place.
    lessons
        Training set.
    frames_per_chunk
        See `draw_batch`.
    checkpoint
        File that the state is written to; a run that finds it continues from there.
    on_checkpoint
        Called with the step and the averaged model at every checkpoint, for a look at validation.
    """
    run = _Run(student, lessons, settings)
    if checkpoint is not None and checkpoint.exists():
        run.load_state_dict(torch.load(checkpoint, weights_only=True))
    while run.step < settings.n_steps:
        rng = np.random.default_rng((settings.seed, run.step))
        loss = run.update(draw_batch(lessons, frames_per_chunk, settings, rng))
        if run.step % settings.checkpoint_every == 0 or run.step == settings.n_steps:
            _log.info("step %d of %d: loss %.4f", run.step, settings.n_steps, loss)
            if checkpoint is not None:
                _save(run.state_dict(), checkpoint)
            if on_checkpoint is not None:
                on_checkpoint(run.step, run.averaged())
    trained = run.averaged()
    if any(lesson.teacher_embedding is not None for lesson in lessons):
        look_through_teachers(trained, run.loss.to_teacher.cpu(), seed=settings.seed)
    return trained


class _Run:
    """The state of a training run."""

    def __init__(self, student: LeanCNN, lessons: Sequence[Lesson], settings: DistillationSettings) -> None:
        self.settings = settings
        self.step = 0
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.student = student.train()
        _fit_constants(student, lessons)
        self.loss = DistillationLoss(lessons, student.head.in_features, settings).to(self.device)
        with torch.no_grad():
            student.head.bias.copy_(self.loss.centre)
        student.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(student)
        self.optimiser = torch.optim.AdamW(
            [*student.parameters(), *self.loss.parameters()],
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )
        self._parts: dict[str, Any] = {
            "student": self.student,
            "average": self.average,
            "loss": self.loss,
            "optimiser": self.optimiser,
        }

    def averaged(self) -> LeanCNN:
        """Return a copy of the averaged model, to be looked at."""
        return copy.deepcopy(self.average).cpu().eval()

    def update(self, batch: Batch) -> float:
        batch = batch.to(self.device)
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.learning_rate * _schedule(self.step, self.settings)
        # bfloat16 halves the time of a step; loss, weights and their averages stay in float32.
        with torch.autocast(self.device.type, torch.bfloat16):
            embedding = self.student.embed_log_mel(batch.log_mel)
            logits = self.student.head(embedding)
        loss: Tensor = self.loss(embedding.float(), logits.float(), batch)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.step += 1
        self._average()
        return float(loss.detach())

    @torch.no_grad()
    def _average(self) -> None:
        # The first steps would otherwise stay in the mean for long.
        decay = min(self.settings.averaging, self.step / (self.step + 10))
        for mean, value in zip(
            self.average.state_dict().values(), self.student.state_dict().values(), strict=True
        ):
            if mean.is_floating_point():
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(value)

    def state_dict(self) -> dict[str, Any]:
        return {"step": self.step, **{name: part.state_dict() for name, part in self._parts.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.step = state["step"]
        for name, part in self._parts.items():
            part.load_state_dict(state[name])


def _fit_constants(student: LeanCNN, lessons: Sequence[Lesson]) -> None:
    """Set the student's standardisation of the bands from the training set."""
    clips = [torch.from_numpy(lesson.log_mel[::16].astype(np.float32)) for lesson in lessons]
    frames = torch.cat([student.level(clip[None])[0] for clip in clips]).numpy()
    student.band_mean.copy_(torch.from_numpy(frames.mean(axis=0)))
    student.band_std.copy_(torch.from_numpy(frames.std(axis=0)))


def _schedule(step: int, settings: DistillationSettings) -> float:
    progress = step / settings.n_steps
    if progress < settings.warm_up:
        return progress / settings.warm_up
    return 0.5 * (1 + math.cos(math.pi * (progress - settings.warm_up) / (1 - settings.warm_up)))


def _save(state: dict[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    torch.save(state, temporary)
    temporary.replace(path)
