"""A library of invented music: no sound, but fields, scores, taggrams and embeddings that fit together.

Each recording has one of four styles, an artist who plays mostly that style, and scores that follow it.
"""

from pathlib import Path

import numpy as np

from taggram.inference.result import Outcome, TagResult
from taggram.library import Library, ModelRow
from taggram.library.store import Seen
from taggram.library.tracks import Fields, Identity
from taggram.modelfile.specification import Category, Specification, Tag, Waveform

STYLES = ("piano", "rock", "techno", "choir")
VOCABULARY: tuple[tuple[str, Category], ...] = (
    ("piano", "instrument"),
    ("rock", "genre"),
    ("techno", "genre"),
    ("choir", "voice"),
    ("energetic", "mood"),
    ("calm", "mood"),
)
EMBEDDING_DIM = 16
N_CHUNKS = 8


def specification(name: str = "invented", embedding_dim: int = EMBEDDING_DIM) -> Specification:
    return Specification(
        name=name,
        architecture="none",
        sample_rate=8000,
        chunk_duration=3.0,
        chunk_hop=3.0,
        front_end=Waveform(),
        embedding_dim=embedding_dim,
        tags=tuple(Tag(name=tag, category=category) for tag, category in VOCABULARY),
        training_data="none",
        licence="MIT",
        paper="none",
        weights_sha256=name.encode().hex().ljust(64, "0"),
    )


class Collection:
    """Adds recordings to a library and remembers what they are."""

    def __init__(self, library: Library, rng: np.random.Generator, folder: Path) -> None:
        self.library = library
        self.rng = rng
        self.folder = folder
        self.model: ModelRow = library.add_model(specification())
        self.centres = rng.normal(size=(len(STYLES), EMBEDDING_DIM))
        self.styles: dict[int, int] = {}
        self._n = 0

    def add(
        self,
        style: int,
        *,
        artist: str | None = None,
        title: str | None = None,
        duration: float = 200.0,
        fields: Fields | None = None,
        like: TagResult | None = None,
    ) -> tuple[int, TagResult]:
        """Add one recording; return its id and what was heard. `like` is another copy of the same sound."""
        self._n += 1
        path = self.folder / STYLES[style] / f"{self._n:04}.mp3"
        own = {
            "artist": (artist or f"{STYLES[style]} artist {self._n % 7}",),
            "title": (title or f"song {self._n}",),
        }
        file_id = self._add_file(path, duration, {**own, **(fields or {})})
        result = self._hear(style, duration) if like is None else self._hear_again(like)
        file = self.library.file_by_id(file_id)
        assert file is not None
        assert file.recording_id is not None
        self.library.store_analysis(file.recording_id, self.model, result)
        self.library.store_outcome(file_id, result.outcome, "")
        self.styles[file.recording_id] = style
        return file.recording_id, result

    def fill(self, n: int) -> list[int]:
        """Add `n` recordings, all styles in turn; return their ids."""
        with self.library.transaction():
            return [self.add(i % len(STYLES))[0] for i in range(n)]

    def of_style(self, style: int) -> list[int]:
        return [recording_id for recording_id, own in self.styles.items() if own == style]

    def _add_file(self, path: Path, duration: float, fields: Fields) -> int:
        with self.library.transaction() as connection:
            cursor = connection.execute(
                "INSERT INTO file (path, size, mtime_ns) VALUES (?, 1, 1)", (str(path).encode(),)
            )
            file_id = int(cursor.lastrowid or 0)
            identity = Identity(self.rng.bytes(32), duration, "mp3", "mp3", 44100, 2)
            self.library.store_identity(file_id, Seen(path, 1, 1), identity, fields)
        return file_id

    def _hear(self, style: int, duration: float) -> TagResult:
        level = self.rng.uniform()
        strength = np.full(len(VOCABULARY), -3.0)
        strength[style] = 1.0
        strength[4], strength[5] = 3 * level - 2, 1 - 3 * level
        over_time = strength + self.rng.normal(0, 0.7, (N_CHUNKS, len(VOCABULARY)))
        taggram = (1 / (1 + np.exp(-over_time))).astype(np.float32)
        embedding = self.centres[style] + self.rng.normal(0, 0.6, EMBEDDING_DIM)
        return _result(taggram, embedding, duration)

    def _hear_again(self, like: TagResult) -> TagResult:
        taggram = np.clip(like.taggram + self.rng.normal(0, 0.01, like.taggram.shape), 0.001, 0.999)
        embedding = like.embedding + self.rng.normal(0, 0.02, EMBEDDING_DIM)
        return _result(taggram, embedding, like.duration + 0.3)


def _result(taggram: np.ndarray, embedding: np.ndarray, duration: float) -> TagResult:
    return TagResult(
        outcome=Outcome.TAGGED,
        duration=duration,
        tags=(),
        clip_scores=taggram.mean(axis=0).astype(np.float32),
        taggram=taggram.astype(np.float32),
        chunk_times=3.0 * np.arange(len(taggram), dtype=np.float64),
        embedding=embedding.astype(np.float32),
    )
