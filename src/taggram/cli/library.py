"""`taggram library`: add music, keep it up to date, see what became of every file, export."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from taggram.cli._library import LibraryFile, ModelOfLibrary, open_library

if TYPE_CHECKING:
    from taggram.inference.result import Outcome
    from taggram.library import FileRow, Library
    from taggram.library.inventory import Inventory
    from taggram.library.scan import Ended, ScanSummary
    from taggram.library.status import LibraryStatus
    from taggram.modelfile.specification import Specification

app = typer.Typer(help="Your collection: scan it, keep it up to date, export it.", no_args_is_help=True)

Model = Annotated[
    str | None,
    typer.Option(help="Name or file of a model; default: the library's own, at first the one that ships."),
]
Workers = Annotated[int | None, typer.Option(min=1, help="Files in hand at once; default: one per core.")]
Retry = Annotated[bool, typer.Option("--retry", help="Look again at files that did not end well.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]


class Form(StrEnum):
    """How an export is written."""

    CSV = "csv"
    PARQUET = "parquet"
    JAMS = "jams"


@app.command()
def add(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Directories, or sound files.")],
    library: LibraryFile = None,
    model: Model = None,
    workers: Workers = None,
    retry: Retry = False,
    quiet: Quiet = False,
) -> None:
    """Add directories to the library, and listen to what is in them.

    It can be stopped at any moment; `update` goes on. Exit status: 0 if every file was tagged, 1 if some
    were not, 2 if the command could not run.
    """
    from taggram.errors import LibraryError
    from taggram.library import Library

    for path in paths:
        if not path.exists():
            raise LibraryError(f"{path}: does not exist; check the path")
    with Library.open(library) as opened:
        for path in paths:
            opened.add_root(path)
        _update(opened, paths, model, workers, retry=retry, quiet=quiet)


@app.command()
def update(
    library: LibraryFile = None,
    model: Model = None,
    workers: Workers = None,
    retry: Retry = False,
    quiet: Quiet = False,
) -> None:
    """Look at what is new, changed, moved or gone, and go on where the last run was stopped.

    With another `--model`, all recordings that it has not heard are analysed; what other models heard
    stays. Exit status as of `add`.
    """
    with open_library(library) as opened:
        _update(opened, None, model, workers, retry=retry, quiet=quiet)


@app.command()
def watch(
    library: LibraryFile = None,
    model: Model = None,
    workers: Workers = None,
    quiet_time: Annotated[
        float, typer.Option("--quiet-time", min=0, help="Seconds without a change before files are read.")
    ] = 2.0,
    poll: Annotated[bool, typer.Option("--poll", help="For network drives, which tell nothing.")] = False,
) -> None:
    """Keep the library up to date until Ctrl-C."""
    from taggram.cli._interrupt import graceful_interrupt
    from taggram.library.listening import load_tagger
    from taggram.library.watch import watch as watch_library

    with (
        open_library(library) as opened,
        load_tagger(opened, model) as tagger,
        graceful_interrupt() as interrupted,
    ):
        rounds = watch_library(
            opened,
            tagger,
            stop=interrupted,
            workers=workers,
            quiet=quiet_time,
            poll=poll,
            on_file=_print_ended,
        )
        for done in rounds:
            _say_inventory(done.inventory)
            _say_summary(done.summary)


@app.command()
def status(
    library: LibraryFile = None,
    check: Annotated[
        bool, typer.Option("--check", help="Check the database first: is every page and reference whole?")
    ] = False,
    json: Json = False,
) -> None:
    """Say what is in the library; the counts of the states add up to its files.

    Exit status: 1 if the check finds damage.
    """
    from taggram.library.status import compute_status

    with open_library(library) as opened:
        if check and (damage := opened.check_integrity()):
            for line in damage:
                typer.echo(f"taggram: {opened.path}: damaged: {line}", err=True)
            raise typer.Exit(1)
        found = compute_status(opened)
    if json:
        _print_json(_status_document(found))
    else:
        _print_status(found)


@app.command()
def report(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="Only these files and directories.")
    ] = None,
    library: LibraryFile = None,
    all_: Annotated[bool, typer.Option("--all", help="Also the files that were tagged.")] = False,
    duplicates: Annotated[
        bool, typer.Option("--duplicates", help="The files that hold the same sound instead.")
    ] = False,
    json: Json = False,
) -> None:
    """List the files that were not tagged, with the reason, and count all; the counts add up."""
    with open_library(library) as opened:
        if duplicates:
            _report_duplicates(opened, json=json)
        else:
            _report(opened, paths, show_all=all_, json=json)


@app.command()
def remove(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="Files and directories to forget.")
    ] = None,
    library: LibraryFile = None,
    missing: Annotated[bool, typer.Option("--missing", help="Forget the files that are gone.")] = False,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Forget a model, and all that it heard.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Take files out of the library, with what was heard in them; no file on the disk is touched."""
    if not paths and not missing and model is None:
        raise typer.BadParameter("name files or directories, or give --missing or --model")
    with open_library(library) as opened:
        n_files = sum(opened.remove(path) for path in paths or ()) + (
            opened.remove_missing() if missing else 0
        )
        if model is not None:
            opened.remove_model(opened.default_model(model))
    if not quiet:
        removed = [_counted(n_files, "file")] if paths or missing else []
        removed += [f"the model {model!r}"] if model is not None else []
        typer.echo(f"{' and '.join(removed)} taken out of the library")


