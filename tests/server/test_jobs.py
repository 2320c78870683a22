"""The queue: nothing is lost, whatever ends; limits hold; events miss nothing."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from taggram.server.jobs import MAX_ATTEMPTS, JobQueue
from taggram.server.settings import Limits, Settings
from taggram.server.store import JobRow, Store
from tests.server.conftest import API, make_settings, running, upload, wait_for, write_song


class Bench:
    """A queue with its store, and what it told."""

    def __init__(self, settings: Settings) -> None:
        self.store = Store(settings.own_folder)
        self.ended: list[JobRow] = []
        self.queue = JobQueue(settings, self.store, publish=lambda: None, on_end=self.ended.append)

    def submit(self, path: Path) -> str:
        task = {"path": str(path), "file_name": path.name, "duration": None, "model": None, "is_kept": False}
        return self.queue.submit("analysis", path.name, task).id

    def wait(self, job_id: str, *states: str) -> JobRow:
        end = time.monotonic() + 60
        while (row := self.store.job(job_id)).state not in states:
            assert time.monotonic() < end, row
            time.sleep(0.01)
        return row


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(make_settings(tmp_path))
    yield bench
    if not bench.queue.is_closing and bench.queue._runners[0].ident:
        bench.queue.close()
    bench.store.close()


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A song that takes a while."""
    return write_song(tmp_path_factory.mktemp("long") / "hour.wav", 1, duration=3600.0)


def test_a_job_goes_through_its_states(bench: Bench, tmp_path: Path) -> None:
    job_id = bench.submit(write_song(tmp_path / "song.wav", 1))
    assert bench.store.job(job_id).state == "queued"
    bench.queue.start()
    row = bench.wait(job_id, "done")
    assert (row.progress, row.result) == (1.0, f"{API}/analyses/{job_id}")
    assert row.finished_at is not None
    states = [json.loads(data)["state"] for _, data in bench.store.events(0, job_id)]
    assert states[0] == "queued"
    assert states[-1] == "done"
    assert [state for state in ("queued", "decoding", "analysing", "done") if state in states] == sorted(
        set(states), key=states.index
    )
    assert [row.id for row in bench.ended] == [job_id]


def test_what_was_begun_goes_on_after_a_restart(tmp_path: Path, hour: Path) -> None:
    settings = make_settings(tmp_path)
    first = Bench(settings)
    running_id = first.submit(hour)
    waiting_id = first.submit(write_song(tmp_path / "song.wav", 1))
    first.queue.start()
    first.wait(running_id, "analysing")
    first.queue.close()
    assert [first.store.job(job).state for job in (running_id, waiting_id)] == ["queued", "queued"]
    assert first.store.job(running_id).n_attempts == 0, "an orderly end is no failed attempt"
    assert first.ended == []
    first.store.close()
    second = Bench(settings)
    second.queue.start()
    try:
        assert second.wait(running_id, "done", "failed").state == "done"
        assert second.wait(waiting_id, "done", "failed").state == "done"
    finally:
        second.queue.close()
        second.store.close()


def test_a_job_that_ends_the_server_each_time_is_given_up(bench: Bench, tmp_path: Path) -> None:
    job_id = bench.submit(write_song(tmp_path / "song.wav", 1))
    for _ in range(MAX_ATTEMPTS):  # as servers do that are killed
        assert bench.store.take_job(["analysis"]) is not None
        bench.store.requeue_jobs()
    bench.queue.start()
    row = bench.wait(job_id, "done", "failed")
    assert row.state == "failed"
    assert f"{MAX_ATTEMPTS} times" in row.message


def test_a_worker_that_dies_fails_its_job_and_no_other(bench: Bench, tmp_path: Path, hour: Path) -> None:
    doomed = bench.submit(hour)
    bench.queue.start()
    bench.wait(doomed, "analysing")
    child = bench.queue._runners[0]._child
    assert child is not None
    os.kill(child.pid, signal.SIGKILL)
    row = bench.wait(doomed, "failed", "done")
    assert row.error is not None
    assert row.error["type"].endswith("/worker_died")
    other = bench.submit(write_song(tmp_path / "song.wav", 1))
    assert bench.wait(other, "done", "failed").state == "done"


