"""Measure the server, in Markdown: `python -m benchmarks.server [--rows N] [--minutes M] [--output FILE]`.

A library of invented recordings (`benchmarks.search`) is served by `taggram serve` in a process of its own,
on the same machine as the clients. Times are those of whole answers over HTTP, connections being kept open.

    answers    each kind of question by one client after the other, and by four at once
    uploads    fifty different files at once, while another client goes on looking at pages
    memory     of the server's process in mixed use, every tenth of the time; `--minutes 60` for an hour of it
"""

import argparse
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import wave
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np

from benchmarks.search import ROOT, fill
from benchmarks.song import list_clips
from taggram.audio.names import is_audio_name

N_REQUESTS = 300
N_CLIENTS = 4
N_LOOKS = 10  # at the memory
UPLOAD_SECONDS = 20.0
QUERIES = ("piano", "piano and not vocals", "rock >= 0.1 and (loud or fast)", "jazz and year < 1975")
FIELD_QUERIES = ('artist: "artist 12"', 'title: "song 999"', "electronic and artist: 7")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000, help="invented recordings")
    parser.add_argument("--uploads", type=int, default=50, help="files at once")
    parser.add_argument("--minutes", type=float, default=3.0, help="of mixed use")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between two questions of a client")
    parser.add_argument(
        "--clips", type=Path, default=ROOT.parent / "shared" / "music" / "4q" / "audio",
        help="folder of clips to invent around; without it, the example clips",
    )  # fmt: skip
    parser.add_argument("--library", type=Path, help="keep the invented library here, and use it again")
    parser.add_argument("--output", type=Path, help="also write the report here")
    options = parser.parse_args()
    clips = find_clips(options.clips)
    if not clips:
        parser.error(f"--clips {options.clips}: no sound file lies in this folder; nothing was made")
    with tempfile.TemporaryDirectory() as folder:
        library = options.library or Path(folder) / "library.db"
        if not library.exists():
            filling = get_context("spawn").Process(target=fill, args=(library, clips, options.rows))
            filling.start()
            filling.join()
            if filling.exitcode:
                library.unlink(missing_ok=True)
                parser.error(f"no library could be invented around the clips of {options.clips}: see above")
        with serving(library, Path(folder) / "own") as (client, loaded):
            lines = [
                f"# The server with {options.rows:,} tracks",
                "",
                f"`python -m benchmarks.server` on {os.cpu_count()} cores, which the clients share, with "
                f"{os.getloadavg()[0]:.1f} programs running at once: times are upper bounds. From start to "
                f"first answer, with the library read: {loaded:.1f} s.",
                "",
                *report_answers(client),
                *report_uploads(client, options.uploads),
                *report_memory(client, options.minutes, options.pause),
            ]
    print(*lines, sep="\n")
    if options.output:
        options.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


def find_clips(folder: Path) -> list[Path]:
    """Return at most 300 sound files of a folder, or the example clips where there is no such folder."""
    if not folder.is_dir():
        return list_clips()
    return sorted(path for path in folder.iterdir() if is_audio_name(path.name))[:300]


@dataclass(frozen=True)
class Address:
    """Where the server is."""

    host: str
    port: int

    def connect(self) -> HTTPConnection:
        """Return a connection that stays open."""
        return HTTPConnection(self.host, self.port, timeout=120)

    def get(self, path: str, connection: HTTPConnection | None = None) -> Any:
        """Return the content of an answer, which must be a good one."""
        own = connection or self.connect()
        own.request("GET", path)
        answer = own.getresponse()
        data = answer.read()
        if connection is None:
            own.close()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {data[:200]!r}")
        is_json = "json" in (answer.headers["content-type"] or "")
        return json.loads(data) if is_json else data.decode()


@contextmanager
def serving(library: Path, own: Path) -> Iterator[tuple[Address, float]]:
    """Run the server; yield where it is, and how long it took to have read the library."""
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "taggram.cli.main", "serve", "--port", "0", "--library", str(library),
         "--folder", str(own)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        url = urlsplit(process.stdout.readline().split()[-1])
        address = Address(str(url.hostname), url.port or 0)
        wait_until(lambda: not health(address)["library"]["is_loading"])
        yield address, time.monotonic() - begun
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        if process.stdout is not None:
            process.stdout.close()


