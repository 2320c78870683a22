"""Mixed use by several clients while songs come in: nothing is lost, and the server's memory stays flat.

No time is judged here; `python -m benchmarks.server` measures.
"""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.server.conftest import API, Service, fill_library, serving, write_song

N_CLIENTS = 4
N_ROUNDS = 12  # of all questions, by each client
N_UPLOADS = 6
MOST_GROWTH = 16 << 20
"""Bytes. Threads that begin to answer take some: 3 MB were seen. Keeping 30 kB an answer would break it."""

Check = Callable[[Any], bool]


def questions(n_tracks: int, first: int) -> list[tuple[str, Check]]:
    """Return paths, and what is true of a good answer."""
    slow = quote("duration > 3.5 and duration < {}")
    return [
        ("/tracks?limit=100", lambda found: found["total"] == len(found["items"]) == n_tracks),
        ("/tracks?sort=title&limit=2", lambda found: found["total"] == n_tracks and len(found["items"]) == 2),
        (f"/tracks?query={slow}", lambda found: found["total"] == n_tracks),
        (f"/facets?query={slow}", lambda found: sum(map(len, found.values())) > 0),
        (f"/tracks/{first}", lambda found: found["id"] == first and found["n_chunks"] > 0),
        (f"/tracks/{first}/taggram", lambda found: len(found["chunk_times"]) > 0),
        (f"/tracks/{first}/similar?n=3", lambda found: len(found) == min(3, n_tracks - 1)),
        (f"/tracks/{first}/evidence?tag=piano", lambda found: len(found["moments"]) > 0),
        ("/tracks?query=piano+and", lambda found: found["status"] == 422),
        ("/jobs?limit=20", lambda found: all(job["state"] != "failed" for job in found["items"])),
        ("/health", lambda found: found["status"] == "ok"),
    ]


def use(port: int, asked: list[tuple[str, Check]], client: int, n_rounds: int) -> int:
    """Ask everything in turn over one connection; return how many answers that were."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    n_answers = 0
    for each in range(n_rounds):
        for path, is_good in asked:
            # Another number each time, so that no search is answered from memory.
            path = path.replace(quote("{}"), str(1000 + client * n_rounds + each))
            connection.request("GET", f"{API}{path}")
            answer = connection.getresponse()
            found = json.loads(answer.read())
            assert is_good(found), (path, answer.status, found)
            n_answers += 1
    connection.close()
    return n_answers


def memory(service: Service) -> float:
    lines = service.ask("/metrics")[1].decode().splitlines()
    return float(next(line for line in lines if line.startswith("taggram_memory_bytes")).split()[-1])


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="the server's memory is not known here")
def test_mixed_use_while_songs_come_in(tmp_path: Path) -> None:
    for seed in range(4):
        write_song(tmp_path / "music" / f"{seed}.wav", seed)
    fill_library(tmp_path / "library.db", tmp_path / "music")
    songs = [write_song(tmp_path / f"new {seed}.wav", 100 + seed) for seed in range(N_UPLOADS + 1)]
    with serving(tmp_path) as service, ThreadPoolExecutor(N_CLIENTS + N_UPLOADS) as pool:
        items = service.ask(f"{API}/tracks")[1]["items"]
        asked = questions(len(items), items[0]["id"])
        service.wait(service.upload(songs.pop())[1]["id"], "done")
        list(pool.map(lambda client: use(service.port, asked, 1000 + client, 2), range(N_CLIENTS)))
        before = memory(service)

        using = [pool.submit(use, service.port, asked, client, N_ROUNDS) for client in range(N_CLIENTS)]
        uploads = list(pool.map(service.upload, songs))
        assert sum(client.result() for client in using) == N_CLIENTS * N_ROUNDS * len(asked)
        assert [status for status, _ in uploads] == [202] * N_UPLOADS
        jobs = [service.wait(job["id"], "done", "failed", "cancelled") for _, job in uploads]
        assert {job["state"] for job in jobs} == {"done"}
        assert len({job["result"] for job in jobs}) == N_UPLOADS
        for job, song in zip(jobs, songs, strict=True):
            assert service.ask(job["result"])[1]["file_name"] == song.name
        grown = memory(service) - before
        assert grown < MOST_GROWTH, f"{grown / 1e6:.1f} MB more than at first"
