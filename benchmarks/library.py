"""Measure the library, in Markdown: `python -m benchmarks.library [--rows N] [--music DIR] [--output FILE]`.

    rows    synthetic recordings, as the model that ships would have heard songs of four minutes: add,
            read, memory, size of the database
    walk    directories with empty files: the first walk, and one that finds nothing new
    music   a real scan of a folder, on one and on two cores: files an hour, peak memory of all
            processes, and who took the processor's time

Each figure is measured in a process of its own. Beside the wall-clock stands the processor's time, which
says more on a machine that has other work.
"""

import argparse
import json
import os
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.song import list_clips
from taggram.inference.result import Outcome, TagResult
from taggram.inference.session import Session, usable_cores
from taggram.inference.tagger import Tagger
from taggram.library import scan
from taggram.library.examiner import ExaminerPool
from taggram.library.inventory import take_inventory
from taggram.library.status import compute_status
from taggram.library.store import Library, Seen
from taggram.library.tracks import Identity

ROOT = Path(__file__).resolve().parent.parent
Result = dict[str, Any]

N_CHUNKS = 80  # of 3 s: a song of four minutes
N_DIFFERENT = 256  # results that the rows are drawn from
N_SINGLE = 10_000  # rows that are added file by file
GENRES = ("Rock", "Jazz", "Electronic", "Klassik", "Ambient")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, action="append", help="synthetic rows; may be repeated")
    parser.add_argument("--walk", type=int, default=100_000, help="empty files to walk over; 0 for none")
    parser.add_argument("--music", type=Path, help="folder for a real scan")
    parser.add_argument("--output", type=Path, help="also write the report here")
    options = parser.parse_args()
    lines: list[str] = []

    def say(*new: str) -> None:
        print(*new, sep="\n", flush=True)
        lines.extend(new)

    say(
        "# The library at scale",
        "",
        f"On {usable_cores()} cores, Python {sys.version.split()[0]}, "
        f"SQLite {sqlite3.sqlite_version}; {os.getloadavg()[0]:.0f} processes were running at the beginning.",
        "",
    )
    report_rows([100_000, 1_000_000] if options.rows is None else options.rows, say)
    if options.walk:
        report_walk(options.walk, say)
    if options.music:
        report_music(options.music, say)
    if options.output:
        options.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


Say = Callable[..., None]


def report_rows(sizes: list[int], say: Say) -> None:
    for n_rows in sizes:
        with tempfile.TemporaryDirectory() as folder:
            added = run("add", Path(folder) / "library.db", n_rows)
            read = run("read", Path(folder) / "library.db")
        say(
            f"## {n_rows:,} recordings of four minutes",
            "",
            "| figure | wall-clock | processor |",
            "|---|---|---|",
        )
        say(*(f"| {name} | {value} |" for name, value in {**added, **read}.items()), "")


def report_walk(n_files: int, say: Say) -> None:
    with tempfile.TemporaryDirectory() as folder:
        figures = run("walk", folder, n_files)
    say(f"## A walk over {n_files:,} files", "", "| figure | wall-clock | processor |", "|---|---|---|")
    say(*(f"| {name} | {value} |" for name, value in figures.items()), "")


