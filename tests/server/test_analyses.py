"""Uploads: from a file to its tags, what is refused, and what is left behind."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from taggram import Tagger
from taggram.server.settings import Limits
from tests.server.conftest import API, make_settings, running, upload, wait_for, write_song


def analysed(client: TestClient, song: Path, **query: object) -> str:
    """Upload a song and return the address of its analysis."""
    job = wait_for(client, upload(client, song, **query).json())
    assert job["state"] == "done", job
    return str(job["result"])


def test_what_is_heard_is_what_the_tagger_hears(client: TestClient, song: Path) -> None:
    address = analysed(client, song)
    found = client.get(address).json()
    with Tagger.load(n_threads=1) as tagger:
        expected = tagger.tag(song)
    assert found["file_name"] == "new song.wav"
    assert found["duration"] == expected.duration
    assert [tag["name"] for tag in found["tags"]] == [tag.name for tag in expected.tags]
    assert [tag["score"] for tag in found["tags"]] == pytest.approx(
        [t.score for t in expected.tags], abs=1e-4
    )
    taggram = client.get(f"{address}/taggram").json()
    scores = np.frombuffer(base64.b64decode(taggram["scores"]), np.uint8).reshape(
        len(taggram["chunk_times"]), -1
    )
    # A taggram is kept in 7 bits of the square root, and sent in 8 bits.
    np.testing.assert_allclose(scores / 255, expected.taggram, atol=0.011)
    assert taggram["chunk_times"] == pytest.approx(expected.chunk_times.tolist())


def test_the_same_sound_is_analysed_once(client: TestClient, song: Path, tmp_path: Path) -> None:
    first = upload(client, song)
    assert first.status_code == 202
    assert first.headers["location"] == f"{API}/jobs/{first.json()['id']}"
    job = wait_for(client, first.json())
    other = tmp_path / "other name.wav"
    other.write_bytes(song.read_bytes())
    again = upload(client, other)
    assert again.status_code == 200
    assert again.json()["id"] == job["id"]


def test_uploads_are_not_kept_unless_asked_for(client: TestClient, music: Path, song: Path) -> None:
    folder = music.parent / "library.db.server" / "uploads"
    address = analysed(client, song)
    assert list(folder.iterdir()) == []
    assert client.get(address).json()["audio_url"] is None
    assert client.get(f"{address}/audio").status_code == 404
    kept = analysed(client, song, keep=True)
    assert kept != address
    assert len(list(folder.iterdir())) == 1
    sound = client.get(client.get(kept).json()["audio_url"], headers={"Range": "bytes=10-19"})
    assert (sound.status_code, sound.content) == (206, song.read_bytes()[10:20])
    assert client.delete(kept).status_code == 204
    assert list(folder.iterdir()) == []
    assert client.get(kept).status_code == 404


def test_forms_to_keep(client: TestClient, song: Path) -> None:
    address = f"{analysed(client, song)}/taggram"
    picture = client.get(address, params={"format": "png", "theme": "dark"})
    assert Image.open(io.BytesIO(picture.content)).size[0] > 500
    assert picture.headers["content-disposition"] == 'attachment; filename="new song.png"'
    assert json.loads(client.get(address, params={"format": "json"}).content)["schema"] == "taggram/1"
    jams = client.get(address, params={"format": "jams"})
    assert jams.json()["annotations"][0]["namespace"] == "tag_open"
    lines = client.get(address, params={"format": "csv"}).text.splitlines()
    assert lines[0].startswith("start,")
    assert len(lines) == 1 + client.get(address.removesuffix("/taggram")).json()["n_chunks"]


def test_peaks_and_evidence(client: TestClient, song: Path) -> None:
    address = analysed(client, song)
    peaks = client.get(f"{address}/peaks", params={"n": 50}).json()
    assert len(peaks["minimum"]) == len(peaks["maximum"]) <= 50
    assert max(peaks["maximum"]) > 20 > -20 > min(peaks["minimum"])
    part = client.get(f"{address}/peaks", params={"n": 50, "start": 1.0, "end": 2.0}).json()
    assert (part["start"], part["end"]) == (pytest.approx(1.0, abs=0.05), pytest.approx(2.0, abs=0.05))
    assert part["duration"] == peaks["duration"]
    quarter = slice(len(peaks["maximum"]) // 4, len(peaks["maximum"]) // 2)
    assert max(part["maximum"]) == pytest.approx(max(peaks["maximum"][quarter]), abs=3)
    strongest = client.get(address).json()["tags"][0]["name"]
    moments = client.get(f"{address}/evidence", params={"tag": strongest}).json()["moments"]
    assert moments[0]["score"] == max(moment["score"] for moment in moments)
    unknown = client.get(f"{address}/evidence", params={"tag": "no such tag"})
    assert unknown.status_code == 404
    assert "no such tag" in unknown.json()["detail"]


def test_similar_tracks_of_an_upload(client: TestClient, music: Path, tmp_path: Path) -> None:
    copy = write_song(tmp_path / "copy.wav", 3, duration=3.9)
    found = client.get(f"{analysed(client, copy)}/similar", params={"n": 2}).json()
    assert found[0]["track"]["title"] != found[1]["track"]["title"]
    assert found[0]["similarity"] >= found[1]["similarity"]
    assert set(found[0]["facets"]) == {"sound", "genre", "mood", "instrument"}


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        (b"nothing to hear " * 500, 422, "no sound format"),
        (b"", 422, "empty"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", 422, "too damaged"),
    ],
)
def test_what_is_no_sound_is_refused(
    client: TestClient, tmp_path: Path, music: Path, content: bytes, status: int, said: str
) -> None:
    bad = tmp_path / "bad.mp3"
    bad.write_bytes(content)
    answer = upload(client, bad)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert said in problem["detail"]
    assert "bad.mp3" in problem["detail"]
    assert str(music.parent) not in answer.text, "where the server keeps things is nobody's business"


def test_a_sound_without_tags_fails_with_its_reason(client: TestClient, tmp_path: Path) -> None:
    job = wait_for(client, upload(client, write_song(tmp_path / "blip.wav", 77, duration=0.4)).json())
    assert job["state"] == "failed"
    assert "0.40 s of sound" in job["error"]["detail"]
    assert job["result"] is None


def test_forms_that_are_none(client: TestClient, song: Path) -> None:
    raw = client.post(f"{API}/analyses", content=song.read_bytes())
    assert raw.status_code == 415
    other = client.post(f"{API}/analyses", files={"sound": ("a.wav", song.read_bytes())})
    assert other.status_code == 422
    two = client.post(f"{API}/analyses", files=[("file", ("a.wav", b"x")), ("file", ("b.wav", b"y"))])
    assert two.status_code == 422
    head = {"Content-Type": "multipart/form-data; boundary=x"}
    cut = client.post(
        f"{API}/analyses", content=b'--x\r\nContent-Disposition: form-data; name="file"', headers=head
    )
    assert cut.status_code == 422
    unknown = client.post(
        f"{API}/analyses?model=../../etc/passwd", files={"file": ("a.wav", song.read_bytes())}
    )
    assert unknown.status_code == 404


def test_names_of_files_are_only_for_people(client: TestClient, song: Path, music: Path) -> None:
    answer = client.post(
        f"{API}/analyses", files={"file": ("../../../tmp/\u202eevil.wav", song.read_bytes())}
    )
    assert answer.json()["name"] == "evil.wav"


def test_limits_of_size_and_duration(tmp_path: Path) -> None:
    limits = Limits(n_workers=1, upload_bytes=100_000, duration=2.5)
    with running(make_settings(tmp_path, limits=limits)) as client:
        long = upload(client, write_song(tmp_path / "long.wav", 1, duration=3.0))
        assert (long.status_code, long.json()["type"].rpartition("/")[2]) == (413, "too_long")
        large = upload(client, write_song(tmp_path / "large.wav", 1, duration=6.0))
        assert (large.status_code, large.json()["type"].rpartition("/")[2]) == (413, "too_large")
        assert upload(client, write_song(tmp_path / "short.wav", 1, duration=2.0)).status_code == 202
        assert not list((tmp_path / "library.db.server" / "uploads").glob("*.part"))


def test_a_header_that_lies_about_the_duration_helps_nobody(tmp_path: Path) -> None:
    lying = bytearray(write_song(tmp_path / "lying.wav", 1, duration=6.0).read_bytes())
    lying[40:44] = (1000).to_bytes(4, "little")  # bytes of samples, as the header says
    lying[4:8] = (1036).to_bytes(4, "little")
    (tmp_path / "lying.wav").write_bytes(lying)
    with running(make_settings(tmp_path, limits=Limits(n_workers=1, duration=0.01))) as client:
        answer = upload(client, tmp_path / "lying.wav")
        job = wait_for(client, answer.json()) if answer.status_code == 202 else answer.json()
        problem = job.get("error", job)
        assert problem["type"].rpartition("/")[2] == "too_long"


def test_old_analyses_and_forgotten_files_are_removed(tmp_path: Path, song: Path) -> None:
    settings = make_settings(tmp_path, retention_seconds=0.0)
    with running(settings) as client:
        address = analysed(client, song, keep=True)
        assert len(list(settings.uploads.iterdir())) == 1
        client.app.state.server.tidy()  # type: ignore[attr-defined]
        assert client.get(address).status_code == 404
        assert list(settings.uploads.iterdir()) == []
