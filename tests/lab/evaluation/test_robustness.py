"""A robustness study: paired with the undeformed sound, the same again for the same seed, and readable."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from taggram.errors import EvaluationError, UnknownNameError
from taggram.inference.result import Outcome, TagResult
from taggram.lab.datasets import load_dataset
from taggram.lab.datasets.synthetic import TAGS, render
from taggram.lab.deformations import DEFORMATIONS
from taggram.lab.evaluation.robustness import (
    Selection,
    Study,
    list_selection,
    make_deform,
    parse_selection,
    study_robustness,
    write_study,
)
from taggram.lab.evaluation.run import read_run
from taggram.modelfile.specification import Specification, Tag, Waveform

SAMPLE_RATE = 16_000
SELECTION: Selection = {
    "white_noise": (0.01, 0.4),
    "gain": (-20.0,),
    "dynamic_range_compression": ("speech",),
}


class NoiseListener:
    """Scores every tag by the quietest moment's treble: good at "noise", and easily fooled by noise."""

    def __init__(self) -> None:
        self.heard: list[np.ndarray] = []
        self.specification = Specification(
            name="listener",
            architecture="none",
            sample_rate=SAMPLE_RATE,
            chunk_duration=1.0,
            chunk_hop=1.0,
            front_end=Waveform(),
            embedding_dim=1,
            tags=tuple(Tag(name=tag, category="other") for tag in TAGS),
            training_data="none",
            licence="MIT",
            paper="none",
        )

    def tag(self, source: np.ndarray, **options: Any) -> TagResult:
        self.heard.append(source)
        frames = source[: len(source) // 512 * 512].reshape(-1, 512)
        treble = np.abs(np.fft.rfft(frames * np.hanning(512)))[:, 192:].mean(axis=1)
        loudness = max(float(np.abs(source).max(initial=0)), 1e-9)
        score = min(1.0, float(np.quantile(treble, 0.1)) / loudness)
        is_silent = float(np.abs(source).max(initial=0)) < 1e-4
        n_tags = len(TAGS)
        return TagResult(
            outcome=Outcome.SILENT if is_silent else Outcome.TAGGED,
            duration=len(source) / SAMPLE_RATE,
            tags=(),
            clip_scores=np.full(n_tags, score, np.float32),
            taggram=np.full((1, n_tags), score, np.float32),
            chunk_times=np.zeros(1),
            embedding=np.zeros(1, np.float32),
            message="silence" if is_silent else "",
        )

    def tag_many(self, paths: Iterable[Path], **options: Any) -> Iterator[TagResult]:
        import soundfile

        for path in paths:
            yield self.tag(soundfile.read(path, dtype="float32")[0])


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synthetic")
    render(folder, n_clips=60)
    return folder


def study(root: Path, selection: Selection | None = None, **options: Any) -> Study:
    options = {"n_replicates": 100, **options}
    return study_robustness(
        NoiseListener(), load_dataset("synthetic"), root, selection=selection or SELECTION, **options
    )


def test_a_study_compares_with_the_undeformed_sound(root: Path) -> None:
    found = study(root)
    assert [condition.name for condition in found.conditions] == [
        "white_noise-0.01",
        "white_noise-0.4",
        "gain--20",
        "dynamic_range_compression-speech",
    ]
    noise = TAGS.index("noise")
    clean = found.clean.figures.per_tag["roc_auc"].metric.at(noise)
    weak, strong, gain, _ = (c.figures.per_tag["roc_auc"].metric.at(noise) for c in found.conditions)
    assert clean is not None
    assert weak is not None
    assert strong is not None
    assert clean > 0.8
    assert clean >= weak > strong
    assert gain == pytest.approx(clean, abs=0.02), "the listener does not mind the level"
    for condition in found.conditions:
        assert condition.evaluation.conditions.deformation == condition.name
        assert condition.evaluation.ids == found.clean.evaluation.ids
        difference = found.difference(condition, "roc_auc")
        value, before = condition.figure("roc_auc").value, found.clean.figure("roc_auc").value
        assert difference is not None
        assert value is not None
        assert before is not None
        assert difference.value == pytest.approx(value - before)
        assert difference.interval.low <= difference.interval.high


def test_the_identity_gives_no_difference(root: Path) -> None:
    found = study(root, {"gain": (0.0,)})
    difference = found.difference(found.conditions[0], "pr_auc")
    assert difference is not None
    assert difference.value == 0
    assert (difference.interval.low, difference.interval.high) == (0, 0)


def test_the_same_seed_gives_the_same_study(root: Path) -> None:
    selection = {"white_noise": (0.1,)}
    first, again = (study(root, selection, seed=4).conditions[0].evaluation.y_score for _ in range(2))
    other = study(root, selection, seed=5).conditions[0].evaluation.y_score
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_what_a_clip_gets_does_not_depend_on_the_clips_before_it(rng: np.random.Generator) -> None:
    first, second = (rng.standard_normal(500).astype(np.float32) for _ in range(2))
    deform = make_deform(DEFORMATIONS.get("white_noise")(), 0.4, seed=1)
    alone = deform(first, SAMPLE_RATE)
    deform(second, SAMPLE_RATE)
    np.testing.assert_array_equal(deform(first, SAMPLE_RATE), alone)


def test_clips_that_fall_silent_are_left_out_and_counted(root: Path) -> None:
    found = study(root, {"gain": (-70.0,)})
    (condition,) = found.conditions
    n_clips = len(found.clean.evaluation.ids)
    assert 0 < condition.n_lost < n_clips
    assert len(condition.evaluation.ids) == n_clips - condition.n_lost


def test_writes_document_report_and_runs(root: Path, tmp_path: Path) -> None:
    found = study(root)
    write_study(tmp_path, found)
    document = json.loads((tmp_path / "robustness.json").read_text(encoding="utf-8"))
    assert document["schema"] == "taggram-robustness/1"
    by_name = {(c["deformation"], c["strength"]): c for c in document["conditions"]}
    assert by_name["white_noise", 0.4]["is_published"]
    assert not by_name["white_noise", 0.01]["is_published"]
    assert (
        by_name["gain", -20.0]["figures"]["roc_auc"]["value"] == found.conditions[2].figure("roc_auc").value
    )
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "White noise 0.4 share †" in report
    assert "Undeformed" in report
    for name in ("roc_auc", "pr_auc"):
        for theme in ("light", "dark"):
            plot = (tmp_path / "plots" / f"{name}-{theme}.svg").read_text(encoding="utf-8")
            assert "White noise" in plot or "<svg" in plot
    read = read_run(tmp_path / "runs" / "white_noise-0.4")
    np.testing.assert_allclose(read.y_score, found.conditions[1].evaluation.y_score)


def test_the_default_selection_is_everything_but_augmentation() -> None:
    found = list_selection()
    assert set(found) == set(DEFORMATIONS.names()) - {"mixing"}
    published = list_selection(only_published=True)
    assert set(published) == {"time_stretch", "pitch_shift", "dynamic_range_compression", "white_noise"}
    assert published["white_noise"] == (0.1, 0.4)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gain=-3", ("gain", (-3.0,))),
        ("pitch_shift", ("pitch_shift", (-2.0, -1.0, 1.0, 2.0))),
        ("dynamic_range_compression=speech,radio", ("dynamic_range_compression", ("speech", "radio"))),
    ],
)
def test_selections_are_read(text: str, expected: Any) -> None:
    assert parse_selection(text) == expected


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("gian=3", UnknownNameError, "did you mean 'gain'"),
        ("mixing", EvaluationError, "for augmentation only"),
        ("gain=loud", EvaluationError, "are numbers"),
        ("gain=nan", EvaluationError, "finite numbers"),
    ],
)
def test_wrong_selections_are_errors(text: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        parse_selection(text)


def test_a_wrong_strength_fails_before_anything_is_heard(root: Path) -> None:
    with pytest.raises(UnknownNameError, match="unknown preset 'musik'"):
        study(root, {"dynamic_range_compression": ("musik",)})
