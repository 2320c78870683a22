"""Evaluations over HTTP, made by the laboratory in a process of its own."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from taggram.modelfile.cache import models_directory
from taggram.server import evaluations
from tests.cli.test_evaluate import root as tones_in_folders
from tests.server.conftest import API, make_settings, running, wait_for

root = tones_in_folders  # a fixture


@pytest.fixture
def laboratory(tmp_path: Path, root: Path, tiny_model: Path) -> Iterator[TestClient]:
    """A server that knows a small model and two datasets, one of which is not there."""
    models_directory().mkdir(parents=True)
    shutil.copy(tiny_model, models_directory() / "tiny.onnx")
    datasets = {"folder:names": root, "gtzan": tmp_path / "nowhere"}
    with running(make_settings(tmp_path, datasets=datasets)) as client:
        yield client


def test_evaluate_and_compare(laboratory: TestClient) -> None:
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
    assert len(compared["columns"][0]["models"]) == 2
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


def test_without_the_laboratory_it_says_what_to_install(
    laboratory: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluations, "find_spec", lambda name: None)
    answer = laboratory.post(f"{API}/evaluations", json={"model": "tiny", "dataset": "folder:names"})
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
