"""How the programs that published the weights cut a song, for comparing scores with theirs.

Never used for tagging. Taggram's default covers every second of a song with consecutive chunks whose
number follows from the song's length; each chunk is a waveform of its own, so results depend neither on
batch size nor on what else is processed. The peers do otherwise:

`sota` (sota-music-tagging-models)
    Always 16 chunks, its batch size. Their distance is (length − chunk) // 16, so the end of the song is
    never seen, a long song has gaps, and a clip barely longer than one chunk is scored 16 times over almost
    the same audio. A song shorter than one chunk crashes it.
`pons` (musicnn, musicnn_keras)
    One spectrogram of the whole song, cut into patches of 187 frames; what is left at the end is dropped.
    Frames at a patch's border thus see the neighbouring patch's samples, where our chunks are padded by
    reflection.
`mtg_jamendo` (the baseline of mtg-jamendo-dataset)
    One chunk, the 29.1 s in the middle of the song.

Every function maps a song's waveform (n_samples,) to the features of its chunks (n_chunks, …); the scores
of a song are the mean over its chunks.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from taggram.errors import AudioError
from taggram.lab.weights.published import PeerProtocol

Array = NDArray[np.float32]
FrontEnd = Callable[[Array], Array]
"""Waveforms (batch, n_samples) → features (batch, …)."""

PONS_PATCH_FRAMES = 187
MTG_JAMENDO_SAMPLES = 349_200
"""29.1 s at 12 kHz."""


def sota_chunk_starts(n_samples: int, chunk_length: int, *, n_chunks: int = 16) -> NDArray[np.int64]:
    """Return the first sample of every chunk, shape (n_chunks,).

    Raises
    ------
    AudioError
        If the song is shorter than one chunk.
    """
    _require(n_samples, chunk_length)
    hop = (n_samples - chunk_length) // n_chunks
    return np.arange(n_chunks, dtype=np.int64) * hop


def sota_features(waveform: Array, front_end: FrontEnd, chunk_length: int, *, n_chunks: int = 16) -> Array:
    """Return the features of equally spaced chunks, whose number is the batch size."""
    starts = sota_chunk_starts(len(waveform), chunk_length, n_chunks=n_chunks)
    return front_end(np.stack([waveform[start : start + chunk_length] for start in starts]))


def pons_features(waveform: Array, front_end: FrontEnd, chunk_length: int) -> Array:
    """Return the patches of 187 frames of the whole song's spectrogram, without the rest at its end."""
    _require(len(waveform), chunk_length)
    frames = front_end(waveform[None])[0]
    n_patches = len(frames) // PONS_PATCH_FRAMES
    kept = frames[: n_patches * PONS_PATCH_FRAMES]
    patches: Array = kept.reshape(n_patches, PONS_PATCH_FRAMES, -1)
    return patches


def mtg_jamendo_features(waveform: Array, front_end: FrontEnd, chunk_length: int) -> Array:
    """Return the features of the 29.1 s in the middle, with silence behind up to the last frame."""
    _require(len(waveform), MTG_JAMENDO_SAMPLES)
    start = (len(waveform) - MTG_JAMENDO_SAMPLES) // 2
    centre = waveform[start : start + MTG_JAMENDO_SAMPLES]
    return front_end(np.pad(centre, (0, chunk_length - MTG_JAMENDO_SAMPLES))[None])


PEER_PROTOCOLS: dict[PeerProtocol, Callable[[Array, FrontEnd, int], Array]] = {
    "sota": sota_features,
    "pons": pons_features,
    "mtg_jamendo": mtg_jamendo_features,
}


def _require(n_samples: int, needed: int) -> None:
    if n_samples < needed:
        raise AudioError(
            f"the peer's protocol needs at least {needed} samples, got {n_samples}: use a longer song, or "
            "Taggram's own chunks, which pad a short one",
            outcome="too_short",
        )
