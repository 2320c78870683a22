"""A network ready to run: the model file's graph in ONNX Runtime, and its front end.

One session is shared by all threads; each call uses one thread, so that work spreads over chunks and
files without more threads than cores (measured: 1.96 times faster on two cores, against 1.6 with
two threads inside one call).
"""

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taggram.errors import ModelFileError, ShapeError
from taggram.inference.front_end import power_spectrogram
from taggram.modelfile.reader import ModelFile
from taggram.modelfile.specification import PowerSpectrogram, Specification

OUTPUTS = ("scores", "embedding")


def usable_cores() -> int:
    """Return the number of cores that this process may use (respecting CPU affinity)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Session:
    """Waveforms in, scores and embeddings out."""

    def __init__(self, model_file: ModelFile, *, n_threads: int = 1) -> None:
        self.specification: Specification = model_file.specification
        self._session = onnx_session(model_file, n_threads)
        self._input = _check_graph(self._session, model_file)

    def run(self, waveforms: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Score a batch of chunks.

        Parameters
        ----------
        waveforms : shape (batch, chunk_length), float32, at the model's sample rate

        Returns
        -------
        scores : shape (batch, n_tags), in [0, 1]
        embedding : shape (batch, embedding_dim)

        Raises
        ------
        ShapeError
            If the waveforms have another shape.
        """
        return self.run_features(self.compute_features(waveforms))

    def compute_features(self, waveforms: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute what the graph takes: the waveforms themselves, or their power spectrograms."""
        length = self.specification.chunk_length
        if waveforms.ndim != 2 or waveforms.shape[1] != length:
            raise ShapeError(f"waveforms must have shape (batch, {length}), got {waveforms.shape}")
        waveforms = np.ascontiguousarray(waveforms, np.float32)
        front_end = self.specification.front_end
        if isinstance(front_end, PowerSpectrogram):
            return power_spectrogram(waveforms, front_end)
        return waveforms

    def run_features(self, features: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Score features as `compute_features` gives them."""
        scores, embedding = self._session.run(OUTPUTS, {self._input: features})
        return scores, embedding


def onnx_session(model_file: ModelFile, n_threads: int) -> Any:
    """Load a model file's graph into ONNX Runtime.

    Raises
    ------
    ModelFileError
        If it cannot be loaded.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # its errors come to us as exceptions
    try:
        return onnxruntime.InferenceSession(
            model_file.data, sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's exceptions have no common base class
        raise ModelFileError(
            f"{model_file.path}: ONNX Runtime {onnxruntime.__version__} cannot load the graph: {error}"
        ) from error


def _check_graph(session: Any, model_file: ModelFile) -> str:
    """Return the input's name after checking inputs and outputs against the specification."""
    spec = model_file.specification
    if spec.task == "chords":
        raise ModelFileError(
            f"{model_file.path}: a model of chords, not of tags; `taggram chords` takes such models"
        )
    kind = spec.front_end.kind
    found_inputs = {i.name: (i.type, i.shape) for i in session.get_inputs()}
    found_outputs = {o.name: (o.type, o.shape) for o in session.get_outputs()}
    wanted_input = [spec.chunk_length]
    if isinstance(spec.front_end, PowerSpectrogram):
        wanted_input = [spec.front_end.n_frames(spec.chunk_length), spec.front_end.n_bins]
    expected = (
        (found_inputs, kind, wanted_input),
        (found_outputs, "scores", [spec.n_tags]),
        (found_outputs, "embedding", [spec.embedding_dim]),
    )
    for found, name, shape in expected:
        if name not in found or not _fits(found[name], shape):
            raise ModelFileError(
                f"{model_file.path}: the graph does not match its specification: expected {name} "
                f"float32 (batch, {', '.join(map(str, shape))}), found {found}"
            )
    if len(found_inputs) != 1:
        raise ModelFileError(f"{model_file.path}: the graph has other inputs than {kind}: {found_inputs}")
    return kind


def _fits(found: tuple[str, list[int | str | None]], shape: list[int]) -> bool:
    """Compare without the batch axis; a symbolic size is taken to fit."""
    type_, (batch, *sizes) = found
    return (
        type_ == "tensor(float)"
        and not isinstance(batch, int)
        and len(sizes) == len(shape)
        and all(not isinstance(size, int) or size == want for size, want in zip(sizes, shape, strict=True))
    )
