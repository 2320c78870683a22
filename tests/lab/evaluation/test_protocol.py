"""The protocol on real files: what is heard, in whatever batches, and what happens to clips that fail."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from taggram import Tagger
from taggram.errors import EvaluationError, UnknownNameError
from taggram.lab.datasets import Annotations, Dataset, Task, Track
from taggram.lab.evaluation.protocol import Evaluation, check_split, evaluate, fingerprint
from tests.inference.test_tagger import write_wav

Tone = Callable[..., np.ndarray]
FREQUENCIES = {"low": 300.0, "middle": 2000.0, "high": 3500.0}


@dataclass(frozen=True, kw_only=True)
class Tones(Dataset):
    """Files `<label>-<n>.wav`, each with the label in its name; others have none."""

    labels: tuple[str, ...]

    def _read(self, root: Path) -> Annotations:
        tracks = tuple(
            Track(path.stem, path, tuple(label for label in self.labels if path.stem.startswith(label)))
            for path in sorted(root.glob("*.wav"), reverse=True)
        )
        return Annotations(self.labels, {"test": tracks, "train": (), "validation": ()})


def tones(task: Task = "multi_label", labels: tuple[str, ...] = ("low", "high", "middle")) -> Tones:
    return Tones(
        name="tones", title="", description="", citation="", licence="", source="", task=task, labels=labels
    )


@pytest.fixture
def root(tmp_path: Path, tone: Tone) -> Path:
    """Nine clips of 2.5 s: three of each band."""
    folder = tmp_path / "tones"
    folder.mkdir()
    for label, frequency in FREQUENCIES.items():
        for number in range(3):
            write_wav(folder / f"{label}-{number}.wav", tone(frequency + 40 * number, 2.5))
    return folder


def test_every_clip_is_heard_as_the_tagger_hears_it(tiny_model: Path, root: Path) -> None:
    with Tagger.load(tiny_model) as tagger:
        found = evaluate(tagger, tones(), root)
        alone = tagger.tag(root / "high-1.wav")
    assert found.ids == tuple(sorted(path.stem for path in root.glob("*.wav")))
    assert found.tags == ("low", "high", "middle")
    columns = [[tag.name for tag in tagger.specification.tags].index(tag) for tag in found.tags]
    np.testing.assert_allclose(
        found.y_score[found.ids.index("high-1")], alone.clip_scores[columns], atol=1e-6
    )
    # in every band's tag the clips of that band stand first
    for column in range(3):
        with_tag = found.y_score[found.y_true[:, column], column]
        assert with_tag.min() > found.y_score[~found.y_true[:, column], column].max()
    assert found.scored_fingerprint == found.split_fingerprint == tones().fingerprint(root, "test")
    assert found.model.weights_sha256 == tagger.specification.weights_sha256
    assert {"taggram", "numpy", "onnxruntime"} <= found.versions.keys()
    assert found.failed == {}


@pytest.mark.parametrize(("batch_size", "n_threads"), [(1, 1), (3, 2), (7, 1)])
def test_batches_and_threads_do_not_matter(
    tiny_model: Path, root: Path, batch_size: int, n_threads: int
) -> None:
    with Tagger.load(tiny_model) as tagger:
        expected = evaluate(tagger, tones(), root, chunk_hop=0.3)
    with Tagger.load(tiny_model, batch_size=batch_size, n_threads=n_threads) as tagger:
        found = evaluate(tagger, tones(), root, chunk_hop=0.3)
    np.testing.assert_allclose(found.y_score, expected.y_score, atol=1e-6)
    assert found.conditions.chunk_hop == 0.3


def test_clips_that_cannot_be_heard_are_named_and_change_the_fingerprint(
    tiny_model: Path, root: Path, tone: Tone
) -> None:
    write_wav(root / "low-short.wav", tone(300, 0.2))
    (root / "high-broken.wav").write_bytes(b"no sound " * 99)
    with Tagger.load(tiny_model) as tagger:
        found = evaluate(tagger, tones(), root)
    assert len(found.ids) == 9
    assert found.failed["low-short"].startswith("too_short: ")
    assert set(found.failed) == {"low-short", "high-broken"}
    assert found.scored_fingerprint != found.split_fingerprint
    assert found.scored_fingerprint == fingerprint(found.ids, found.tags)


def test_deformations_are_applied_before_the_model_hears(tiny_model: Path, root: Path) -> None:
    heard: list[tuple[int, int]] = []

    def turn_over(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
        heard.append((len(waveform), sample_rate))
        # times (−1)ⁿ: low becomes high
        return waveform * np.where(np.arange(len(waveform)) % 2, -1, 1).astype(np.float32)

    (root / "low-broken.wav").write_bytes(b"no sound " * 99)
    with Tagger.load(tiny_model) as tagger:
        plain = evaluate(tagger, tones(), root)
        same = evaluate(tagger, tones(), root, deform=lambda waveform, rate: waveform)
        turned = evaluate(tagger, tones(), root, deform=turn_over, deformation="spectrum turned over")
    np.testing.assert_allclose(same.y_score, plain.y_score, atol=1e-6)
    assert heard == [(20_000, 8000)] * 9
    assert turned.conditions.deformation == "spectrum turned over"
    assert set(turned.failed) == {"low-broken"}
    low, high = plain.ids.index("low-1"), plain.tags.index("high")
    assert turned.y_score[low, high] > plain.y_score[low, high] + 0.1


def test_tags_that_the_model_does_not_know(tiny_model: Path, root: Path) -> None:
    write_wav(root / "shrill-0.wav", np.sin(np.arange(16_000) * 2.5).astype(np.float32))
    data = tones(labels=("low", "shrill", "high"))
    with Tagger.load(tiny_model) as tagger:
        by_name = evaluate(tagger, data, root)
        mapped = evaluate(tagger, data, root, tag_mapping={"shrill": ("high",)})
    assert by_name.uncovered == ("shrill",)
    assert by_name.tags == ("low", "high")
    assert by_name.y_true.shape == by_name.y_score.shape == (10, 2)
    assert mapped.tags == data.labels
    np.testing.assert_array_equal(mapped.y_score[:, 1], mapped.y_score[:, 2])
    assert mapped.conditions.tag_mapping == {"shrill": ["high"]}


def test_multi_class(tiny_model: Path, root: Path) -> None:
    with Tagger.load(tiny_model) as tagger:
        found = evaluate(tagger, tones("multi_class"), root)
        with pytest.raises(EvaluationError, match="does not know shrill"):
            evaluate(tagger, tones("multi_class", labels=("low", "shrill", "middle", "high")), root)
    assert [found.tags[label] for label in found.labels] == [name.partition("-")[0] for name in found.ids]


def test_what_cannot_be_evaluated(tiny_model: Path, root: Path) -> None:
    with Tagger.load(tiny_model) as tagger:
        with pytest.raises(EvaluationError, match="chords"):
            evaluate(tagger, tones("chords"), root)
        with pytest.raises(EvaluationError, match="none of 0 clips"):
            evaluate(tagger, tones(), root, "train")
        with pytest.raises(UnknownNameError, match="did you mean 'test'"):
            check_split(tones(), "tset")


def test_an_evaluation_must_fit_together(make_evaluation: Callable[..., Evaluation]) -> None:
    with pytest.raises(EvaluationError, match=r"shape \(80, 6\)"):
        Evaluation(**{**vars(make_evaluation()), "y_true": np.zeros((80, 5), bool)})
    with pytest.raises(EvaluationError, match="exactly one label"):
        Evaluation(**{**vars(make_evaluation()), "task": "multi_class"})
