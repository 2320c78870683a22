"""Run the whole benchmark and print it, in Markdown: `python -m benchmarks [--output FILE]`."""

import argparse
import hashlib
import json
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.measure import Result
from benchmarks.models import build_model, write_model
from benchmarks.song import DURATION, list_clips, write_song
from taggram.inference.session import usable_cores
from taggram.lab.models import MODELS
from taggram.lab.quantise import quantise
from taggram.lab.weights.published import CHECKPOINTS
from taggram.modelfile.cache import DEFAULT_MODEL
from taggram.modelfile.reader import load_model_file
from taggram.modelfile.writer import write_model_file

ROOT = Path(__file__).resolve().parent.parent
ZOO = (
    "fcn",
    "musicnn",
    "crnn",
    "sample_cnn",
    "sample_cnn_se",
    "self_attention",
    "harmonic_cnn",
    "short_chunk_cnn",
    "short_chunk_cnn_res",
    "pons_musicnn",
    "pons_vgg",
    "jamendo_cnn",
    "lean_cnn",
)
QUANTISED = ("musicnn", "short_chunk_cnn", "short_chunk_cnn_res")
END_TO_END = ("musicnn", "short_chunk_cnn")


class Benchmark:
    """Measures each figure in a process of its own, and keeps the lines of the report."""

    def __init__(self, folder: Path, weights: Path, calibration: Path) -> None:
        self.folder = folder
        self.calibration = calibration
        self.weights = _find_weights(weights)
        self.cores = [cores for cores in (1, 2) if cores <= usable_cores()]
        self.lines: list[str] = []

    def run(self, stage: str, cores: int, **arguments: Any) -> Result:
        """Measure one figure."""
        command = [sys.executable, "-m", "benchmarks.measure", stage, str(cores), json.dumps(arguments)]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        result: Result = json.loads(done.stdout.splitlines()[-1])
        return result

    def say(self, *lines: str) -> None:
        """Print lines of the report and keep them."""
        print(*lines, sep="\n", flush=True)
        self.lines += lines

    def table(self, header: str) -> None:
        """Begin a table."""
        self.say("", header, "|".join(["", *["---"] * (header.count("|") - 1), ""]))

    def introduce(self) -> None:
        """State what is measured, on what, with which versions."""
        packages = ("numpy", "av", "soxr", "onnxruntime", "torch", "librosa")
        self.say(
            "# Speed",
            "",
            f"Measured {datetime.now(UTC):%Y-%m-%d} by `make bench` on {_processor()}, Python "
            f"{platform.python_version()}, {', '.join(f'{p} {version(p)}' for p in packages)}. "
            "Wall-clock, best of several runs after a warm-up, each figure in a process bound to the stated "
            "number of cores with as many threads. *Plain* is `librosa.load` + PyTorch eager in batches of "
            "16 chunks: same architecture, weights and chunks. Ratios travel to other machines, times not.",
        )
        peaks = {cores: self.run("matrix_peak", cores)["gflops"] for cores in self.cores}
        self.peaks = peaks
        self.say(
            "",
            "Matrix multiplication in float32, by the best of numpy, torch and ONNX Runtime, reaches "
            f"{_per_core(peaks, '.0f')} GFLOP/s.",
        )

    def measure_decoding(self, song: Path) -> None:
        """Decode, downmix and resample."""
        self.say("", f"## Decode, downmix, resample to 16 kHz: {DURATION} s stereo mp3, one core")
        self.table("| way | seconds | × real time | plain takes |")
        times = self.run("decoding", 1, song=str(song))
        for way, name in (
            ("in_process", "in this process"),
            ("through_child", "through the decoder process"),
            ("plain", "librosa.load"),
        ):
            seconds = times[way]
            self.say(
                f"| {name} | {seconds:.3f} | {DURATION / seconds:.0f} | {times['plain'] / seconds:.2f} × |"
            )

    def measure_networks(self) -> None:
        """Features and network of every architecture."""
        for cores in self.cores:
            self.say("", f"## Features and network, batch of 16 chunks, {_cores(cores)}")
            self.table(
                "| architecture | GFLOP a song | plain network (ms a chunk) | ours float32 | faster "
                "| of peak | plain with features | ours with features | faster | int8 network | faster |"
            )
            for name in ZOO:
                self.say(self._network_line(name, cores))
        self.say(
            "",
            "A song is 4 minutes; a multiplication and an addition count as two operations, features not "
            "included. *Of peak*: share of the matrix multiplication rate above that our network reaches.",
        )

    def _network_line(self, name: str, cores: int) -> str:
        r = self.run(
            "network", cores, architecture=name, model_files=self.files(name), weights=self.weights.get(name)
        )
        chunk_duration = MODELS.get(name).architecture.chunk_duration
        of_peak = r["gflop"] / (r["float32_network"] / 1000) / self.peaks[cores]
        line = (
            f"| {name} | {r['gflop'] * DURATION / chunk_duration:.1f} "
            f"| {r['plain_network']:.1f} | {r['float32_network']:.1f} "
            f"| {r['plain_network'] / r['float32_network']:.2f} × | {of_peak:.0%} "
            f"| {r['plain_whole']:.1f} | {r['float32_whole']:.1f} "
            f"| {r['plain_whole'] / r['float32_whole']:.2f} × "
        )
        if "int8_network" not in r:
            return line + "| | |"
        return line + f"| {r['int8_network']:.1f} | {r['plain_network'] / r['int8_network']:.1f} × |"

    def measure_songs(self, song: Path) -> None:
        """Whole songs, from file to tags."""
        self.say("", f"## From file to tags: {DURATION} s stereo mp3")
        self.table(
            "| model | cores | seconds | × real time | peak memory (MB) | plain (s) "
            "| plain memory (MB) | faster |"
        )
        for cores in self.cores:
            plain = {
                name: self.run(
                    "whole_song_plain",
                    cores,
                    song=str(song),
                    architecture=name,
                    weights=self.weights.get(name),
                )
                for name in END_TO_END
            }
            files = {
                "default": DEFAULT_MODEL,
                **{name: Path(self.files(name)["float32"]) for name in END_TO_END},
            }
            for name, path in files.items():
                ours = self.run("whole_song", cores, song=str(song), model_file=str(path))
                beside = plain.get(name, plain["musicnn"])
                note = "" if name in plain else " (Musicnn)"
                self.say(
                    f"| {name} | {cores} | {ours['seconds']:.3f} | {DURATION / ours['seconds']:.0f} "
                    f"| {ours['memory']:.0f} | {beside['seconds']:.2f}{note} | {beside['memory']:.0f} "
                    f"| {beside['seconds'] / ours['seconds']:.1f} × |"
                )

    def measure_folder(self) -> None:
        """A folder of clips, with the model that ships."""
        clips = [str(path) for path in list_clips()] * 4
        self.say("", f"## A folder of {len(clips)} clips, the model that ships")
        self.table("| cores | seconds | files a second | × real time | peak memory (MB) |")
        for cores in self.cores:
            r = self.run("folder", cores, clips=clips, model_file=str(DEFAULT_MODEL))
            self.say(
                f"| {cores} | {r['seconds']:.2f} | {r['n_files'] / r['seconds']:.1f} "
                f"| {r['duration'] / r['seconds']:.0f} | {r['memory']:.0f} |"
            )

    def prepare(self) -> None:
        """Write the model files that are measured."""
        for name in ZOO:
            write_model(build_model(name, self.weights.get(name)), self._file(name, "float32"))
        clips = _calibration_clips(self.calibration)
        self.say("", "## int8: agreement with the 32-bit scores", "")
        self.say(f"Calibrated on three quarters of {len(clips)} clips, compared on the chunks of the others.")
        self.table("| architecture | weights | Spearman, mean over tags | largest difference of a score |")
        for name in QUANTISED:
            quantised, agreement = quantise(load_model_file(self._file(name, "float32")), clips)
            write_model_file(self._file(name, "int8"), quantised.data)
            weights = self.weights[name][0] if name in self.weights else "random: agreement says little"
            self.say(
                f"| {name} | {weights} | {agreement.spearman:.3f} | {agreement.largest_difference:.3f} |"
            )

    def files(self, name: str) -> dict[str, str]:
        """Return form → model file of an architecture."""
        found = {form: self._file(name, form) for form in ("float32", "int8")}
        return {form: str(path) for form, path in found.items() if path.exists()}

    def _file(self, name: str, form: str) -> Path:
        return self.folder / f"{name}-{form}.onnx"


