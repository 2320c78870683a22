"""`taggram serve` as people run it: a process, a port, an end in the middle of the work."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from taggram.cli import main as cli
from taggram.server.app import _listen
from taggram.server.settings import Settings
from tests.conftest import ROOT
from tests.server.conftest import API, Service, serving, write_song


def children_of(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


@pytest.mark.skipif(os.name != "posix", reason="signals of this kind are of POSIX")
def test_it_ends_in_the_middle_of_the_work_and_goes_on_with_it(tmp_path: Path) -> None:
    long = write_song(tmp_path / "long.wav", 1, duration=900.0)
    short = write_song(tmp_path / "short.wav", 2)
    with serving(tmp_path) as first:
        assert first.url == f"http://127.0.0.1:{first.port}/"
        jobs = [first.upload(path)[1]["id"] for path in (long, short)]
        first.wait(jobs[0], "analysing")
        # A reader of events is no reason to stay.
        reader = socket.create_connection(("127.0.0.1", first.port))
        reader.sendall(f"GET {API}/jobs/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        assert reader.recv(15) == b"HTTP/1.1 200 OK"
        seen = b""
        while jobs[0].encode() not in seen:  # it begins with what is not done
            seen += reader.recv(65536)
        begun = time.monotonic()
        first.process.send_signal(signal.SIGTERM)
        assert first.process.wait(20) == 0 or first.process.returncode == -signal.SIGTERM
        assert time.monotonic() - begun < 12
        reader.close()
        assert first.process.stderr is not None
        assert first.process.stderr.read() == ""
    with serving(tmp_path) as second:
        assert [second.wait(job, "done", "failed")["state"] for job in jobs] == ["done", "done"]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs a list of child processes")
def test_a_server_that_is_killed_leaves_no_workers_and_loses_no_job(tmp_path: Path) -> None:
    long = write_song(tmp_path / "long.wav", 1, duration=900.0)
    with serving(tmp_path) as first:
        job = first.upload(long)[1]["id"]
        first.wait(job, "analysing")
        workers = children_of(first.process.pid)
        assert workers
        first.process.kill()
        first.process.wait()
        end = time.monotonic() + 10
        while any(Path(f"/proc/{pid}").exists() for pid in workers):
            assert time.monotonic() < end, "a worker outlived its server"
            time.sleep(0.05)
    with serving(tmp_path) as second:
        assert second.wait(job, "done", "failed")["state"] == "done"


def test_beyond_this_machine_it_makes_a_token(tmp_path: Path) -> None:
    with serving(tmp_path, "--host", "0.0.0.0") as service:
        token = service.url.rpartition("#token=")[2]
        assert len(token) >= 32
        assert service.ask(f"{API}/models")[0] == 401
        assert service.ask(f"{API}/models", Authorization=f"Bearer {token}")[0] == 200
    with serving(tmp_path, "--host", "0.0.0.0", TAGGRAM_TOKEN="a token of our own") as service:
        assert service.ask(f"{API}/models", Authorization="Bearer a token of our own")[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/../settings.py",
        "/..%2fsettings.py",
        "/%2e%2e/app.py",
        "//etc/passwd",
        "/assets/../../app.py",
        "/\\..\\app.py",
    ],
)
def test_no_path_leads_out_of_the_page(
    tmp_path_factory: pytest.TempPathFactory, path: str, page_server: Service
) -> None:
    """As it stands on the wire: ordinary clients would tidy it up before."""
    connection = socket.create_connection(("127.0.0.1", page_server.port), timeout=10)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    answer = b""
    while data := connection.recv(65536):
        answer += data
    connection.close()
    assert b"create_app" not in answer
    assert b"root:" not in answer
    assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400", b"HTTP/1.1 200"))
    assert b"<!doctype html" in answer.lower() or b"problem" in answer or b"no page" in answer


@pytest.fixture(scope="module")
def page_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("page")) as service:
        yield service


def test_a_port_that_is_taken_is_said(page_server: Service, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "taggram.cli.main", "serve", "--port", str(page_server.port)]
    done = subprocess.run(
        [*command, "--library", str(tmp_path / "library.db")], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert f"port {page_server.port}" in done.stderr
    assert "--port" in done.stderr


def test_the_body_of_an_answer_does_not_wait_for_the_head(tmp_path: Path) -> None:
    with _listen(Settings(port=0, folder=tmp_path)) as listening:
        client = socket.create_connection(listening.getsockname())
        accepted, _ = listening.accept()
        with client, accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_without_its_packages_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import taggram.cli.serve as command

    monkeypatch.setattr(command, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "argv", ["taggram", "serve"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert "pip install 'taggram[serve]'" in capsys.readouterr().err


@pytest.mark.parametrize("option", [("--dataset", "gtzan"), ("--token-file", "/nothing/here")])
def test_options_that_cannot_be(option: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["taggram", "serve", *option])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2


def test_the_table_of_threats_names_tests_that_there_are() -> None:
    """A threat whose test was renamed away would be covered by nothing."""
    text = (ROOT / "docs" / "server.md").read_text(encoding="utf-8")
    named = re.findall(r"`(test_\w+\.py)`: ((?:`test_\w+`(?:, )?)+)", text)
    assert len(named) > 15
    for file, tests in named:
        source = (Path(__file__).parent / file).read_text(encoding="utf-8")
        for test in re.findall(r"`(test_\w+)`", tests):
            assert f"def {test}(" in source, f"{file} has no {test}"
