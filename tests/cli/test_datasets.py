"""`taggram datasets` as a user runs it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from taggram.cli.main import app
from taggram.errors import DatasetError
from taggram.lab.datasets import AudioCache, list_datasets
from taggram.lab.datasets.synthetic import render


def taggram(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["datasets", *map(str, arguments)])


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic set of five clips."""
    root = tmp_path_factory.mktemp("copy")
    render(root, n_clips=5)
    return root


def test_list_names_every_variant() -> None:
    done = taggram("list")
    assert done.exit_code == 0
    header, *lines = done.stdout.splitlines()
    assert header.split()[:3] == ["name", "dataset", "task"]
    assert [line.split()[0] for line in lines] == [dataset.name for dataset in list_datasets()]
    line = next(line for line in lines if line.startswith("magnatagatune:top50 "))
    assert line.split()[1:] == ["MagnaTagATune", "multi-label", "50", "15247", "/", "1529", "/", "4332"]
    assert json.loads(taggram("list", "--json").stdout)[0]["name"] == lines[0].split()[0]


def test_show_describes(copy: Path) -> None:
    done = taggram("show", "fma")
    assert done.exit_code == 0
    facts, _, documentation = done.stdout.partition("\n\n")
    lines = dict(line.split(": ", 1) for line in facts.splitlines())
    assert "Layout of the root: the folder `fma_metadata` with `tracks.csv`" in documentation
    assert lines["name"] == "fma:small"
    assert lines["n tracks"] == "train 6400, validation 800, test 800"
    assert "sha1 ade154f733639d52e35e32f5593efe5be76c6d70" in lines["files"]
    assert json.loads(taggram("show", "fma", "--json").stdout)["n_tags"] == 8
    assert "even copies of one recording" in taggram("show", "gtzan:random").stdout


def test_validate_says_whether_a_copy_is_complete(copy: Path, tmp_path: Path) -> None:
    done = taggram("validate", "synthetic", copy)
    assert (done.exit_code, done.stdout) == (0, "synthetic: complete; train 3, validation 1, test 1\n")
    render(tmp_path, n_clips=30)
    for path in (tmp_path / "audio").rglob("*.wav"):
        path.unlink()
    done = taggram("validate", "synthetic", tmp_path)
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert lines[:2] == [
        "synthetic: not complete; train 18, validation 6, test 6",
        "  missing: 30 files",
    ]
    assert lines[-3:] == [
        "    and 10 more; --json names all",
        "  where to get it: python -m taggram.lab.datasets.synthetic FOLDER",
        "  how it is to lie there: taggram datasets show synthetic",
    ]
    report = json.loads(taggram("validate", "synthetic", tmp_path, "--json").stdout)
    assert len(report["missing"]) == 30
    assert report["is_complete"] is False


def test_prepare_decodes_and_names_what_is_left_out(copy: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    done = taggram("prepare", "synthetic", copy, cache, "--dry-run")
    assert done.exit_code == 0
    assert done.stdout.startswith("5 of 5 tracks to decode: about 0.00 GB, ")
    assert not cache.exists()
    done = taggram("prepare", "synthetic", copy, cache, "--sample-rate", 8000, "--workers", 1)
    assert done.exit_code == 0
    assert done.stdout.splitlines()[1:] == ["5 tracks decoded, 0 left out"]
    assert AudioCache(cache).sample_rate == 8000
    assert taggram("prepare", "synthetic", copy, cache, "--sample-rate", 8000).stdout.startswith("0 of 5")
    assert isinstance(taggram("prepare", "synthetic", copy, cache).exception, DatasetError)

    render(tmp_path / "bad", n_clips=5)
    victim = next(iter(sorted((tmp_path / "bad" / "audio").rglob("*.wav"))))
    victim.write_bytes(b"no sound")
    done = taggram("prepare", "synthetic", tmp_path / "bad", tmp_path / "other", "--workers", 1)
    assert done.exit_code == 1
    assert done.stdout.splitlines()[1] == "4 tracks decoded, 1 left out"
    assert done.stdout.splitlines()[2].startswith(f"  {victim.stem}: not_audio: {victim}")


def test_prepare_stopped_says_how_to_go_on(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("taggram.cli._progress.track", interrupted)
    done = taggram("prepare", "synthetic", copy, tmp_path / "cache", "--workers", 1)
    assert done.exit_code == 130
    assert done.stderr == "taggram: stopped; the same command goes on from here\n"
    monkeypatch.undo()
    done = taggram("prepare", "synthetic", copy, tmp_path / "cache", "--workers", 1)
    assert done.stdout.splitlines()[-1] == "5 tracks decoded, 0 left out"


def test_stats_counts_and_names_the_splits(copy: Path) -> None:
    done = taggram("stats", "synthetic", copy)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["split", "tracks", "artists", "tags", "per", "track", "fingerprint"]
    assert lines[1].split()[:3] == ["train", "3", "3"]
    assert len(lines[1].split()[-1]) == 64
    assert "0 artists in several splits" in lines
    report = json.loads(taggram("stats", "synthetic", copy, "--json").stdout)
    assert report["splits"]["test"]["n_tracks"] == 1
    labelled = sum(count for tag in report["tags"].values() for count in tag.values())
    assert labelled == sum(round(s["tags_per_track"] * s["n_tracks"]) for s in report["splits"].values())


def test_errors_suggest_a_name_or_a_flag(tmp_path: Path) -> None:
    assert "did you mean 'gtzan'?" in str(taggram("show", "gtzn").exception)
    assert "did you mean 'fma:medium'?" in str(taggram("show", "fma:mediun").exception)
    assert "--allow-artist-leakage" in str(taggram("stats", "gtzan:random", tmp_path).exception)
