"""`taggram models` as a user runs it: list, show, pull offline, import, export, verify."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from taggram.inference.session import Session
from taggram.lab.models import MODELS
from taggram.modelfile.reader import load_model_file
from taggram.modelfile.specification import Waveform
from tests.cli.test_tag import taggram
from tests.inference.test_tagger import write_wav


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Weights of a musicnn with three tags, as a user may have trained them."""
    torch.manual_seed(0)
    path = tmp_path / "mine.pth"
    torch.save(MODELS.get("musicnn")(3).state_dict(), path)
    return path


@pytest.fixture
def vocabulary(tmp_path: Path) -> Path:
    path = tmp_path / "tags.txt"
    path.write_text("fado\tgenre\nguitarra portuguesa\tinstrument\nsaudade\tmood\n", encoding="utf-8")
    return path


def imported(weights: Path, vocabulary: Path, *more: object) -> subprocess.CompletedProcess[str]:
    return taggram(
        "models", "import", weights, "--architecture", "musicnn", "--vocabulary", vocabulary, *more
    )


def test_list_names_what_ships_and_what_is_published() -> None:
    done = taggram("models", "list")
    assert done.returncode == 0
    lines = {line.split()[0]: line for line in done.stdout.splitlines()[1:]}
    assert lines["default"].rstrip().endswith("shipped")
    assert lines["musicnn-magnatagatune"].rstrip().endswith("published")
    document = json.loads(taggram("models", "list", "--json").stdout)
    assert document["schema"] == "taggram-models/1"
    assert {entry["name"] for entry in document["models"]} == lines.keys()


def test_show_tells_where_a_model_comes_from(tiny_model: Path) -> None:
    done = taggram("models", "show", tiny_model)
    assert done.returncode == 0
    for said in ("three_bands", "8000 Hz", "none: the weights are set by hand", "low", "middle", "high"):
        assert said in done.stdout
    assert json.loads(taggram("models", "show", "default", "--json").stdout)["name"]


def test_own_weights_become_a_model_that_is_used_by_name(
    weights: Path, vocabulary: Path, tmp_path: Path
) -> None:
    done = imported(weights, vocabulary, "--licence", "CC0-1.0")
    assert done.returncode == 0, done.stderr
    assert "written" in done.stdout
    assert "mine" in taggram("models", "list").stdout
    song = write_wav(tmp_path / "song.wav", np.random.default_rng(0).normal(0, 0.1, 64_000), 16_000)
    tagged = taggram("tag", song, "--model", "mine", "--format", "json")
    tags = json.loads(tagged.stdout)["files"][0]["tags"]
    assert {(tag["name"], tag["category"]) for tag in tags} == {
        ("fado", "genre"), ("guitarra portuguesa", "instrument"), ("saudade", "mood")
    }  # fmt: skip


def test_weights_of_another_vocabulary_are_refused(weights: Path, tmp_path: Path) -> None:
    two = tmp_path / "two.txt"
    two.write_text("a\nb\n")
    done = imported(weights, two, "--output", tmp_path / "out.onnx")
    assert done.returncode == 2
    assert "Was it trained with this vocabulary?" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out.onnx").exists()


def test_export_self_contained_and_int8(weights: Path, vocabulary: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    assert imported(weights, vocabulary, "--output", model).returncode == 0
    folder = tmp_path / "clips"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for n in range(8):
        write_wav(folder / f"{n}.wav", rng.normal(0, 0.02 * (n + 1), 96_000).clip(-1, 1), 16_000)

    inside = tmp_path / "inside.onnx"
    assert taggram("models", "export", model, inside, "--self-contained").returncode == 0
    assert load_model_file(inside).specification.front_end == Waveform()
    waveform = rng.normal(0, 0.1, (1, 48_000)).astype(np.float32)
    scores = [Session(load_model_file(path)).run(waveform)[0] for path in (model, inside)]
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-4)

    small = tmp_path / "int8.onnx"
    done = taggram("models", "export", model, small, "--int8", "--calibration", folder)
    assert done.returncode == 0, done.stderr
    assert "Spearman correlation with the 32-bit scores" in done.stdout
    assert small.stat().st_size < model.stat().st_size / 2
    assert taggram("models", "verify", small).returncode == 0


def test_int8_needs_calibration(tiny_model: Path, tmp_path: Path) -> None:
    done = taggram("models", "export", tiny_model, tmp_path / "out.onnx", "--int8")
    assert done.returncode == 2
    assert "--calibration" in done.stderr


def test_verify_finds_a_changed_file(tiny_model: Path) -> None:
    assert taggram("models", "verify", tiny_model).stdout.count("ok") >= 5
    data = bytearray(tiny_model.read_bytes())
    data[len(data) // 3] ^= 1
    tiny_model.write_bytes(data)
    done = taggram("models", "verify", tiny_model)
    assert done.returncode == 2
    assert str(tiny_model) in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [("pull",), ("pull", "musicnn-magnatagatune", "--all")])
def test_pull_wants_names_or_all(arguments: tuple[str, ...]) -> None:
    assert taggram("models", *arguments).returncode == 2


def test_unknown_names_get_a_suggestion() -> None:
    done = taggram("models", "pull", "musicnn-magnatagatun")
    assert done.returncode == 2
    assert "did you mean 'musicnn-magnatagatune'" in done.stderr


def test_pull_from_a_folder_without_the_file(tmp_path: Path) -> None:
    done = taggram("models", "pull", "musicnn-magnatagatune", "--from", tmp_path)
    assert done.returncode == 2
    assert str(tmp_path) in done.stderr


def test_pull_from_a_folder(shared: Path) -> None:
    done = taggram("models", "pull", "musicnn-magnatagatune", "--from", shared / "peers" / "weights")
    assert done.returncode == 0, done.stderr
    assert "checks passed" in done.stdout
    again = taggram("models", "pull", "musicnn-magnatagatune", "--from", shared / "peers" / "weights")
    assert "already here" in again.stdout
    verified = taggram("models", "verify", "musicnn-magnatagatune")
    assert verified.returncode == 0
    assert "numpy and torch agree" in verified.stdout
