"""The peers' ways to cut a song, quirks included."""

import numpy as np
import pytest

from taggram.errors import AudioError
from taggram.lab.evaluation.peer_protocol import (
    MTG_JAMENDO_SAMPLES,
    PEER_PROTOCOLS,
    Array,
    mtg_jamendo_features,
    pons_features,
    sota_chunk_starts,
    sota_features,
)
from taggram.lab.weights.published import PeerProtocol


def ramp(n_samples: int) -> Array:
    return np.arange(n_samples, dtype=np.float32)


def no_front_end(waveforms: Array) -> Array:
    return waveforms


def one_frame_per_256(waveforms: Array) -> Array:
    """Return frames of one bin that hold their own number."""
    n_frames = 1 + waveforms.shape[1] // 256
    return np.tile(ramp(n_frames)[None, :, None], (len(waveforms), 1, 1))


def test_sota_always_cuts_sixteen_chunks_and_never_reaches_the_end() -> None:
    starts = sota_chunk_starts(479_159, 464_000)
    assert starts.tolist() == [947 * i for i in range(16)]
    assert starts[-1] + 464_000 < 479_159
    chunks = sota_features(ramp(1000), no_front_end, 100)
    assert chunks.shape == (16, 100)
    assert chunks[3, 0] == 3 * 56


def test_sota_repeats_a_clip_of_one_chunk_sixteen_times() -> None:
    assert sota_chunk_starts(115, 100).tolist() == [0] * 16


def test_pons_cuts_the_spectrogram_of_the_whole_song_and_drops_the_rest() -> None:
    patches = pons_features(np.zeros(256 * 500, np.float32), one_frame_per_256, 186 * 256)
    assert patches.shape == (2, 187, 1)
    assert patches[1, 0, 0] == 187


def test_mtg_jamendo_takes_the_middle_and_pads_to_the_last_frame() -> None:
    features = mtg_jamendo_features(ramp(MTG_JAMENDO_SAMPLES + 100), no_front_end, 1365 * 256)
    assert features.shape == (1, 349_440)
    assert features[0, 0] == 50
    assert (features[0, MTG_JAMENDO_SAMPLES:] == 0).all()


@pytest.mark.parametrize("protocol", PEER_PROTOCOLS)
def test_a_short_song_is_an_error_with_an_outcome(protocol: PeerProtocol) -> None:
    with pytest.raises(AudioError, match=r"needs at least .* samples, got 10") as caught:
        PEER_PROTOCOLS[protocol](ramp(10), no_front_end, 100)
    assert caught.value.outcome == "too_short"
