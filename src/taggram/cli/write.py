"""`taggram write`: change the tags of sound files, on request, and take it back."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from taggram.cli._library import LibraryFile, ModelOfLibrary, open_library

if TYPE_CHECKING:
    from taggram.inference.result import TagResult
    from taggram.library.audit import Audit, Finding
    from taggram.library.file_tags.apply import WriteResult
    from taggram.library.file_tags.plan import Change, Checked, Heard, Planned
    from taggram.library.taxonomy import Taxonomy

app = typer.Typer(help="Write genres and moods into sound files, and take it back.", no_args_is_help=True)


class Mode(StrEnum):
    """What happens to fields that are not empty."""

    FILL = "fill"
    ADD = "add"
    REPLACE = "replace"


class Own(StrEnum):
    """Which files get Taggram's own fields."""

    CHANGED = "changed"
    ALL = "all"
    NONE = "none"


TaxonomyFile = Annotated[
    Path | None,
    typer.Option("--taxonomy", metavar="FILE", help="Your words; default: the model's genres and moods."),
]
PlanFile = Annotated[Path, typer.Argument(metavar="PLAN", help="Plan, as `taggram write plan` makes it.")]
JournalDirectory = Annotated[
    Path | None,
    typer.Option("--journal", metavar="DIR", help="Where journals lie; default: by your library."),
]
KeepTime = Annotated[bool, typer.Option("--keep-mtime", help="Files keep their modification time.")]
BreakHardLinks = Annotated[
    bool,
    typer.Option("--break-hard-links", help="Also files with several names; the others keep the old tags."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary.")]


@app.command()
def plan(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="Only these files and directories.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File for the plan; default: the terminal.")
    ] = None,
    library: LibraryFile = None,
    model: Annotated[
        str | None, typer.Option(help="Whose analyses; default: the model that listened last.")
    ] = None,
    listen: Annotated[
        bool, typer.Option("--listen", help="Listen to the PATHs now; needs no library.")
    ] = False,
    taxonomy: TaxonomyFile = None,
    mode: Annotated[Mode, typer.Option(help="What happens to fields that are not empty.")] = Mode.FILL,
    field: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this field; may be repeated.")
    ] = None,
    only_whitelist: Annotated[
        bool, typer.Option("--only-whitelist", help="With add: values that are in no whitelist go.")
    ] = False,
    own: Annotated[Own, typer.Option(help="Files that get score, model and time.")] = Own.CHANGED,
    quiet: Quiet = False,
) -> None:
    """Say what would change, as JSON lines that you can read and edit. No sound file is touched.

    Exit status: 0 if the tags of every file can be written, 1 if some cannot, 2 if the command could not run.
    """
    from taggram.library.file_tags.plan import Policy, plan_files, write_plan

    if only_whitelist and mode is Mode.FILL:
        raise typer.BadParameter(
            "--only-whitelist goes with --mode add or replace: fill changes nothing there"
        )
    words = _load_taxonomy(taxonomy, field or ())
    policy = Policy(mode.value, frozenset(field or ()), only_whitelist=only_whitelist, own=own.value)
    count = _PlanCount()
    source = _listen(paths, model, count, quiet=quiet) if listen else _recall(paths, library, model)
    with _output(output) as stream, source as heard:
        write_plan(count.watch(plan_files(heard, words, policy)), stream)
    if not quiet:
        print(count.describe(), file=sys.stderr)
    raise typer.Exit(1 if count.n_problems else 0)


