"""`taggram models`: list, show, pull, import, export and verify model files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from taggram.lab.weights.published import PublishedCheckpoint
    from taggram.modelfile.specification import Specification

app = typer.Typer(help="List, fetch, convert and check models.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name or file of a model; see `taggram models list`.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON instead of a table.")]


@app.command("list")
def list_(json: Json = False) -> None:
    """List the models that ship, that are on this machine, and that can be pulled."""
    from taggram.cli._catalogue import list_entries

    entries = list_entries()
    if json:
        _print_json({"schema": "taggram-models/1", "models": [vars(entry) for entry in entries]})
        return
    from rich.table import Table

    table = Table("name", "architecture", "vocabulary", "licence", "size", "state", box=None, pad_edge=False)
    for e in entries:
        table.add_row(e.name, e.architecture, e.vocabulary, e.licence, _megabytes(e.n_bytes), e.state)
    _console().print(table)


@app.command()
def show(name: Name, json: Json = False) -> None:
    """Show what a model takes, what it says, where it comes from and how good it is."""
    from taggram.modelfile.cache import resolve_model
    from taggram.modelfile.reader import load_model_file

    spec = load_model_file(resolve_model(name)).specification
    if json:
        typer.echo(spec.model_dump_json(indent=2))
    else:
        _print_specification(spec)


@app.command()
def pull(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Published models.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every published model.")] = False,
    from_: Annotated[
        Path | None,
        typer.Option("--from", metavar="DIR", help="Take the weights from below this folder, offline."),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Even if the model is here already.")] = False,
) -> None:
    """Fetch published weights from their origin, convert them and verify the result."""
    from taggram.lab.weights.convert import require_laboratory
    from taggram.lab.weights.published import CHECKPOINTS, find_checkpoint

    if bool(names) == all_:
        raise typer.BadParameter("give the names of models, or --all")
    checkpoints = list(CHECKPOINTS.values()) if all_ else [find_checkpoint(name) for name in names or ()]
    require_laboratory("converting published weights")
    for checkpoint in checkpoints:
        _pull(checkpoint, from_, again)


@app.command("import")
def import_(
    weights: Annotated[Path, typer.Argument(help="PyTorch, safetensors or Keras HDF5 weights.")],
    architecture: Annotated[str, typer.Option(help="Architecture of the model zoo.")],
    vocabulary: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="Known vocabulary, or a file with one tag a line.")
    ],
    name: Annotated[str | None, typer.Option(help="Name of the model; default: that of the file.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="Where to write; default: the cache, to be used by name.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=NUMBER", help="Option of the architecture; may be repeated."),
    ] = None,
    training_data: Annotated[str, typer.Option(help="What it was trained on.")] = "not stated",
    licence: Annotated[str, typer.Option(help="Under what terms.")] = "not stated",
    paper: Annotated[str, typer.Option(help="What to cite; default: the architecture's paper.")] = "",
) -> None:
    """Make a model file from your own weights for an architecture of the zoo."""
    from taggram.lab.weights.convert import OwnWeights, import_own, read_vocabulary, require_laboratory
    from taggram.modelfile.cache import cached_model_path

    require_laboratory("importing weights")
    name = name or weights.name.split(".")[0]
    output = output or cached_model_path(name)
    description = OwnWeights(
        name=name,
        architecture=architecture,
        tags=read_vocabulary(vocabulary),
        options=dict(_parse_option(text) for text in option or ()),
        training_data=training_data,
        licence=licence,
        paper=paper,
    )
    import_own(weights, description, output)
    _report(output)


@app.command()
def export(
    name: Name,
    output: Annotated[Path, typer.Argument(help="File to write.")],
    self_contained: Annotated[
        bool, typer.Option("--self-contained", help="Spectrogram inside the graph: feed it waveforms.")
    ] = False,
    int8: Annotated[bool, typer.Option("--int8", help="8-bit integers, several times faster.")] = False,
    calibration: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of music like yours, for --int8: 50 files or more."),
    ] = None,
) -> None:
    """Write a model to a file of its own, in the form that another machine needs."""
    from taggram.modelfile.cache import resolve_model
    from taggram.modelfile.reader import load_model_file
    from taggram.modelfile.writer import write_model_file

    if int8 != (calibration is not None):
        raise typer.BadParameter("--int8 and --calibration DIR go together")
    model_file = load_model_file(resolve_model(name))
    if int8 or self_contained:
        from taggram.lab.weights.convert import require_laboratory

        require_laboratory("exporting in another form")
    if calibration is not None:
        from taggram.lab.quantise import quantise

        model_file, agreement = quantise(model_file, _audio_files(calibration))
        typer.echo(agreement.describe())
    if self_contained:
        from taggram.lab.export import draw_in_front_end

        model_file = draw_in_front_end(model_file)
    write_model_file(output, model_file.data)
    _report(output)


@app.command()
def verify(file: Name) -> None:
    """Check a model file: specification, checksum, graph, and what it says to silence and noise."""
    from taggram.inference.verify import verify_model_file
    from taggram.modelfile.cache import resolve_model
    from taggram.modelfile.reader import load_model_file

    path = resolve_model(file)
    if load_model_file(path).specification.task == "chords":
        from taggram.chords.verify import verify_chord_model

        for passed in verify_chord_model(path):
            typer.echo(f"ok  {passed}")
        return
    for passed in verify_model_file(path):
        typer.echo(f"ok  {passed}")
    if (comparison := _compare_front_ends(load_model_file(path).specification)) is not None:
        typer.echo(comparison)


def _pull(checkpoint: "PublishedCheckpoint", directory: Path | None, again: bool) -> None:
    from taggram.lab.weights.convert import import_published
    from taggram.lab.weights.fetch import find_offline
    from taggram.modelfile.cache import cached_model_path

    output = cached_model_path(checkpoint.name)
    if not again and _is_usable(output):
        typer.echo(f"{checkpoint.name}: already here, {output}")
        return
    weights = find_offline(checkpoint, directory) if directory else _download(checkpoint)
    import_published(checkpoint.name, weights, output)
    _report(output)


def _download(checkpoint: "PublishedCheckpoint") -> Path:
    from taggram.cli._progress import download_bar
    from taggram.lab.weights.fetch import download_path, fetch

    with download_bar(checkpoint.name, checkpoint.n_bytes) as progress:
        return fetch(checkpoint, download_path(checkpoint), progress=progress)


def _is_usable(path: Path) -> bool:
    from taggram.errors import ModelFileError
    from taggram.modelfile.reader import load_model_file

    try:
        load_model_file(path)
    except ModelFileError:
        return False
    return True


def _report(path: Path) -> None:
    """Verify what was written, and say so; a file that fails does not stay."""
    from taggram.inference.verify import verify_model_file

    try:
        checks = list(verify_model_file(path))
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    typer.echo(f"{path}: written, {_megabytes(path.stat().st_size)}, {len(checks)} checks passed")


def _compare_front_ends(spec: "Specification") -> str | None:
    """Compare the runtime's spectrogram with the laboratory's, where torch is installed."""
    from importlib.util import find_spec

    if spec.front_end.kind == "waveform":
        return None
    if find_spec("torch") is None:
        return "--  front ends: not compared, torch is not installed"
    from taggram.lab.export import compare_front_ends

    return f"ok  front ends: numpy and torch agree, to {compare_front_ends(spec):.0e} of the largest value"


def _parse_option(text: str) -> tuple[str, int]:
    key, _, number = text.partition("=")
    try:
        return key.strip().replace("-", "_"), int(number)
    except ValueError:
        raise typer.BadParameter(f"--option takes KEY=NUMBER, got {text!r}") from None


def _audio_files(directory: Path) -> tuple[Path, ...]:
    from taggram.cli._inputs import expand

    if not directory.is_dir():
        raise typer.BadParameter(f"--calibration {directory}: not a folder")
    return expand([directory], recursive=True).files


def _print_specification(spec: "Specification") -> None:
    from rich.table import Table
    from rich.text import Text

    from taggram.modelfile.specification import CATEGORIES

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    rows = {
        "name": spec.name,
        "architecture": spec.architecture,
        "task": spec.task.replace("_", " "),
        "sample rate": f"{spec.sample_rate} Hz",
        "chunks": f"{spec.chunk_duration:g} s, every {spec.chunk_hop:g} s",
        "front end": spec.front_end.kind.replace("_", " "),
        "embedding": f"{spec.embedding_dim} numbers",
        "training data": spec.training_data,
        "licence": spec.licence,
        "paper": spec.paper,
        "sha256": spec.weights_sha256,
        "tags": str(spec.n_tags),
    }
    for category in CATEGORIES:
        rows[f"  {category}"] = ", ".join(tag.name for tag in spec.tags if tag.category == category)
    for metric in spec.metrics:
        interval = "" if metric.interval is None else f" [{metric.interval[0]:.4f}, {metric.interval[1]:.4f}]"
        rows[metric.name] = f"{metric.value:.4f}{interval} on {metric.dataset}, {metric.split}"
    for label, text in rows.items():
        if text:
            table.add_row(label, Text(text))
    _console().print(table)


def _console() -> "Console":
    """Return a console that breaks lines on a terminal only: a pipe gets every line whole."""
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=10_000)


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.1f} MB"


def _print_json(content: object) -> None:
    import json

    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
