"""Downloads against a real HTTP server on this machine: whole, resumed, cut, wrong, too large."""

import hashlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from taggram.errors import ChecksumError, DownloadError
from taggram.lab.weights.fetch import Patience, fetch, find_offline

CONTENT = np.random.default_rng(0).bytes(300_000)
HASTY = Patience(timeout=5.0, attempts=2, pause=0.0)


@dataclass
class Behaviour:
    """What the server does: set by a test before the download, read back after it."""

    content: bytes = CONTENT
    knows_ranges: bool = True
    cut_after: int | None = None  # bytes of one answer, after which the connection is closed
    failures: list[int] = field(default_factory=list)  # statuses answered first
    redirects: list[str] = field(default_factory=list)  # locations answered first
    silent: bool = False
    asked: list[str | None] = field(default_factory=list)  # Range header of every request


class Handler(BaseHTTPRequestHandler):
    behaviour: Behaviour
    released: threading.Event

    def do_GET(self) -> None:
        behaviour = self.behaviour
        behaviour.asked.append(self.headers["Range"])
        if behaviour.silent:
            self.released.wait(10)
        elif behaviour.failures:
            self.send_error(behaviour.failures.pop(0))
        elif behaviour.redirects:
            self.send_response(302)
            self.send_header("Location", behaviour.redirects.pop(0))
            self.end_headers()
        else:
            self._send(behaviour)

    def _send(self, behaviour: Behaviour) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        start = int(asked[1]) if asked and behaviour.knows_ranges else 0
        if start and start >= len(behaviour.content):
            self.send_error(416)
            return
        body = behaviour.content[start:]
        self.send_response(206 if start else 200)
        if start:
            total = len(behaviour.content)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: behaviour.cut_after])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Keep the tests quiet."""


@dataclass(frozen=True)
class File:
    name: str
    url: str
    sha256: str
    n_bytes: int


@dataclass(frozen=True)
class Origin:
    """A running server and the file it publishes."""

    behaviour: Behaviour
    file: File


@pytest.fixture
def origin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Origin]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    behaviour, released = Behaviour(), threading.Event()
    handler = type("BoundHandler", (Handler,), {"behaviour": behaviour, "released": released})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/weights.pth"
    yield Origin(behaviour, published(CONTENT, url))
    released.set()
    server.shutdown()
    thread.join()
    server.server_close()


def published(content: bytes, url: str = "https://example.org/weights.pth") -> File:
    return File(name="mine", url=url, sha256=hashlib.sha256(content).hexdigest(), n_bytes=len(content))


def part_of(destination: Path) -> Path:
    return destination.with_name(destination.name + ".part")


def test_downloads_whole_file_and_reports_progress(origin: Origin, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    destination = tmp_path / "new folder" / "weights.pth"
    assert fetch(origin.file, destination, progress=lambda *done: seen.append(done)) == destination
    assert destination.read_bytes() == CONTENT
    assert not part_of(destination).exists()
    assert seen == sorted(seen)
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_file_that_is_there_is_not_asked_for(origin: Origin, tmp_path: Path) -> None:
    destination = tmp_path / "weights.pth"
    destination.write_bytes(CONTENT)
    fetch(origin.file, destination)
    assert origin.behaviour.asked == []


def test_damaged_file_that_is_there_is_replaced(origin: Origin, tmp_path: Path) -> None:
    destination = tmp_path / "weights.pth"
    destination.write_bytes(b"\0" + CONTENT[1:])
    assert fetch(origin.file, destination).read_bytes() == CONTENT


def test_resumes_where_the_part_ends(origin: Origin, tmp_path: Path) -> None:
    destination = tmp_path / "weights.pth"
    part_of(destination).write_bytes(CONTENT[:100_000])
    assert fetch(origin.file, destination).read_bytes() == CONTENT
    assert origin.behaviour.asked == ["bytes=100000-"]


def test_server_without_ranges_sends_everything_again(origin: Origin, tmp_path: Path) -> None:
    origin.behaviour.knows_ranges = False
    destination = tmp_path / "weights.pth"
    part_of(destination).write_bytes(CONTENT[:100_000])
    assert fetch(origin.file, destination).read_bytes() == CONTENT


def test_cut_connection_goes_on_within_one_call(origin: Origin, tmp_path: Path) -> None:
    origin.behaviour.cut_after = 90_000
    destination = tmp_path / "weights.pth"
    assert fetch(origin.file, destination, patience=HASTY).read_bytes() == CONTENT
    assert origin.behaviour.asked == [None, "bytes=90000-", "bytes=180000-", "bytes=270000-"]


def test_cut_connection_without_ranges_gives_up_and_keeps_no_file(origin: Origin, tmp_path: Path) -> None:
    origin.behaviour.cut_after = 90_000
    origin.behaviour.knows_ranges = False
    destination = tmp_path / "weights.pth"
    with pytest.raises(DownloadError, match=r"ended after 90000 of 300000 bytes.*--from DIR"):
        fetch(origin.file, destination, patience=HASTY)
    assert not destination.exists()


def test_next_call_goes_on_after_a_failed_one(origin: Origin, tmp_path: Path) -> None:
    destination = tmp_path / "weights.pth"
    origin.behaviour.cut_after = 0
    part_of(destination).write_bytes(CONTENT[:1000])
    with pytest.raises(DownloadError, match="ended after 1000 of"):
        fetch(origin.file, destination, patience=HASTY)
    origin.behaviour.cut_after = None
    origin.behaviour.asked.clear()
    assert fetch(origin.file, destination).read_bytes() == CONTENT
    assert origin.behaviour.asked == ["bytes=1000-"]


@pytest.mark.parametrize("part_length", [0, 100_000, 300_000])
def test_wrong_bytes_are_refused_and_deleted(origin: Origin, tmp_path: Path, part_length: int) -> None:
    origin.behaviour.content = CONTENT[:-1] + b"\0"
    assert origin.behaviour.content != CONTENT
    destination = tmp_path / "weights.pth"
    part_of(destination).write_bytes(origin.behaviour.content[:part_length])
    with pytest.raises(ChecksumError, match=f"published is {origin.file.sha256}"):
        fetch(origin.file, destination)
    assert list(tmp_path.iterdir()) == []


def test_more_bytes_than_published_stop_the_download(origin: Origin, tmp_path: Path) -> None:
    origin.behaviour.content = CONTENT * 20
    seen: list[int] = []
    with pytest.raises(DownloadError, match="more than the published 300000 bytes"):
        fetch(origin.file, tmp_path / "weights.pth", progress=lambda done, _: seen.append(done))
    assert max(seen) <= origin.file.n_bytes
    assert not (tmp_path / "weights.pth").exists()


def test_part_longer_than_the_file_is_started_over(origin: Origin, tmp_path: Path) -> None:
    destination = tmp_path / "weights.pth"
    part_of(destination).write_bytes(CONTENT + b"more")
    assert fetch(origin.file, destination).read_bytes() == CONTENT
    assert origin.behaviour.asked == [None]


def test_part_that_the_server_cannot_continue_is_started_over(origin: Origin, tmp_path: Path) -> None:
    destination = tmp_path / "weights.pth"
    part_of(destination).write_bytes(CONTENT[:1000])
    origin.behaviour.failures = [416]
    assert fetch(origin.file, destination, patience=HASTY).read_bytes() == CONTENT
    assert origin.behaviour.asked == ["bytes=1000-", None]


def test_busy_server_is_asked_again(origin: Origin, tmp_path: Path) -> None:
    origin.behaviour.failures = [503]
    assert fetch(origin.file, tmp_path / "weights.pth", patience=HASTY).read_bytes() == CONTENT


def test_missing_file_is_not_asked_for_again(origin: Origin, tmp_path: Path) -> None:
    origin.behaviour.failures = [404, 404]
    with pytest.raises(DownloadError, match="HTTP status 404"):
        fetch(origin.file, tmp_path / "weights.pth", patience=HASTY)
    assert len(origin.behaviour.asked) == 1


def test_silent_server_times_out(origin: Origin, tmp_path: Path) -> None:
    origin.behaviour.silent = True
    with pytest.raises(DownloadError, match="timed out"):
        fetch(origin.file, tmp_path / "weights.pth", patience=Patience(timeout=0.1, attempts=1))


def test_refused_connection_is_an_error_with_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    unused = published(CONTENT, "http://127.0.0.1:9/weights.pth")  # port 9: discard, nobody listens
    with pytest.raises(DownloadError, match=r"refused.*--from DIR"):
        fetch(unused, tmp_path / "weights.pth", patience=HASTY)


def test_redirect_within_the_rules_is_followed(origin: Origin, tmp_path: Path) -> None:
    origin.behaviour.redirects = [origin.file.url + "?moved"]
    assert fetch(origin.file, tmp_path / "weights.pth").read_bytes() == CONTENT
    assert len(origin.behaviour.asked) == 2


@pytest.mark.parametrize("target", ["http://example.org/weights.pth", "ftp://example.org/weights.pth"])
def test_redirect_away_from_https_is_refused(origin: Origin, tmp_path: Path, target: str) -> None:
    origin.behaviour.redirects = [target]
    with pytest.raises(DownloadError, match="only HTTPS"):
        fetch(origin.file, tmp_path / "weights.pth", patience=HASTY)


@pytest.mark.parametrize("url", ["http://example.org/w", "file:///etc/hosts", "weights.pth"])
def test_only_https_is_spoken(tmp_path: Path, url: str) -> None:
    with pytest.raises(DownloadError, match="only HTTPS is accepted"):
        fetch(published(CONTENT, url), tmp_path / "weights.pth")


def test_unwritable_destination_is_named(origin: Origin, tmp_path: Path) -> None:
    destination = tmp_path / "weights.pth"
    part_of(destination).mkdir()
    with pytest.raises(DownloadError, match=r"cannot write .*weights\.pth\.part"):
        fetch(origin.file, destination)


@pytest.mark.parametrize("where", ["mtat/fcn/weights.pth", "renamed.bin", "deep/er/still.pth"])
def test_offline_copy_is_found_under_any_name(tmp_path: Path, where: str) -> None:
    copy = tmp_path / where
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(CONTENT)
    decoy = tmp_path / "decoy.pth"
    decoy.write_bytes(CONTENT[:-1] + b"\0")
    assert find_offline(published(CONTENT), tmp_path) == copy


def test_offline_does_not_trust_the_published_name(tmp_path: Path) -> None:
    partial = tmp_path / "weights.pth"
    partial.write_bytes(CONTENT[:-10])
    with pytest.raises(
        DownloadError, match=r"no copy of https://example.org/weights.pth below .*300000 bytes"
    ):
        find_offline(published(CONTENT), tmp_path)
    whole = tmp_path / "whole.pth"
    whole.write_bytes(CONTENT)
    assert find_offline(published(CONTENT), tmp_path) == whole


def test_offline_folder_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="not a folder"):
        find_offline(published(CONTENT), tmp_path / "absent")
