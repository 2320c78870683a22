"""Verify a model file by running it: what a file must do before anybody relies on it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from taggram.errors import ModelFileError
from taggram.inference.session import Session
from taggram.modelfile.reader import load_model_file
from taggram.modelfile.specification import Specification

BATCH_TOLERANCE = 1e-5
"""A score may depend on its neighbours in the batch by this much: float32 sums in another order."""


def verify_model_file(path: Path) -> Iterator[str]:
    """Check a model file step by step; yield one sentence for each check it passes.

    Raises
    ------
    ModelFileError
        At the first check that fails.
    """
    model_file = load_model_file(path)
    spec = model_file.specification
    yield f"specification: {spec.name}, format version {spec.format_version}, {spec.n_tags} tags"
    yield f"checksum: SHA-256 of the weights is {spec.weights_sha256[:12]}…"
    session = Session(model_file)
    outputs = f"scores (batch, {spec.n_tags}), embedding (batch, {spec.embedding_dim})"
    yield f"graph: {spec.front_end.kind} → {outputs}"
    waveforms = np.stack(list(_probes(spec).values()))
    scores, embedding = session.run(waveforms)
    _check_values(path, spec, scores, embedding)
    span = f"scores from {scores.min():.3g} to {scores.max():.3g}"
    yield f"values: finite on {', '.join(_probes(spec))}; {span}"
    if np.array_equal(scores[0], scores[1]):
        raise ModelFileError(
            f"{path}: the scores of silence and noise are the same: the graph does not listen"
        )
    yield "silence and noise score differently"
    alone = np.concatenate([session.run(waveform[np.newaxis])[0] for waveform in waveforms])
    difference = float(np.abs(alone - scores).max())
    if difference > BATCH_TOLERANCE:
        raise ModelFileError(f"{path}: a chunk scores differently in a batch than alone, by {difference:.1e}")
    precision = f"to {difference:.0e}" if difference else "exactly"
    yield f"batch: one chunk alone scores as in a batch of {len(waveforms)}, {precision}"


def _probes(spec: Specification) -> dict[str, NDArray[np.float32]]:
    """Return chunks that bring out NaN and overflow."""
    length = spec.chunk_length
    noise = np.random.default_rng(0).normal(0, 0.1, length)
    square = np.sign(np.sin(2 * np.pi * 440 * np.arange(length) / spec.sample_rate + 0.1))
    probes = {"silence": np.zeros(length), "noise": noise, "full scale": square}
    return {name: probe.astype(np.float32) for name, probe in probes.items()}


def _check_values(
    path: Path, spec: Specification, scores: NDArray[np.float32], embedding: NDArray[np.float32]
) -> None:
    for row, name in enumerate(_probes(spec)):
        if not (np.isfinite(scores[row]).all() and np.isfinite(embedding[row]).all()):
            raise ModelFileError(f"{path}: the outputs for {name} are not finite")
    if scores.min() < 0 or scores.max() > 1:
        raise ModelFileError(
            f"{path}: scores must lie in [0, 1], found {scores.min():.3g} to {scores.max():.3g}; "
            "the graph must end in a sigmoid or softmax"
        )
    if spec.task == "multi_class" and np.abs(scores.sum(axis=1) - 1).max() > 1e-4:
        raise ModelFileError(f"{path}: the scores of a multi-class model must sum to 1")
