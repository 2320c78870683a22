"""Every error that Taggram raises on purpose.

    TaggramError
    ├── AudioError            a file gives no usable sound; says which outcome it ends in
    ├── ShapeError            an array has the wrong shape or type
    ├── ModelFileError        a model file is missing, damaged or not one of ours
    │   └── ChecksumError     the bytes are not the bytes that were promised
    ├── DownloadError         published weights could not be fetched
    ├── LibraryError          the user's library is missing, damaged, in use or of another version
    ├── ExpressionError       a search expression cannot be read; holds the place
    ├── FileTagError          the tags of a file cannot be read or written; says which outcome it ends in
    ├── PlanError             a plan for file tags, or a taxonomy, is not valid; names the place
    ├── DatasetError          a copy of a dataset is incomplete, or not what was asked for
    ├── EvaluationError       an evaluation or comparison would not mean what it seems to
    ├── RecipeError           a training recipe, or a run to be resumed, does not fit
    ├── UnknownNameError      a name that no registry knows
    └── MissingExtraError     an optional part of Taggram is not installed

A message names what was given, what is accepted, and the likely cause or the remedy.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Literal

AudioOutcome = Literal["too_short", "silent", "corrupt", "unsupported", "not_audio", "unreadable", "timeout"]
FileTagOutcome = Literal[
    "unreadable", "unsupported", "corrupt", "changed", "read_only", "hard_linked", "disk_full", "rejected"
]


class TaggramError(Exception):
    """Base class of every error raised by Taggram."""


class AudioError(TaggramError):
    """A file gives no usable sound.

    Attributes
    ----------
    outcome
        The one outcome that the file ends in, as in the run's report.
    """

    def __init__(self, message: str, *, outcome: AudioOutcome) -> None:
        super().__init__(message)
        self.outcome: AudioOutcome = outcome


class ShapeError(TaggramError, ValueError):
    """An array has the wrong shape or type."""


class ModelFileError(TaggramError):
    """A model file is missing, damaged, or not one that this version can read."""


class ChecksumError(ModelFileError):
    """A file's content differs from its published checksum."""


class DownloadError(TaggramError):
    """Published weights could not be fetched from their origin."""


class LibraryError(TaggramError):
    """The user's library is missing, damaged, in use, or cannot do what was asked."""


class ExpressionError(TaggramError, ValueError):
    """A search expression cannot be read.

    Attributes
    ----------
    reason
        What is wrong, in one line.
    text
        The whole expression.
    start, end
        Where in `text` it is wrong; at the end of the text, both are its length.
    """

    def __init__(self, reason: str, *, text: str, start: int, end: int) -> None:
        marks = " " * start + "^" * max(1, end - start)
        line = "".join(" " if letter.isspace() else letter for letter in text)
        super().__init__(f"{reason}\n  {line}\n  {marks}")
        self.reason = reason
        self.text = text
        self.start = start
        self.end = end


class FileTagError(TaggramError):
    """The tags of a file cannot be read, or not be written safely; the file is as it was.

    Attributes
    ----------
    outcome
        The one outcome that the file ends in, as in the run's report.
    """

    def __init__(self, message: str, *, outcome: FileTagOutcome) -> None:
        super().__init__(message)
        self.outcome: FileTagOutcome = outcome


class PlanError(TaggramError):
    """A plan for file tags, or a taxonomy that plans are made with, is not valid."""


class DatasetError(TaggramError):
    """A user's copy of a dataset is incomplete or not in its published layout."""


class EvaluationError(TaggramError):
    """An evaluation or comparison would not mean what it seems to, or its file cannot be read."""


class RecipeError(TaggramError):
    """A training recipe is not valid, or does not fit the run that it is to continue."""


class UnknownNameError(TaggramError, LookupError):
    """A name that the registry does not hold; the message suggests the nearest one."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        known = sorted(known)
        nearest = get_close_matches(name, known, n=1)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        super().__init__(f"unknown {kind} {name!r}: {hint}known are {', '.join(known) or 'none'}")


class MissingExtraError(TaggramError, ImportError):
    """An optional part is not installed; the message says how to install it."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs the optional part {extra!r}: pip install 'taggram[{extra}]'")
