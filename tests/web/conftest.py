"""The real server with real audio, and Debian's Chromium that looks at its page.

Every page of a test is watched: an error in the console (a violated content security policy is one), an
exception, or a request to another host fails the test that caused it.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from taggram.modelfile.container import seal
from taggram.modelfile.specification import PowerSpectrogram, Specification
from tests.conftest import ROOT, tiny_graph, tiny_specification

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CLIPS = ROOT / "examples" / "clips"
_START_SECONDS = 60
_JOB_SECONDS = 180
PATIENCE = 60.0
"""Seconds: other tests keep the same cores busy."""
_ARGUMENTS = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--mute-audio"]


@dataclass
class Site:
    """A server of its own folder, that can be stopped and started again at the same address."""

    folder: Path
    options: tuple[str, ...] = ()
    port: int = field(default_factory=lambda: _free_port())
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        environment = {
            **os.environ,
            "TAGGRAM_CACHE": str(self.folder / "cache"),
            "TAGGRAM_LIBRARY": str(self.folder / "library.db"),
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, "-m", "taggram.cli.main", "serve", "--port", str(self.port)]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *self.options], env=environment, stdout=log, stderr=log, cwd=self.folder
            )
        self._wait()

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}", timeout=30) as answer:
            return json.load(answer)

    def post(self, path: str, **wish: Any) -> Any:
        """Ask for long work, and return the job when it has ended well."""
        headers = {"Content-Type": "application/json"}
        url = f"{self.url}/api/v1/{path}"
        request = urllib.request.Request(url, json.dumps(wish).encode(), headers, method="POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            job = json.load(answer)
        deadline = time.monotonic() + _JOB_SECONDS
        while job["state"] not in ("done", "failed", "cancelled"):
            assert time.monotonic() < deadline, job
            time.sleep(0.1)
            job = self.get(f"jobs/{job['id']}")
        assert job["state"] == "done", job
        return job

    def _wait(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                self.get("health")
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError(f"the server did not start:\n{(self.folder / 'server.log').read_text()}")


@pytest.fixture(scope="session")
def make_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Site]]:
    """Start servers with two more models: make_site(*options)."""
    if not all(map(find_spec, ("fastapi", "uvicorn"))):
        pytest.skip("the extra `serve` is not installed")
    sites: list[Site] = []

    def make(*options: str) -> Site:
        folder = tmp_path_factory.mktemp("site")
        _write_models(folder / "cache" / "models")
        sites.append(Site(folder, options))
        sites[-1].start()
        return sites[-1]

    yield make
    for site in sites:
        site.stop()


@pytest.fixture(scope="session")
def site(make_site: Callable[..., Site], tones: Path) -> Site:
    """The server that most tests share; a dataset of tones is prepared there."""
    return make_site("--dataset", f"folder:names={tones}")


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """One browser for all tests."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    if find_spec("playwright") is None:
        pytest.skip("the Python package playwright is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
        yield browser
        browser.close()


OpenPage = Callable[..., "Page"]


@pytest.fixture
def open_page(browser: "Browser") -> Iterator[OpenPage]:
    """Open a watched page: open_page(url, **options of the context)."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_(url: str, **options: Any) -> "Page":
        context = browser.new_context(**{"viewport": {"width": 1360, "height": 960}, **options})
        contexts.append(context)
        context.set_default_timeout(PATIENCE * 1000)
        page = context.new_page()
        host = url.split("/")[2]
        page.on("pageerror", lambda error: complaints.append(f"exception: {error}"))
        page.on(
            "console", lambda message: complaints.append(message.text) if message.type == "error" else None
        )
        page.on(
            "request",
            lambda request: (
                complaints.append(f"request to {request.url}")
                if request.url.startswith("http") and request.url.split("/")[2] != host
                else None
            ),
        )
        page.goto(url)
        return page

    open_.complaints = complaints  # type: ignore[attr-defined]
    yield open_
    for context in contexts:
        context.close()
    assert [text for text in complaints if not _is_expected(text)] == []


def _is_expected(complaint: str) -> bool:
    """Whether the browser only notes that a request failed; the page says so itself."""
    return complaint.startswith("Failed to load resource") or "ERR_CONNECTION_REFUSED" in complaint


@pytest.fixture(scope="session")
def medley() -> Path:
    """Nine pieces in a minute and a half, our own music: every moment has other tags."""
    return CLIPS / "medley.m4a"


def wait_until(page: "Page", is_so: Callable[[], bool], timeout: float = PATIENCE) -> None:
    """Ask until it is so; the page's policy lets nobody run a condition inside of it."""
    deadline = time.monotonic() + timeout
    while not is_so():
        assert time.monotonic() < deadline, "it did not become so"
        page.wait_for_timeout(50)


def write_wav(path: Path, waveform: np.ndarray, sample_rate: int = 8000) -> Path:
    """Write a mono waveform of at most 1 as 16-bit PCM."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(sample_rate)
        stream.writeframes((32767 * waveform).astype("<i2").tobytes())
    return path


def make_tone(frequency: float, duration: float, sample_rate: int = 8000) -> np.ndarray:
    """Return a sine tone of half the full scale."""
    times = np.arange(round(duration * sample_rate)) / sample_rate
    return 0.5 * np.sin(2 * np.pi * frequency * times)


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset in folders `<split>/<class>`: tones, some hidden in noise."""
    rng = np.random.default_rng(20261121)
    folder = tmp_path_factory.mktemp("tones")
    for split in ("validation", "test"):
        for label, frequency in (("low", 300.0), ("middle", 2000.0), ("high", 3500.0)):
            for number in range(4):
                noise = 0.12 * number * rng.standard_normal(12_000)
                tone = make_tone(frequency + 30 * number, 1.5)
                write_wav(folder / split / label / f"{number}.wav", np.clip(tone + noise, -1, 1))
    return folder


def _write_models(folder: Path) -> None:
    """Two models that hear which of three bands is loud, one of them more coarsely."""
    folder.mkdir(parents=True)
    for name, front_end in (
        ("tiny", PowerSpectrogram(n_fft=256, hop_length=128)),
        ("coarse", PowerSpectrogram(n_fft=16, hop_length=128)),
    ):
        specification = Specification.model_validate(
            {**tiny_specification(front_end).model_dump(), "name": name}
        )
        (folder / f"{name}.onnx").write_bytes(seal(tiny_graph(specification), specification))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 24 short pieces of music by three artists, our own."""
    from tests.web.music import write_music

    folder = tmp_path_factory.mktemp("music")
    write_music(folder)
    return folder


@pytest.fixture(scope="module")
def music_site(music: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server whose library holds a copy of the music in `folder/music`, heard by the model that ships."""
    from tests.web.music import run_taggram

    if not all(map(find_spec, ("fastapi", "uvicorn"))):
        pytest.skip("the extra `serve` is not installed")
    folder = tmp_path_factory.mktemp("music_site")
    shutil.copytree(music, folder / "music")
    run_taggram(folder, "library", "add", str(folder / "music"))
    site = Site(folder)
    site.start()
    yield site
    site.stop()
