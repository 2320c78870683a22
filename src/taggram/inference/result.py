"""What the tagger says about one file: its outcome, tags, taggram and embedding."""

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from taggram.modelfile.specification import Category


class Outcome(StrEnum):
    """How one input ended; every input ends in exactly one."""

    TAGGED = "tagged"
    TRUNCATED = "truncated"  # tagged as far as it goes
    TOO_SHORT = "too_short"
    SILENT = "silent"
    CORRUPT = "corrupt"
    UNSUPPORTED = "unsupported"
    NOT_AUDIO = "not_audio"
    UNREADABLE = "unreadable"
    TIMEOUT = "timeout"

    @property
    def has_tags(self) -> bool:
        """Whether a result with this outcome holds tags."""
        return self in (Outcome.TAGGED, Outcome.TRUNCATED)


@dataclass(frozen=True)
class TagScore:
    """One tag of a clip: its name, category, score in [0, 1], and its name for people if it has another."""

    name: str
    category: Category
    score: float
    display_name: str = ""

    @property
    def label(self) -> str:
        """What people read."""
        return self.display_name or self.name


@dataclass(frozen=True, eq=False)
class TagResult:
    """What was heard in one file or waveform.

    Attributes
    ----------
    outcome
        How it ended; only `tagged` and `truncated` come with tags.
    duration
        Length of the sound that was heard, in seconds.
    tags
        All tags of the vocabulary, strongest first; empty without tags.
    clip_scores : shape (n_tags,), in [0, 1]
        Aggregated scores in the order of the vocabulary; NaN without tags.
    taggram : shape (n_chunks, n_tags), in [0, 1]
        Scores of every chunk; no rows without tags.
    chunk_times : shape (n_chunks,)
        Start of every chunk in seconds.
    embedding : shape (embedding_dim,)
        Mean embedding of the chunks; NaN without tags.
    path
        The file as it was given; None for a waveform.
    message
        What a person should know about the outcome; empty if there is nothing to say.
    is_unsure
        Whether the sound is no music, or the model is not sure: it hears less than its specification's
        `least_evidence`. The scores are there all the same.
    """

    outcome: Outcome
    duration: float
    tags: tuple[TagScore, ...]
    clip_scores: NDArray[np.float32] = field(repr=False)
    taggram: NDArray[np.float32] = field(repr=False)
    chunk_times: NDArray[np.float64] = field(repr=False)
    embedding: NDArray[np.float32] = field(repr=False)
    path: str | None = None
    message: str = ""
    is_unsure: bool = False
