"""Students of different size and shape, taught under the same conditions: what quality costs.

Every student is a `LeanShape`. It is distilled for the same small number of steps from the same teachers'
scores, exported, and judged on validation through the runtime: a point of cost and quality. The points that
no other one beats in both are the frontier; its knee is where more cost begins to buy less.

Conventions: costs are for a song of `SONG_DURATION`; CPU seconds are of one core, with the spectrogram,
without decoding. Scores are not calibrated: a scale per tag hardly changes ranks.
"""

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from taggram.inference.session import Session
from taggram.lab.export import export_model
from taggram.lab.models.lean_cnn import LeanCNN, LeanShape
from taggram.lab.training.agreement import (
    spearman_per_tag,
    top_decile_auc_per_tag,
    within_song_correlation_per_tag,
)
from taggram.lab.training.corpus import SAMPLE_RATE
from taggram.lab.training.default_model import (
    DefaultModelTraining,
    HeardClip,
    Plan,
    Waveform,
    clip_means,
    run_file,
)
from taggram.lab.training.distillation import DistillationSettings, Lesson
from taggram.lab.training.model_card import SONG_DURATION, compute_song_gflop
from taggram.lab.training.teachers import GRID_LENGTH, grid_chunks
from taggram.modelfile.reader import load_model_file
from taggram.modelfile.specification import Specification
from taggram.tags.default_vocabulary import describe_default