def test_work_that_takes_too_long_is_ended(tmp_path: Path, hour: Path) -> None:
    bench = Bench(make_settings(tmp_path, limits=Limits(n_workers=1, job_seconds=1.0)))
    job_id = bench.submit(hour)
    bench.queue.start()
    try:
        row = bench.wait(job_id, "failed", "done")
        assert row.error is not None
        assert row.error["type"].endswith("/too_slow")
    finally:
        bench.queue.close()
        bench.store.close()


def test_a_worker_may_not_take_all_memory(tmp_path: Path) -> None:
    limits = Limits(n_workers=1, worker_bytes=150 << 20)  # less than the network's own libraries need
    bench = Bench(make_settings(tmp_path, limits=limits))
    job_id = bench.submit(write_song(tmp_path / "song.wav", 1))
    bench.queue.start()
    try:
        assert bench.wait(job_id, "failed", "done").state == "failed"
    finally:
        bench.queue.close()
        bench.store.close()


def test_jobs_can_be_cancelled(bench: Bench, hour: Path) -> None:
    first, second = bench.submit(hour), bench.submit(hour)
    bench.queue.start()
    bench.wait(first, "analysing")
    bench.queue.cancel(second)
    assert bench.store.job(second).state == "cancelled"
    begun = time.monotonic()
    bench.queue.cancel(first)
    assert bench.wait(first, "cancelled", "done").state == "cancelled"
    assert time.monotonic() - begun < 5
    bench.queue.cancel(first)  # and nothing happens
    assert {row.id for row in bench.ended} == {first, second}


def test_a_full_queue_says_when_to_come_again(tmp_path: Path, hour: Path) -> None:
    limits = Limits(n_workers=1, queue_length=2)
    with running(make_settings(tmp_path, limits=limits)) as client:
        first = upload(client, hour).json()
        wait_for(client, first, until=("analysing",))
        songs = [write_song(tmp_path / f"{seed}.wav", seed) for seed in range(4)]
        answers = [upload(client, song) for song in songs]
        assert [answer.status_code for answer in answers] == [202, 202, 429, 429]
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers[2:])
        client.delete(f"{API}/jobs/{first['id']}")
        assert all(wait_for(client, answer.json())["state"] == "done" for answer in answers[:2])
        assert upload(client, songs[3]).status_code == 202
        wait_for(client, client.get(f"{API}/jobs").json()["items"][0])
        assert not list((tmp_path / "library.db.server" / "uploads").iterdir())


def test_events_miss_nothing(client: TestClient, song: Path) -> None:
    job = wait_for(client, upload(client, song).json())
    events = read_events(client, f"{API}/jobs/{job['id']}/events")
    assert [data["state"] for _, data in events][-1] == "done"
    assert [number for number, _ in events] == sorted({number for number, _ in events})
    rest = read_events(client, f"{API}/jobs/{job['id']}/events", events[0][0])
    assert rest == events[1:]


def read_events(client: TestClient, path: str, last: int | None = None) -> list[tuple[int, dict[str, Any]]]:
    """Read a stream to its end."""
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    answer = client.get(path, headers=headers)
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in answer.text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            assert lines["event"] == "job"
            found.append((int(lines["id"]), json.loads(lines["data"])))
    return found


def test_streams_are_limited(tmp_path: Path) -> None:
    with running(make_settings(tmp_path, limits=Limits(n_workers=1, n_streams=0))) as client:
        answer = client.get(f"{API}/jobs/events")
        assert answer.status_code == 429
        assert answer.headers["retry-after"]


def test_pages_of_jobs(bench: Bench, tmp_path: Path) -> None:
    ids = [bench.submit(tmp_path / f"{i}.wav") for i in range(5)]
    bench.queue.cancel(ids[2])
    first = bench.queue.page(None, None, None, 3)
    assert [job.id for job in first.items] == ids[:1:-1]
    second = bench.queue.page(None, None, first.next_cursor, 3)
    assert ([job.id for job in second.items], second.next_cursor) == (ids[1::-1], None)
    assert [job.id for job in bench.queue.page("cancelled", "analysis", None, 9).items] == [ids[2]]
