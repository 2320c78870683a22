"""`taggram tag`: tag files and say what was heard."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from taggram.inference.report import Selection, Summary


class Format(StrEnum):
    """How the results are written."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    JAMS = "jams"


class Aggregate(StrEnum):
    """How the chunks' scores become the clip's."""

    MEAN = "mean"
    MAX = "max"
    MEDIAN = "median"


def run(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Sound files, or directories.")],
    model: Annotated[
        str | None, typer.Option(help="Name or file of a model; default: the one that ships.")
    ] = None,
    top_k: Annotated[
        int | None, typer.Option(min=1, help="Report at most this many tags of a file; default: 10.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Report only scores from here on; default: each tag's own."),
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Report every tag, also of sounds that are no music.")
    ] = False,
    format_: Annotated[Format, typer.Option("--format", help="How to write the results.")] = Format.TABLE,
    output: Annotated[
        Path | None, typer.Option(help="File to write the results to; default: the terminal.")
    ] = None,
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Take the audio files below directories.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Files in hand at once; default: one per core.")
    ] = None,
    taggram: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write each file's taggram there, as picture and as numbers."),
    ] = None,
    chunk_hop: Annotated[
        float | None, typer.Option(min=0.01, help="Seconds between chunks; default: the model's.")
    ] = None,
    aggregation: Annotated[Aggregate, typer.Option(help="How chunks make a clip.")] = Aggregate.MEAN,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary.")] = False,
) -> None:
    """Tag sound files: genre, mood, instruments, voice, decade.

    Exit status: 0 if every file was tagged, 1 if some were not, 2 if the command could not run.
    """
    from taggram.cli._formats import FORMATS
    from taggram.cli._inputs import expand
    from taggram.cli._interrupt import graceful_interrupt
    from taggram.cli._progress import track
    from taggram.cli._taggrams import TaggramFolder
    from taggram.inference.report import Summary
    from taggram.inference.tagger import Tagger

    begun = time.monotonic()
    inputs = expand(paths, recursive=recursive)
    selection = _selection(top_k, threshold, all_=all_)
    summary = Summary()
    heard = 0.0
    with Tagger.load(model) as tagger, _output(output) as stream, graceful_interrupt() as interrupted:
        specification = tagger.specification
        folder = TaggramFolder(taggram, specification) if taggram else None
        writer = FORMATS[format_](stream, specification)
        writer.begin()
        results = tagger.tag_many(
            inputs.files,
            workers=workers,
            chunk_hop=chunk_hop,
            aggregation=aggregation.value,
            stop=interrupted,
        )
        for result in track(results, total=len(inputs.files), description="Tagging", quiet=quiet):
            files = folder.write(result) if folder and result.outcome.has_tags else None
            writer.write(result, selection.of(result, specification), files)
            summary.add(result)
            heard += result.duration
        summary.not_started = len(inputs.files) - summary.n_done
        writer.end(summary)
    if not quiet:
        _say(summary, inputs.n_ignored, heard, time.monotonic() - begun)
    raise typer.Exit(0 if summary.is_clean else 1)


def _selection(top_k: int | None, threshold: float | None, *, all_: bool) -> "Selection":
    """Return which tags are reported."""
    from taggram.inference.report import Selection

    if not all_:
        return Selection(top_k or Selection.top_k, threshold)
    if top_k is not None or threshold is not None:
        raise typer.BadParameter("reports every tag; leave out --top-k and --threshold", param_hint="'--all'")
    return Selection(top_k=None, threshold=0.0)


@contextmanager
def _output(path: Path | None) -> Iterator[IO[str]]:
    """Open the results' destination; a file appears under its name when it is complete."""
    if path is None:
        with nullcontext(sys.stdout) as stream:
            yield stream
        return
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8", newline="") as stream:
        yield stream
    part.replace(path)


def _say(summary: "Summary", n_ignored: int, heard: float, took: float) -> None:
    """Print the counts of the run; they add up to the inputs."""
    counts = summary.as_dict()
    n_inputs = counts.pop("inputs")
    parts = ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in counts.items() if count)
    line = f"{n_inputs} {'input' if n_inputs == 1 else 'inputs'}: {parts or 'nothing to do'}"
    if heard:
        line += f" — {heard:.0f} s of sound in {took:.1f} s, {heard / took:.0f} × real time"
    if n_ignored:
        line += f"; {n_ignored} other files in the directories ignored"
    print(line, file=sys.stderr)
