"""What is measured, one function per figure; run in a process of its own by `benchmarks.__main__`.

python -m benchmarks.measure STAGE CORES ARGUMENTS-AS-JSON      prints one JSON object
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BATCH = 16
Result = dict[str, float]
Weights = tuple[str, str] | None


def best_time(work: Callable[[], object], *, seconds: float = 1.5, at_least: int = 2) -> float:
    """Return the shortest wall-clock time of `work` in seconds, after one run to warm up."""
    work()
    times: list[float] = []
    while len(times) < at_least or sum(times) < seconds:
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times)


def peak_memory() -> float:
    """Return the peak resident memory of this process and its children in MB; NaN where unknown."""
    try:
        pids = [os.getpid(), *_children()]
        return sum(_high_water_mark(pid) for pid in pids) / 1024
    except OSError:
        return float("nan")


def _children() -> list[int]:
    tasks = Path("/proc/self/task")
    return [int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()]


def _high_water_mark(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def matrix_peak(cores: int) -> Result:
    """Measure float32 matrix multiplication in GFLOP/s: the best of numpy, torch and ONNX Runtime."""
    import torch

    torch.set_num_threads(cores)
    n = 1024
    a, b = torch.rand(n, n), torch.rand(n, n)
    x, y = a.numpy(), b.numpy()
    session = _matrix_product_session(n, cores)
    ways: tuple[Callable[[], object], ...] = (
        lambda: a @ b,
        lambda: x @ y,
        lambda: session.run(None, {"a": x, "b": y}),
    )
    return {"gflops": 2 * n**3 / min(map(best_time, ways)) / 1e9}


def _matrix_product_session(n: int, cores: int) -> Any:
    """Return an ONNX Runtime session that multiplies two matrices of shape (n, n)."""
    from onnx import TensorProto, helper
    from onnxruntime import InferenceSession, SessionOptions

    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [n, n]) for name in "ab"]
    output = helper.make_tensor_value_info("c", TensorProto.FLOAT, [n, n])
    graph = helper.make_graph([helper.make_node("MatMul", ["a", "b"], ["c"])], "product", inputs, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = SessionOptions()
    options.intra_op_num_threads = cores
    return InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def decoding(cores: int, song: str) -> Result:
    """Decode, downmix and resample to 16 kHz: here, through the decoder process, and by librosa."""
    import librosa

    from taggram.audio.decode import decode
    from taggram.audio.decoder import Decoder

    del cores
    with Decoder() as decoder:
        return {
            "in_process": best_time(lambda: sum(map(len, decode(song, sample_rate=16_000))), seconds=4),
            "through_child": best_time(
                lambda: sum(map(len, decoder.decode(song, sample_rate=16_000))), seconds=4
            ),
            "plain": best_time(lambda: librosa.load(song, sr=16_000), seconds=4),
        }


def network(cores: int, architecture: str, model_files: dict[str, str], weights: Weights) -> Result:
    """Run features and network on a batch of 16 chunks: our model files, and PyTorch eager.

    Milliseconds a chunk; `flops` is GFLOP a chunk, a multiplication and an addition counting as two.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from benchmarks.models import build_model
    from taggram.inference.session import Session
    from taggram.lab.export import example_waveforms
    from taggram.modelfile.reader import load_model_file
    from taggram.modelfile.specification import PowerSpectrogram

    torch.set_num_threads(cores)
    model = build_model(architecture, weights)
    sessions = {form: Session(load_model_file(path), n_threads=cores) for form, path in model_files.items()}
    spec = sessions["float32"].specification
    waveforms = example_waveforms(spec, BATCH)
    tensor = torch.from_numpy(waveforms)
    result: Result = {}
    with torch.inference_mode():
        features = model.front_end(tensor)
        with FlopCounterMode(display=False) as counter:
            model.head(model.embed_features(features[:1]))
        result["gflop"] = counter.get_total_flops() / 1e9
        result["plain_network"] = best_time(lambda: model.head(model.embed_features(features)).sigmoid())
        result["plain_whole"] = best_time(lambda: model(tensor).sigmoid())
    for form, session in sessions.items():
        front_end = spec.front_end
        prepared = session.compute_features(waveforms)
        result[f"{form}_network"] = best_time(lambda s=session, p=prepared: s.run_features(p))  # type: ignore[misc]
        result[f"{form}_whole"] = best_time(lambda s=session: s.run(waveforms))  # type: ignore[misc]
        if isinstance(front_end, PowerSpectrogram) and form == "float32":
            result["features"] = best_time(lambda s=session: s.compute_features(waveforms))  # type: ignore[misc]
    return {key: value if key == "gflop" else 1000 * value / BATCH for key, value in result.items()}


def whole_song(cores: int, song: str, model_file: str) -> Result:
    """Tag one file from end to end, decoder process and all."""
    from taggram import Tagger

    with Tagger.load(Path(model_file), n_threads=cores) as tagger:
        seconds = best_time(lambda: tagger.tag(song))
        result = tagger.tag(song)
        return {"seconds": seconds, "n_chunks": len(result.taggram), "memory": peak_memory()}


def whole_song_plain(cores: int, song: str, architecture: str, weights: Weights) -> Result:
    """Tag one file the plain way, on the same chunks."""
    import librosa
    import torch

    from benchmarks.models import build_model
    from taggram.audio.chunk import cut_chunks

    torch.set_num_threads(cores)
    model = build_model(architecture, weights)
    about = model.architecture

    def tag() -> NDArray[np.float32]:
        waveform, _ = librosa.load(song, sr=about.sample_rate)
        chunks = np.stack(
            [chunk for _, chunk in cut_chunks(waveform, about.chunk_length, about.chunk_length)]
        )
        with torch.inference_mode():
            batches = (torch.from_numpy(chunks[i : i + BATCH]) for i in range(0, len(chunks), BATCH))
            return torch.cat([model(batch).sigmoid() for batch in batches]).numpy()

    return {"seconds": best_time(tag), "n_chunks": len(tag()), "memory": peak_memory()}


def folder(cores: int, clips: list[str], model_file: str) -> Result:
    """Tag a folder of clips, as many at once as there are cores."""
    from taggram import Tagger

    with Tagger.load(Path(model_file), n_threads=cores) as tagger:
        seconds = best_time(lambda: list(tagger.tag_many(clips)))
        heard = sum(result.duration for result in tagger.tag_many(clips))
        return {"seconds": seconds, "duration": heard, "n_files": len(clips), "memory": peak_memory()}


STAGES: dict[str, Callable[..., Result]] = {
    stage.__name__: stage for stage in (matrix_peak, decoding, network, whole_song, whole_song_plain, folder)
}


def main() -> None:
    stage, cores, arguments = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    result: dict[str, Any] = STAGES[stage](cores, **arguments)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