@app.command()
def diff(
    file: PlanFile,
    summary: Annotated[
        bool, typer.Option("--summary", help="Only how many files, and which values.")
    ] = False,
) -> None:
    """Show a plan beside the files as they are. No sound file is touched.

    Exit status: 0 if every change can be made, 1 if some cannot, 2 if the command could not run.
    """
    from taggram.library.file_tags.plan import State, check_plan, read_plan

    states: Counter[str] = Counter()
    values: dict[str, Counter[str]] = {}
    last: Path | None = None
    for checked in check_plan(read_plan(file)):
        states[checked.state.value] += 1
        values.setdefault(checked.change.field, Counter()).update(checked.change.after)
        if not summary:
            _print_checked(checked, is_new_file=checked.change.file != last)
        last = checked.change.file
    if summary:
        _print_values(values)
    counts = ", ".join(f"{n} {state}" for state, n in states.items() if n)
    typer.echo(f"{_counted(states.total(), 'change')}: {counts or 'nothing to do'}")
    raise typer.Exit(1 if states[State.CHANGED] or states[State.IMPOSSIBLE] else 0)


@app.command()
def apply(
    file: PlanFile,
    journal: JournalDirectory = None,
    keep_mtime: KeepTime = False,
    break_hard_links: BreakHardLinks = False,
    quiet: Quiet = False,
) -> None:
    """Write the tags of a plan into the files, each whole or not at all, and keep a journal for undo.

    Exit status: 0 if every file is as planned, 1 if some are not, 2 if the command could not run.
    """
    from taggram.cli._interrupt import graceful_interrupt
    from taggram.cli._progress import track
    from taggram.library.file_tags.apply import WriteOptions, apply_plan
    from taggram.library.file_tags.journal import Journal, default_directory
    from taggram.library.file_tags.plan import read_plan

    n_files = _count_files(read_plan(file))  # the whole plan is checked before the first file is written
    options = WriteOptions(keep_mtime, break_hard_links)
    with Journal(journal or default_directory()) as opened, graceful_interrupt() as interrupted:
        results = apply_plan(read_plan(file), opened, options, stop=interrupted)
        counts = _report(track(results, total=n_files, description="Writing", quiet=quiet))
    if not quiet:
        _say(counts, n_files)
        if counts["written"]:
            print(f"taggram write undo {opened.name}  takes it back", file=sys.stderr)
    raise typer.Exit(0 if _is_clean(counts) and counts.total() == n_files else 1)


@app.command()
def undo(
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="Name of a run; default: the last that is not undone."),
    ] = None,
    file: Annotated[
        list[Path] | None, typer.Option("--file", help="Only this file; may be repeated.")
    ] = None,
    journal: JournalDirectory = None,
    keep_mtime: KeepTime = False,
    break_hard_links: BreakHardLinks = False,
    quiet: Quiet = False,
) -> None:
    """Take back what a run has written: every byte of the files that are still as it left them.

    In a file that has changed otherwise, the fields that still say what was written are set back.
    Exit status: 0 if every file is as before, 1 if some are not, 2 if the command could not run.
    """
    from taggram.cli._interrupt import graceful_interrupt
    from taggram.cli._progress import track
    from taggram.library.file_tags.apply import WriteOptions, undo_run
    from taggram.library.file_tags.journal import Journal, default_directory, find_run

    directory = journal or default_directory()
    found = find_run(directory, run, path=file[0] if file else None)
    n_files = len(file) if file else found.n_files - found.n_undone
    options = WriteOptions(keep_mtime, break_hard_links)
    with Journal(directory, is_undo=True) as opened, graceful_interrupt() as interrupted:
        only = frozenset(file) if file else None
        results = undo_run(found, opened, options, only=only, stop=interrupted)
        counts = _report(track(results, total=n_files, description="Taking back", quiet=quiet))
    if not quiet:
        _say(counts, max(n_files, counts.total()))
    raise typer.Exit(0 if _is_clean(counts) and counts.total() >= n_files else 1)


@app.command()
def runs(journal: JournalDirectory = None) -> None:
    """List what was written so far, oldest first."""
    from taggram.library.file_tags.journal import default_directory, list_runs

    for run in list_runs(journal or default_directory()):
        if run.n_files:
            state = f", {run.n_undone} undone" if run.n_undone else ""
            typer.echo(f"{run.name}  {_counted(run.n_files, 'file')} written{state}")