@app.command()
def export(
    output: Annotated[Path, typer.Argument(metavar="FILE", help="File to write.")],
    library: LibraryFile = None,
    model: ModelOfLibrary = None,
    form: Annotated[
        Form | None, typer.Option("--format", help="How to write it; default: what the name ends in.")
    ] = None,
    top_k: Annotated[int, typer.Option(min=1, help="At most this many tags of a file.")] = 10,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="Only scores from here on; default: each tag's own.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Write what was heard to a file: CSV (a line per tag), Parquet (a row per file, all scores), JAMS."""
    from taggram.inference.report import Selection
    from taggram.library.export import FORMS, export_library

    name = form.value if form else output.suffix.removeprefix(".").lower()
    if name not in FORMS:
        raise typer.BadParameter(f"{output.name} does not say which form; give --format {'|'.join(FORMS)}")
    with open_library(library) as opened:
        n_files = export_library(
            opened, opened.default_model(model), output, form=name, selection=Selection(top_k, threshold)
        )
    if not quiet:
        typer.echo(f"{_counted(n_files, 'file')} written to {output}")


def _update(
    library: "Library",
    below: Sequence[Path] | None,
    model: str | None,
    workers: int | None,
    *,
    retry: bool,
    quiet: bool,
) -> None:
    """Walk, scan and tidy up; `below` None is the whole library."""
    from taggram.cli._interrupt import graceful_interrupt
    from taggram.library.inventory import take_inventory
    from taggram.library.listening import load_tagger
    from taggram.library.scan import Scan, retry_failures

    with load_tagger(library, model) as tagger, graceful_interrupt() as interrupted:
        inventory = take_inventory(library, library.roots() if below is None else below, stop=interrupted)
        if not quiet:
            _say_inventory(inventory)
            _say_model(library, tagger.specification)
        if retry:
            retry_failures(library, below)
        scan = Scan(library, tagger, below=below)
        with _progress(scan.n_files, quiet=quiet) as on_file:
            summary = scan.run(workers=workers, stop=interrupted, on_file=on_file)
    n_moved = library.forget_moved()
    if not quiet:
        if n_moved:
            typer.echo(f"{_counted(n_moved, 'missing file')} found elsewhere in the library")
        _say_summary(summary)
    raise typer.Exit(1 if inventory.problems or not summary.is_clean else 0)


@contextmanager
def _progress(n_files: int, *, quiet: bool) -> Iterator[Callable[["Ended"], None]]:
    """Show how far the scan is, with counts per outcome."""
    from taggram.cli._progress import count_bar

    counts: Counter[str] = Counter()
    with count_bar("Listening", n_files, quiet=quiet) as advance:

        def on_file(ended: "Ended") -> None:
            counts["known" if ended.is_known else ended.outcome.value] += 1
            advance(", ".join(_counts_in_words(dict(counts.most_common()))))

        yield on_file


def _say_model(library: "Library", specification: "Specification") -> None:
    """Print that a library is about to be analysed anew, by a model or by weights that it does not know."""
    known = {model.weights_sha256 for model in library.models()}
    if known and specification.weights_sha256 not in known:
        typer.echo(
            f"model: {specification.name} with these weights is new to this library and hears all of it; "
            "what others heard stays"
        )


def _say_inventory(inventory: "Inventory") -> None:
    """Print what changed in the directories."""
    counts = {
        "new": inventory.n_new,
        "changed": inventory.n_changed,
        "back": inventory.n_returned,
        "missing": inventory.n_missing,
        "as before": inventory.n_unchanged,
        "no sound by name": inventory.n_ignored,
    }
    found = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    typer.echo(f"files: {found or 'none'}")
    for problem in inventory.problems:
        print(f"taggram: {problem}", file=sys.stderr)


def _say_summary(summary: "ScanSummary") -> None:
    """Print the counts of the scan; they add up."""
    from taggram.inference.result import Outcome

    n_files = summary.counts.total() + summary.n_waiting
    parts = [
        f"{summary.counts[outcome]} {_spaced(outcome)}" for outcome in Outcome if summary.counts[outcome]
    ]
    if summary.n_waiting:
        parts.append(f"{summary.n_waiting} still waiting")
    line = f"{_counted(n_files, 'file')} looked at: {', '.join(parts)}" if parts else "nothing new to look at"
    if summary.n_known:
        line += f"; {summary.n_known} of a known sound"
    if summary.heard:
        rate = 3600 * summary.counts.total() / summary.took
        line += (
            f" — {summary.heard:.0f} s of sound in {summary.took:.1f} s, {rate:.0f} files an hour, "
            f"{summary.heard / summary.took:.0f} × real time"
        )
    typer.echo(line)


def _print_ended(ended: "Ended") -> None:
    from taggram.audio.container import printable

    said = ": ".join(filter(None, [_spaced(ended.outcome), ended.message]))
    typer.echo(f"{printable(ended.path)}  {said}")


def _status_document(found: "LibraryStatus") -> dict[str, object]:
    return {
        "schema": "taggram-library-status/1",
        "path": str(found.path),
        "bytes": found.n_bytes,
        "roots": [str(root) for root in found.roots],
        "files": found.n_files,
        "states": found.counts,
        "recordings": found.n_recordings,
        "duration": round(found.duration, 3),
        "models": [
            {"name": model.name, "weights_sha256": model.weights_sha256, "recordings": n_recordings}
            for model, n_recordings in found.analyses
        ],
    }


def _print_status(found: "LibraryStatus") -> None:
    from taggram.audio.container import printable

    lines = [("library", f"{printable(found.path)}, {found.n_bytes / 1e6:.1f} MB")]
    lines += [("directory", printable(root)) for root in found.roots]
    lines += [
        ("files", ", ".join([str(found.n_files), *_counts_in_words(found.counts)])),
        ("recordings", f"{found.n_recordings}, {found.duration / 3600:.1f} hours"),
    ]
    lines += [("model", f"{model.name}: {n} recordings") for model, n in found.analyses]
    for name, value in lines:
        typer.echo(f"{name:<11} {value}")


def _report(library: "Library", paths: Sequence[Path] | None, *, show_all: bool, json: bool) -> None:
    from taggram.inference.report import to_json
    from taggram.library.status import STATES, state_of

    counts: Counter[str] = Counter()
    separator = "\n  "
    if json:
        typer.echo('{"schema": "taggram-library-report/1",\n "files": [', nl=False)
    for file in _files(library, paths):
        state = state_of(file)
        counts[state] += 1
        if state == "tagged" and not show_all:
            continue
        if json:
            typer.echo(separator + to_json(_file_document(file, state)), nl=False)
            separator = ",\n  "
        else:
            _print_file(file, state)
    summary = {state: counts[state] for state in STATES if counts[state]}
    if json:
        typer.echo(f'\n ],\n "summary": {to_json({"inputs": counts.total(), **summary})}}}')
    else:
        typer.echo(f"{_counted(counts.total(), 'file')}: {', '.join(_counts_in_words(summary)) or 'none'}")


def _files(library: "Library", paths: Sequence[Path] | None) -> Iterator["FileRow"]:
    if not paths:
        yield from library.files(include_missing=True)
    for path in paths or ():
        yield from library.files(below=path, include_missing=True)


def _file_document(file: "FileRow", state: str) -> dict[str, object]:
    return {
        "path": str(file.path),
        "state": state,
        "message": file.message,
        "duration": None if file.duration is None else round(file.duration, 3),
        "recording": file.recording_id,
    }


def _print_file(file: "FileRow", state: str) -> None:
    from taggram.audio.container import printable

    name = printable(file.path)
    reason = file.message if name in file.message else ": ".join(filter(None, [name, file.message]))
    typer.echo(f"{_spaced(state):<12} {reason}")


def _report_duplicates(library: "Library", *, json: bool) -> None:
    from taggram.audio.container import printable
    from taggram.inference.report import to_json

    if json:
        groups = [[str(file.path) for file in group] for group in library.duplicates()]
        typer.echo(to_json({"schema": "taggram-library-duplicates/1", "duplicates": groups}))
        return
    n_groups = n_files = 0
    for group in library.duplicates():
        n_groups += 1
        n_files += len(group)
        for file in group:
            typer.echo(printable(file.path))
        typer.echo()
    typer.echo(f"{_counted(n_files, 'file')} with {_counted(n_groups, 'recording')} between them")


def _counts_in_words(counts: dict[str, int]) -> list[str]:
    return [f"{count} {_spaced(state)}" for state, count in counts.items() if count]


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _spaced(state: "str | Outcome") -> str:
    return str(state).replace("_", " ")


def _print_json(content: object) -> None:
    import json

    typer.echo(json.dumps(content, indent=2))
