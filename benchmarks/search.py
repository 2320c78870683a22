"""Measure search in the library, in Markdown: `python -m benchmarks.search [--rows N] [--output FILE]`.

The recordings are invented around real ones: each lies between two neighbours among the clips of a folder
(`--clips`), as the model that ships hears them, moved by the difference of two other neighbours. So they
spread as music does, without being copies. Recall counts how many of the ten nearest by exact search the
graph finds too.
"""

import argparse
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.song import list_clips
from taggram.inference.result import Outcome, TagResult
from taggram.inference.tagger import Tagger
from taggram.library.nearest import ExactIndex, GraphIndex, open_index, vector_batches
from taggram.library.own_tags import OwnTags
from taggram.library.search import search
from taggram.library.similar import Finder
from taggram.library.store import Library, Seen
from taggram.library.tracks import Identity, ModelRow

T = TypeVar("T")
ROOT = Path(__file__).resolve().parent.parent
N_QUERIES = 200
N_NEIGHBOURS = 10
SPREAD = 0.7  # of the noise, beside the distance of two neighbours
WEIGHTS: Mapping[str, Mapping[str, float]] = {
    "default": {},
    "sound alone": {"sound": 1.0},
    "genre alone": {"genre": 1.0},
    "mood alone": {"mood": 1.0},
    "instrument alone": {"instrument": 1.0},
    "sound 2, genre 3": {"sound": 2.0, "genre": 3.0},
}
EXPRESSIONS = (
    "piano",
    "piano and not vocals",
    "rock >= 0.1 and (loud or fast) and not country",
    "jazz and year < 1975",
    'artist: "artist 12"',
    "easy evening",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000, help="invented recordings")
    parser.add_argument(
        "--clips", type=Path, default=ROOT.parent / "shared" / "music" / "4q" / "audio",
        help="folder of clips to invent around; without it, the example clips",
    )  # fmt: skip
    parser.add_argument("--output", type=Path, help="also write the report here")
    options = parser.parse_args()
    clips = sorted(options.clips.iterdir()) if options.clips.is_dir() else list_clips()
    with tempfile.TemporaryDirectory() as folder, Library.open(Path(folder) / "library.db") as library:
        # In a process of its own, so that its memory is not counted here.
        filling = get_context("spawn").Process(target=fill, args=(library.path, clips, options.rows))
        filling.start()
        filling.join()
        model = library.default_model()
        lines = [
            f"# Search in {options.rows:,} recordings",
            "",
            f"Invented around {len(clips)} clips, as the model {model.name!r} hears them (weights "
            f"{model.weights_sha256[:16]}). `python -m benchmarks.search` on {os.cpu_count()} cores, with "
            f"{os.getloadavg()[0]:.1f} programs running at once: times are upper bounds.",
            "",
            *report_index(library, model),
            *report_similar(library, model),
            *report_search(library),
        ]
    print(*lines, sep="\n")
    if options.output:
        options.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


def fill(database: Path, clips: Sequence[Path], n_rows: int) -> None:
    """Store invented recordings."""
    with Tagger.load() as tagger:
        heard = [result for result in tagger.tag_many(clips) if result.outcome.has_tags]
    rng = np.random.default_rng(20261121)
    embeddings, roots, origins = invent(heard, n_rows, rng)
    with Library.open(database) as library:
        model = library.add_model(tagger.specification)
        for begin in range(0, n_rows, 1000):
            with library.transaction():
                for row in range(begin, min(begin + 1000, n_rows)):
                    result = replace(
                        heard[origins[row]],
                        clip_scores=np.square(roots[row]).astype(np.float32),
                        embedding=embeddings[row].astype(np.float32),
                        duration=float(rng.uniform(60, 400)),
                    )
                    store(library, model, row, result)


