"""The command `taggram`: puts the commands together, and turns errors into messages."""

import io
import os
import sys
import warnings
from importlib import import_module
from typing import Annotated, Any

import typer

from taggram import __version__
from taggram.errors import TaggramError

app = typer.Typer(
    name="taggram",
    help="Listens to music and says what it hears.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"taggram {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Listens to music and says what it hears: genre, mood, instruments, voice and decade."""


_LABORATORY = ("train", "finetune", "fit", "evaluate", "compare", "robustness", "audit", "tag_map")
for _name in ("tag", "taggram", "chords", "search", "similar", "playlist", "serve", *_LABORATORY):
    app.command(_name.replace("_", "-"), rich_help_panel="Laboratory" if _name in _LABORATORY else None)(
        import_module(f"taggram.cli.{_name}").run
    )
app.add_typer(import_module("taggram.cli.library").app, name="library")
app.add_typer(import_module("taggram.cli.write").app, name="write")
app.add_typer(import_module("taggram.cli.teach").app, name="teach")
app.add_typer(import_module("taggram.cli.models").app, name="models")
app.add_typer(import_module("taggram.cli.datasets").app, name="datasets", rich_help_panel="Laboratory")


def _show_warnings_as_messages() -> None:
    """Show Taggram's own warnings as it shows errors, without a place in the code; others as they are."""
    show = warnings.showwarning

    def show_warning(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if category.__module__.partition(".")[0] == "taggram":
            print(f"taggram: {message}", file=sys.stderr)
        else:
            show(message, category, *where, **more)

    warnings.showwarning = show_warning


def main() -> None:
    """Run the command line; exit status 2 for anything that keeps the whole command from running."""
    _show_warnings_as_messages()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files hold anything
    try:
        app()
    except BrokenPipeError:  # whoever read the output has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (TaggramError, OSError) as error:
        print(f"taggram: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
