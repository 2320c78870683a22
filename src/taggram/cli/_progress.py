"""Progress on a terminal, with rate and remaining time; silence when piped or asked to be quiet.

Where the environment variable `TAGGRAM_PROGRESS` is "lines", another program is watching: each step is a line
`progress DONE TOTAL DESCRIPTION` on the standard error; what would stand behind the bar ends the description.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import TypeVar

T = TypeVar("T")
PROGRESS_VARIABLE = "TAGGRAM_PROGRESS"


def track(items: Iterable[T], *, total: int, description: str, quiet: bool) -> Iterator[T]:
    """Yield `items` while a bar on the standard error shows how far they are."""
    with count_bar(description, total, quiet=quiet) as advance:
        for item in items:
            advance("")
            yield item


@contextmanager
def count_bar(description: str, total: int, *, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Give a function that moves a bar on the standard error by one, and writes a text behind it."""
    if os.environ.get(PROGRESS_VARIABLE) == "lines":
        done = count(1)

        def say(text: str) -> None:
            print(f"progress {next(done)} {total} {description} {text}".rstrip(), file=sys.stderr, flush=True)

        yield say
        return
    if quiet or not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.finished_speed or task.speed or 0:.1f}/s", style="cyan")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeElapsedColumn(),
        TextColumn("remaining"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[said]}", style="dim"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=total, said="")
        yield lambda text: progress.update(task, advance=1, said=text)


@contextmanager
def download_bar(
    description: str, total: int, *, quiet: bool = False
) -> Iterator[Callable[[int, int], None]]:
    """Give a function that moves a bar on the standard error to (bytes done, bytes in all)."""
    if quiet or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=total)
        yield lambda done, total: progress.update(task, completed=done, total=total)
