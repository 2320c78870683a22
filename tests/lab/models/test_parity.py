"""Our models give the published programs' scores, to float precision."""

from pathlib import Path

import numpy as np
import pytest
import torch

from taggram.lab.evaluation.peer_reference import (
    PeerReference,
    compare_scores,
    eager_front_end,
    eager_scores,
    list_references,
)
from taggram.lab.features._harmonic_filters import HarmonicFilters
from taggram.lab.models import power_to_db
from taggram.lab.models._pons import PonsLogMel
from taggram.lab.models.fcn import FCN
from taggram.tags.vocabularies import VOCABULARIES

PEERS = Path(__file__).resolve().parents[3].parent / "shared" / "peers"
REFERENCES = list_references(PEERS)
# What the issue asks for; measured are at most 1.3e-5, with features of their own in every program.
TOLERANCE = 3e-5
N_CHUNKS = 2
# torchaudio 0.3 computes its filters in float32: measured are 1.8e-3 dB.
DECIBELS = 3e-3

pytestmark = pytest.mark.skipif(not REFERENCES, reason=f"no stored outputs of published programs at {PEERS}")
every_reference = pytest.mark.parametrize(
    "reference", REFERENCES, ids=lambda reference: f"{reference.weights}-{reference.program}-{reference.song}"
)


@every_reference
def test_scores_agree_with_the_published_program(reference: PeerReference) -> None:
    assert difference(reference, max_chunks=N_CHUNKS) <= TOLERANCE


@pytest.mark.slow
@every_reference
def test_scores_agree_on_all_chunks(reference: PeerReference) -> None:
    assert difference(reference) <= TOLERANCE


def difference(reference: PeerReference, *, max_chunks: int | None = None) -> float:
    model = reference.build_model()
    length = model.architecture.chunk_length
    agreement = compare_scores(
        reference, eager_scores(model), eager_front_end(model), length, max_chunks=max_chunks
    )
    assert agreement.n_chunks >= min(max_chunks or 1, len(reference.chunk_scores))
    assert np.ptp(reference.chunk_scores) > 0.1, "the stored scores would not tell a difference"
    return agreement.chunk_difference


@pytest.mark.parametrize(
    "reference",
    [reference for reference in REFERENCES if reference.checkpoint],
    ids=lambda reference: f"{reference.weights}-{reference.program}-{reference.song}",
)
def test_outputs_stand_in_the_order_of_the_vocabulary(reference: PeerReference) -> None:
    assert reference.checkpoint is not None
    assert tuple(reference.arrays["tags"]) == VOCABULARIES[reference.checkpoint.vocabulary]


def test_log_mel_in_decibels_agrees_with_torchaudio() -> None:
    reference = find("logmel_db_chunk0", "musicnn-magnatagatune")
    model = reference.build_model()
    features = reference.compute_features(eager_front_end(model), model.architecture.chunk_length)
    power = torch.from_numpy(features[0])
    ours = power_to_db(power @ FCN().log_mel.mel.filters).T
    np.testing.assert_allclose(ours, reference.arrays["logmel_db_chunk0"], atol=DECIBELS)


def test_log_mel_of_musicnn_agrees_with_librosa() -> None:
    reference = find("logmel", "pons-musicnn-magnatagatune")
    model = reference.build_model()
    power = eager_front_end(model)(reference.waveform[None])[0]
    front = PonsLogMel().eval()
    front.norm.eps = 0.0  # fresh statistics and no epsilon: batch norm changes nothing
    with torch.no_grad():
        ours = front(torch.from_numpy(power)[None])[0, 0].numpy()
    stored = reference.arrays["logmel"]
    # Rounding to half precision turns the last bit of a float32 into 1 in 2048: 2e-4 after the logarithm.
    np.testing.assert_allclose(ours, stored, atol=4.5e-4)
    assert np.mean(ours == stored) > 0.5, "without the rounding, not one value in a hundred is the same"


def test_harmonic_spectrogram_agrees_with_the_published_program() -> None:
    reference = find("harmonic_db_chunk0", "synthetic hcnn")
    model = reference.build_model()
    features = reference.compute_features(eager_front_end(model), model.architecture.chunk_length)
    filters = model.get_submodule("harmonics")
    assert isinstance(filters, HarmonicFilters)
    assert filters.quality.item() != 1.0
    with torch.no_grad():
        ours = power_to_db(filters(torch.from_numpy(features[:1])))[0]
    np.testing.assert_allclose(ours, reference.arrays["harmonic_db_chunk0"], atol=DECIBELS)


def find(array: str, weights: str) -> PeerReference:
    """Return a reference with certain weights that stores a certain array."""
    return next(r for r in REFERENCES if r.weights == weights and array in r.arrays)