SHIPPED = "shipped"
BATCH_SIZE = 16
"""Chunks at a time, where the time is measured."""
N_RUNS = 15
"""Of these the fastest counts."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidate:
    """A student to be tried: its shape, and how it is taught where that differs from the others."""

    shape: LeanShape = field(default_factory=LeanShape)
    seed: int = DistillationSettings.seed
    quietening_db: float = DistillationSettings.quietening_db
    movement_weight: float = DistillationSettings.movement_weight

    @property
    def is_plain(self) -> bool:
        """Whether it is taught, and hears levels, as what ships: it shows what size and shape do."""
        return self == Candidate(replace(self.shape, level=LeanShape.level), self.seed)


CANDIDATES: Mapping[str, Candidate] = {
    SHIPPED: Candidate(),
    "shipped, other seed": Candidate(seed=2027),
    "width 0.25": Candidate(LeanShape(width=0.25)),
    "width 0.5": Candidate(LeanShape(width=0.5)),
    "width 1.5": Candidate(LeanShape(width=1.5)),
    "separable": Candidate(LeanShape(blocks="separable")),
    "dense, width 0.7": Candidate(LeanShape(blocks="dense", width=0.7)),
    "1-D": Candidate(LeanShape(dimensions=1)),
    "1-D, width 2": Candidate(LeanShape(dimensions=1, width=2.0)),
    "attention": Candidate(LeanShape(pooling="attention")),
    "64 bands": Candidate(LeanShape(n_mels=64)),
    "hop 512": Candidate(LeanShape(hop_length=512)),
    "48 bands, hop 512, width 0.35": Candidate(LeanShape(width=0.35, n_mels=48, hop_length=512)),
    "absolute level": Candidate(LeanShape(level="absolute")),
    "absolute level, quietened": Candidate(LeanShape(level="absolute"), quietening_db=45.0),
    "movement weight 1": Candidate(movement_weight=1.0),
}
"""Name → what is tried; the first is what ships."""

LEVELS_DB = (0.0, -20.0, -40.0)
"""Changes of level at which the Spearman correlation is measured, too."""


@dataclass(frozen=True)
class Quality:
    """Mean over tags of agreement with the ensemble, as on the model card."""

    spearman: float
    top_decile_auc: float
    within_song: float


@dataclass(frozen=True, kw_only=True)
class Point(Quality):
    """What was measured of one student on validation, beside its quality.

    Attributes
    ----------
    name
        Of the candidate.
    n_steps
        Steps of its training.
    spearman_by_level
        Change of level in dB → mean Spearman with the teachers' scores of the unchanged clips.
    n_parameters
        Of the network.
    gflop
        10⁹ operations for a song, as on the model card.
    n_bytes
        Of the model file.
    cpu_seconds
        Fastest of `N_RUNS` passes over a song.
    training_hours
        Processor time of the training.
    """

    name: str
    n_steps: int
    spearman_by_level: Mapping[str, float]
    n_parameters: int
    gflop: float
    n_bytes: int
    cpu_seconds: float
    training_hours: float


class FrontierSearch:
    """Trains and judges candidates one after the other; what is in the folder is not computed again.

    Parameters
    ----------
    plan
        What to train from; the shape and parts of the settings are the candidates'.
    folder
        For runs, model files and points.
    candidates
        What can be tried.
    """

    def __init__(self, plan: Plan, folder: Path, candidates: Mapping[str, Candidate] = CANDIDATES) -> None:
        self._plan = plan
        self._folder = folder
        self._candidates = candidates
        self._lessons: tuple[object, list[Lesson]] | None = None

    def point(self, name: str) -> Point:
        """Return the point of a candidate, after training and judging it where that was not done yet."""
        record = self._path(name, ".json")
        if not record.exists():
            record.parent.mkdir(parents=True, exist_ok=True)
            point = self._judge(name, *self._train(name))
            record.write_text(json.dumps(asdict(point), indent=1), encoding="utf-8")
        return Point(**json.loads(record.read_text(encoding="utf-8")))

    def points(self) -> list[Point]:
        """Return the points of all candidates that were tried."""
        return [self.point(name) for name in self._candidates if self._path(name, ".json").exists()]

    def time_again(self) -> None:
        """Measure the CPU seconds of all that were tried anew, one after the other."""
        for point in self.points():
            timed = replace(point, cpu_seconds=self._measure_seconds(point.name))
            self._path(point.name, ".json").write_text(json.dumps(asdict(timed), indent=1), encoding="utf-8")

    def _path(self, name: str, suffix: str) -> Path:
        n_steps = self._plan.distillation.n_steps
        plain = "".join(c if c.isalnum() else "_" for c in name)
        return self._folder / f"{n_steps}_steps" / f"{plain}{suffix}"

    def _training(self, name: str) -> DefaultModelTraining:
        candidate = self._candidates[name]
        settings = settings_for(candidate, self._plan.distillation)
        return DefaultModelTraining(replace(self._plan, shape=candidate.shape, distillation=settings))

    def _train(self, name: str) -> tuple[DefaultModelTraining, LeanCNN, float]:
        training = self._training(name)
        lessons = self._lessons_of(training)
        _log.info("training %s", name)
        start = time.process_time()
        model = training.train(lessons, checkpoint=self._path(name, ".pt"))
        return training, model, (time.process_time() - start) / 3600

    def _lessons_of(self, training: DefaultModelTraining) -> list[Lesson]:
        shape = training.plan.shape
        # The seed also draws the variations that the teachers heard: lessons are always the plan's.
        key = (shape.n_mels, shape.hop_length, shape.level)
        if self._lessons is None or self._lessons[0] != key:
            self._lessons = None  # before the next are made: half a gigabyte
            taught = DefaultModelTraining(replace(self._plan, shape=shape))
            self._lessons = key, taught.lessons()
        return self._lessons[1]

    def _judge(self, name: str, training: DefaultModelTraining, model: LeanCNN, hours: float) -> Point:
        path = self._path(name, ".onnx")
        export_model(model, _describe(training, model), path)
        session = Session(load_model_file(path))
        clips = training.held_out("validation")
        reference = [clip.reference for clip in clips]
        by_level = {db: score_clips(session, clips, gain_db=db) for db in LEVELS_DB}
        qualities = {db: judge_quality(reference, scores) for db, scores in by_level.items()}
        return Point(
            name=name,
            n_steps=training.plan.distillation.n_steps,
            **asdict(qualities[0.0]),
            spearman_by_level={f"{db:g}": quality.spearman for db, quality in qualities.items()},
            n_parameters=sum(parameter.numel() for parameter in model.parameters()),
            gflop=compute_song_gflop(model),
            n_bytes=path.stat().st_size,
            cpu_seconds=self._measure_seconds(name),
            training_hours=hours,
        )

    def _measure_seconds(self, name: str) -> float:
        song = make_song(DefaultModelTraining(self._plan).held_out("validation"))
        return measure_seconds(Session(load_model_file(self._path(name, ".onnx"))).run, song)


def settings_for(candidate: Candidate, common: DistillationSettings) -> DistillationSettings:
    """Return a candidate's settings; weights are averaged over the same share of the steps as in full."""
    full = DistillationSettings()
    return replace(
        common,
        seed=candidate.seed,
        quietening_db=candidate.quietening_db,
        movement_weight=candidate.movement_weight,
        averaging=1 - min(0.5, (1 - full.averaging) * full.n_steps / common.n_steps),
        checkpoint_every=common.n_steps // 2,
    )


