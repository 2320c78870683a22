"""`taggram library` as a user runs it: every command, its output and its exit status."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from taggram.library import Library
from taggram.modelfile.container import seal
from tests.cli.test_tag import COMMAND, taggram
from tests.conftest import tiny_graph, tiny_specification
from tests.inference.test_tagger import write_wav

Tone = Callable[..., np.ndarray]


@pytest.fixture
def music(tmp_path: Path, tone: Tone) -> Path:
    """Two songs, one of them twice, and a file that is none."""
    folder = tmp_path / "music"
    (folder / "deep").mkdir(parents=True)
    write_wav(folder / "low.wav", tone(300, 2.0))
    write_wav(folder / "high 🎵.wav", tone(3500, 2.0))
    shutil.copy(folder / "low.wav", folder / "deep" / "low again.wav")
    (folder / "broken.mp3").write_bytes(b"nothing to hear " * 100)
    (folder / "cover.jpg").write_bytes(b"\xff\xd8")
    return folder


def add(music: Path, model: Path, *more: object) -> subprocess.CompletedProcess[str]:
    return taggram("library", "add", music, "--model", model, *more)


def test_add_status_and_report(music: Path, tiny_model: Path) -> None:
    done = add(music, tiny_model)
    assert done.returncode == 1  # one file is no sound
    first, second = done.stdout.splitlines()
    assert first == "files: 4 new, 1 no sound by name"
    assert re.fullmatch(
        r"4 files looked at: 3 tagged, 1 not audio; 1 of a known sound — 4 s of sound in .*, "
        r"\d+ files an hour, \d+ × real time",
        second,
    )
    status = json.loads(taggram("library", "status", "--json").stdout)
    assert status["schema"] == "taggram-library-status/1"
    assert sum(status["states"].values()) == status["files"] == 4
    assert (status["recordings"], status["duration"]) == (2, 4.0)
    assert status["roots"] == [str(music)]
    assert status["models"][0]["name"] == "tiny"
    lines = dict(line.split(maxsplit=1) for line in taggram("library", "status").stdout.splitlines())
    assert lines["files"] == "4, 3 tagged, 1 not audio"
    assert lines["model"] == "tiny: 2 recordings"
    problem, total = taggram("library", "report").stdout.splitlines()
    assert problem.startswith(f"not audio    {music / 'broken.mp3'}: is in no sound format")
    assert total == "4 files: 3 tagged, 1 not audio"


def test_report_sums_to_the_inputs(music: Path, tiny_model: Path) -> None:
    add(music, tiny_model)
    (music / "low.wav").unlink()
    (music / "high 🎵.wav").unlink()
    assert taggram("library", "update", "--model", tiny_model).stdout.splitlines() == [
        "files: 2 missing, 2 as before, 1 no sound by name",
        "1 missing file found elsewhere in the library",
        "nothing new to look at",
    ]
    document = json.loads(taggram("library", "report", "--all", "--json").stdout)
    assert document["schema"] == "taggram-library-report/1"
    summary = document["summary"]
    assert summary.pop("inputs") == sum(summary.values()) == len(document["files"]) == 3
    assert summary == {"tagged": 1, "not_audio": 1, "missing": 1}
    document = json.loads(taggram("library", "report", music / "deep", "--json").stdout)
    assert (document["files"], document["summary"]) == ([], {"inputs": 1, "tagged": 1})
    assert taggram("library", "remove", "--missing").stdout == "1 file taken out of the library\n"


def test_check(music: Path, tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "own.db"
    add(music, tiny_model, "--library", path)
    assert taggram("library", "status", "--check", "--library", path).returncode == 0
    with Library.open(path) as library:
        library.connection.execute("PRAGMA foreign_keys = OFF")
        library.connection.execute("DELETE FROM recording")
    done = taggram("library", "status", "--check", "--library", path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "own.db: damaged: row 2 of file refers to a row of recording that is not there" in done.stderr


def test_duplicates(music: Path, tiny_model: Path) -> None:
    add(music, tiny_model)
    pair = [str(music / "deep" / "low again.wav"), str(music / "low.wav")]
    document = json.loads(taggram("library", "report", "--duplicates", "--json").stdout)
    assert [sorted(group) for group in document["duplicates"]] == [pair]
    lines = taggram("library", "report", "--duplicates").stdout.splitlines()
    assert sorted(lines[:2]) == pair
    assert lines[-1] == "2 files with 1 recording between them"


def test_update_takes_what_is_new(music: Path, tiny_model: Path, tone: Tone) -> None:
    add(music / "deep", tiny_model, "--quiet")
    write_wav(music / "deep" / "new.wav", tone(1000, 3.0))
    done = taggram("library", "update", "--model", tiny_model)
    assert done.returncode == 0
    assert done.stdout.startswith("files: 1 new, 1 as before\n1 file looked at: 1 tagged — 3 s of sound")


def test_remove(music: Path, tiny_model: Path) -> None:
    add(music, tiny_model)
    assert taggram("library", "remove", music / "deep").stdout == "1 file taken out of the library\n"
    assert taggram("library", "remove", music).stdout == "3 files taken out of the library\n"
    assert taggram("library", "status").stdout.splitlines()[1] == "files       0"
    assert (music / "low.wav").exists()


def test_retry(music: Path, tiny_model: Path) -> None:
    add(music, tiny_model)
    assert "nothing new to look at" in add(music, tiny_model).stdout
    assert "1 file looked at: 1 not audio" in add(music, tiny_model, "--retry").stdout


def test_export(music: Path, tiny_model: Path, tmp_path: Path) -> None:
    add(music, tiny_model)
    done = taggram("library", "export", tmp_path / "out.csv", "--top-k", 1)
    assert done.stdout == f"4 files written to {tmp_path / 'out.csv'}\n"
    lines = csv.DictReader((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines())
    tags = {Path(line["path"]).name: line["tag"] for line in lines}
    assert tags == {"low.wav": "low", "low again.wav": "low", "high 🎵.wav": "high", "broken.mp3": ""}
    taggram("library", "export", tmp_path / "out.parquet", "-q")
    assert (tmp_path / "out.parquet").read_bytes().startswith(b"PAR1")
    taggram("library", "export", tmp_path / "all.txt", "--format", "jams")
    assert len((tmp_path / "all.txt").read_text().splitlines()) == 4


def test_a_library_of_ones_own(music: Path, tiny_model: Path, tmp_path: Path) -> None:
    add(music, tiny_model, "--library", tmp_path / "own.db")
    assert taggram("library", "status").returncode == 2
    assert taggram("library", "status", "--library", tmp_path / "own.db").returncode == 0


def test_the_library_stays_with_its_model(music: Path, tiny_model: Path) -> None:
    add(music, tiny_model)
    done = taggram("library", "update")
    assert done.returncode == 2
    assert "the model 'tiny' has listened so far, but cannot be loaded by this name" in done.stderr
    models = Path(os.environ["TAGGRAM_CACHE"]) / "models"
    models.mkdir()
    shutil.copy(tiny_model, models)
    assert "nothing new to look at" in taggram("library", "update").stdout


def test_another_model_listens_to_all(music: Path, tiny_model: Path, tmp_path: Path) -> None:
    add(music, tiny_model)
    other = tmp_path / "other.onnx"
    graph = tiny_graph(tiny_specification()).replace(b"tiny", b"TINY")
    other.write_bytes(seal(graph, tiny_specification().model_copy(update={"name": "other"})))
    _, said, summary = taggram("library", "update", "--model", other).stdout.splitlines()
    assert said.startswith("model: other with these weights is new to this library and hears all of it")
    assert summary.startswith("3 files looked at: 3 tagged; 1 of a known sound — 4 s of sound")
    models = json.loads(taggram("library", "status", "--json").stdout)["models"]
    assert [(model["name"], model["recordings"]) for model in models] == [("other", 2), ("tiny", 2)]
    assert taggram("library", "remove", "--model", "other").stdout == (
        "the model 'other' taken out of the library\n"
    )
    assert "tiny: 2 recordings" in taggram("library", "status").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "/no/such/place"], "/no/such/place: does not exist; check the path"),
        (["status"], "there is no library yet; `taggram library add DIR` makes one"),
        (["status", "--library", __file__], "no library: put a copy back"),
        (["export", "out.csv"], "there is no library yet"),
        (["export", "out.doc"], "does not say which form; give --format csv|parquet|jams"),
        (["remove"], "name files or directories, or give --missing or --model"),
        (["watch"], "there is no library yet"),
    ],
)
def test_usage_errors(arguments: list[str], said: str) -> None:
    done = taggram("library", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_interruption_keeps_what_is_done(tmp_path: Path, tiny_model: Path, tone: Tone) -> None:
    music = tmp_path / "many"
    music.mkdir()
    for number in range(400):
        write_wav(music / f"{number}.wav", np.tile(tone(200 + number, 2.0), 30))
    command = [*COMMAND, "library", "add", str(music), "--model", str(tiny_model)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "files: 400 new\n"
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "finishing the files in hand" in stderr
    states = json.loads(taggram("library", "status", "--json").stdout)["states"]
    assert 0 < states["tagged"] < 400
    assert states["tagged"] + states["waiting"] == 400
    assert f"{states['waiting']} still waiting" in stdout


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_watch(music: Path, tiny_model: Path, tone: Tone) -> None:
    add(music, tiny_model)
    command = [*COMMAND, "library", "watch", "--model", str(tiny_model), "--quiet-time", "0.2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1)
    assert process.stdout is not None
    assert process.stdout.readline() == "files: 4 as before, 1 no sound by name\n"
    assert process.stdout.readline() == "nothing new to look at\n"
    new = write_wav(music / "new.wav", tone(1000, 2.0))
    assert process.stdout.readline() == f"{new}  tagged\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 0
