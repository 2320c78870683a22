"""The model that ships: everything from a folder of music to a judged student.

Steps, each resumable from what earlier runs left in the cache folder:

    cache/waveforms/    decoded clips, altered training clips, renderings
    cache/teachers/     the published networks, exported
    cache/heard/        what all teachers say of each
    cache/student-….pt  the training run, named after everything that decides it

The trained student is then calibrated on validation.

Conventions: a clip's scores are the mean over its 3 s chunks; `train` teaches, `validation` is looked at
on the way, `test` is judged once at the end.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from hashlib import file_digest, sha256
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit

from taggram.audio.decode import decode
from taggram.inference.session import Session, usable_cores
from taggram.lab.models.lean_cnn import LeanCNN, LeanShape
from taggram.lab.training.agreement import spearman_per_tag
from taggram.lab.training.calibration import (
    choose_least_evidence,
    ensemble_thresholds,
    fit_scale,
    fold_scale,
    student_thresholds,
)
from taggram.lab.training.corpus import SAMPLE_RATE, Clip, WaveformCache, read_corpus
from taggram.lab.training.distillation import DistillationSettings, Lesson, distil
from taggram.lab.training.non_music import TAUGHT, Maker, draw_non_music
from taggram.lab.training.renderings import DATASET as RENDERED
from taggram.lab.training.renderings import SOUND_FONTS, Renderer
from taggram.lab.training.shards import load_arrays, save_arrays
from taggram.lab.training.teachers import (
    GRID_LENGTH,
    TEACHERS,
    Ensemble,
    Teacher,
    grid_chunks,
    hear_clip,
    published_ensemble,
)
from taggram.lab.training.variations import Variation, apply_variation, draw_variation
from taggram.lab.weights.published import PublishedCheckpoint

Waveform = NDArray[np.float32]

NON_MUSIC_DURATION = 12.0
"""Seconds of one sound that is no music."""
NON_MUSIC_QUANTILE = 0.02
"""Its target for every tag: the score that this share of the training chunks stays below."""
PLAIN = 0
"""Number of the variation that changes nothing."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What to train from, and how much of it.

    Attributes
    ----------
    music
        Folder of the corpus.
    weights
        Folder of the published checkpoints, under any layout; found by size and checksum.
    cache
        Folder for everything that can be computed again.
    n_variations
        Altered copies of every training clip.
    n_non_music
        Sounds that are no music.
    n_renderings
        Songs of POP909 that are rendered and taught, too; the teachers score them.
    sound_fonts
        Folder of the sound fonts for the renderings.
    distillation
        How to train.
    shape
        Of the student.
    """

    music: Path
    weights: Path
    cache: Path
    n_variations: int = 10
    n_non_music: int = 600
    n_renderings: int = 200
    sound_fonts: Path = SOUND_FONTS
    distillation: DistillationSettings = field(default_factory=DistillationSettings)
    shape: LeanShape = field(default_factory=LeanShape)


@dataclass(frozen=True)
class HeardClip:
    """A clip of a held-out split, and what the ensemble says of its chunks, (n_chunks, n_tags)."""

    clip: Clip
    waveform: Waveform
    reference: NDArray[np.float32]


@dataclass(frozen=True)
class Calibration:
    """What was chosen on validation, beside the scale of the logits.

    Attributes
    ----------
    ensemble_thresholds, thresholds : shape (n_tags,)
        From which score on the ensemble and the student give a tag.
    precision
        Share of the student's tags on validation that the ensemble gives, too.
    least_evidence
        See `Specification.least_evidence`.
    """

    ensemble_thresholds: NDArray[np.float32]
    thresholds: NDArray[np.float32]
    precision: float
    least_evidence: float


class DefaultModelTraining:
    """The steps of one plan."""

    def __init__(self, plan: Plan, teachers: Sequence[PublishedCheckpoint] = TEACHERS) -> None:
        self.plan = plan
        self.clips = read_corpus(plan.music)
        self.ensemble: Ensemble = published_ensemble(teachers)
        self.teachers = tuple(teachers)
        self._waveforms = WaveformCache(plan.cache / "waveforms")
        self._renderer = Renderer(plan.music / "pop909", plan.sound_fonts, plan.distillation.seed)
        self._renderings = self._renderer.list_clips(plan.n_renderings) if plan.n_renderings else []

    def hear(self) -> None:
        """Let the teachers score every clip, every variation of the training clips, and every rendering.

        What is in the cache already is not computed again.
        """
        jobs = [sound for sound in self._taught_and_held_out() if not self._heard(*sound).exists()]
        if not jobs:
            return
        weights = find_weights(self.plan.weights, self.teachers)
        teachers = [
            Teacher(checkpoint, weights[checkpoint.name], self.plan.cache / "teachers")
            for checkpoint in self.teachers
        ]

        def work(sound: tuple[Clip, int]) -> None:
            save_arrays(self._heard(*sound), hear_clip(teachers, self._waveform(*sound)))

        with ThreadPoolExecutor(usable_cores()) as pool:
            for n_done, _ in enumerate(pool.map(work, jobs), 1):
                if n_done % 50 == 0 or n_done == len(jobs):
                    _log.info("teachers: %d of %d clips", n_done, len(jobs))

    def lessons(self) -> list[Lesson]:
        """Return the training set: clips, their variations, renderings, and sounds that are no music."""
        taught = list(self._taught())
        sounds = [log_mel(self._waveform(*sound), self.plan.shape) for sound in taught]
        heard = [load_arrays(self._heard(*sound)) for sound in taught]
        embeddings = self.ensemble.embeddings_to_imitate(heard)
        lessons = [
            Lesson(sound, self.ensemble.chunk_scores(said), embedding)
            for sound, said, embedding in zip(sounds, heard, embeddings, strict=True)
        ]
        _log.info(
            "training set: %d clips, variations and renderings, %d other sounds",
            len(lessons),
            self.plan.n_non_music,
        )
        quiet = np.quantile(np.concatenate([x.targets for x in lessons]), NON_MUSIC_QUANTILE, axis=0)
        return lessons + list(self._non_music(quiet.astype(np.float32)))

    def held_out(self, split: str) -> list[HeardClip]:
        """Return the clips of a split with the ensemble's scores."""
        return [
            HeardClip(
                clip,
                self.waveform(clip),
                self.ensemble.chunk_scores(load_arrays(self._heard(clip, PLAIN))),
            )
            for clip in self._split(split)
        ]

    def single_chunk_scores(self, split: str) -> list[NDArray[np.float32]]:
        """Return what each teacher that hears single chunks says of the clips of a split.

        One array (n_teachers, n_chunks, n_tags) per clip; NaN where a teacher does not affirm the tag.
        """
        return [
            self.ensemble.single_chunk_scores(load_arrays(self._heard(clip, PLAIN)))
            for clip in self._split(split)
        ]

    def train(self, lessons: Sequence[Lesson] | None = None, *, checkpoint: Path | None = None) -> LeanCNN:
        """Distil the student, looking at validation at every checkpoint, and return it.

        Parameters
        ----------
        lessons
            The training set where it is at hand already; None makes it.
        checkpoint
            File of the run; None is `self.checkpoint`.
        """
        settings = self.plan.distillation
        torch.manual_seed(settings.seed)
        validation = self.held_out("validation")

        def report(step: int, model: LeanCNN) -> None:
            scores = [score_chunks(model, heard.waveform) for heard in validation]
            agreement = spearman_per_tag(
                clip_means(heard.reference for heard in validation), clip_means(scores)
            )
            _log.info("step %d: Spearman on validation %.4f", step, float(np.nanmean(agreement)))

        return distil(
            LeanCNN(len(self.ensemble.tags), shape=self.plan.shape),
            self.lessons() if lessons is None else lessons,
            GRID_LENGTH / self.plan.shape.hop_length,
            settings,
            checkpoint=checkpoint or self.checkpoint,
            on_checkpoint=report,
        )

    def calibrate(self, model: LeanCNN) -> Calibration:
        """Make the scores of a trained student probabilities, in place, and choose its thresholds."""
        validation = self.held_out("validation")
        reference = clip_means(heard.reference for heard in validation)
        fold_scale(model.head, fit_scale([chunk_logits(model, x.waveform) for x in validation], reference))
        scores = clip_means(score_chunks(model, heard.waveform) for heard in validation)
        everything = np.concatenate([reference, clip_means(x.reference for x in self.held_out("train"))])
        own = ensemble_thresholds(everything, self.ensemble.is_scale)
        thresholds, precision = student_thresholds(scores, reference >= own, own)
        others = [score_chunks(model, sound) for sound in self.other_sounds(TAUGHT, seed=1)]
        evidence = [values.sum(axis=1) for values in (scores, clip_means(others))]
        return Calibration(own, thresholds, precision, choose_least_evidence(*evidence))

    def other_sounds(
        self, kinds: Mapping[str, Maker], *, seed: int, n_per_kind: int = 20
    ) -> Iterator[Waveform]:
        """Make sounds that are no music and were not trained on, kind after kind."""
        for number in range(len(kinds) * n_per_kind):
            rng = np.random.default_rng((self.plan.distillation.seed, 2_000_000, seed, number))
            yield draw_non_music(rng, NON_MUSIC_DURATION, list(kinds.values())[number // n_per_kind])

    @property
    def checkpoint(self) -> Path:
        """The file of the training run; another plan or vocabulary has another one."""
        plan = self.plan
        amounts = (plan.n_variations, plan.n_non_music, plan.n_renderings)
        decides = (plan.distillation, amounts, self.ensemble.tags, plan.shape)
        return self.plan.cache / f"student-{sha256(repr(decides).encode()).hexdigest()[:8]}.pt"

    def teacher_embeddings(self, clips: Iterable[Clip]) -> dict[str, NDArray[np.float32]]:
        """Return every teacher's own embedding of clips: name → (n_clips, embedding_dim)."""
        said = [load_arrays(self._heard(clip, PLAIN)) for clip in clips]
        return {
            checkpoint.name: np.stack(
                [np.asarray(s[f"{checkpoint.name}.embedding"], np.float32).mean(axis=0) for s in said]
            )
            for checkpoint in self.teachers
        }

    def waveform(self, clip: Clip) -> Waveform:
        """Return a clip's decoded sound."""
        return self._waveform(clip, PLAIN)

    def _split(self, split: str) -> list[Clip]:
        return [clip for clip in self.clips if clip.split == split]

    def _taught(self) -> Iterator[tuple[Clip, int]]:
        """Yield every sound of the training set: a clip or rendering, and the number of its variation."""
        for number in range(self.plan.n_variations + 1):
            for clip in self._split("train"):
                yield clip, number
        for clip in self._renderings:
            yield clip, PLAIN

    def _taught_and_held_out(self) -> Iterator[tuple[Clip, int]]:
        yield from self._taught()
        for clip in self.clips:
            if clip.split != "train":
                yield clip, PLAIN

    def _key(self, clip: Clip, variation: int) -> str:
        """Return the relative path of what is kept about a sound."""
        if variation == PLAIN:
            return clip.key
        # Named by what was drawn: what is kept about another sound is not taken for this one.
        drawn = sha256(repr(self._draw(clip, variation)[0]).encode()).hexdigest()[:8]
        return f"variation_{variation}/{clip.key}-{drawn}"

    def _heard(self, clip: Clip, variation: int) -> Path:
        return self.plan.cache / "heard" / f"{self._key(clip, variation)}.npz"

    def _waveform(self, clip: Clip, variation: int) -> Waveform:
        return self._waveforms.load(self._key(clip, variation), lambda: self._make(clip, variation))

    def _make(self, clip: Clip, variation: int) -> Waveform:
        if variation == PLAIN:
            return self._renderer.render(clip.path) if clip.dataset == RENDERED else _decode(clip.path)
        drawn, rng = self._draw(clip, variation)
        partner = None if drawn.partner is None else self.waveform(self._split("train")[drawn.partner])
        return apply_variation(self.waveform(clip), drawn, partner, rng)

    def _draw(self, clip: Clip, variation: int) -> tuple[Variation, np.random.Generator]:
        """Return a training clip's variation of this number, and the generator that applies it."""
        train = self._split("train")
        rng = np.random.default_rng((self.plan.distillation.seed, variation, train.index(clip)))
        return draw_variation(rng, len(train)), rng

    def _non_music(self, target: NDArray[np.float32]) -> Iterator[Lesson]:
        for number in range(self.plan.n_non_music):
            rng = np.random.default_rng((self.plan.distillation.seed, 1_000_000, number))
            waveform = draw_non_music(rng, NON_MUSIC_DURATION)
            yield Lesson(
                log_mel(waveform, self.plan.shape), np.tile(target, (len(waveform) // GRID_LENGTH, 1))
            )


def clip_means(chunk_scores: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return clip scores, shape (n_clips, n_tags), of the scores of the clips' chunks."""
    return np.stack([scores.mean(axis=0) for scores in chunk_scores])


def find_weights(folder: Path, checkpoints: Iterable[PublishedCheckpoint]) -> dict[str, Path]:
    """Find the files of checkpoints anywhere under a folder, by size; the loader checks their SHA-256.

    Raises
    ------
    FileNotFoundError
        If one is not there; the message names it and its origin.
    """
    files = [path for path in folder.rglob("*") if path.is_file()]
    found = {}
    for checkpoint in checkpoints:
        for path in (path for path in files if path.stat().st_size == checkpoint.n_bytes):
            with path.open("rb") as file:
                if file_digest(file, "sha256").hexdigest() == checkpoint.sha256:
                    found[checkpoint.name] = path
                    break
        else:
            raise FileNotFoundError(
                f"{folder}: the weights of {checkpoint.name} are not there; fetch them from {checkpoint.url}"
            )
    return found


@torch.no_grad()
def log_mel(waveform: Waveform, shape: LeanShape) -> NDArray[np.float16]:
    """Return the log-mel of a whole clip as a student of a shape hears it, shape (n_frames, n_mels)."""
    # Half precision has steps of 0.016 at most in its range of −17 to 10: far below what is audible.
    model = _listener(shape)
    return np.asarray(model.log_mel(model.front_end(torch.from_numpy(waveform)[None]))[0].numpy(), np.float16)


@cache
def _listener(shape: LeanShape) -> LeanCNN:
    return LeanCNN(shape=shape)


@torch.no_grad()
def chunk_logits(model: LeanCNN, waveform: Waveform) -> NDArray[np.float32]:
    """Return a model's logits of a clip's chunks, shape (n_chunks, n_tags)."""
    return np.asarray(model(torch.from_numpy(grid_chunks(waveform))).numpy(), np.float32)


def score_chunks(model: LeanCNN, waveform: Waveform) -> NDArray[np.float32]:
    """Return a model's scores of a clip's chunks, shape (n_chunks, n_tags)."""
    return np.asarray(expit(chunk_logits(model, waveform)), np.float32)


def run_file(session: Session, waveform: Waveform) -> tuple[Waveform, Waveform]:
    """Return scores and embeddings of a clip's chunks from a model file."""
    return session.run(np.ascontiguousarray(grid_chunks(waveform)))


def _decode(path: Path) -> Waveform:
    return np.concatenate(list(decode(path, sample_rate=SAMPLE_RATE)))
