"""`taggram write` as a user runs it: plan, edit, look, apply, undo."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from taggram.library.file_tags.containers import TagFile, read_fields
from tests.cli.test_tag import Tone, taggram
from tests.inference.test_tagger import write_wav


@pytest.fixture
def music(tmp_path: Path, tone: Tone, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library of two songs, one of which has a genre, with a model that hears "middle" as a genre."""
    folder = tmp_path / "music"
    folder.mkdir()
    write_wav(folder / "a.wav", tone(2000, 2.0))
    write_wav(folder / "b.wav", tone(2000, 2.0))
    file = TagFile.open(folder / "b.wav")
    file.set("genre", ("Jazz",))
    file.save()
    monkeypatch.setenv("TAGGRAM_LIBRARY", str(tmp_path / "library.db"))
    done = taggram("library", "add", folder, "--model", tiny_model, "-q")
    assert done.returncode == 0, done.stderr
    return folder


def make_plan(folder: Path, *options: object) -> Path:
    output = folder.parent / "plan.jsonl"
    done = taggram("write", "plan", "--output", output, "--field", "genre", *options)
    assert done.returncode == 0, done.stderr
    return output


def lines(plan: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in plan.read_text().splitlines()[1:]]


def test_the_whole_way_and_back(music: Path) -> None:
    before = {path: path.read_bytes() for path in music.iterdir()}
    plan = make_plan(music)
    assert [(Path(str(line["file"])).name, line["field"]) for line in lines(plan)] == [
        ("a.wav", "genre"),
        ("a.wav", "taggram_scores"),
        ("a.wav", "taggram_model"),
        ("a.wav", "taggram_time"),
    ]
    assert {path: path.read_bytes() for path in music.iterdir()} == before

    done = taggram("write", "diff", plan)
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == str(music / "a.wav")
    assert "genre           +Middle   # heard Middle 0." in done.stdout
    assert done.stdout.endswith("4 changes: 4 ready\n")
    done = taggram("write", "diff", plan, "--summary")
    assert done.stdout.splitlines()[0] == "genre           Middle 1"

    done = taggram("write", "apply", plan)
    assert (done.returncode, done.stdout) == (0, "")
    said = done.stderr.splitlines()
    assert said[0] == "1 file: 1 written"
    run = said[1].split()[3]
    assert said[1] == f"taggram write undo {run}  takes it back"
    assert read_fields(music / "a.wav")["genre"] == ("Middle",)
    assert taggram("write", "diff", plan).stdout.endswith("4 changes: 4 done\n")
    assert taggram("write", "runs").stdout == f"{run}  1 file written\n"

    done = taggram("write", "undo")
    assert (done.returncode, done.stderr) == (0, "1 file: 1 restored\n")
    assert {path: path.read_bytes() for path in music.iterdir()} == before
    assert taggram("write", "runs").stdout == f"{run}  1 file written, 1 undone\n"
    done = taggram("write", "undo")
    assert done.returncode == 2
    assert "nothing was written that is not undone already" in done.stderr


def test_a_person_edits_the_plan(music: Path) -> None:
    plan = make_plan(music, "--mode", "add", "--own", "none")
    first, second = lines(plan)
    assert second["after"] == ["Jazz", "Middle"]
    second["after"] = ["Cool Jazz"]
    head = plan.read_text().splitlines()[0]
    plan.write_text("\n".join([head, json.dumps(second), ""]))
    assert "-Jazz  +Cool Jazz" in taggram("write", "diff", plan).stdout
    assert taggram("write", "apply", plan, "-q").stderr == ""
    assert read_fields(music / "b.wav")["genre"] == ("Cool Jazz",)
    assert "genre" not in read_fields(Path(str(first["file"])))


def test_a_plan_with_a_mistake_writes_nothing(music: Path) -> None:
    plan = make_plan(music)
    with plan.open("a") as stream:
        stream.write("{}\n")
    done = taggram("write", "apply", plan)
    assert done.returncode == 2
    assert "plan.jsonl, line 6: a change has the keys" in done.stderr
    assert "genre" not in read_fields(music / "a.wav")


