"""Evaluations and studies of robustness over HTTP, made by the laboratory in processes of their own."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from taggram.modelfile.cache import models_directory
from taggram.server import laboratory as laboratory_of_server
from taggram.server.problems import ProblemError
from taggram.server.robustness import make_curves
from tests.cli.test_evaluate import root as tones_in_folders
from tests.server.conftest import API, make_settings, running, wait_for

root = tones_in_folders  # a fixture


@pytest.fixture
def laboratory(tmp_path: Path, datasets: dict[str, Path], tiny_model: Path) -> Iterator[TestClient]:
    """A server that knows a small model and two datasets, one of which is not there."""
    models_directory().mkdir(parents=True)
    shutil.copy(tiny_model, models_directory() / "tiny.onnx")
    with running(make_settings(tmp_path, datasets=datasets)) as client:
        yield client


@pytest.fixture
def datasets(root: Path, tmp_path: Path) -> dict[str, Path]:
    return {"folder:names": root, "gtzan": tmp_path / "nowhere"}


def test_evaluate_and_compare(laboratory: TestClient, tiny_model: Path) -> None:
    assert laboratory.get(f"{API}/datasets").json() == [
        {"name": "folder:names", "is_there": True},
        {"name": "gtzan", "is_there": False},
    ]
    wish = {"model": "tiny", "dataset": "folder:names"}
    addresses = []
    for _ in range(2):
        job = wait_for(laboratory, laboratory.post(f"{API}/evaluations", json=wish).json(), seconds=120)
        assert job["state"] == "done", job
        addresses.append(job["result"])
    found = laboratory.get(addresses[0]).json()
    assert (found["model"], found["dataset"], found["split"], found["n_clips"]) == (
        "tiny",
        "folder:names",
        "test",
        9,
    )
    assert next(figure for figure in found["figures"] if figure["name"] == "accuracy")["value"] == 1
    document = laboratory.get(found["document_url"]).json()
    assert document["schema"] == "taggram-evaluation/1"
    report = laboratory.get(found["report_url"])
    assert "<html" in report.text
    assert "sandbox" in report.headers["content-security-policy"]
    assert "script-src" not in report.headers["content-security-policy"], "nothing runs in a report"
    ids = [address.rpartition("/")[2] for address in addresses]
    compared = laboratory.get(f"{API}/comparison", params={"ids": ",".join(ids)}).json()
    assert compared["schema"] == "taggram-comparison/1"
    first, second = compared["columns"][0]["models"]
    cost = document["cost"]
    assert first["cost"] == cost
    assert cost["n_bytes"] == tiny_model.stat().st_size
    assert cost["speed"]["times_real_time"] > 0
    assert {**second["cost"], "speed": None} == {**cost, "speed": None}, (
        "but for speed it is the same anywhere"
    )
    assert laboratory.get(f"{API}/comparison", params={"ids": f"{ids[0]},{ids[0]}"}).status_code == 422
    assert laboratory.get(f"{API}/comparison", params={"ids": f"{ids[0]},{'0' * 32}"}).status_code == 404
    assert laboratory.delete(addresses[0]).status_code == 204
    assert [one["id"] for one in laboratory.get(f"{API}/evaluations").json()] == [ids[1]]


def test_what_cannot_be_evaluated_says_why(laboratory: TestClient) -> None:
    def begin(model: str, dataset: str) -> tuple[int, str]:
        answer = laboratory.post(f"{API}/evaluations", json={"model": model, "dataset": dataset})
        return answer.status_code, answer.json().get("detail", "")

    status, said = begin("tiny", "folder:nmaes")
    assert status == 404
    assert "did you mean 'folder:names'" in said
    assert begin("../tiny.onnx", "folder:names")[0] == 404
    job = laboratory.post(f"{API}/evaluations", json={"model": "tiny", "dataset": "gtzan"}).json()
    job = wait_for(laboratory, job, seconds=120)
    assert job["state"] == "failed"
    assert "no such folder" in job["error"]["detail"]
    assert laboratory.get(f"{API}/evaluations").json() == []


@pytest.mark.parametrize("resource", ["evaluations", "robustness"])
def test_without_the_laboratory_it_says_what_to_install(
    laboratory: TestClient, monkeypatch: pytest.MonkeyPatch, resource: str
) -> None:
    monkeypatch.setattr(laboratory_of_server, "find_spec", lambda name: None)
    answer = laboratory.post(f"{API}/{resource}", json={"model": "tiny", "dataset": "folder:names"})
    assert answer.status_code == 501
    assert "taggram[train]" in answer.json()["detail"]


def test_an_evaluation_can_be_cancelled(laboratory: TestClient, tmp_path: Path) -> None:
    wish = {"model": "tiny", "dataset": "folder:names"}
    job = laboratory.post(f"{API}/evaluations", json=wish).json()
    assert laboratory.post(f"{API}/evaluations", json=wish).json()["id"] == job["id"], "one at a time"
    wait_for(laboratory, job, until=("analysing",))
    laboratory.delete(f"{API}/jobs/{job['id']}")
    assert wait_for(laboratory, job)["state"] == "cancelled"
    assert not list((tmp_path / "library.db.server" / "evaluations").glob("*"))


def test_a_study_of_robustness_goes_on_after_a_restart(
    laboratory: TestClient, datasets: dict[str, Path], tmp_path: Path
) -> None:
    wish = {"model": "tiny", "dataset": "folder:names"}
    job = laboratory.post(f"{API}/robustness", json=wish).json()
    assert laboratory.post(f"{API}/robustness", json=wish).json()["id"] == job["id"], "one at a time"
    wait_for(laboratory, job, until=("analysing",))
    laboratory.__exit__()
    with running(make_settings(tmp_path, datasets=datasets)) as client:
        assert client.get(f"{API}/robustness").json() == []
        job = wait_for(client, client.get(f"{API}/jobs/{job['id']}").json(), seconds=120)
        assert job["state"] == "done", job
        (study,) = client.get(f"{API}/robustness").json()
        assert job["result"] == f"{API}/robustness/{study['id']}"
        assert client.get(job["result"]).json() == study
        assert (study["model"], study["n_clips"], study["n_conditions"]) == ("tiny", 9, 8)
        document = client.get(study["document_url"]).json()
        assert document["schema"] == "taggram-robustness/1"
        assert "sandbox" in client.get(study["report_url"]).headers["content-security-policy"]

        curves = client.get(f"{API}/robustness-curves", params={"ids": study["id"]}).json()
        assert curves["figures"] == ["accuracy", "recall"]
        (model,) = curves["models"]
        assert (model["label"], model["clean"]["accuracy"]["value"]) == ("tiny", 1.0)
        pitch = next(kind for kind in curves["deformations"] if kind["name"] == "pitch_shift")
        assert (pitch["unit"], pitch["identity"]) == ("semitones", 0.0)
        assert [each["strength"] for each in pitch["strengths"]] == [-1.0, 1.0]
        measured = next(c for c in document["conditions"] if c["strength"] == 1.0)
        assert pitch["strengths"][1]["models"][0]["recall"]["value"] == measured["figures"]["recall"]["value"]

        assert client.get(f"{API}/robustness-curves", params={"ids": "0" * 32}).status_code == 404
        assert client.delete(job["result"]).status_code == 204
        assert client.get(job["result"]).status_code == 404
        assert not list((tmp_path / "library.db.server" / "robustness").iterdir())


def study(model: str, conditions: list[tuple[str, float | str, float]], **changes: Any) -> dict[str, Any]:
    """A document as `taggram robustness` writes it, as far as curves need it."""
    figure = {"interval": [0.4, 0.9], "difference": None, "difference_interval": None, "p_value": None}
    return {
        "model": model, "weights_sha256": model * 8, "dataset": "tones", "split": "test",
        "split_fingerprint": "a", "scored_fingerprint": "b", "n_clips": 9, "n_tags": 3,
        "clean": {"recall": {**figure, "value": 0.9}},
        "conditions": [
            {
                "deformation": kind, "title": kind.title(), "unit": "" if isinstance(strength, str) else "dB",
                "identity": None if isinstance(strength, str) else 0.0, "strength": strength,
                "is_published": False, "figures": {"recall": {**figure, "value": value}},
            }
            for kind, strength, value in conditions
        ],
        **changes,
    }  # fmt: skip


def test_curves_of_models_that_were_studied_at_different_strengths() -> None:
    first = study("old", [("gain", 10.0, 0.5), ("gain", -20.0, 0.6)])
    second = study("new", [("gain", -20.0, 0.7), ("gain", -30.0, 0.8), ("codec", "weak", 0.1)])
    found = make_curves({"1": first, "2": second})
    gain, codec = found.deformations
    assert [one.strength for one in gain.strengths] == [-30.0, -20.0, 10.0]
    values = [[own and own["recall"].value for own in one.models] for one in gain.strengths]
    assert values == [[None, 0.8], [0.6, 0.7], [0.5, None]]
    assert (codec.identity, codec.strengths[0].strength) == (None, "weak")
    assert [model.label for model in found.models] == ["old", "new"]
    twice = make_curves({"1": first, "2": study("old", [], weights_sha256="f" * 64), "3": first})
    assert len({model.label for model in twice.models}) == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dataset": "gtzan"}, "different datasets"),
        ({"split": "train"}, "different splits"),
        ({"split_fingerprint": "c"}, "different versions of the split"),
        ({"scored_fingerprint": "c", "n_tags": 2}, "2 tags.* different clips or tags"),
    ],
)
def test_unlike_studies_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ProblemError, match=said) as error:
        make_curves({"1": study("old", []), "2": study("new", [], **changes)})
    assert error.value.status == 409
