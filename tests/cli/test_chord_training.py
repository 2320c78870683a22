"""`taggram train` and `taggram evaluate` on a dataset of chords, as a user runs them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner, Result

from taggram.chords.recogniser import ChordRecogniser
from taggram.cli.main import app
from taggram.errors import DatasetError, EvaluationError, ModelFileError, RecipeError
from taggram.lab.chords import export
from taggram.lab.chords.recipe import ChordRecipe
from taggram.lab.chords.train import train_chords
from taggram.lab.datasets import load_dataset
from taggram.modelfile.cache import SHIPPED_MODELS
from taggram.modelfile.reader import load_model_file
from tests.lab.chords.recordings import render

RECIPE = """\
dataset: rwc_popular
model_options: {n_channels: 4, n_wide: 8, n_hidden: 24, n_recurrent: 8, dropout: 0.0}
n_steps: 90
check_every: 30
batch_size: 8
n_frames: 48
learning_rate: 0.01
mean_decay: 0.9
transpositions: [0, 0]
level_db: 0
tilt_db: 0
"""
BROKEN = "RM-P003"


def taggram(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    """One thread, and short windows: of 512 frames of a GRU torch's exporter takes a minute."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "_N_FRAMES", 24)
        patch.setattr(export, "N_CONTEXT", 4)
        yield
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of RWC Popular, one of its files damaged, and a recipe."""
    folder = tmp_path_factory.mktemp("place")
    render(folder / "rwc")
    (folder / "rwc" / "audio" / f"{BROKEN}.wav").write_bytes(b"no sound " * 99)
    (folder / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def options(place: Path) -> tuple[object, ...]:
    return "--root", place / "rwc", "--cache", place / "cache", "--output"


@pytest.fixture(scope="module")
def run(place: Path, options: tuple[object, ...]) -> Path:
    """A folder of a finished run."""
    done = taggram("train", place / "recipe.yaml", "seed=3", *options, place / "run")
    assert done.exit_code == 0, done.output
    lines = done.stderr.splitlines()
    assert lines[0].startswith(f"taggram: left out: {BROKEN}: {place / 'rwc' / 'audio' / BROKEN}.wav: ")
    assert [line[:11] for line in lines[1:]] == ["epoch   0  ", "epoch   1  ", "epoch   2  "]
    assert done.stdout.startswith(f"{place / 'run' / 'model.onnx'}: step 90, loss ")
    return place / "run"


def test_a_run_holds_what_is_needed_to_repeat_it(run: Path, place: Path) -> None:
    assert {path.name for path in run.iterdir()} == {
        "recipe.yaml", "run.json", "epochs.jsonl", "last.pt", "model.onnx", "tensorboard",
    }  # fmt: skip
    resolved = ChordRecipe.load(run / "recipe.yaml")
    assert resolved == ChordRecipe.load(place / "recipe.yaml", ["seed=3"])
    assert "rates: rise_and_fall" in (run / "recipe.yaml").read_text(encoding="utf-8").splitlines()
    facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
    annotations = load_dataset("rwc_popular").annotations(place / "rwc")
    assert facts["fingerprints"]["train"] == annotations.fingerprint("train")
    assert facts["left_out"] == {BROKEN: "not_audio"}
    assert {"command", "versions", "git", "git_is_clean"} <= facts.keys()
    epochs = [json.loads(line) for line in (run / "epochs.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [epoch["step"] for epoch in epochs] == [30, 60, 90]
    assert epochs[2]["validation_loss"] < epochs[0]["validation_loss"]


def test_the_model_recognises_what_it_learned(run: Path, place: Path) -> None:
    specification = load_model_file(run / "model.onnx").specification
    assert specification.architecture == "conv_gru"
    assert "RWC Popular, split train" in specification.training_data
    (loss,) = specification.metrics
    assert loss.split == "validation"
    with ChordRecogniser.load(run / "model.onnx") as recogniser:
        assert recogniser.vocabularies == ("majmin", "sevenths", "full")
        result = recogniser.recognise(place / "rwc" / "audio" / "RM-P005.wav")
    heard = [chord.label() for chord in result.chords]
    assert heard == ["A:min", "F:maj", "G:maj", "C:maj"] * 2 + ["N"]
    assert result.tuning_cents == pytest.approx(-20, abs=4)
    for place_of_chord, chord in enumerate(result.chords):
        assert chord.start == pytest.approx(place_of_chord, abs=0.2)


def test_a_killed_run_ends_as_an_unbroken_one(
    run: Path, place: Path, options: tuple[object, ...], tmp_path: Path
) -> None:
    def stop(figures: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    recipe = ChordRecipe.load(place / "recipe.yaml", ["seed=3"])
    folder = tmp_path / "broken"
    with pytest.raises(KeyboardInterrupt):
        train_chords(recipe, root=place / "rwc", cache=tmp_path / "cache", folder=folder, report=stop)
    assert not (folder / "model.onnx").exists()
    command = ("train", place / "recipe.yaml", "seed=3", *options, folder)
    again = taggram(*command)
    assert isinstance(again.exception, RecipeError)
    assert "continue it with --resume" in str(again.exception)
    other = taggram("train", place / "recipe.yaml", "seed=4", *options, folder, "--resume")
    assert "has another recipe" in str(other.exception)
    done = taggram(*command, "--resume")
    assert done.exit_code == 0, done.output
    whole, continued = (load_model_file(path / "model.onnx").specification for path in (run, folder))
    assert continued == whole


def test_spectra_are_computed_once(run: Path, place: Path) -> None:
    kept = place / "cache" / "rwc_popular"
    assert {path.stem for path in kept.iterdir()} == {"RM-P001", "RM-P002", "RM-P004"}
    times = {path: path.stat().st_mtime_ns for path in kept.iterdir()}
    (kept / "RM-P001.npz").unlink()
    recipe = ChordRecipe.load(place / "recipe.yaml")
    heard: list[str] = []
    with pytest.raises(RecipeError, match="holds a run already"):
        train_chords(
            recipe,
            root=place / "rwc",
            cache=place / "cache",
            folder=run,
            watch=lambda tracks: [heard.append(track.id) or track for track in tracks],  # type: ignore[func-returns-value]
            tell=lambda sentence: None,
        )
    assert heard == ["RM-P001", BROKEN]
    assert {path for path in times if path.stat().st_mtime_ns == times[path]} == set(times) - {
        kept / "RM-P001.npz"
    }


def test_a_model_file_says_what_its_network_tells_apart(
    place: Path, options: tuple[object, ...], tmp_path: Path
) -> None:
    changes = ("model=tutorial", "model_options={}", "n_frames=256", "n_steps=1", "batch_size=1")
    done = taggram("train", place / "recipe.yaml", *changes, *options, tmp_path)
    assert done.exit_code == 0, done.output
    chords = taggram("chords", place / "rwc" / "audio" / "RM-P004.wav", "--model", tmp_path / "model.onnx")
    assert chords.exit_code == 0, chords.output
    with ChordRecogniser.load(tmp_path / "model.onnx") as recogniser:
        assert recogniser.vocabularies == ("majmin",)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("bach_size=3", "unknown key 'bach_size': did you mean 'batch_size'"),
        ("model=conv_gr", "did you mean 'conv_gru'"),
        ("model_options={n_hiden: 3}", "did you mean 'n_hidden'"),
        ("rates=falling", "rates: Input should be 'rise_and_fall' or 'constant', got 'falling'"),
        ("dataset=rwc_pop", "did you mean 'rwc_popular'"),
    ],
)
def test_a_recipe_that_is_wrong_leaves_no_run(
    place: Path, options: tuple[object, ...], tmp_path: Path, change: str, said: str
) -> None:
    done = taggram("train", place / "recipe.yaml", change, *options, tmp_path / "run")
    assert said in str(done.exception)
    assert not (tmp_path / "run" / "recipe.yaml").exists()


def test_what_cannot_be_trained_says_why(place: Path, options: tuple[object, ...], tmp_path: Path) -> None:
    recipe = place / "recipe.yaml"
    done = taggram("train", recipe, *options, tmp_path / "run", "--weights", tmp_path / "x.pt")
    assert "a chord network begins afresh" in done.output
    with pytest.raises(DatasetError, match="is a dataset of tags"):
        train_chords(
            ChordRecipe(dataset="synthetic"), root=place, cache=tmp_path / "cache", folder=tmp_path / "run"
        )
    render(tmp_path / "silent")
    for path in (tmp_path / "silent" / "audio").glob("*.wav"):
        path.unlink()
    (label_file,) = (tmp_path / "silent").rglob("N001*.lab")
    label_file.write_text("", encoding="utf-8")
    done = taggram("train", recipe, "--root", tmp_path / "silent", "--cache", tmp_path / "c", "--output", "r")
    assert "no song of the split" in str(done.exception)
    assert done.stderr.count("left out: ") == 4
    assert "left out: RM-P001: no chord is annotated" in done.stderr


def test_evaluate(run: Path, place: Path, tmp_path: Path) -> None:
    output = tmp_path / "evaluation"
    command = ("evaluate", run / "model.onnx", "rwc_popular", "--root", place / "rwc", "--replicates", 100)
    done = taggram(*command, "--output", output)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == "Vocabulary majmin"
    assert lines[-2:] == [str(output / "report.html"), str(output / "evaluation.json")]
    document = json.loads((output / "evaluation.json").read_text(encoding="utf-8"))
    assert document["schema"] == "taggram-chord-evaluation/1"
    about = document["dataset"]
    fingerprint = load_dataset("rwc_popular").fingerprint(place / "rwc", "test")
    assert about["split_fingerprint"] == about["scored_fingerprint"] == fingerprint
    assert (about["n_songs"], about["failed_songs"]) == (2, {})
    assert document["bootstrap"] == {"seed": 0, "n_replicates": 100, "level": 0.95, "unit": "song"}
    assert list(document["vocabularies"]) == ["majmin", "sevenths", "full"]
    for vocabulary in document["vocabularies"].values():
        for name in ("root", "majmin", "sevenths", "seg"):
            figure = vocabulary["figures"][name]
            assert 0.9 < figure["interval"][0] <= figure["value"] <= figure["interval"][1] <= 1
        recall = vocabulary["frame_macro_recall"]
        assert 0.9 < recall["interval"][0] <= recall["value"] <= recall["interval"][1] <= 1
    songs = [song["figures"]["majmin"]["majmin"] for song in document["songs"]]
    assert document["vocabularies"]["majmin"]["figures"]["majmin"]["value"] == pytest.approx(sum(songs) / 2)
    (printed, *_) = (line.split() for line in lines if line.startswith("majmin "))
    assert printed[1] == f"{sum(songs) / 2:.4f}"
    assert "| RM-P010 |" in (output / "report.md").read_text(encoding="utf-8")


def test_songs_that_cannot_be_heard_are_named_and_left_out(run: Path, place: Path, tmp_path: Path) -> None:
    command = ("evaluate", run / "model.onnx", "rwc_popular", "--root", place / "rwc", "--replicates", 100)
    done = taggram(*command, "--split", "train", "--output", tmp_path)
    assert done.exit_code == 1
    assert f"left out: {BROKEN}: " in done.stderr
    about = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))["dataset"]
    assert list(about["failed_songs"]) == [BROKEN]
    assert about["n_songs"] == 2
    assert about["scored_fingerprint"] != about["split_fingerprint"]
    assert BROKEN in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_models_meet_only_datasets_of_their_kind(tiny_model: Path, place: Path, tmp_path: Path) -> None:
    of_tags = taggram("evaluate", tiny_model, "rwc_popular", "--root", place / "rwc")
    assert isinstance(of_tags.exception, ModelFileError)
    assert "a model of tags, not of chords" in str(of_tags.exception)
    (tmp_path / "set" / "a").mkdir(parents=True)
    chords = SHIPPED_MODELS / "chords.onnx"
    of_chords = taggram("evaluate", chords, "folder:names", "--root", tmp_path / "set")
    assert isinstance(of_chords.exception, ModelFileError)
    assert "a model of chords, not of tags" in str(of_chords.exception)
    refused = taggram("evaluate", chords, "rwc_popular", "--root", place / "rwc", "--chunk-hop", 1)
    assert "are for tags" in refused.output
    missing = taggram("evaluate", chords, "rwc_popular", "--root", place / "rwc", "--split", "tset")
    assert "did you mean 'test'" in str(missing.exception)
    render(tmp_path / "silent")
    for path in (tmp_path / "silent" / "audio").glob("*.wav"):
        path.unlink()
    unheard = taggram("evaluate", chords, "rwc_popular", "--root", tmp_path / "silent")
    assert isinstance(unheard.exception, EvaluationError)
    assert "none of 2 songs could be heard" in str(unheard.exception)
