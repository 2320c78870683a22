import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from taggram.lab.models.lean_cnn import LeanCNN, LeanShape
from taggram.lab.training.agreement import spearman_per_tag
from taggram.lab.training.default_model import log_mel
from taggram.lab.training.distillation import DistillationSettings, Lesson, distil, draw_batch, quieten

FRAMES_PER_CHUNK = 187.5
N_TAGS = 3
SETTINGS = DistillationSettings(
    n_steps=40, clips_per_step=4, chunks_per_clip=2, averaging=0.9, checkpoint_every=10, warm_up=0.1
)


def synthetic_lessons(n_clips: int, seed: int) -> list[Lesson]:
    """Clips of two chunks in which three bands are louder or softer; the teacher hears just that."""
    rng = np.random.default_rng(seed)
    lessons = []
    for _ in range(n_clips):
        levels = rng.uniform(-3, 3, (2, N_TAGS))
        bands = np.repeat(levels, LeanShape().n_mels // N_TAGS, axis=1)
        frames = np.repeat(bands, 188, axis=0)[: int(2 * FRAMES_PER_CHUNK) + 1]
        noise = rng.normal(0, 0.5, frames.shape)
        scores = 1 / (1 + np.exp(2 - levels))
        lessons.append(
            Lesson((frames + noise).astype(np.float16), scores.astype(np.float32), levels.astype(np.float16))
        )
    return lessons


def fresh_student() -> LeanCNN:
    torch.manual_seed(0)
    return LeanCNN(N_TAGS)


def clip_scores(model: LeanCNN, lessons: list[Lesson]) -> np.ndarray:
    chunks = torch.from_numpy(np.stack([x.log_mel[:188] for x in lessons]).astype(np.float32))
    with torch.no_grad():
        return np.asarray(model.head(model.embed_log_mel(chunks)).sigmoid().numpy())


def test_student_learns_what_the_teacher_says_of_unseen_clips() -> None:
    student = distil(fresh_student(), synthetic_lessons(32, seed=1), FRAMES_PER_CHUNK, SETTINGS)
    unseen = synthetic_lessons(40, seed=2)
    reference = np.stack([x.targets[0] for x in unseen])
    # Chance is 0 with a standard deviation of 0.16 for 40 clips.
    assert spearman_per_tag(reference, clip_scores(student, unseen)).min() > 0.7


def test_interrupted_run_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    lessons = synthetic_lessons(8, seed=1)
    settings = replace(SETTINGS, n_steps=6, checkpoint_every=3)
    whole = distil(fresh_student(), lessons, FRAMES_PER_CHUNK, settings)

    class StopError(Exception):
        pass

    def stop(step: int, model: LeanCNN) -> None:
        raise StopError

    checkpoint = tmp_path / "run.pt"
    with pytest.raises(StopError):
        distil(
            fresh_student(), lessons, FRAMES_PER_CHUNK, settings, checkpoint=checkpoint, on_checkpoint=stop
        )
    resumed = distil(fresh_student(), lessons, FRAMES_PER_CHUNK, settings, checkpoint=checkpoint)
    before = fresh_student().state_dict()
    for (name, value), other in zip(whole.state_dict().items(), resumed.state_dict().values(), strict=True):
        torch.testing.assert_close(value, other, msg=name)
    assert not torch.equal(before["head.weight"], whole.state_dict()["head.weight"])


def test_batches_depend_on_the_generator_only() -> None:
    lessons = synthetic_lessons(6, seed=1)
    first, again, other = (
        draw_batch(lessons, FRAMES_PER_CHUNK, SETTINGS, np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    assert torch.equal(first.log_mel, again.log_mel)
    assert not torch.equal(first.log_mel, other.log_mel)


def test_chunks_have_their_own_targets(rng: np.random.Generator) -> None:
    settings = replace(SETTINGS, clips_per_step=6)
    lessons = synthetic_lessons(6, seed=1)
    batch = draw_batch(lessons, FRAMES_PER_CHUNK, settings, rng)
    # The teacher scores the level of each third of the bands: sound and target must tell the same.
    levels = batch.log_mel.mean(dim=1).reshape(12, N_TAGS, -1).mean(dim=2)
    torch.testing.assert_close(torch.logit(batch.targets), levels - 2, atol=0.1, rtol=0)
    assert batch.has_embedding.all()


def test_clip_without_teacher_embedding_is_marked(rng: np.random.Generator) -> None:
    lessons = synthetic_lessons(4, seed=1)
    lessons[2] = replace(lessons[2], teacher_embedding=None)
    batch = draw_batch(lessons, FRAMES_PER_CHUNK, SETTINGS, rng)
    assert batch.has_embedding.reshape(4, 2).sum(dim=1).tolist().count(0) == 1
    assert batch.teacher_embedding.shape == (8, N_TAGS)


@pytest.mark.parametrize("gain_db", [-20, -40])
def test_quietened_log_mel_is_that_of_the_softer_sound(gain_db: float, rng: np.random.Generator) -> None:
    shape = LeanShape(level="absolute")
    sound = (0.1 * rng.standard_normal(48_000)).astype(np.float32)
    sound[24_000:] *= 0.001  # at the softer level this half sinks below the offset of the logarithm
    loud = log_mel(sound, shape).astype(np.float32)
    soft = log_mel(sound * np.float32(10 ** (gain_db / 20)), shape)
    assert np.abs(soft - loud).max() > 1
    # Steps of half precision near the offset, ln 1e-5 = -11.5, are 0.008 of the log-mel.
    np.testing.assert_allclose(quieten(loud, np.array(10 ** (gain_db / 10))), soft, atol=0.02)


def test_half_of_the_clips_are_quietened_and_keep_their_targets() -> None:
    settings = replace(SETTINGS, clips_per_step=64)
    lessons = synthetic_lessons(64, seed=1)
    plain, soft = (
        draw_batch(lessons, FRAMES_PER_CHUNK, changed, np.random.default_rng(3))
        for changed in (settings, replace(settings, quietening_db=30.0))
    )
    assert torch.equal(plain.targets, soft.targets)
    drops = (plain.log_mel - soft.log_mel).mean(dim=(1, 2)).reshape(64, 2)
    # One drop for a clip; soft bands that sink to the offset lose a little less.
    torch.testing.assert_close(drops[:, 0], drops[:, 1], atol=0.15, rtol=0)
    assert 20 < int((drops[:, 0] < 0.01).sum()) < 44
    assert 5 < float(drops.max()) < 30 * math.log(10) / 10
