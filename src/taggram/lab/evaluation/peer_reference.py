"""Stored outputs of the published programs, and how far a model of ours is from them.

The folder of references (research material beside the project, never part of it) holds

    reference/<program>/<dataset>/<network>/<song>.npz   outputs with published weights
    reference/minzwon-sota-synthetic/<network>/<song>.npz   outputs with the weights that
        synthetic_weights.py makes from parameter names, for networks whose weights are not at hand
    reference/waveforms/<song>.npy, weights/…, weights.sha256

Every npz holds the scores of the chunks that the program cut, and the waveform or its place.
"""

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from taggram.lab.evaluation.peer_protocol import PEER_PROTOCOLS, Array, FrontEnd, sota_features
from taggram.lab.models import MODELS, TaggingModel
from taggram.lab.weights.published import CHECKPOINTS, PublishedCheckpoint, load_peer_state, load_published

_SYNTHETIC = "minzwon-sota-synthetic"
#: Architecture and constructor options of every network with synthetic weights.
_SYNTHETIC_NETWORKS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "attention": ("self_attention", {}),
    "crnn": ("crnn", {}),
    "fcn": ("fcn", {}),
    "hcnn": ("harmonic_cnn", {}),
    "musicnn": ("musicnn", {}),
    "musicnn_msd": ("musicnn", {"back_end_channels": 512, "embedding_dim": 500}),
    "sample": ("sample_cnn", {}),
    "se": ("sample_cnn_se", {}),
    "short": ("short_chunk_cnn", {}),
    "short_res": ("short_chunk_cnn_res", {}),
}


@dataclass(frozen=True)
class PeerReference:
    """What one published program said about one song with one set of weights.

    Attributes
    ----------
    peers
        The folder of references.
    path
        The stored outputs.
    program
        Which program.
    weights
        Name of the published checkpoint, or "synthetic <network>".
    """

    peers: Path
    path: Path
    program: str
    weights: str

    @property
    def song(self) -> str:
        """Name of the song."""
        return self.path.stem

    @property
    def checkpoint(self) -> PublishedCheckpoint | None:
        """The published checkpoint; None for synthetic weights."""
        return CHECKPOINTS.get(self.weights)

    @cached_property
    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Everything that is stored, by name."""
        with np.load(self.path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}

    @property
    def waveform(self) -> Array:
        """The song, (n_samples,)."""
        if "waveform_12k" in self.arrays:
            return self.arrays["waveform_12k"].astype(np.float32)
        stored: Array = np.load(self.peers / str(self.arrays["waveform_file"]))
        return stored

    @property
    def chunk_scores(self) -> Array:
        """Scores of the chunks, (n_chunks, n_tags)."""
        name = "chunk_probs" if "chunk_probs" in self.arrays else "probs"
        return np.atleast_2d(self.arrays[name]).astype(np.float32)

    def build_model(self) -> TaggingModel:
        """Return the model with the weights that the program had, in evaluation mode."""
        if self.checkpoint is not None:
            return load_published(self.checkpoint, _weight_file(self.peers, self.checkpoint))
        network = self.path.parent.name
        architecture, options = _SYNTHETIC_NETWORKS[network]
        model = MODELS.get(architecture)(50, **options)
        load_peer_state(model, _synthetic_state(self.peers, self.path.parent), source=f"synthetic {network}")
        return model.eval()

    def compute_features(self, front_end: FrontEnd, chunk_length: int) -> Array:
        """Return the features of the chunks that the program cut, (n_chunks, …)."""
        if self.checkpoint is None:
            return sota_features(self.waveform, front_end, chunk_length, n_chunks=len(self.chunk_scores))
        return PEER_PROTOCOLS[self.checkpoint.peer_protocol](self.waveform, front_end, chunk_length)


def list_references(peers: Path) -> list[PeerReference]:
    """List the stored outputs, sorted by weights, program and song."""
    by_sha256 = {checkpoint.sha256: name for name, checkpoint in CHECKPOINTS.items()}
    references = []
    for path in (peers / "reference").rglob("*.npz"):
        program, *_, network = path.relative_to(peers / "reference").parent.parts
        weights = f"synthetic {network}" if program == _SYNTHETIC else by_sha256[_sha256_in(path)]
        references.append(PeerReference(peers, path, program, weights))
    return sorted(references, key=lambda reference: (reference.weights, reference.program, reference.song))


@dataclass(frozen=True)
class Agreement:
    """How far our scores are from a program's.

    Attributes
    ----------
    n_chunks
        Chunks compared.
    chunk_difference, song_difference
        Largest absolute difference of a score of a chunk, and of the mean over the compared chunks.
    """

    n_chunks: int
    chunk_difference: float
    song_difference: float


def compare_scores(
    reference: PeerReference,
    score_features: Callable[[Array], Array],
    front_end: FrontEnd,
    chunk_length: int,
    *,
    max_chunks: int | None = None,
) -> Agreement:
    """Score the chunks of a reference and compare.

    Parameters
    ----------
    reference
        What to compare with.
    score_features
        Features (batch, …) → scores (batch, n_tags); called with one chunk at a time.
    front_end
        Waveforms → features.
    chunk_length
        Samples of one chunk.
    max_chunks
        Compare at most so many, spread evenly over the song.
    """
    features = reference.compute_features(front_end, chunk_length)
    wanted = reference.chunk_scores
    if len(features) != len(wanted):
        raise AssertionError(f"{reference.path}: {len(wanted)} chunks stored, {len(features)} cut")
    n_chunks = min(max_chunks or len(wanted), len(wanted))
    rows = np.linspace(0, len(wanted) - 1, n_chunks).round().astype(int)
    got = np.concatenate([score_features(features[row : row + 1]) for row in rows])
    difference = np.abs(got - wanted[rows])
    song_difference = np.abs(got.mean(axis=0) - wanted[rows].mean(axis=0))
    return Agreement(n_chunks, float(difference.max()), float(song_difference.max()))


def eager_front_end(model: TaggingModel) -> FrontEnd:
    """Return the model's own front end, from array to array."""

    def compute(waveforms: Array) -> Array:
        with torch.inference_mode():
            features: Array = model.front_end(torch.from_numpy(waveforms)).numpy()
        return features

    return compute