def score_clips(session: Session, clips: Iterable[HeardClip], *, gain_db: float = 0.0) -> list[Waveform]:
    """Return the scores of every clip's chunks, (n_chunks, n_tags) each, of clips at another level."""
    factor = np.float32(10 ** (gain_db / 20))
    return [run_file(session, clip.waveform * factor)[0] for clip in clips]


def judge_quality(reference: Sequence[Waveform], scores: Sequence[Waveform]) -> Quality:
    """Compare scores with the ensemble's, one (n_chunks, n_tags) array per clip."""
    clip_reference, clip_scores = clip_means(reference), clip_means(scores)
    return Quality(
        _mean(spearman_per_tag(clip_reference, clip_scores)),
        _mean(top_decile_auc_per_tag(clip_reference, clip_scores)),
        _mean(within_song_correlation_per_tag(reference, scores)),
    )


def measure_seconds(work: Callable[[Waveform], object], chunks: Waveform) -> float:
    """Return the processor seconds of `work` on all chunks, the fastest of several passes."""
    seconds = []
    for _ in range(N_RUNS):
        start = time.process_time()
        for first in range(0, len(chunks), BATCH_SIZE):
            work(chunks[first : first + BATCH_SIZE])
        seconds.append(time.process_time() - start)
    return min(seconds)


def make_song(clips: Iterable[HeardClip]) -> Waveform:
    """Return the first chunks of clips, as many as a song has, shape (n_chunks, chunk_length)."""
    n_chunks = round(SONG_DURATION * SAMPLE_RATE / GRID_LENGTH)
    chunks: Waveform = np.concatenate([grid_chunks(clip.waveform) for clip in clips])[:n_chunks]
    return chunks


def frontier(points: Iterable[Point]) -> list[Point]:
    """Return the points that no other one beats in cost and Spearman correlation, cheapest first."""
    best: list[Point] = []
    for point in sorted(points, key=lambda point: (point.gflop, -point.spearman)):
        if not best or point.spearman > best[-1].spearman:
            best.append(point)
    return best


def knee(points: Sequence[Point]) -> Point:
    """Return the point of a frontier that lies farthest above the line from its cheapest to its dearest.

    The cost counts as a logarithm, both axes from 0 to 1 (Satopää et al., "Finding a 'kneedle' in
    a haystack", 2011). Fewer than three points have no knee in between: the last is returned.
    """
    if len(points) < 3:
        return points[-1]
    cost = np.log([point.gflop for point in points])
    quality = np.array([point.spearman for point in points])
    above = (quality - quality[0]) / (quality[-1] - quality[0]) - (cost - cost[0]) / (cost[-1] - cost[0])
    return points[int(above.argmax())]


def _describe(training: DefaultModelTraining, model: LeanCNN) -> Specification:
    about = model.architecture
    return Specification(
        name="candidate",
        architecture=about.name,
        sample_rate=about.sample_rate,
        chunk_duration=about.chunk_duration,
        chunk_hop=about.chunk_duration,
        front_end=about.front_end,
        embedding_dim=model.embedding_dim,
        tags=describe_default(training.ensemble.tags),
        training_data="A short run of distillation, to compare shapes; not for use.",
        licence="MIT",
        paper=about.paper,
    )


def _mean(per_tag: NDArray[np.float64]) -> float:
    return float(np.nanmean(per_tag))
