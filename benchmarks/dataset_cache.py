"""How fast random chunks come out of the cache of decoded sound, beside what training asks for.

python -m benchmarks.dataset_cache [--gigabytes 1] [--cache DIR]     prints Markdown

Without `--cache`, a cache of noise is made in a temporary folder: what is read does not depend on what
was decoded. The chunks are those of the published architectures at 16 kHz; every one is from a random
track at a random place, as in training. *Warm* is from memory, after the operating system has read the
file once; *cold* is from the disk, after it was told to forget the file (where it can be told). *Needed* is
how many chunks of Musicnn, the cheapest of the architectures for each second of sound, torch can train on
in this very run: no other model of the zoo takes more seconds of sound in a second.
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
    with _directory(arguments.cache, arguments.gigabytes) as directory:
        needed = _chunks_per_second_of_training() * CHUNKS["Musicnn, 3 s"]
        print(
            f"{len(AudioCache(directory))} tracks, one reader; load {os.getloadavg()[0]:.1f} on the machine\n"
        )
        print("| chunk | needed, chunks/s | warm, chunks/s | cold, chunks/s |")
        print("|---|---|---|---|")
        for name, length in CHUNKS.items():
            _forget(directory)
            cold = _reads_per_second(AudioCache(directory), length, arguments.seconds / 4)
            _read_once(directory)
            warm = _reads_per_second(AudioCache(directory), length, arguments.seconds)
            print(f"| {name} | {needed / length:,.1f} | {warm:,.0f} | {cold:,.0f} |")


@contextmanager
def _directory(directory: Path | None, gigabytes: float) -> Iterator[Path]:
    if directory is not None:
        yield directory
        return
    with tempfile.TemporaryDirectory() as folder:
        write_noise(Path(folder), round(gigabytes * 1e9 / (2 * CLIP)))
        yield Path(folder)


def _forget(directory: Path) -> None:
    """Ask the operating system to drop what it holds of the shards; not every system can be asked."""
    if not hasattr(os, "posix_fadvise"):
        return
    for path in directory.glob("*.pcm"):
        with path.open("rb+") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _read_once(directory: Path) -> None:
    for path in directory.glob("*.pcm"):
        with path.open("rb") as file:
            while file.read(1 << 24):
                pass


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