def _find_weights(folder: Path) -> dict[str, tuple[str, str]]:
    """Return architecture → (published checkpoint, file) for what lies below a folder."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()] if folder.is_dir() else []
    by_checksum = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in files}
    found: dict[str, tuple[str, str]] = {}
    for checkpoint in CHECKPOINTS.values():
        if checkpoint.sha256 in by_checksum:
            path = by_checksum[checkpoint.sha256]
            found.setdefault(checkpoint.architecture, (checkpoint.name, str(path)))
    return found


def _calibration_clips(folder: Path) -> list[Path]:
    """Return clips from all over a folder, or the example clips."""
    found = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    return found[:: max(1, len(found) // 64)] or list_clips()


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if "model name" in line] if info.exists() else []
    return names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()


def _cores(cores: int) -> str:
    return "one core" if cores == 1 else f"{cores} cores"


def _per_core(values: dict[int, float], form: str) -> str:
    return ", ".join(f"{value:{form}} on {_cores(cores)}" for cores, value in values.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, help="also write the report here")
    parser.add_argument(
        "--weights", type=Path, default=ROOT.parent / "shared" / "peers" / "weights",
        help="folder of published weights; without them, random ones are measured",
    )  # fmt: skip
    parser.add_argument(
        "--calibration", type=Path, default=ROOT.parent / "shared" / "music" / "4q" / "audio",
        help="folder of clips for int8; without it, the example clips",
    )  # fmt: skip
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        benchmark = Benchmark(Path(folder), options.weights, options.calibration)
        song = write_song(Path(folder) / "song.mp3")
        benchmark.introduce()
        benchmark.measure_decoding(song)
        benchmark.prepare()
        benchmark.measure_networks()
        benchmark.measure_songs(song)
        benchmark.measure_folder()
    if options.output:
        options.output.write_text("\n".join(benchmark.lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