def health(address: Address) -> Any:
    try:
        return address.get("/api/v1/health")
    except OSError:  # it does not listen yet
        return {"library": {"is_loading": True}}


def wait_until(condition: Callable[[], bool], seconds: float = 600.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the server takes too long")
        time.sleep(0.1)


def questions(address: Address) -> dict[str, Callable[[int], str]]:
    """Return kind of question → path of its i-th instance; no two in a row are the same."""
    n_tracks = health(address)["library"]["n_tracks"]

    def query(texts: Sequence[str], i: int) -> str:
        # The number makes each another expression, so that no answer is remembered from before.
        return quote(f"({texts[i % len(texts)]}) and duration < {1000 + i}")

    return {
        "page of all tracks": lambda i: f"/api/v1/tracks?offset={i * 317 % n_tracks}&limit=100",
        "page sorted by artist": lambda i: (
            f"/api/v1/tracks?sort=artist&offset={i * 317 % n_tracks}&limit=100"
        ),
        "search by tags": lambda i: f"/api/v1/tracks?query={query(QUERIES, i)}&limit=100",
        "search by file tags": lambda i: f"/api/v1/tracks?query={query(FIELD_QUERIES, i)}&limit=100",
        "facets of a search": lambda i: f"/api/v1/facets?query={query(QUERIES, i)}",
        "one track": lambda i: f"/api/v1/tracks/{1 + i * 37 % n_tracks}",
        "taggram": lambda i: f"/api/v1/tracks/{1 + i * 37 % n_tracks}/taggram",
        "20 similar, with reasons": lambda i: f"/api/v1/tracks/{1 + i * 37 % n_tracks}/similar?n=20",
        "the page itself": lambda i: "/",
    }


def report_answers(address: Address) -> list[str]:
    lines = [
        "## Answers", "",
        f"| {N_REQUESTS} times each | one client: p50 ms | p99 ms | per s "
        "| four clients: p50 ms | p99 ms | per s |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name, path in questions(address).items():
        ask(address, path, 20, offset=10_000)  # warm
        one = ask(address, path, N_REQUESTS)
        with ThreadPoolExecutor(N_CLIENTS) as pool:
            begun = time.perf_counter()
            share = N_REQUESTS // N_CLIENTS
            parts = [pool.submit(ask, address, path, share, offset=1000 * (k + 1)) for k in range(N_CLIENTS)]
            four = np.concatenate([part.result() for part in parts])
            took = time.perf_counter() - begun
        lines.append(f"| {name} | {figures(one, one.sum())} | {figures(four, took)} |")
    return [*lines, ""]


def ask(address: Address, path: Callable[[int], str], n: int, *, offset: int = 0) -> np.ndarray:
    """Return the seconds of `n` answers, one after the other."""
    connection = address.connect()
    seconds = np.empty(n)
    for i in range(n):
        begun = time.perf_counter()
        address.get(path(offset + i), connection)
        seconds[i] = time.perf_counter() - begun
    connection.close()
    return seconds


def figures(seconds: np.ndarray, took: float) -> str:
    p50, p99 = 1000 * np.percentile(seconds, [50, 99])
    return f"{p50:.1f} | {p99:.1f} | {len(seconds) / took:.0f}"


def report_uploads(address: Address, n: int) -> list[str]:
    files = [make_wav(seed) for seed in range(n)]
    waited: list[float] = []
    is_over = threading.Event()

    def look() -> None:
        paths = [path for name, path in questions(address).items() if name != "taggram"]
        connection = address.connect()
        i = 0
        while not is_over.is_set():
            begun = time.perf_counter()
            address.get(paths[i % len(paths)](i), connection)
            waited.append(time.perf_counter() - begun)
            i += 1
            time.sleep(0.05)
        connection.close()

    looking = threading.Thread(target=look)
    looking.start()
    begun = time.monotonic()
    with ThreadPoolExecutor(n) as pool:
        jobs = list(pool.map(lambda file: upload(address, file), files))
    accepted = time.monotonic() - begun
    states = wait_for_jobs(address, jobs)
    took = time.monotonic() - begun
    is_over.set()
    looking.join()
    p50, p95, p99 = 1000 * np.percentile(waited, [50, 95, 99])
    n_done = sum(state == "done" for state in states)
    return [
        "## Uploads", "",
        f"{n} files of {UPLOAD_SECONDS:g} s at once: all accepted after {accepted:.1f} s, done after "
        f"{took:.1f} s; {n_done} done, {n - n_done} lost or failed. Meanwhile {len(waited)} other answers: "
        f"p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms.", "",
    ]  # fmt: skip


def make_wav(seed: int) -> bytes:
    """Return a file unlike all others: noise in a rhythm of its own."""
    rate = 16_000
    rng = np.random.default_rng(seed)
    times = np.arange(int(UPLOAD_SECONDS * rate)) / rate
    samples = 0.3 * rng.normal(size=len(times)) * (1 + np.sin(2 * np.pi * (1 + seed / 10) * times)) / 2
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples.clip(-1, 1) * 32767).astype("<i2").tobytes())
    return buffer.getvalue()


