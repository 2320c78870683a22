"""Tracks over HTTP: the library's own answers, page by page."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from taggram.library import Library
from taggram.library.search import search
from tests.server.conftest import API


def ids_of(client: TestClient, **query: Any) -> list[int]:
    return [track["id"] for track in client.get(f"{API}/tracks", params=query).json()["items"]]


def open_library(music: Path) -> Library:
    return Library.open(music.parent / "library.db", must_exist=True)


@pytest.mark.parametrize(
    "expression", ["electronic >= 0", "slow >= 0.005", "not piano", 'path: "song 3"', "duration > 1"]
)
def test_searching_is_what_the_library_does(client: TestClient, music: Path, expression: str) -> None:
    with open_library(music) as library:
        expected = search(library, expression)
    answer = client.get(f"{API}/tracks", params={"query": expression}).json()
    assert answer["total"] == expected.n_matches > 0
    assert [track["id"] for track in answer["items"]] == [hit.file.id for hit in expected.hits]
    for track, hit in zip(answer["items"], expected.hits, strict=True):
        assert track["relevance"] == pytest.approx(hit.relevance, abs=1e-3)
        assert track["scores"] == pytest.approx(dict(hit.scores), abs=1e-3)


def test_everything_is_listed_also_what_holds_no_sound(client: TestClient, music: Path) -> None:
    answer = client.get(f"{API}/tracks").json()
    outcomes = {track["path"]: track["outcome"] for track in answer["items"]}
    assert answer["total"] == 8 + len(list((music / "clips").iterdir()))
    assert outcomes["broken.mp3"] == "not_audio"
    broken = client.get(f"{API}/tracks", params={"outcome": "not_audio"}).json()
    assert [track["path"] for track in broken["items"]] == ["broken.mp3"]
    assert "no sound format" in broken["items"][0]["message"]
    detail = client.get(f"{API}/tracks/{broken['items'][0]['id']}").json()
    assert (detail["all_tags"], detail["tags"], detail["chunk_duration"]) == ([], [], None)
    assert client.get(f"{API}/tracks/{broken['items'][0]['id']}/taggram").status_code == 404
    assert client.get(f"{API}/tracks/{broken['items'][0]['id']}/peaks").status_code == 404


def test_pages_and_orders(client: TestClient) -> None:
    everything = ids_of(client, sort="path")
    pages = [ids_of(client, sort="path", offset=offset, limit=3) for offset in range(0, 20, 3)]
    assert [track for page in pages for track in page] == everything
    assert ids_of(client, sort="-path") == everything[::-1]
    ids = client.get(f"{API}/tracks/ids", params={"sort": "path"}).json()["ids"]
    assert np.frombuffer(base64.b64decode(ids), "<u4").tolist() == everything
    tracks = client.get(f"{API}/tracks", params={"query": "duration > 0", "sort": "-tag:piano"}).json()[
        "items"
    ]
    details = [client.get(f"{API}/tracks/{track['id']}").json() for track in tracks]
    scores = [
        next(tag["score"] for tag in detail["all_tags"] if tag["name"] == "piano") for detail in details
    ]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) > 1


def test_facets_count_what_a_search_finds(client: TestClient) -> None:
    facets = client.get(f"{API}/facets").json()
    values = [value for found in facets.values() for value in found if value["count"]]
    assert values
    for value in values:
        found = client.get(f"{API}/tracks", params={"query": f'"{value["tag"]}"'}).json()
        # Facets count files; a search finds each sound once.
        copies = {track["path"] for track in found["items"]} & {"again.wav", "album 0/song 0.wav"}
        assert found["total"] + len(copies) == value["count"], value
    none = client.get(f"{API}/facets", params={"query": "duration < 0"}).json()
    assert all(value["count"] == 0 for found in none.values() for value in found)


def test_what_is_wrong_with_an_expression_is_said_with_its_place(client: TestClient) -> None:
    answer = client.get(f"{API}/tracks", params={"query": "piano and (rock"})
    assert answer.status_code == 422
    problem = answer.json()
    assert (problem["start"], problem["end"]) == (10, 11)
    unknown = client.get(f"{API}/tracks", params={"query": "pianoo"}).json()
    assert "did you mean 'piano'" in unknown["detail"]
    assert (unknown["start"], unknown["end"]) == (0, 6)


def test_similar_tracks_with_reasons(client: TestClient) -> None:
    track = ids_of(client, query="duration > 0")[0]
    found = client.get(f"{API}/tracks/{track}/similar", params={"n": 3}).json()
    assert len(found) == 3
    similarities = [one["similarity"] for one in found]
    assert similarities == sorted(similarities, reverse=True)
    assert track not in [one["track"]["id"] for one in found]
    by_mood = client.get(f"{API}/tracks/{track}/similar", params={"n": 3, "mood": 1}).json()
    assert [one["similarity"] for one in by_mood] == pytest.approx(
        [one["facets"]["mood"] for one in by_mood], abs=1e-3
    )
    only = client.get(f"{API}/tracks/{track}/similar", params={"where": 'path: "song 3"'}).json()
    assert [one["track"]["path"] for one in only] == ["album 1/song 3.wav"]


def test_all_that_is_known_of_a_track(client: TestClient, music: Path) -> None:
    track = next(t for t in client.get(f"{API}/tracks").json()["items"] if t["path"] == "album 1/song 1.wav")
    address = f"{API}/tracks/{track['id']}"
    taggram = client.get(f"{address}/taggram").json()
    n_values = len(base64.b64decode(taggram["scores"]))
    assert n_values == len(taggram["chunk_times"]) * len(taggram["tags"])
    peaks = client.get(f"{address}/peaks", params={"n": 40}).json()
    assert peaks["duration"] == pytest.approx(4.0)
    assert peaks == client.get(f"{address}/peaks", params={"n": 40}).json()
    sound = client.get(f"{address}/audio")
    assert sound.content == (music / "album 1" / "song 1.wav").read_bytes()
    assert sound.headers["content-type"] == "audio/wav"
    assert client.get(f"{address}/audio", headers={"Range": "bytes=9999999-"}).status_code == 416
    assert client.get(f"{address}/evidence", params={"tag": "Piano"}).json()["tag"] == "piano"
    assert client.get(f"{API}/tracks/999999").status_code == 404


def test_playlists(client: TestClient, music: Path) -> None:
    def make(**wish: Any) -> Any:
        return client.post(f"{API}/playlists", json=wish)

    ids = ids_of(client, query="duration > 0", sort="path")
    seeds = make(kind="seeds", track_ids=ids[:1], n=3).json()
    assert seeds["tracks"][0]["track"]["id"] == ids[0]
    assert len(seeds["tracks"]) == 3
    path = make(kind="path", start=ids[0], end=ids[4], n=4).json()["tracks"]
    assert (path[0]["track"]["id"], path[-1]["track"]["id"]) == (ids[0], ids[4])
    curve = make(kind="curve", curves={"piano": [0, 1]}, n=3).json()["tracks"]
    assert [entry["reason"].split()[0] for entry in curve] == ["piano"] * 3
    chosen = make(kind="tracks", track_ids=ids[1::-1]).json()["tracks"]
    assert [entry["track"]["id"] for entry in chosen] == ids[1::-1]
    query = {"kind": "query", "query": "duration > 1", "n": 4}
    assert make(**query).json() == make(**query).json()
    text = client.post(f"{API}/playlists", params={"format": "m3u8"}, json=query).text
    places = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(places) == 4
    assert all((music / place).is_file() for place in places), "relative to the first root"
    assert make(kind="tracks", track_ids=[999_999]).status_code == 404
    assert make(kind="nonsense").status_code == 422


def test_an_empty_library_says_so(tmp_path: Path) -> None:
    from tests.server.conftest import make_settings, running, wait_until_read

    with running(make_settings(tmp_path)) as client:
        wait_until_read(client)
        assert client.get(f"{API}/tracks").json() == {"total": 0, "items": []}
        assert client.get(f"{API}/facets").json() == {}
        assert client.get(f"{API}/library").json()["can_scan"] is False
        for path in ("/tracks?query=piano", "/map", "/tag-map"):
            answer = client.get(f"{API}{path}")
            assert answer.status_code == 409
            assert "taggram library update" in answer.json()["remedy"]
        assert client.post(f"{API}/library/scan").status_code == 409
