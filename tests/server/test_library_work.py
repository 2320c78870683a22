"""Work on a library of its own: scanning, plans and their undoing, own tags, the map."""

import base64
import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from taggram.errors import PlanError
from taggram.server.app import create_app
from taggram.server.store import Store
from tests.server.conftest import (
    API,
    fill_library,
    make_settings,
    running,
    wait_for,
    wait_until_read,
    write_song,
)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own") / "music"
    for seed in range(8):
        write_song(folder / f"{seed}.wav", seed)
    return folder


@pytest.fixture(scope="module")
def server(own: Path) -> Iterator[TestClient]:
    fill_library(own.parent / "library.db", own)
    with running(make_settings(own.parent)) as client:
        wait_until_read(client)
        yield client


def eventually(answer: Callable[[], Any], expected: Any) -> None:
    """The library in memory follows the one on the disk within seconds."""
    end = time.monotonic() + 10
    while (found := answer()) != expected:
        assert time.monotonic() < end, (found, expected)
        time.sleep(0.05)


def total(client: TestClient, query: str = "") -> int:
    return int(client.get(f"{API}/tracks", params={"query": query}).json()["total"])


def checksums(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_a_scan_finds_what_is_new(server: TestClient, own: Path) -> None:
    assert total(server) == 8
    write_song(own / "8.wav", 8)
    job = server.post(f"{API}/library/scan").json()
    assert server.post(f"{API}/library/scan").json()["id"] == job["id"], "one scan at a time"
    job = wait_for(server, job)
    assert (job["state"], job["result"]) == ("done", f"{API}/library")
    assert "1 new" in job["message"]
    eventually(lambda: total(server, "duration > 0"), 9)
    assert server.get(f"{API}/library").json()["counts"]["tagged"] == 9


def test_plans_whose_work_was_killed_say_at_the_next_start_what_is_true(tmp_path: Path) -> None:
    folder = tmp_path / "music"
    for seed in range(2):
        write_song(folder / f"{seed}.wav", seed)
    before = checksums(folder)
    fill_library(tmp_path / "library.db", folder)
    with running(make_settings(tmp_path)) as client:
        wait_until_read(client)
        job = wait_for(client, client.post(f"{API}/plans", json={"options": {"own": "all"}}).json())
        address = job["result"]
        assert wait_for(client, client.post(f"{address}/apply").json())["state"] == "done"
    left: dict[str, tuple[dict[str, Any], str, dict[str, int]]] = {
        "a": ({"state": "undoing"}, "applied", {"written": 2}),
        "b": ({"state": "applying", "runs": []}, "ready", {}),
        "c": ({"state": "applying", "runs": ["a run that never began"]}, "ready", {}),
        "d": ({"state": "making", "runs": []}, "failed", {}),
        "e": ({"state": "undone"}, "undone", {}),
    }
    store = Store(tmp_path / "library.db.server")
    (document,) = store.documents("plan")
    store.put_document("plan", document["id"], {**document, "state": "applying"})
    for letter, (change, _, _) in left.items():
        store.put_document("plan", letter * 32, {**document, "outcomes": {}, **change})
    store.close()
    with running(make_settings(tmp_path)) as client:
        for letter, (_, state, outcomes) in left.items():
            plan = client.get(f"{API}/plans/{letter * 32}").json()
            assert (letter, plan["state"], plan["outcomes"]) == (letter, state, outcomes)
        plan = client.get(address).json()
        assert (plan["state"], plan["outcomes"]) == ("applied", {"written": 2})
        assert "in the middle" in plan["messages"][0]
        assert wait_for(client, client.post(f"{address}/undo").json())["state"] == "done"
        assert client.get(address).json()["outcomes"] == {"restored": 2}
    assert checksums(folder) == before


def test_plan_look_apply_and_take_back(server: TestClient, own: Path) -> None:
    before = checksums(own)
    wish = {"query": "duration > 0", "options": {"mode": "fill", "own": "all"}}
    job = wait_for(server, server.post(f"{API}/plans", json=wish).json())
    assert job["state"] == "done", job
    address = job["result"]
    plan = server.get(address).json()
    assert (plan["state"], plan["query"]) == ("ready", "duration > 0")
    changes = server.get(f"{address}/changes", params={"limit": 1000}).json()
    assert changes["total"] == plan["n_changes"] == len(changes["items"]) > 9
    assert [change["number"] for change in changes["items"]] == list(range(plan["n_changes"]))
    assert (
        server.get(f"{address}/changes", params={"offset": 3, "limit": 2}).json()["items"]
        == changes["items"][3:5]
    )
    assert checksums(own) == before, "no file is touched by a plan"

    spared = changes["items"][0]["path"]
    exclude = [change["number"] for change in changes["items"] if change["path"] == spared]
    job = wait_for(server, server.post(f"{address}/apply", json={"exclude": exclude}).json())
    assert job["state"] == "done", job
    plan = server.get(address).json()
    assert plan["state"] == "applied"
    assert plan["outcomes"] == {"written": plan["n_files"] - 1}
    after = checksums(own)
    assert {name for name in before if before[name] == after[name]} == {spared}
    written = server.get(f"{API}/tracks", params={"query": "duration > 0", "sort": "path"})
    eventually(
        lambda: sum("taggram_model" in t["fields"] for t in server.get(written.url).json()["items"]),
        plan["n_files"] - 1,
    )  # fmt: skip

    job = wait_for(server, server.post(f"{address}/undo").json())
    assert job["state"] == "done", job
    plan = server.get(address).json()
    assert (plan["state"], plan["outcomes"]) == ("undone", {"restored": plan["n_files"] - 1})
    assert checksums(own) == before, "every byte is as it was"
    assert server.get(f"{API}/plans").json()[0]["id"] == plan["id"]


def test_a_file_that_changed_since_the_plan_is_left_alone(server: TestClient, own: Path) -> None:
    from taggram.library.file_tags.containers import TagFile

    track = server.get(f"{API}/tracks", params={"query": 'path: "2.wav"'}).json()["items"][0]
    wish = {"track_ids": [track["id"]], "options": {"own": "all"}}
    address = wait_for(server, server.post(f"{API}/plans", json=wish).json())["result"]
    field = server.get(f"{address}/changes").json()["items"][0]["field"]
    tags = TagFile.open(own / "2.wav")
    tags.set(field, ("what somebody else wrote",))
    tags.save()
    theirs = checksums(own)
    wait_for(server, server.post(f"{address}/apply").json())
    plan = server.get(address).json()
    assert plan["outcomes"] == {"changed": 1}
    assert "no longer" in plan["messages"][0]
    assert checksums(own) == theirs


def test_plans_that_cannot_be(server: TestClient) -> None:
    assert server.post(f"{API}/plans", json={"query": "and"}).status_code == 422
    assert server.post(f"{API}/plans", json={"track_ids": [999_999]}).status_code == 404
    job = wait_for(server, server.post(f"{API}/plans", json={"options": {"fields": ["shoe size"]}}).json())
    assert job["state"] == "failed"
    assert "shoe size" in job["error"]["detail"]
    failed = server.get(f"{API}/plans").json()[0]
    assert failed["state"] == "failed"
    assert server.post(f"{API}/plans/{failed['id']}/apply").status_code == 409
    assert server.get(f"{API}/plans/{failed['id']}/changes").status_code == 409
    assert server.post(f"{API}/plans/{failed['id']}/undo").status_code == 409
    assert server.get(f"{API}/plans/{'0' * 32}").status_code == 404
    assert server.post(f"{API}/plans/{'0' * 32}/apply").status_code == 404


def test_a_tag_is_taught_and_counts_at_once(server: TestClient) -> None:
    ids = [track["id"] for track in server.get(f"{API}/tracks", params={"sort": "path"}).json()["items"]]
    begun = server.post(
        f"{API}/own-tags", json={"name": "for rainy days", "category": "mood", "accepted": ids[:2]}
    )
    assert begun.status_code == 201
    assert begun.json()["missing"] == "2 more rejected"
    assert server.get(f"{API}/own-tags/for rainy days/tracks").status_code == 409
    address = f"{API}/own-tags/For%20Rainy%20Days"
    taught = server.patch(address, json={"accepted": ids[2:3], "rejected": ids[3:6]}).json()
    assert (taught["missing"], taught["n_accepted"], taught["n_rejected"]) == ("", 3, 3)
    assert taught["quality"]["warnings"], "six examples are no ground to stand on"
    assert {e["track"]["id"]: e["is_accepted"] for e in taught["examples"]} == dict(
        zip(ids[:6], [True] * 3 + [False] * 3, strict=True)
    )
    ranked = server.get(f"{address}/tracks").json()["items"]
    scores = [track["scores"]["for rainy days"] for track in ranked]
    assert scores == sorted(scores, reverse=True)
    assert set(ids[:3]) <= {track["id"] for track in ranked[:5]}
    assert total(server, "for rainy days") == sum(score >= 0.5 for score in scores)
    mood = server.get(f"{API}/facets").json()["mood"]
    assert next(value for value in mood if value["is_own"])["tag"] == "for rainy days"
    suggested = server.get(f"{address}/suggestions", params={"n": 2}).json()
    assert not {one["track"]["id"] for one in suggested} & set(ids[:6])
    said = server.get(f"{API}/tracks/{ids[0]}").json()["own_tags"]
    assert said == [{"name": "for rainy days", "is_accepted": True}]
    forgotten = server.patch(address, json={"forgotten": ids[:6]}).json()
    assert (forgotten["n_accepted"], forgotten["n_rejected"]) == (0, 0)
    assert server.delete(address).status_code == 204
    assert server.get(address).status_code == 404
    assert server.get(f"{API}/own-tags").json() == []


def test_a_tag_with_a_track_that_is_not_there_is_not_begun(server: TestClient) -> None:
    answer = server.post(f"{API}/own-tags", json={"name": "x", "accepted": [1, 999_999]})
    assert answer.status_code == 404
    assert server.get(f"{API}/own-tags").json() == []


def test_the_map_is_computed_once_and_kept(server: TestClient) -> None:
    first = server.get(f"{API}/map")
    assert first.status_code == 202
    assert wait_for(server, first.json())["state"] == "done"
    found = server.get(f"{API}/map").json()
    ids = np.frombuffer(base64.b64decode(found["ids"]), "<u4")
    places = np.stack([np.frombuffer(base64.b64decode(found[axis]), "<f4") for axis in "xy"])
    assert found["n"] == len(ids) == places.shape[1] == total(server, "duration > 0")
    assert places.min() >= 0
    assert places.max() <= 1
    assert np.ptp(places) > 0.9
    scores = server.get(f"{API}/map/scores", params={"tag": "Piano"}).json()
    assert len(base64.b64decode(scores["scores"])) == found["n"]
    assert server.get(f"{API}/map").json() == found
    assert server.get(f"{API}/map", params={"renew": True}).json() == found, "it is not old"
    tags = server.get(f"{API}/tag-map").json()["tags"]
    assert len(tags) == len(server.get(f"{API}/models").json()[0]["tags"])
    assert all(
        0 <= tag["x"] <= 1 and 0 <= tag["y"] <= 1 and tag["name"] not in tag["nearest"] for tag in tags
    )


def test_searches_are_kept_under_a_name(tmp_path: Path) -> None:
    address = f"{API}/saved-searches"
    odd = "a/b ü?"
    with running(make_settings(tmp_path)) as client:
        assert client.get(address).json() == []
        for name, text in (("first", "piano"), (odd, "jazz"), ("first", "piano and slow")):
            wish = {"name": name, "text": text, "with_tags": ["rock"]}
            assert client.put(address, json=wish).status_code == 204
    with running(make_settings(tmp_path)) as client:
        first, second = client.get(address).json()
        assert (first["name"], first["text"], first["with_tags"]) == ("first", "piano and slow", ["rock"])
        assert second["name"] == odd
        assert client.delete(address, params={"name": odd}).status_code == 204
        assert client.delete(address, params={"name": odd}).status_code == 404
        assert [one["name"] for one in client.get(address).json()] == ["first"]
        assert client.put(address, json={"name": ""}).status_code == 422


def test_a_plan_in_my_own_words(own: Path, tmp_path: Path) -> None:
    shutil.copytree(own, tmp_path / "music")
    fill_library(tmp_path / "library.db", tmp_path / "music")
    words = tmp_path / "words.yaml"
    words.write_text(
        "taxonomy: taggram-taxonomy/1\nfields:\n  grouping: {from: [genre, mood, instrument, voice], "
        "min_score: 0.0, count: 1}\n  genre: {whitelist: [Nothing That Is Heard]}\n",
        encoding="utf-8",
    )
    with running(make_settings(tmp_path, taxonomies={"mine": words})) as client:
        wait_until_read(client)
        assert client.get(f"{API}/taxonomies").json() == [
            {"name": "", "fields": ["genre", "mood"], "has_whitelist": False},
            {"name": "mine", "fields": ["grouping", "genre"], "has_whitelist": True},
        ]
        options = {"taxonomy": "mine", "mode": "replace", "only_whitelist": True, "own": "none"}
        job = wait_for(client, client.post(f"{API}/plans", json={"options": options}).json())
        plan = client.get(job["result"]).json()
        assert plan["options"]["taxonomy"] == "mine"
        assert set(plan["values"]) == {"grouping"}

        def refuse(**changes: Any) -> tuple[int, str]:
            answer = client.post(f"{API}/plans", json={"options": {**options, **changes}})
            return answer.status_code, answer.json()["detail"]

        assert refuse(taxonomy="/etc/passwd")[0] == 404
        assert "known are mine" in refuse(taxonomy="theirs")[1]
        assert refuse(mode="fill")[0] == 422


def test_a_taxonomy_that_cannot_be_read_is_said_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"nowhere\.yaml"):
        create_app(make_settings(tmp_path, taxonomies={"mine": tmp_path / "nowhere.yaml"}))
