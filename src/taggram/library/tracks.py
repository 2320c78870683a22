"""What a library says about files, recordings and models, and how their arrays are packed.

Conventions: scores and embeddings are stored as little-endian float16. A taggram is stored in 7 bits,
`round(127 · √score)`, which is exact to 0.008 near 1 and to 0.001 near 0.01; tag by tag, each chunk as
the difference to the one before, compressed by zlib: about half a byte a score.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from taggram.inference.result import Outcome
from taggram.modelfile.specification import Specification

Fields = Mapping[str, tuple[str, ...]]
"""File tags as found: name of the field, such as "genre", → its values in order."""

_STORED = np.dtype("<f2")
_LARGEST = float(np.finfo(_STORED).max)
_LEVELS = 127


class Identity(NamedTuple):
    """What a file holds, by its packets and headers.

    Attributes
    ----------
    audio_hash
        SHA-256, 32 bytes.
    duration
        Seconds that the header declares; None if nothing is known.
    container, codec
        FFmpeg's names, such as "mov" and "aac".
    sample_rate, n_channels
        Hz, count.
    """

    audio_hash: bytes
    duration: float | None
    container: str
    codec: str
    sample_rate: int
    n_channels: int


@dataclass(frozen=True)
class FileRow:
    """One file of the library.

    Attributes
    ----------
    id, path
        Of the file; the path is absolute.
    size, mtime_ns
        Bytes and nanoseconds, as when it was last looked at.
    recording_id
        The sound in it; None if it was not looked at yet, or no sound was found.
    outcome
        How it ended; None while it waits to be looked at.
    message
        What a person should know about the outcome.
    fields
        File tags as found.
    scanned_at
        Unix seconds; None while it waits.
    is_missing
        It was not there any more when its directory was last walked.
    duration
        Seconds of its recording; None if nothing is known.
    """

    id: int
    path: Path
    size: int
    mtime_ns: int
    recording_id: int | None
    outcome: Outcome | None
    message: str
    fields: Fields
    scanned_at: float | None
    is_missing: bool
    duration: float | None


@dataclass(frozen=True)
class ModelRow:
    """One model that has listened to recordings of the library.

    Attributes
    ----------
    id, name, weights_sha256
        Of the model; models of one name may differ in their weights.
    specification
        What it takes and says; the order of its tags is that of all scores.
    """

    id: int
    name: str
    weights_sha256: str
    specification: Specification = field(repr=False)


@dataclass(frozen=True, eq=False)
class Analysis:
    """What one model heard in one recording.

    Attributes
    ----------
    outcome
        How it ended; only `tagged` and `truncated` come with scores.
    message
        What a person should know about the outcome.
    created_at
        Unix seconds.
    duration
        Seconds of the recording.
    scores : shape (n_tags,), in [0, 1]
        Scores of the whole recording; NaN without tags.
    embedding : shape (embedding_dim,)
        NaN without tags.
    taggram : shape (n_chunks, n_tags), in [0, 1]
        Scores of every chunk; no rows without tags.
    chunk_times : shape (n_chunks,)
        Start of every chunk in seconds.
    """

    outcome: Outcome
    message: str
    created_at: float
    duration: float | None
    scores: NDArray[np.float32] = field(repr=False)
    embedding: NDArray[np.float32] = field(repr=False)
    taggram: NDArray[np.float32] = field(repr=False)
    chunk_times: NDArray[np.float64] = field(repr=False)


def pack_vector(vector: NDArray[np.floating]) -> bytes:
    """Pack scores or an embedding, shape (n,); values beyond float16 become its largest."""
    return vector.clip(-_LARGEST, _LARGEST).astype(_STORED).tobytes()


def unpack_vectors(rows: list[bytes], length: int) -> NDArray[np.float16]:
    """Unpack vectors into an array of shape (len(rows), length)."""
    return np.frombuffer(b"".join(rows), _STORED).reshape(len(rows), length).astype(np.float16)


def pack_taggram(scores: NDArray[np.floating]) -> bytes:
    """Pack a taggram, shape (n_chunks, n_tags), in [0, 1]."""
    levels = np.rint(_LEVELS * np.sqrt(scores)).astype(np.uint8)
    changes = np.diff(levels.T, axis=1, prepend=np.uint8(0))  # modulo 256
    return zlib.compress(np.ascontiguousarray(changes).tobytes(), 6)


def unpack_taggram(data: bytes, n_chunks: int) -> NDArray[np.float32]:
    """Unpack a taggram into shape (n_chunks, n_tags), in [0, 1]."""
    changes = np.frombuffer(zlib.decompress(data), np.uint8).reshape(-1, n_chunks)
    levels = np.cumsum(changes, axis=1, dtype=np.uint8).T
    return np.square(levels.astype(np.float32) / _LEVELS)


def chunk_times(chunk_hop: float, last_chunk: float, n_chunks: int) -> NDArray[np.float64]:
    """Return the start of every chunk in seconds; the last one may be aligned with the end of the sound."""
    times = chunk_hop * np.arange(n_chunks, dtype=np.float64)
    times[-1:] = last_chunk
    return times


def pack_fields(fields: Fields) -> str:
    """Serialise file tags, in ASCII so that any text survives."""
    return json.dumps(fields, separators=(",", ":"))


def unpack_fields(text: str) -> dict[str, tuple[str, ...]]:
    """Restore file tags."""
    return {name: tuple(values) for name, values in json.loads(text).items()}