def report_music(music: Path, say: Say) -> None:
    columns = (
        *("cores", "files", "hours of sound", "minutes", "files an hour", "× real time"),
        *("processor: s an hour of sound", "peak memory (MB)"),
        *("decode", "network", "examine", "database", "rest"),
    )
    say("## A real scan", "", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|")
    for cores in (1, 2):
        if cores <= usable_cores():
            with tempfile.TemporaryDirectory() as folder:
                r = run("music", music, Path(folder) / "library.db", cores)
            shares = " | ".join(
                f"{r[part]:.0%}" for part in ("decode", "network", "examine", "database", "rest")
            )
            say(
                f"| {cores} | {r['n_files']} | {r['heard'] / 3600:.2f} | {r['took'] / 60:.1f} "
                f"| {3600 * r['n_files'] / r['took']:,.0f} | {r['heard'] / r['took']:.0f} "
                f"| {r['processor'] / (r['heard'] / 3600):.1f} | {r['memory']:.0f} | {shares} |"
            )
    say("", "The shares are of the processor time of all processes.")


def run(stage: str, *arguments: object) -> Result:
    """Measure one stage in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.library", "--stage", stage, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    result: Result = json.loads(done.stdout.splitlines()[-1])
    return result


def make_results(n: int) -> list[TagResult]:
    """Make results with real scores: every chunk is one that the shipped model heard in an example clip."""
    rng = np.random.default_rng(20261121)
    with Tagger.load() as tagger:
        heard = list(tagger.tag_many(list_clips()))
    chunks = np.concatenate([result.taggram for result in heard])
    embeddings = np.stack([result.embedding for result in heard])
    results = []
    for _ in range(n):
        taggram = chunks[rng.integers(len(chunks), size=N_CHUNKS)]
        weights = rng.dirichlet(np.ones(len(embeddings)))
        results.append(
            replace(
                heard[0],
                duration=240.0,
                clip_scores=taggram.mean(axis=0),
                taggram=taggram,
                chunk_times=np.arange(N_CHUNKS, dtype=np.float64) * 3.0,
                embedding=(weights @ embeddings).astype(np.float32),
            )
        )
    return results


def measure_add(database: Path, n_rows: int) -> Result:
    """Store rows as a scan does, each file in transactions of its own; the many behind them in bulk."""
    results = make_results(N_DIFFERENT)
    with Tagger.load() as tagger:
        specification = tagger.specification
    memory = peak_memory()
    n_single = min(n_rows, N_SINGLE)
    with Library.open(database) as library:
        model = library.add_model(specification)

        def add(number: int) -> None:
            identity = Identity(number.to_bytes(32), 240.0, "mp3", "mp3", 44_100, 2)
            fields = {"title": (f"Track {number}",), "artist": (f"Artist {number // 20}",),
                      "genre": (GENRES[number % len(GENRES)],)}  # fmt: skip
            seen = Seen(path_of(number), 1, 1)
            recording_id = library.store_identity(number + 1, seen, identity, fields)
            with library.transaction():
                library.store_analysis(recording_id, model, results[number % N_DIFFERENT])
                library.store_outcome(number + 1, Outcome.TAGGED, "")

        def add_all(numbers: range) -> None:
            note_files(library, numbers)
            for number in numbers:
                add(number)

        def add_the_rest() -> None:
            for begin in range(n_single, n_rows, 1000):
                with library.transaction():
                    add_all(range(begin, min(begin + 1000, n_rows)))

        single = timed(lambda: add_all(range(n_single)))
        bulk = timed(add_the_rest)
        n_bytes = compute_status(library).n_bytes
    figures = {"add, file by file": single.rate(n_single)}
    if n_rows > n_single:
        figures["add, in bulk"] = bulk.rate(n_rows - n_single)
    return {
        **figures,
        "memory that adding takes": f"{peak_memory() - memory:.0f} MB |",
        "size of the database": f"{n_bytes / 1e6:,.0f} MB, {n_bytes / n_rows:,.0f} bytes a file |",
    }


def note_files(library: Library, numbers: range) -> None:
    """Let files wait, as an inventory does."""
    rows = [(os.fsencode(path_of(number)),) for number in numbers]
    with library.transaction() as connection:
        connection.executemany("INSERT INTO file (path, size, mtime_ns) VALUES (?, 1, 1)", rows)


def path_of(number: int) -> Path:
    return Path(f"/music/artist {number // 200}/album {number // 20}/{number:07} a title of some length.mp3")


def measure_read(database: Path) -> Result:
    """Read rows as searches, reports and pages do."""
    figures: Result = {}
    rng = random.Random(1)
    with Library.open(database) as library, Tagger.load() as tagger:
        model = library.default_model()
        before = peak_memory()
        streamed = timed(lambda: sum(1 for _ in library.files()))
        n_rows: int = streamed.result
        figures["stream all files"] = streamed.rate(n_rows)
        figures["memory that streaming takes"] = f"{peak_memory() - before:.0f} MB |"
        numbers = [rng.randrange(n_rows) for _ in range(1000)]
        for name, work in (
            ("1000 files by their paths", lambda: [library.file(path_of(number)) for number in numbers]),
            ("1000 analyses with taggrams", lambda: [library.analysis(n + 1, model) for n in numbers]),
            ("files of 1000 recordings", lambda: library.files_of(number + 1 for number in numbers)),
            ("status", lambda: compute_status(library)),
            ("find that nothing waits", lambda: scan.Scan(library, tagger)),
        ):
            figures[name] = timed(work).milliseconds
        before = peak_memory()
        read = timed(lambda: library.scores(model))
        scores = read.result[1]
        figures[f"read all scores, {scores.nbytes / 1e6:,.0f} MB"] = read.milliseconds
        figures["the 100 strongest of one tag"] = timed(lambda: np.argsort(-scores[:, 0])[:100]).milliseconds
        read = timed(lambda: library.embeddings(model))
        figures[f"read all embeddings, {read.result[1].nbytes / 1e6:,.0f} MB"] = read.milliseconds
        figures["peak memory of both"] = f"{peak_memory() - before:,.0f} MB |"
        figures["remove 200 files"] = timed(lambda: library.remove(path_of(0).parent.parent)).milliseconds
    return figures


def measure_walk(folder: Path, n_files: int) -> Result:
    """Walk over empty files in directories of twenty."""
    for begin in range(0, n_files, 20):
        album = folder / "music" / f"{begin // 2000}" / f"{begin // 20}"
        album.mkdir(parents=True)
        for number in range(begin, min(begin + 20, n_files)):
            (album / f"{number}.mp3").touch()
    memory = peak_memory()
    with Library.open(folder / "library.db") as library:
        first, again = (timed(lambda: take_inventory(library, [folder / "music"])) for _ in range(2))
    assert (first.result.n_new, again.result.n_unchanged) == (n_files, n_files)
    return {
        "the first walk": first.rate(n_files),
        "a walk that finds nothing new": again.rate(n_files),
        "memory that walking takes": f"{peak_memory() - memory:.0f} MB |",
    }


def measure_music(music: Path, database: Path, cores: int) -> Result:
    """Scan a folder, and say who took the processor's time."""
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:cores]))
    taken: Counter[str] = Counter()
    clock(Session, "run", taken, "network", time.thread_time)
    clock(Library, "rows", taken, "database", time.thread_time)
    for name in ("store_identity", "store_analysis", "store_outcome"):
        clock(Library, name, taken, "database", time.thread_time)
    clock(ExaminerPool, "__exit__", taken, "examine", children_time)
    clock(Tagger, "close", taken, "decode", children_time)
    with peak_memory_of_all() as memory, Library.open(database) as library:
        begun = time.perf_counter()
        with Tagger.load() as tagger:
            inventory = take_inventory(library, [music])
            summary = scan.Scan(library, tagger).run()
        took = time.perf_counter() - begun
    assert summary.counts.total() == inventory.n_new
    own = resource.getrusage(resource.RUSAGE_SELF)
    total = own.ru_utime + own.ru_stime + children_time()
    shares = {part: taken[part] / total for part in ("decode", "network", "examine", "database")}
    return {
        "n_files": inventory.n_new,
        "heard": summary.heard,
        "took": took,
        "processor": total,
        "memory": max(memory),
        "rest": 1 - sum(shares.values()),
        **shares,
    }


