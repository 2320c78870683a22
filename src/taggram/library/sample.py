"""A fair sample of what a model heard in a library, for its averages: the same one every time.

A recording is in the sample if a hash of its id is small enough, so that the sample is spread over the
whole library, is the same in every run, and costs as little for a million recordings as for twenty
thousand.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from taggram.library.store import Library
from taggram.library.tracks import ModelRow, unpack_vectors

SAMPLE_SIZE = 20_000
_HASH_RANGE = 1 << 32
_HASHED = f"(recording_id * 2654435761 & {_HASH_RANGE - 1})"  # Knuth's multiplicative hash


class Sample(NamedTuple):
    """Recordings with scores and embeddings.

    Attributes
    ----------
    recording_ids : shape (n,), ascending
    scores : shape (n, n_tags), in [0, 1]
    embeddings : shape (n, embedding_dim)
    """

    recording_ids: NDArray[np.int64]
    scores: NDArray[np.float32]
    embeddings: NDArray[np.float16]


def draw_sample(library: Library, model: ModelRow, size: int = SAMPLE_SIZE) -> Sample:
    """Return all recordings that `model` has heard, or about `size` of them if there are more."""
    ((n_all,),) = library.rows("SELECT count(*) FROM analysis WHERE model_id = ?", (model.id,))
    limit = _HASH_RANGE if n_all <= size else _HASH_RANGE * size // n_all
    rows = library.rows(
        "SELECT recording_id, scores, embedding FROM analysis "
        f"WHERE model_id = ? AND scores IS NOT NULL AND {_HASHED} < ? ORDER BY recording_id",
        (model.id, limit),
    )
    specification = model.specification
    return Sample(
        np.array([row[0] for row in rows], np.int64),
        unpack_vectors([row[1] for row in rows], specification.n_tags).astype(np.float32),
        unpack_vectors([row[2] for row in rows], specification.embedding_dim),
    )