def invent(
    heard: Sequence[TagResult], n: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return embeddings, square roots of scores, and the clip that each recording is nearest to."""
    embeddings = np.stack([result.embedding for result in heard]).astype(np.float64)
    roots = np.sqrt(np.stack([result.clip_scores for result in heard]).astype(np.float64))
    directions = (embeddings - embeddings.mean(axis=0)) / (embeddings.std(axis=0) + 1e-9)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    likeness = directions @ directions.T
    np.fill_diagonal(likeness, -2)
    neighbours = np.argsort(-likeness, axis=1)[:, : min(10, len(heard) - 1)]

    def draw() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        first = rng.integers(len(heard), size=n)
        return first, neighbours[first, rng.integers(neighbours.shape[1], size=n)]

    (a, b), (c, d) = draw(), draw()
    share, noise = rng.uniform(0, 0.5, (n, 1)), rng.normal(0, SPREAD, (n, 1))

    def between(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return values[a] * (1 - share) + values[b] * share + noise * (values[c] - values[d])

    return np.maximum(between(embeddings), 0), between(roots).clip(0.001, 1), a


def store(library: Library, model: ModelRow, row: int, result: TagResult) -> None:
    path = Path(f"/music/artist {row // 20}/{row:07}.mp3")
    library.connection.execute(
        "INSERT INTO file (path, size, mtime_ns) VALUES (?, 1, 1)", (os.fsencode(path),)
    )
    identity = Identity(row.to_bytes(32), result.duration, "mp3", "mp3", 44_100, 2)
    fields = {"title": (f"Song {row}",), "artist": (f"Artist {row // 20}",), "year": (str(1950 + row % 70),)}
    recording_id = library.store_identity(row + 1, Seen(path, 1, 1), identity, fields)
    library.store_analysis(recording_id, model, result)
    library.store_outcome(row + 1, Outcome.TAGGED, "")


def report_index(library: Library, model: ModelRow) -> list[str]:
    """Build, open, damage and compare the graph with exact search."""
    memory = peak_memory()
    (space, graph), made = timed(lambda: open_index(library, model))
    memory = peak_memory() - memory
    if not isinstance(graph, GraphIndex):
        raise SystemExit("no graph was made: install the extra `search`, or take more rows")
    _, opened = timed(lambda: open_index(library, model))
    file = library.path.with_name(library.path.name + ".similar") / f"graph-{model.id}.usearch"
    n_bytes = file.stat().st_size
    batches = list(vector_batches(library, model, space))
    ids, vectors = np.concatenate([b[0] for b in batches]), np.concatenate([b[1] for b in batches])
    exact = ExactIndex(ids, vectors)
    lines = [
        "## The index",
        "",
        f"{len(graph):,} vectors of {space.n_dimensions} dimensions in float16, {n_bytes / 1e6:.0f} MB. "
        f"Made in {made:.0f} s with {memory:.0f} MB, opened again in {opened:.2f} s.",
        "",
        "| weights | recall at 10 | median (ms) | 99th percentile (ms) | exact search, median (ms) |",
        "|---|--:|--:|--:|--:|",
    ]
    rng = np.random.default_rng(1)
    for name, weights in WEIGHTS.items():
        weighed = space.weigh(weights)
        queries = [space.query(vectors[row][None], weighed) for row in rng.integers(len(ids), size=N_QUERIES)]
        recall, took, took_exact = compare(graph, exact, queries)
        lines.append(
            f"| {name} | {recall:.4f} | {statistics.median(took):.2f} | {np.quantile(took, 0.99):.2f} "
            f"| {statistics.median(took_exact):.1f} |"
        )
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])
    (_, again), repaired = timed(lambda: open_index(library, model))
    assert len(again) == len(graph)
    lines += [
        "",
        f"With half of its file cut off, it is made again when it is opened, in {repaired:.0f} s.",
        "",
    ]
    return lines


def compare(
    graph: GraphIndex, exact: ExactIndex, queries: Sequence[NDArray[np.float32]]
) -> tuple[float, list[float], list[float]]:
    """Return recall at 10, and milliseconds of each query in the graph and by exact search.

    The first neighbour is the query itself and does not count. Neighbours as near as the tenth, up to what
    float16 can tell, count as found.
    """
    graph.search(queries[0], N_NEIGHBOURS)
    shares, took, took_exact = [], [], []
    for query in queries:
        expected, seconds = timed(partial(exact.search, query, 4 * N_NEIGHBOURS))
        took_exact.append(seconds * 1000)
        found, seconds = timed(partial(graph.search, query, N_NEIGHBOURS + 1))
        took.append(seconds * 1000)
        least = expected.similarities[N_NEIGHBOURS] - 2e-4
        right = set(expected.recording_ids[expected.similarities >= least][1:].tolist())
        n_right = len(right & set(found.recording_ids.tolist()))
        shares.append(min(1.0, n_right / N_NEIGHBOURS))
    return float(np.mean(shares)), took, took_exact


def report_similar(library: Library, model: ModelRow) -> list[str]:
    """Answer whole questions, with files, limits and copies left out."""
    finder, opened = timed(lambda: Finder.open(library, model))
    rng = np.random.default_rng(2)
    seeds = rng.integers(1, len(finder.index), size=50).tolist()
    lines = [
        "## Similar tracks",
        "",
        "Twenty tracks each, with their files, copies left out; after the index was opened "
        f"({opened:.2f} s).",
        "",
        "| question | median (ms) | slowest (ms) |",
        "|---|--:|--:|",
    ]
    ways: Mapping[str, Callable[[int], object]] = {
        "like one track": lambda seed: finder.similar(finder.query([seed])),
        "one of an artist": lambda seed: finder.similar(finder.query([seed]), per_artist=1),
        "like three tracks": lambda seed: finder.similar(finder.query([seed, 1 + seed // 2, 1 + seed // 3])),
        "and where: piano": lambda seed: finder.similar(finder.query([seed]), where="piano"),
    }
    for name, way in ways.items():
        chosen = seeds[:10] if "where" in name else seeds
        took = [timed(partial(way, seed))[1] * 1000 for seed in chosen]
        lines.append(f"| {name} | {statistics.median(took):.0f} | {max(took):.0f} |")
    query = finder.query(seeds[:1])
    track = finder.similar(query, limit=1)[0]
    _, took_why = timed(lambda: finder.why(query, track))
    return [*lines, f"| why, for one track | {took_why * 1000:.0f} | |", ""]


def report_search(library: Library) -> list[str]:
    """Search by expressions."""
    tags = OwnTags(library)
    tags.mark("easy evening", range(1, 11), accepted=True)
    tags.mark("easy evening", range(5001, 5011), accepted=False)
    _, took = timed(lambda: tags.train("easy evening", library.default_model()))
    memory = peak_memory()
    lines = [
        "## Expressions",
        "",
        f"*easy evening* is an own tag of twenty examples, learned and checked in {took:.2f} s.",
        "",
        "| expression | tracks that match | seconds |",
        "|---|--:|--:|",
    ]
    for expression in EXPRESSIONS:
        search(library, expression)
        found, seconds = timed(partial(search, library, expression))
        lines.append(f"| `{expression}` | {found.n_matches:,} | {seconds:.2f} |")
    return [*lines, "", f"They need {peak_memory() - memory:.0f} MB more than what came before.", ""]


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """Return what the work returns, and the seconds that it took."""
    begun = time.perf_counter()
    done = work()
    return done, time.perf_counter() - begun


def peak_memory() -> float:
    """Return the peak memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
