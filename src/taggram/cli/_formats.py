"""The forms in which `taggram tag` writes a run, one class each; `FORMATS` is their catalogue.

A writer sees the results one by one and holds none, so that a run of any length stays flat in memory.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from itertools import groupby
from typing import IO

from rich.console import Console
from rich.text import Text

from taggram.inference.report import (
    CSV_HEADER,
    SCHEMA,
    Summary,
    csv_rows,
    file_entry,
    jams_document,
    model_entry,
    relative_odds,
    to_json,
)
from taggram.inference.result import TagResult, TagScore
from taggram.modelfile.specification import CATEGORIES, Specification

DEFAULT_THRESHOLD = 0.2
"""Score from which the tag of a model without thresholds is green."""

Tags = tuple[TagScore, ...]
Files = Mapping[str, str] | None


class Writer(ABC):
    """Writes the results of one run, in order."""

    def __init__(self, stream: IO[str], specification: Specification) -> None:
        self._stream = stream
        self._specification = specification

    def begin(self) -> None:
        """Write what stands in front of the first result."""
        return

    @abstractmethod
    def write(self, result: TagResult, tags: Tags, taggram: Files) -> None:
        """Write one result with its selected tags and the names of its taggram files."""

    def end(self, summary: Summary) -> None:
        """Write what stands behind the last result."""
        del summary


class JsonLines(Writer):
    """One `files` entry per line."""

    def write(self, result: TagResult, tags: Tags, taggram: Files) -> None:
        """Write one line."""
        self._stream.write(to_json(file_entry(result, tags, taggram)) + "\n")
        self._stream.flush()


class Json(Writer):
    """One document in the schema `taggram/1`."""

    _separator = "\n"

    def begin(self) -> None:
        """Open the document."""
        model = to_json(model_entry(self._specification))
        self._stream.write(f'{{"schema": "{SCHEMA}",\n "model": {model},\n "files": [')

    def write(self, result: TagResult, tags: Tags, taggram: Files) -> None:
        """Write one element of `files`."""
        self._stream.write(f"{self._separator}  {to_json(file_entry(result, tags, taggram))}")
        self._separator = ",\n"

    def end(self, summary: Summary) -> None:
        """Close the document with the summary."""
        self._stream.write(f'\n ],\n "summary": {to_json(summary.as_dict())}}}\n')


class Csv(Writer):
    """One line per tag, under a header."""

    def begin(self) -> None:
        """Write the header."""
        self._stream.write(",".join(CSV_HEADER) + "\n")

    def write(self, result: TagResult, tags: Tags, taggram: Files) -> None:
        """Write the lines of one file."""
        self._stream.write(csv_rows(file_entry(result, tags, taggram)))
        self._stream.flush()


class Jams(Writer):
    """One JAMS document per file and line; a single file gives a plain JAMS file."""

    def write(self, result: TagResult, tags: Tags, taggram: Files) -> None:
        """Write one document."""
        del taggram
        self._stream.write(to_json(jams_document(result, tags, self._specification)) + "\n")


class Table(Writer):
    """For people: the strongest tags of each category, in colour on a terminal."""

    def begin(self) -> None:
        """Prepare the terminal."""
        self._console = Console(file=self._stream, highlight=False, soft_wrap=True)

    def write(self, result: TagResult, tags: Tags, taggram: Files) -> None:
        """Write one block."""
        for line in _block(result, tags, self._specification):
            self._console.print(line)


def _block(result: TagResult, tags: Tags, specification: Specification) -> list[Text]:
    """Return the lines of one file."""
    name = str(result.path).encode(errors="surrogateescape").decode(errors="backslashreplace")
    head = Text.assemble((name, "bold"), "  ", (clock(result.duration), "cyan"))
    if result.message or not result.outcome.has_tags:
        outcome = "" if result.is_unsure else result.outcome.value
        said = ": ".join(part for part in (outcome, result.message) if part)
        head.append(f"  {said}", style="yellow" if result.outcome.has_tags else "red")
    by_category = sorted(tags, key=lambda tag: (CATEGORIES.index(tag.category), -tag.score))
    own = {tag.name: tag.threshold for tag in specification.tags}
    lines = [head]
    if result.outcome.has_tags and not tags and not result.is_unsure:
        lines.append(Text("  no tag is clear", style="dim"))
    for category, group in groupby(by_category, key=lambda tag: tag.category):
        line = Text(f"  {category:<11}", style="dim")
        line.append_text(Text("  ").join(_scored(tag, own[tag.name]) for tag in group))
        lines.append(line)
    return lines


def _scored(tag: TagScore, threshold: float | None) -> Text:
    """Return a tag with its score: green from its threshold on, bold from twice the odds of that on."""
    strength = relative_odds(tag.score, threshold or DEFAULT_THRESHOLD)
    style = "bold green" if strength >= 2 else "green" if strength >= 1 else "default"
    return Text.assemble((tag.label, f"not dim {style}"), (f" {tag.score:.2f}", "not dim"))


def clock(seconds: float) -> str:
    """Return a duration as m:ss, or h:mm:ss from an hour on.

    Examples
    --------
    >>> clock(75.4), clock(3675)
    ('1:15', '1:01:15')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


FORMATS: Mapping[str, Callable[[IO[str], Specification], Writer]] = {
    "table": Table,
    "json": Json,
    "jsonl": JsonLines,
    "csv": Csv,
    "jams": Jams,
}