def test_what_cannot_be_written_is_said(music: Path) -> None:
    plan = make_plan(music, "--mode", "replace", "--own", "none")
    (music / "a.wav").chmod(0o444)
    file = TagFile.open(music / "b.wav")
    file.set("genre", ("Blues",))
    file.save()
    done = taggram("write", "diff", plan)
    assert done.returncode == 1
    assert "(changed since: is now Blues)" in done.stdout
    done = taggram("write", "apply", plan)
    assert done.returncode == 1
    assert "a.wav: was left as it is: the file is read-only" in done.stderr
    assert "b.wav: genre is Blues and no longer Jazz; make the plan again" in done.stderr
    assert "2 files: 1 read only, 1 changed" in done.stderr
    assert "takes it back" not in done.stderr


def test_one_file_is_taken_back(music: Path) -> None:
    plan = make_plan(music, "--mode", "replace", "--own", "none")
    assert taggram("write", "apply", plan).returncode == 0
    done = taggram("write", "undo", "--file", music / "b.wav")
    assert (done.returncode, done.stderr) == (0, "1 file: 1 restored\n")
    assert read_fields(music / "a.wav")["genre"] == ("Middle",)
    assert read_fields(music / "b.wav")["genre"] == ("Jazz",)
    assert "nothing was written to" in taggram("write", "undo", "--file", music / "b.wav").stderr


def test_without_a_library(music: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGGRAM_LIBRARY", str(music / "none.db"))
    done = taggram("write", "plan", music)
    assert done.returncode == 2
    assert "there is no library yet" in done.stderr
    (music / "c.mp3").write_bytes(b"nothing to hear " * 100)
    done = taggram("write", "plan", music, "--listen", "--model", tiny_model, "--own", "none")
    assert done.returncode == 1
    assert [json.loads(line)["after"] for line in done.stdout.splitlines()[1:]] == [["Middle"]]
    assert "c.mp3: not_audio" in done.stderr
    assert done.stderr.endswith("3 files: 1 change in 1, 1 as they should be, 1 cannot be written\n")


def test_own_words(music: Path) -> None:
    taxonomy = music.parent / "mine.yaml"
    taxonomy.write_text(
        "taxonomy: taggram-taxonomy/1\naliases: {middle: Mid Tempo}\nfields: {genre: {min_score: 0}}\n"
    )
    plan = make_plan(music, "--taxonomy", taxonomy, music / "a.wav", "--own", "none")
    assert [line["after"] for line in lines(plan)] == [["Mid Tempo"]]


def test_audit(music: Path, tone: Tone, tiny_model: Path) -> None:
    for number in range(12):
        path = write_wav(music / f"{number}.wav", tone(2000 if number % 2 else 300, 2.0 + number / 50))
        file = TagFile.open(path)
        file.set("genre", ("middle" if number == 1 else "Middle" if number % 2 or number == 0 else "Other",))
        file.save()
    assert taggram("library", "update", "--model", tiny_model, "-q").returncode == 0
    plan = music.parent / "spellings.jsonl"
    done = taggram("write", "audit", "--plan", plan)
    assert done.returncode == 0, done.stderr
    lines_ = done.stdout.splitlines()
    assert lines_[0] == "Tags that the sound contradicts, the clearest first: 0"  # nothing else is heard
    assert "  genre: Middle 6, middle 1 → Middle" in lines_
    assert "  genre: Other, in 5 files: the model has no tag for it" in lines_
    assert lines_[-1] == "14 files compared"
    assert taggram("write", "apply", plan, "-q").returncode == 0
    assert read_fields(music / "1.wav")["genre"] == ("Middle",)
    document = json.loads(taggram("write", "audit", "--json").stdout)
    assert document["schema"] == "taggram-audit/1"
    assert document["n_files"] == 14
    missing = {Path(f["file"]).name for f in document["findings"] if f["kind"] == "missing"}
    assert missing <= {"a.wav", "b.wav"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plan", "--field", "key"], "--field key: the taxonomy fills genre, mood"),
        (["plan", "--only-whitelist"], "--only-whitelist goes with --mode add or replace"),
        (["plan", "--listen"], "--listen needs the PATHs"),
        (["plan", "--taxonomy", "missing.yaml"], "missing.yaml: cannot be read"),
        (["apply", "missing.jsonl"], "missing.jsonl: cannot be read as a plan"),
        (["undo", "no-such-run"], "unknown run 'no-such-run'"),
    ],
)
def test_usage_errors(music: Path, arguments: list[str], said: str) -> None:
    done = taggram("write", *arguments)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


def test_help_starts_fast() -> None:
    code = "import taggram.cli.write, sys; sys.exit(bool({'numpy', 'mutagen', 'yaml'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
