"""`taggram tag` as a user runs it: output, formats, exit status, odd names, interruption."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from taggram.modelfile.container import seal
from tests.conftest import tiny_graph, tiny_specification
from tests.inference.test_tagger import write_wav

Tone = Callable[..., np.ndarray]
COMMAND = [sys.executable, "-m", "taggram.cli.main"]


@pytest.fixture
def folder(tmp_path: Path, tone: Tone) -> Path:
    """Two songs, one broken file, one that is no audio by name."""
    folder = tmp_path / "music"
    (folder / "deep").mkdir(parents=True)
    write_wav(folder / "a low.wav", tone(300, 2.0))
    write_wav(folder / "deep" / "b 🎵.wav", tone(3500, 2.0))
    (folder / "broken.mp3").write_bytes(b"nothing to hear " * 100)
    (folder / "cover.jpg").write_bytes(b"\xff\xd8")
    return folder


@pytest.fixture
def careful_model(tmp_path: Path) -> Path:
    """The tiny model with a threshold and a name for every tag, and a least evidence."""
    tiny = tiny_specification()
    tags = tuple(
        tag.model_copy(update={"threshold": 0.5, "display_name": f"{tag.name.capitalize()} notes"})
        for tag in tiny.tags
    )
    specification = tiny.model_copy(update={"tags": tags, "least_evidence": 0.5})
    path = tmp_path / "careful.onnx"
    path.write_bytes(seal(tiny_graph(specification), specification))
    return path


def taggram(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=120,
    )


def test_table(tiny_model: Path, folder: Path) -> None:
    done = taggram("tag", folder / "a low.wav", "--model", tiny_model, "--threshold", 0.5)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0] == f"{folder / 'a low.wav'}  0:02"
    assert lines[1].split()[:2] == ["instrument", "low"]
    assert len(lines) == 2
    assert done.stderr.startswith("1 input: 1 tagged — 2 s of sound")


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv", "jams"])
def test_every_format_has_the_tags_above_threshold_and_all_on_request(
    careful_model: Path, tmp_path: Path, tone: Tone, form: str
) -> None:
    song = write_wav(tmp_path / "song.wav", tone(300, 2.0))

    def names(*options: str) -> set[str]:
        done = taggram("tag", song, "--model", careful_model, "--format", form, "-q", *options)
        assert done.returncode == 0
        return set(re.findall(r"\b(low|middle|high)\b", done.stdout.lower()))

    assert names() == {"low"}
    assert names("--all") == {"low", "middle", "high"}
    assert names("--threshold", "0") == {"low", "middle", "high"}
    assert len(names("--threshold", "0", "--top-k", "2")) == 2


def test_no_music_is_said_plainly(careful_model: Path, tmp_path: Path, tone: Tone) -> None:
    song = write_wav(tmp_path / "faint.wav", tone(300, 2.0) * 0.003)
    done = taggram("tag", song, "--model", careful_model, "-q")
    assert (done.returncode, done.stdout.strip()) == (0, f"{song}  0:02  no music, or not sure.")
    entry = json.loads(taggram("tag", song, "--model", careful_model, "--format", "jsonl", "-q").stdout)
    assert (entry["outcome"], entry["unsure"], entry["tags"]) == ("tagged", True, [])
    assert len(taggram("tag", song, "--model", careful_model, "--all", "-q").stdout.splitlines()) == 4


def test_a_file_without_a_clear_tag_says_so(careful_model: Path, tmp_path: Path, tone: Tone) -> None:
    song = write_wav(tmp_path / "song.wav", tone(300, 2.0))
    done = taggram("tag", song, "--model", careful_model, "--threshold", "1", "-q")
    assert done.stdout.splitlines() == [f"{song}  0:02", "  no tag is clear"]


def test_people_read_display_names(careful_model: Path, folder: Path) -> None:
    song = folder / "a low.wav"
    assert "Low notes" in taggram("tag", song, "--model", careful_model).stdout
    entry = json.loads(taggram("tag", song, "--model", careful_model, "--format", "jsonl").stdout)
    assert [entry["tags"][0][key] for key in ("name", "display_name")] == ["low", "Low notes"]


def test_json_lists_every_input(tiny_model: Path, folder: Path) -> None:
    done = taggram("tag", folder, "-r", "--model", tiny_model, "--format", "json", "--top-k", 1)
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert document["schema"] == "taggram/1"
    assert document["model"]["name"] == "tiny"
    found = {Path(entry["path"]).name: entry for entry in document["files"]}
    assert [entry["outcome"] for entry in found.values()] == ["tagged", "not_audio", "tagged"]
    assert found["b 🎵.wav"]["tags"][0]["name"] == "high"
    assert "broken.mp3" in found["broken.mp3"]["message"]
    summary = document["summary"]
    assert summary.pop("inputs") == sum(summary.values()) == 3
    assert done.stderr.strip().endswith("; 1 other files in the directories ignored")


def test_jsonl_csv_and_jams(tiny_model: Path, folder: Path, tmp_path: Path) -> None:
    song = folder / "a low.wav"
    lines = taggram("tag", song, song, "--model", tiny_model, "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line)["outcome"] for line in lines] == ["tagged", "tagged"]
    text = taggram("tag", song, "--model", tiny_model, "--format", "csv").stdout
    assert next(csv.DictReader(io.StringIO(text)))["tag"] == "low"
    output = tmp_path / "song.jams"
    done = taggram("tag", song, "--model", tiny_model, "--format", "jams", "--output", output, "-q")
    assert (done.stdout, done.stderr) == ("", "")
    assert json.loads(output.read_text())["annotations"][0]["data"][0]["value"] == "low"
    assert not list(tmp_path.glob("*.part"))


def test_taggram_folder(tiny_model: Path, folder: Path, tmp_path: Path) -> None:
    songs = [folder / "a low.wav", folder / "a low.wav", folder / "broken.mp3"]
    target = tmp_path / "taggrams"
    done = taggram("tag", *songs, "--model", tiny_model, "--taggram", target, "--format", "jsonl")
    first, second, broken = map(json.loads, done.stdout.splitlines())
    assert first["taggram"]["data"] != second["taggram"]["data"]
    assert "taggram" not in broken
    data = json.loads(Path(first["taggram"]["data"]).read_text())
    assert np.array(data["scores"]).shape == (2, 3)
    assert Path(second["taggram"]["picture"]).read_bytes().startswith(b"\x89PNG")
    assert len(list(target.iterdir())) == 4


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not take such a name")
def test_a_name_that_is_no_text(tiny_model: Path, tmp_path: Path, tone: Tone) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav")
    write_wav(Path(path), tone(300, 2.0))
    done = taggram("tag", path, "--model", tiny_model)
    assert done.returncode == 0
    assert r"caf\xe9.wav" in done.stdout
    done = taggram("tag", path, "--model", tiny_model, "--format", "json")
    assert json.loads(done.stdout)["files"][0]["path"] == path


def test_every_odd_input_has_an_outcome(tiny_model: Path, tmp_path: Path, tone: Tone) -> None:
    (tmp_path / "dangling.mp3").symlink_to(tmp_path / "nowhere")
    (tmp_path / "empty.flac").touch()
    write_wav(tmp_path / "silent.wav", np.zeros(16_000))
    write_wav(tmp_path / "short.wav", tone(300, 0.5))
    cut = write_wav(tmp_path / "cut.wav", tone(300, 8.0))
    cut.write_bytes(cut.read_bytes()[:50_000])
    names = ["dangling.mp3", "empty.flac", "silent.wav", "short.wav", "cut.wav", "missing.ogg", "."]
    paths = [tmp_path / name for name in names]
    done = taggram("tag", *paths, "--model", tiny_model, "--format", "jsonl")
    assert done.returncode == 1
    outcomes = [json.loads(line)["outcome"] for line in done.stdout.splitlines()]
    expected = ["unreadable", "not_audio", "silent", "too_short", "truncated", "unreadable", "unreadable"]
    assert outcomes == expected


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tag"], "Missing argument 'PATH...'"),
        (["tag", "x.mp3", "--format", "xml"], "Invalid value for '--format'"),
        (["tag", "x.mp3", "--model", "no-such-model"], "no model 'no-such-model'"),
        (["tag", "x.mp3", "--model", __file__], "not an ONNX file"),
        (["tag", "x.mp3", "--threshold", "2"], "Invalid value for '--threshold'"),
        (["tag", "x.mp3", "--all", "--top-k", "3"], "leave out --top-k and --threshold"),
        (["tug"], "No such command 'tug'"),
    ],
)
def test_usage_errors(arguments: list[str], said: str) -> None:
    done = taggram(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


def test_version_and_help() -> None:
    assert taggram("--version").stdout.startswith("taggram 0.")
    assert "Tag sound files" in taggram("tag", "--help").stdout


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_interruption_finishes_the_files_in_hand(tiny_model: Path, tmp_path: Path, tone: Tone) -> None:
    song = write_wav(tmp_path / "song.wav", np.tile(tone(300, 2.0), 60))
    command = [*COMMAND, "tag", *[str(song)] * 400, "--model", str(tiny_model), "--format", "json"]
    process = subprocess.Popen(
        [*command, "--chunk-hop", "0.05"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    time.sleep(4)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "finishing the files in hand" in stderr
    document = json.loads(stdout)
    summary = document["summary"]
    assert summary["tagged"] == len(document["files"]) > 0
    assert summary["not_started"] == 400 - summary["tagged"] > 0


def test_picture(tiny_model: Path, folder: Path, tmp_path: Path) -> None:
    picture = tmp_path / "taggram.png"
    done = taggram(
        "taggram", folder / "a low.wav", "--output", picture, "--model", tiny_model, "--theme", "dark"
    )
    assert done.returncode == 0
    assert done.stdout.strip() == str(picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
    done = taggram("taggram", folder / "broken.mp3", "--output", picture, "--model", tiny_model)
    assert done.returncode == 1
    assert "not_audio" in done.stderr