def upload(address: Address, data: bytes) -> str:
    """Upload a file as often as the server asks to come again; return its job."""
    boundary = "------------------------taggram"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="noise.wav"\r\n\r\n'
    body = head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
    while True:
        connection = address.connect()
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        connection.request("POST", "/api/v1/analyses", body, headers)
        answer = connection.getresponse()
        content = json.loads(answer.read())
        connection.close()
        if answer.status != 429:
            return str(content["id"])
        time.sleep(float(answer.headers["Retry-After"]))


def wait_for_jobs(address: Address, jobs: Sequence[str]) -> list[str]:
    states = dict.fromkeys(jobs, "queued")

    def is_done() -> bool:
        for job in jobs:
            if states[job] not in ("done", "failed", "cancelled"):
                states[job] = address.get(f"/api/v1/jobs/{job}")["state"]
                return False
        return True

    wait_until(is_done, 1800)
    return list(states.values())


def report_memory(address: Address, minutes: float, pause: float) -> list[str]:
    """Use everything in turn, and look at the memory from time to time."""
    begun = time.monotonic()
    lines = [
        "## Memory", "",
        f"{minutes:g} minutes of mixed use by {N_CLIENTS} clients, and an upload each tenth of the time.", "",
        "| after minutes | answers | memory of the server, MB |",
        "|---:|---:|---:|",
        f"| 0 | 0 | {memory(address) / 1e6:.0f} |",
    ]  # fmt: skip
    n_answers = 0
    with ThreadPoolExecutor(N_CLIENTS) as pool:
        for part in range(1, N_LOOKS + 1):
            until = begun + 60 * minutes * part / N_LOOKS
            parts = [pool.submit(use, address, n_answers + 1000 * k, until, pause) for k in range(N_CLIENTS)]
            n_answers += sum(each.result() for each in parts)
            (state,) = wait_for_jobs(address, [upload(address, make_wav(10_000 + part))])
            if state != "done":
                raise RuntimeError(f"upload {part} ended as {state}")
            passed = (time.monotonic() - begun) / 60
            lines.append(f"| {passed:.1f} | {n_answers} | {memory(address) / 1e6:.0f} |")
    return [*lines, ""]


def use(address: Address, first: int, until: float, pause: float) -> int:
    """Ask all kinds of questions in turn until a moment; return how many those were."""
    connection = address.connect()
    n, paths = 0, list(questions(address).values())
    while time.monotonic() < until:
        address.get(paths[n % len(paths)](first + n), connection)
        n += 1
        time.sleep(pause)
    connection.close()
    return n


def memory(address: Address) -> float:
    lines = address.get("/metrics").splitlines()
    return float(next(line for line in lines if line.startswith("taggram_memory_bytes")).split()[-1])


if __name__ == "__main__":
    main()
