"""Chords over HTTP: what `taggram chords` says, of uploads and of tracks."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from taggram.chords.chart import arrange, chord_name
from taggram.chords.formats import FORMATS
from taggram.chords.midi_file import read_midi
from taggram.chords.recogniser import ChordRecogniser
from taggram.chords.result import ChordResult
from taggram.chords.vocabulary import VOCABULARIES, VocabularyName
from taggram.server.settings import Limits
from tests.chords.sounds import RATE as CHORD_RATE
from tests.chords.sounds import SONG, play
from tests.inference.test_tagger import write_wav
from tests.server.conftest import (
    API,
    fill_library,
    make_settings,
    make_song,
    running,
    serving,
    upload,
    wait_for,
    wait_until_read,
    write_song,
)


@pytest.fixture(scope="module")
def tune(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """C Am F G, twice."""
    return write_wav(tmp_path_factory.mktemp("tune") / "tune.wav", play(SONG * 2), CHORD_RATE)


@pytest.fixture(scope="module")
def heard(tune: Path) -> dict[VocabularyName, ChordResult]:
    """What the recogniser hears in it."""
    with ChordRecogniser.load() as recogniser:
        return recogniser.recognise_all(tune, vocabularies=tuple(VOCABULARIES))


@pytest.fixture(scope="module")
def site(tune: Path) -> Iterator[TestClient]:
    """A server whose library holds the tune, noise without chords, and a file that is no sound."""
    music = tune.parent / "music"
    music.mkdir()
    (music / "tune.wav").write_bytes(tune.read_bytes())
    write_wav(music / "click.wav", 0.001 * make_song(1, 2.0), 16_000)
    (music / "broken.mp3").write_bytes(b"nothing to hear " * 100)
    fill_library(tune.parent / "library.db", music)
    with running(make_settings(tune.parent)) as client:
        wait_until_read(client)
        yield client


def find_track(client: TestClient, path: str) -> str:
    """Return the address of a track."""
    tracks = client.get(f"{API}/tracks").json()["items"]
    return next(f"{API}/tracks/{track['id']}" for track in tracks if track["path"] == path)


def chords_of(client: TestClient, address: str, **wish: Any) -> Any:
    """Return the chart of an upload or a track, which may have to be listened for first."""
    answer = client.get(f"{address}/chords", params=wish)
    if answer.status_code == 202:
        job = wait_for(client, answer.json())
        assert job["state"] == "done", job
        assert job["result"] == f"{address}/chords"
        answer = client.get(f"{address}/chords", params=wish)
    assert answer.status_code == 200, answer.text
    return answer.json()


def analysed(client: TestClient, song: Path) -> str:
    """Return the address of the analysis of a song."""
    job = wait_for(client, upload(client, song).json())
    assert job["state"] == "done", job
    return str(job["result"])


@pytest.mark.parametrize("vocabulary", ["majmin", "sevenths", "full"])
@pytest.mark.parametrize(
    ("semitones", "capo", "is_simple"), [(0, 0, False), (3, 0, False), (-2, 5, False), (0, 1, True)]
)
def test_an_upload_and_a_track_have_the_chords_that_are_heard(
    site: TestClient, tune: Path, heard: dict[VocabularyName, ChordResult], vocabulary: VocabularyName,
    semitones: int, capo: int, is_simple: bool,
) -> None:  # fmt: skip
    expected = arrange(heard[vocabulary], semitones=semitones, capo=capo, is_simple=is_simple)
    wish = {"vocabulary": vocabulary, "transpose": semitones, "capo": capo, "simplify": is_simple}
    found = chords_of(site, analysed(site, tune), **wish)
    assert found == chords_of(site, find_track(site, "tune.wav"), **wish)
    assert [chord["name"] for chord in found["chords"]] == [
        chord_name(chord, expected.spelling) for chord in expected.chords
    ]
    assert [chord["start"] for chord in found["chords"]] == pytest.approx(
        [chord.start for chord in expected.chords], abs=1e-6
    )
    assert [chord["confidence"] for chord in found["chords"]] == pytest.approx(
        [chord.confidence for chord in expected.chords], abs=1e-4
    )
    assert found["key"]["name"] == expected.key.name  # type: ignore[union-attr]
    assert found["heard_key"]["name"] == "C major"
    assert found["confidence"] == pytest.approx(expected.confidence, abs=1e-4)
    assert found["tuning_cents"] == pytest.approx(expected.tuning_cents, abs=0.05)
    assert {name: found[name] for name in wish} == wish


def test_files_to_keep_are_those_of_the_command(
    site: TestClient, tune: Path, heard: dict[VocabularyName, ChordResult]
) -> None:
    address = f"{analysed(site, tune)}/chords"
    wish: dict[str, Any] = {"vocabulary": "majmin", "transpose": 2, "capo": 3}
    chart = replace(arrange(heard["majmin"], semitones=2, capo=3), path="tune.wav")
    for form, ending in {"lab": "lab", "midi": "mid", "table": "txt", "json": "json", "jams": "jams"}.items():
        answer = site.get(address, params={**wish, "format": form})
        assert answer.headers["content-disposition"] == f'attachment; filename="tune.{ending}"'
        expected = FORMATS[form](chart)
        if form in ("lab", "table"):
            assert answer.content == expected
        elif form == "midi":
            assert read_midi(answer.content) == read_midi(expected)
        elif form == "json":
            assert answer.headers["content-type"] == "application/vnd.taggram.chords+json"
            assert answer.json() == json.loads(expected)
        else:
            namespaces = [annotation["namespace"] for annotation in answer.json()["annotations"]]
            assert namespaces == ["chord", "key_mode"]
            assert answer.json()["sandbox"] == json.loads(expected)["sandbox"]


def test_a_track_is_listened_to_once_and_in_a_worker(site: TestClient) -> None:
    address = find_track(site, "click.wav")
    first = site.get(f"{address}/chords")
    assert first.status_code == 202
    assert first.headers["location"] == f"{API}/jobs/{first.json()['id']}"
    again = site.get(f"{address}/chords")
    assert again.status_code != 202 or again.json()["id"] == first.json()["id"], "one job for both"
    assert wait_for(site, first.json())["kind"] == "chords"
    n_jobs = len(site.get(f"{API}/jobs", params={"kind": "chords"}).json()["items"])
    site.get(f"{address}/chords")
    assert len(site.get(f"{API}/jobs", params={"kind": "chords"}).json()["items"]) == n_jobs


def test_where_no_chords_are_heard_that_is_said(site: TestClient, tmp_path: Path) -> None:
    noise = write_song(tmp_path / "noise.wav", 7)
    rng = np.random.default_rng(7)
    write_wav(noise, rng.normal(0, 0.1, 3 * 16_000).astype(np.float32), 16_000)
    for form in (None, "midi"):
        answer = site.get(f"{analysed(site, noise)}/chords", params={"format": form} if form else {})
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"] == "no chords are heard in noise.wav"
        assert "take music" in answer.json()["remedy"]
    assert site.get(f"{find_track(site, 'broken.mp3')}/chords").status_code == 404
    assert site.get(f"{API}/tracks/999999/chords").status_code == 404
    assert site.get(f"{API}/analyses/{'0' * 32}/chords").status_code == 404


@pytest.mark.parametrize(
    "wish", [{"capo": 12}, {"transpose": 12}, {"vocabulary": "jazz"}, {"format": "pdf"}, {"simplify": "why"}]
)
def test_wishes_that_cannot_be(site: TestClient, wish: dict[str, Any]) -> None:
    answer = site.get(f"{find_track(site, 'tune.wav')}/chords", params=wish)
    assert (answer.status_code, answer.json()["status"]) == (422, 422)
    assert next(iter(wish)) in answer.json()["detail"]


def test_a_track_that_is_too_long_and_a_file_that_is_gone(tune: Path, tmp_path: Path) -> None:
    music = tmp_path / "music"
    music.mkdir()
    for name in ("long.wav", "gone.wav"):
        write_song(music / name, len(name), 4.0)
    fill_library(tmp_path / "library.db", music)
    (music / "gone.wav").unlink()
    with running(make_settings(tmp_path, limits=Limits(n_workers=1, duration=2.0))) as client:
        wait_until_read(client)
        job = wait_for(client, client.get(f"{find_track(client, 'long.wav')}/chords").json())
        assert job["state"] == "failed"
        assert job["error"]["detail"] == "the sound is longer than 2 s"
        gone = client.get(f"{find_track(client, 'gone.wav')}/chords")
        assert (gone.status_code, gone.json()["remedy"]) == (404, "scan the library")


def test_a_restart_loses_no_chords(tune: Path, tmp_path: Path) -> None:
    """A job that waits when the server is killed is done by the next one, and what was heard stays."""
    music = tmp_path / "music"
    music.mkdir()
    (music / "tune.wav").write_bytes(tune.read_bytes())
    fill_library(tmp_path / "library.db", music)
    with serving(tmp_path) as service:
        status, job = service.ask(f"{API}/tracks/1/chords")
        assert status == 202
        service.process.kill()
    with serving(tmp_path) as service:
        assert service.wait(job["id"], "done", "failed")["state"] == "done"
        status, chart = service.ask(f"{API}/tracks/1/chords")
        assert (status, chart["heard_key"]["name"]) == (200, "C major")


def test_what_an_older_server_kept_stays(site: TestClient, tune: Path, tmp_path: Path) -> None:
    """Its database has no chords: its analyses stay, and the same sound is analysed again for them."""
    with running(make_settings(tmp_path)) as client:
        address = analysed(client, tune)
        tags = client.get(address).json()["tags"]
    database = tmp_path / "library.db.server" / "server.db"
    with sqlite3.connect(database) as connection:
        connection.execute("DROP TABLE analysis_chords")
        connection.execute("DROP TABLE chords")
        connection.execute("UPDATE job SET key = 'as before'")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    with running(make_settings(tmp_path)) as client:
        assert client.get(address).json()["tags"] == tags
        missing = client.get(f"{address}/chords")
        assert (missing.status_code, missing.json()["detail"]) == (404, "there are no chords of tune.wav")
        renewed = analysed(client, tune)
        assert renewed != address
        assert chords_of(client, renewed)["heard_key"]["name"] == "C major"