def eager_scores(model: TaggingModel) -> Callable[[Array], Array]:
    """Return the model behind its front end, from features to scores."""

    def compute(features: Array) -> Array:
        with torch.inference_mode():
            logits = model.head(model.embed_features(torch.from_numpy(features)))
            scores: Array = logits.sigmoid().numpy()
        return scores

    return compute


def _sha256_in(path: Path) -> str:
    with np.load(path, allow_pickle=False) as file:
        return str(file["checkpoint_sha256" if "checkpoint_sha256" in file.files else "h5_sha256"])


def _weight_file(peers: Path, checkpoint: PublishedCheckpoint) -> Path:
    for line in (peers / "weights.sha256").read_text().splitlines():
        sha256, name = line.split()
        if sha256 == checkpoint.sha256:
            return peers / "weights" / name
    raise FileNotFoundError(f"{peers / 'weights.sha256'} does not list {checkpoint.name}")


def _synthetic_state(peers: Path, folder: Path) -> dict[str, Tensor]:
    """Make the weights of every parameter that the published network has."""
    spec = spec_from_file_location("synthetic_weights", peers / "synthetic_weights.py")
    assert spec is not None
    assert spec.loader is not None
    generator = module_from_spec(spec)
    spec.loader.exec_module(generator)
    state = {}
    for line in (folder / "state_dict_keys.txt").read_text().splitlines():
        name, shape = line.split(" ", 1)
        if not name.endswith(generator.SKIPPED_LEAVES):
            state[name] = torch.from_numpy(generator.synthetic_weight(name, ast.literal_eval(shape)))
    return state