def clock(owner: type, name: str, taken: Counter[str], part: str, now: Callable[[], float]) -> None:
    """Add the time that a method takes to a part; only the outermost call of a part counts."""
    method = getattr(owner, name)

    def clocked(*arguments: Any, **options: Any) -> Any:
        if getattr(_RUNNING, part, False):
            return method(*arguments, **options)
        setattr(_RUNNING, part, True)
        begun = now()
        try:
            return method(*arguments, **options)
        finally:
            setattr(_RUNNING, part, False)
            with _LOCK:
                taken[part] += now() - begun  # type: ignore[assignment]  # a counter of seconds

    setattr(owner, name, clocked)


_RUNNING = threading.local()
_LOCK = threading.Lock()


def children_time() -> float:
    """Return the processor time of child processes that have ended, in seconds."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def peak_memory() -> float:
    """Return the largest memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def peak_memory_of_all() -> Iterator[list[float]]:
    """Give a list that fills with the memory of this process and its children, in MB, shared pages once."""
    seen = [0.0]
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(0.5):
            seen.append(sum(map(proportional_memory, ["self", *children()])))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        is_over.set()
        thread.join()


def children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def proportional_memory(pid: str) -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:  # it has ended
        return 0.0
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024


class Timed(NamedTuple):
    """What some work gave, and what it took: seconds of wall-clock, and of the processor."""

    result: Any
    wall: float
    processor: float

    @property
    def milliseconds(self) -> str:
        """Two cells of a table."""
        return f"{1e3 * self.wall:,.0f} ms | {1e3 * self.processor:,.0f} ms"

    def rate(self, n: int) -> str:
        """Two cells of a table, for `n` pieces of work."""
        return f"{n / self.wall:,.0f} a second | {n / self.processor:,.0f} a second"


def timed(work: Callable[[], Any]) -> Timed:
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    return Timed(result, time.perf_counter() - wall, time.process_time() - processor)


def measure(stage: str, arguments: list[str]) -> Result:
    """Run one stage in this process."""
    if stage == "add":
        return measure_add(Path(arguments[0]), int(arguments[1]))
    if stage == "read":
        return measure_read(Path(arguments[0]))
    if stage == "walk":
        return measure_walk(Path(arguments[0]), int(arguments[1]))
    return measure_music(Path(arguments[0]), Path(arguments[1]), int(arguments[2]))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--stage"]:
        print(json.dumps(measure(sys.argv[2], sys.argv[3:])))
    else:
        main()
