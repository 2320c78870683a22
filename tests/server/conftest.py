"""A server in this process, with a small library of its own, and workers that are real."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from taggram import Tagger
from taggram.library import Library
from taggram.library.inventory import take_inventory
from taggram.library.scan import Scan
from taggram.server.app import create_app
from taggram.server.settings import Limits, Settings
from tests.conftest import ROOT
from tests.inference.test_tagger import write_wav

API = "/api/v1"
ADDRESS = "http://127.0.0.1:8765"
RATE = 16_000


def make_song(seed: int, duration: float = 4.0) -> np.ndarray:
    """A sound unlike that of any other seed: three tones in a rhythm, with some noise."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(duration * RATE)) / RATE
    tones = sum(np.sin(2 * np.pi * frequency * times) for frequency in rng.uniform(100, 4000, 3))
    beat = (1 + np.sign(np.sin(2 * np.pi * rng.uniform(1, 4) * times))) / 2
    return np.asarray((0.2 * beat * tones + rng.normal(0, 0.02, len(times))).clip(-1, 1), np.float32)


def write_song(path: Path, seed: int, duration: float = 4.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_wav(path, make_song(seed, duration), RATE)


def upload(client: TestClient, path: Path, **query: Any) -> Any:
    with path.open("rb") as file:
        return client.post(f"{API}/analyses", files={"file": (path.name, file)}, params=query)


def wait_for(
    client: TestClient, job: dict[str, Any], until: Sequence[str] = (), seconds: float = 60
) -> dict[str, Any]:
    """Return a job when it has ended, or is in a state."""
    end = time.monotonic() + seconds
    while job["state"] not in ("done", "failed", "cancelled", *until):
        assert time.monotonic() < end, f"still not done: {job}"
        time.sleep(0.02)
        job = client.get(f"{API}/jobs/{job['id']}").json()
    return job


def fill_library(database: Path, music: Path) -> None:
    with Library.open(database) as library, Tagger.load(n_threads=1) as tagger:
        library.add_root(music)
        take_inventory(library, [music])
        Scan(library, tagger).run(workers=1)


def make_settings(folder: Path, **changes: Any) -> Settings:
    limits = changes.pop("limits", Limits(n_workers=1))
    return Settings(library=folder / "library.db", limits=limits, **changes)


def running(settings: Settings, **options: Any) -> TestClient:
    """A client of a server that runs as long as the client is open."""
    return TestClient(create_app(settings), base_url=ADDRESS, **options)


def wait_until_read(client: TestClient) -> None:
    end = time.monotonic() + 30
    while client.get(f"{API}/health").json()["library"]["is_loading"]:
        assert time.monotonic() < end
        time.sleep(0.01)


class Service:
    """A running server, and its address."""

    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self.process = process
        self.url = url
        self.port = int(url.partition("#")[0].rstrip("/").rpartition(":")[2])

    def ask(self, path: str, *, method: str = "GET", body: bytes | None = None, **headers: str) -> Any:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            data = answer.read()
            return answer.status, json.loads(data) if "json" in (
                answer.headers["content-type"] or ""
            ) else data
        finally:
            connection.close()

    def upload(self, path: Path) -> Any:
        head = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{path.name}"\r\n\r\n'
        body = head.encode() + path.read_bytes() + b"\r\n--x--\r\n"
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        return self.ask(f"{API}/analyses", method="POST", body=body, **kind)

    def wait(self, job_id: str, *states: str) -> Any:
        end = time.monotonic() + 60
        while (job := self.ask(f"{API}/jobs/{job_id}")[1])["state"] not in states:
            assert time.monotonic() < end, job
            time.sleep(0.02)
        return job


@contextmanager
def serving(folder: Path, *options: str, **environment: str) -> Iterator[Service]:
    process = subprocess.Popen(
        [sys.executable, "-m", "taggram.cli.main", "serve", "--port", "0", "--workers", "1", "--library",
         str(folder / "library.db"), *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "http://" in line, process.communicate()
        service = Service(process, line.split()[-1])
        end = time.monotonic() + 30
        while True:
            try:
                service.ask(f"{API}/health")
                break
            except OSError:
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < end
                time.sleep(0.05)
        yield service
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six songs in a folder, one of them twice, the example clips, and a file that is no sound."""
    folder = tmp_path_factory.mktemp("site") / "music"
    for seed in range(6):
        write_song(folder / f"album {seed % 2}" / f"song {seed}.wav", seed)
    write_song(folder / "again.wav", 0)
    shutil.copytree(ROOT / "examples" / "clips", folder / "clips")
    (folder / "broken.mp3").write_bytes(b"nothing to hear " * 100)
    return folder


@pytest.fixture(scope="module")
def client(music: Path) -> Iterator[TestClient]:
    """A server with a library of six songs."""
    fill_library(music.parent / "library.db", music)
    with running(make_settings(music.parent)) as client:
        wait_until_read(client)
        yield client


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """A song that no server knows."""
    return write_song(tmp_path / "new song.wav", int.from_bytes(tmp_path.name.encode()[-6:]))
