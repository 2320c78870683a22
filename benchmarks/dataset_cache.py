"""How fast random chunks come out of the cache of decoded sound, beside what training asks for.

python -m benchmarks.dataset_cache [--gigabytes 1] [--cache DIR]     prints Markdown

Without `--cache`, a cache of noise is made in a temporary folder: what is read does not depend on what
was decoded. The chunks are those of the published architectures at 16 kHz; every one is from a random
track at a random place, as in training. *Needed* is what a training step takes of them on two cores: the
forward and backward pass of the fastest architecture (Musicnn) are measured here, with torch, in the same
run. A cache larger than the memory is read from the disk; the first pass over a fresh file shows that.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from taggram.lab.datasets import AudioCache, CachedTrack, CacheIndex

SAMPLE_RATE = 16_000
CLIP = 30 * SAMPLE_RATE
CHUNKS = {"Musicnn, 3 s": 48_000, "short-chunk CNN, 3.7 s": 59_049, "FCN and CRNN, 29 s": 464_000}
BATCH = 16


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--gigabytes", type=float, default=1.0, help="size of the cache of noise")
    parser.add_argument("--cache", type=Path, help="a finished cache to read instead")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long to read each kind of chunk")
    arguments = parser.parse_args()
    with _cache(arguments.cache, arguments.gigabytes) as cache:
        print(f"{len(cache)} tracks, one reader, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
        print("| chunk | chunks/s | MB/s | share of a core at the rate needed |")
        print("|---|---|---|---|")
        needed = _chunks_per_second_of_training()
        for name, length in CHUNKS.items():
            rate = _reads_per_second(cache, length, arguments.seconds)
            # A second of sound costs any model at least what Musicnn takes for it.
            share = needed * CHUNKS["Musicnn, 3 s"] / length / rate
            print(f"| {name} | {rate:,.0f} | {rate * length * 2 / 1e6:,.0f} | {share:.2%} |")
        print(f"\nMusicnn trains on {needed:.0f} chunks/s (forward, backward and step, batches of {BATCH}).")


@contextmanager
def _cache(directory: Path | None, gigabytes: float) -> Iterator[AudioCache]:
    if directory is not None:
        yield AudioCache(directory)
        return
    with tempfile.TemporaryDirectory() as folder:
        write_noise(Path(folder), round(gigabytes * 1e9 / (2 * CLIP)))
        yield AudioCache(folder)


def write_noise(directory: Path, n_tracks: int) -> None:
    """Write a finished cache of noise, 30 s each track."""
    rng = np.random.default_rng(0)
    with (directory / "shard-00000.pcm").open("wb") as file:
        for _ in range(n_tracks):
            file.write(rng.integers(-3000, 3000, CLIP, dtype=np.int16).tobytes())
    tracks = {f"{i:06}": CachedTrack(0, i * CLIP, CLIP, "") for i in range(n_tracks)}
    CacheIndex(SAMPLE_RATE, tracks, {}, ("",)).write(directory)


def _reads_per_second(cache: AudioCache, length: int, seconds: float) -> float:
    rng = np.random.default_rng(1)
    usable = [id_ for id_ in cache.ids if cache.length(id_) >= length]
    n_read, begun = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - begun) < seconds:
        for _ in range(BATCH):
            id_ = usable[rng.integers(len(usable))]
            start = int(rng.integers(cache.length(id_) - length + 1))
            cache.read(id_, start=start, length=length)
            n_read += 1
    return n_read / elapsed


def _chunks_per_second_of_training(n_steps: int = 4) -> float:
    import torch

    from taggram.lab.models import MODELS

    model = MODELS.get("musicnn")(n_tags=50).train()
    optimiser = torch.optim.Adam(model.parameters())
    waveforms = torch.randn(BATCH, CHUNKS["Musicnn, 3 s"]) * 0.1
    y_true = (torch.rand(BATCH, 50) < 0.1).float()
    durations = []
    for _ in range(n_steps):
        begun = time.perf_counter()
        optimiser.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(model(waveforms), y_true)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        durations.append(time.perf_counter() - begun)
    return BATCH / min(durations)


if __name__ == "__main__":
    main()
