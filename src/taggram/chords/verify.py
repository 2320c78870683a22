"""Verify a chord model by running it: what a file must do before anybody relies on it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from taggram.chords.decoder import Decoder
from taggram.chords.harte import QUALITIES
from taggram.chords.network import OUTPUTS, ChordNetwork
from taggram.chords.vocabulary import VOCABULARIES
from taggram.errors import ModelFileError
from taggram.modelfile.reader import load_model_file

SUM_TOLERANCE = 1e-3
"""The probabilities of a frame may sum to so much more or less than 1."""
BATCH_TOLERANCE = 1e-5


def verify_chord_model(path: Path) -> Iterator[str]:
    """Check a model file step by step; yield one sentence for each check it passes.

    Raises
    ------
    ModelFileError
        At the first check that fails.
    """
    model_file = load_model_file(path)
    network = ChordNetwork(model_file)
    specification, settings = network.specification, network.settings
    yield f"specification: {specification.name}, format version {specification.format_version}"
    yield f"checksum: SHA-256 of the weights is {specification.weights_sha256[:12]}…"
    for name, statistics in settings.statistics.items():
        vocabulary = next((v for v in VOCABULARIES.values() if v.name == name), None)
        if vocabulary is None:
            raise ModelFileError(f"{path}: statistics of an unknown vocabulary {name!r}")
        Decoder(statistics, vocabulary.n_states, network.frame_duration)
    yield f"decoder: statistics of {', '.join(settings.statistics)}"
    rng = np.random.default_rng(0)
    silence = np.zeros((settings.n_frames, network.front_end.n_bins), np.float32)
    windows = np.stack([silence, rng.uniform(0, 1, silence.shape).astype(np.float32), silence + 5])
    said = network.run(windows)
    shapes = {"root": (13,), "quality": (12, len(QUALITIES)), "bass": (13,)}
    for name, values in zip(OUTPUTS, said, strict=True):
        if values.shape != (*windows.shape[:2], *shapes[name]) or np.isnan(values).any():
            raise ModelFileError(f"{path}: {name} is {values.shape} or not finite on silence, noise or level")
        deviation = float(np.abs(np.exp(values).sum(axis=-1) - 1).max())
        if deviation > SUM_TOLERANCE:
            raise ModelFileError(f"{path}: the probabilities of {name} miss 1 by {deviation:.1e}")
    yield f"values: probabilities of {', '.join(OUTPUTS)} sum to 1 on silence, noise and full level"
    alone = network.run(windows[1:2]).root
    difference = float(np.abs(np.exp(alone[0]) - np.exp(said.root[1])).max())
    if difference > BATCH_TOLERANCE:
        raise ModelFileError(f"{path}: a window sounds different in a batch than alone, by {difference:.1e}")
    yield "batch: one window alone is heard as in a batch"
