"""`taggram evaluate` and `taggram tag-map` as a user runs them."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.inference.test_tagger import write_wav

COMMAND = [sys.executable, "-m", "taggram.cli.main"]


def taggram(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=300)


@pytest.fixture
def root(tmp_path: Path, tone: Callable[..., np.ndarray]) -> Path:
    """Tones in folders `<split>/<class>`, as the dataset `folder:names` reads them."""
    folder = tmp_path / "tones"
    for split in ("validation", "test"):
        for label, frequency in (("low", 300.0), ("middle", 2000.0), ("high", 3500.0)):
            directory = folder / split / label
            directory.mkdir(parents=True)
            for number in range(3):
                write_wav(directory / f"{number}.wav", tone(frequency + 30 * number, 1.5))
    return folder


def test_evaluate(tiny_model: Path, root: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    done = taggram(
        "evaluate", tiny_model, "folder:names", "--root", root, "--output", output, "--replicates", 100
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0].split()[:2] == ["Accuracy", "1.0000"]
    assert lines[-2:] == [str(output / "report.html"), str(output / "evaluation.json")]
    document = json.loads((output / "evaluation.json").read_text(encoding="utf-8"))
    assert document["dataset"]["n_clips"] == 9
    assert document["figures"]["recall"]["value"] == 1
    assert document["confusion"] == [[3, 0, 0], [0, 3, 0], [0, 0, 3]]
    assert document["bootstrap"]["n_replicates"] == 100
    assert (output / "report.md").is_file()


def test_clips_that_fail_are_said(tiny_model: Path, root: Path, tmp_path: Path) -> None:
    (root / "test" / "low" / "broken.wav").write_bytes(b"no sound " * 99)
    output = tmp_path / "run"
    done = taggram(
        "evaluate", tiny_model, "folder:names", "--root", root, "--output", output, "--replicates", 100
    )
    assert done.returncode == 1
    document = json.loads((output / "evaluation.json").read_text(encoding="utf-8"))
    assert len(document["dataset"]["failed_clips"]) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("folder:nams", "--root", "."), "did you mean 'folder:names'"),
        (("folder:names", "--root", "nowhere"), "nowhere: no such folder"),
        (("folder:names", "--root", ".", "--split", "tset"), "did you mean 'test'"),
        (
            ("folder:names", "--root", ".", "--tag-mapping", "missing.json"),
            "missing.json: the mapping of tags",
        ),
    ],
)
def test_what_cannot_run_says_why(tiny_model: Path, arguments: tuple[str, ...], said: str) -> None:
    done = taggram("evaluate", tiny_model, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_warning_of_ours_is_a_message(tmp_path: Path) -> None:
    done = taggram("datasets", "stats", "gtzan:random", tmp_path, "--allow-artist-leakage")
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("taggram: gtzan:random: a random split of GTZAN puts songs of one artist")


def test_tag_map_of_a_dataset(tmp_path: Path) -> None:
    root, output = tmp_path / "set", tmp_path / "map.png"
    root.mkdir()
    rows = [
        f"{i}.wav,{labels},train"
        for i, labels in enumerate(["rock;loud", "rock;fast", "jazz;slow", "jazz;soft"])
    ]
    (root / "manifest.csv").write_text("\n".join(["path,labels,split", *rows]) + "\n", encoding="utf-8")
    done = taggram(
        "tag-map", "--dataset", "folder:manifest", "--root", root, "--output", output, "--method", "pca"
    )
    assert done.returncode == 0, done.stderr
    assert output.read_bytes().startswith(b"\x89PNG")
    assert taggram("tag-map", "--output", tmp_path / "map.gif").returncode == 2
    assert "--root" in taggram("tag-map", "--dataset", "folder:manifest").stderr