@app.command()
def audit(
    library: LibraryFile = None,
    model: ModelOfLibrary = None,
    taxonomy: TaxonomyFile = None,
    limit: Annotated[int, typer.Option(min=0, help="At most this many files of a kind; 0 is all.")] = 20,
    plan_: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", help="Write a plan that joins the spellings of each word."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Write everything as JSON.")] = False,
) -> None:
    """Look for tags in your files that the sound contradicts, missing ones, and several spellings of one.

    It compares the tags that the files had when the library last read them. No sound file is touched.
    """
    from taggram.library.audit import audit_library, plan_spellings
    from taggram.library.file_tags.plan import write_plan

    with open_library(library) as opened:
        found = audit_library(opened, opened.default_model(model), _load_taxonomy(taxonomy, ()))
        if plan_ is not None:
            with _output(plan_) as stream:
                write_plan(plan_spellings(opened, found.spellings), stream)
    if json:
        _print_audit_json(found)
    else:
        _print_audit(found, limit)


def _load_taxonomy(path: Path | None, fields: Iterable[str]) -> "Taxonomy":
    from taggram.library.taxonomy import default_taxonomy, load_taxonomy

    words = default_taxonomy() if path is None else load_taxonomy(path)
    for name in fields:
        if name not in words.fields:
            raise typer.BadParameter(f"--field {name}: the taxonomy fills {', '.join(words.fields)}")
    return words


@contextmanager
def _recall(paths: list[Path] | None, library: Path | None, model: str | None) -> Iterator[Iterable["Heard"]]:
    """Give what the library has on record."""
    from taggram.library.file_tags.hearing import heard_in_library

    with open_library(library) as opened:
        yield heard_in_library(opened, opened.default_model(model), paths or ())


@contextmanager
def _listen(
    paths: list[Path] | None, model: str | None, count: "_PlanCount", *, quiet: bool
) -> Iterator[Iterable["Heard"]]:
    """Give what a model hears now."""
    if not paths:
        raise typer.BadParameter("--listen needs the PATHs to listen to")
    from taggram.cli._inputs import expand
    from taggram.cli._progress import track
    from taggram.inference.tagger import Tagger
    from taggram.library.file_tags.hearing import heard_now

    files = expand(paths, recursive=True).files
    with Tagger.load(model) as tagger:
        results = track(tagger.tag_many(files), total=len(files), description="Listening", quiet=quiet)
        yield heard_now(count.watch_listening(results), tagger.specification)


class _PlanCount:
    """Passes the changes on, and counts the files that they come from."""

    def __init__(self) -> None:
        self._n_changes = self._n_files = self._n_unchanged = self.n_problems = 0

    def watch(self, planned: Iterable["Planned"]) -> Iterator["Change"]:
        for file in planned:
            if file.problem:
                self.n_problems += 1
                print(file.problem, file=sys.stderr)
            elif file.changes:
                self._n_files += 1
            else:
                self._n_unchanged += 1
            self._n_changes += len(file.changes)
            yield from file.changes

    def watch_listening(self, results: Iterable["TagResult"]) -> Iterator["TagResult"]:
        for result in results:
            if not result.outcome.has_tags:
                self.n_problems += 1
                print(f"{result.path}: {result.outcome}: {result.message}", file=sys.stderr)
            yield result

    def describe(self) -> str:
        n_all = self._n_files + self._n_unchanged + self.n_problems
        return (
            f"{_counted(n_all, 'file')}: {_counted(self._n_changes, 'change')} in {self._n_files}, "
            f"{self._n_unchanged} as they should be, {self.n_problems} cannot be written"
        )


@contextmanager
def _output(path: Path | None) -> Iterator[TextIO]:
    """Open the plan's destination; a file appears under its name when it is complete."""
    if path is None:
        yield sys.stdout
        return
    part = path.with_name(path.name + ".part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as stream:
            yield stream
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _print_checked(checked: "Checked", *, is_new_file: bool) -> None:
    from taggram.audio.container import printable
    from taggram.library.file_tags.plan import State

    change = checked.change
    if is_new_file:
        typer.secho(printable(change.file), bold=True)
        if checked.message:
            typer.secho(f"  cannot be written: {checked.message}", fg="red")
    gone = [value for value in change.before if value not in change.after]
    kept = [value for value in change.before if value in change.after]
    new = [value for value in change.after if value not in change.before]
    parts = [typer.style(f"-{v}", fg="red") for v in gone] + kept
    parts += [typer.style(f"+{v}", fg="green") for v in new]
    state = {State.READY: "", State.DONE: "  (done)", State.IMPOSSIBLE: ""}.get(checked.state)
    if state is None:
        state = f"  (changed since: is now {', '.join(checked.found) or 'empty'})"
    typer.echo(
        f"  {change.field:15} {'  '.join(parts)}{state}" + (f"   # {change.why}" if change.why else "")
    )


def _print_values(values: dict[str, Counter[str]]) -> None:
    from taggram.library.file_tags.fields import OWN_FIELDS

    for name, counter in values.items():
        if name not in OWN_FIELDS:
            common = ", ".join(f"{value} {n}" for value, n in counter.most_common(12))
            typer.echo(f"{name:15} {common}" + (" …" if len(counter) > 12 else ""))


def _print_audit(found: "Audit", limit: int) -> None:
    kinds = {
        "contradicted": "Tags that the sound contradicts, the clearest first",
        "missing": "Tags that are likely missing, the clearest first",
    }
    for kind, title in kinds.items():
        findings = [finding for finding in found.findings if finding.kind == kind]
        typer.secho(f"{title}: {len(findings)}", bold=True)
        for finding in findings[: limit or None]:
            typer.echo(f"  {_describe(finding)}")
        if limit and len(findings) > limit:
            typer.echo(f"  … and {len(findings) - limit} more; --limit 0 shows all")
    typer.secho(f"Words in several spellings: {len(found.spellings)}", bold=True)
    for spellings in found.spellings:
        counts = ", ".join(f"{value} {n}" for value, n in spellings.counts.items())
        typer.echo(f"  {spellings.field}: {counts} → {spellings.preferred}")
    typer.secho(f"Words that were not judged: {len(found.unjudged)}", bold=True)
    for word in found.unjudged[: limit or None]:
        typer.echo(f"  {word.field}: {word.value}, in {_counted(word.n_files, 'file')}: {word.why}")
    typer.echo(f"{_counted(found.n_files, 'file')} compared")


def _describe(finding: "Finding") -> str:
    from taggram.audio.container import printable

    heard = f"; heard {', '.join(proposal.why for proposal in finding.heard)}" if finding.heard else ""
    return (
        f"{printable(finding.file)}: {finding.field} {finding.value} {finding.score:.2f}, "
        f"more than {finding.rank:.0%} of the files with it{heard}"
    )


def _print_audit_json(found: "Audit") -> None:
    import json
    from dataclasses import asdict

    # ASCII, so that any path survives
    typer.echo(json.dumps({"schema": "taggram-audit/1", **asdict(found)}, default=str))


def _count_files(changes: Iterable["Change"]) -> int:
    from itertools import groupby

    return sum(1 for _ in groupby(changes, key=lambda change: change.file))


def _report(results: Iterable["WriteResult"]) -> "Counter[str]":
    """Print what a person should know of each file, and count the outcomes."""
    counts: Counter[str] = Counter()
    for result in results:
        counts[result.outcome.value] += 1
        if result.message:
            print(result.message, file=sys.stderr)
    return counts


def _is_clean(counts: "Counter[str]") -> bool:
    from taggram.library.file_tags.apply import WriteOutcome

    return all(outcome.is_success for outcome in WriteOutcome if counts[outcome.value])


def _say(counts: "Counter[str]", n_files: int) -> None:
    """Print the counts of the run; they add up to its files."""
    if n_left := n_files - counts.total():
        counts = counts + Counter({"not started": n_left})
    parts = ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in counts.items())
    print(f"{_counted(n_files, 'file')}: {parts or 'nothing to do'}", file=sys.stderr)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
