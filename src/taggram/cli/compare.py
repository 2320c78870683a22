"""`taggram compare`: put evaluations of several models side by side."""

import json
from pathlib import Path
from typing import Annotated

import typer


def run(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Folders that `taggram evaluate` wrote; first the baseline."),
    ],
    output: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the result.")] = Path("comparison"),
    common: Annotated[
        bool, typer.Option("--common", help="Compare on the clips and tags that all runs on a split share.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the resampling behind the intervals.")] = 0,
    replicates: Annotated[int, typer.Option(min=100, help="Resamples behind the intervals.")] = 1000,
) -> None:
    """Compare models: figures with intervals, paired differences, wins per tag.

    Runs on one split stand in one column, and must have been scored on the same clips and tags.
    """
    from taggram.cli._lab import need_laboratory

    need_laboratory("comparing evaluations")
    from taggram.lab.evaluation.comparison import (
        comparison_report,
        make_columns,
        make_comparison_document,
        read_runs,
    )
    from taggram.lab.evaluation.report import write_report

    columns = make_columns(read_runs(runs), seed=seed, n_replicates=replicates, common=common)
    document = make_comparison_document(columns, seed=seed, n_replicates=replicates)
    output.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, allow_nan=False, indent=1)
    (output / "comparison.json").write_text(text + "\n", encoding="utf-8")
    write_report(output, *comparison_report(columns))
    _say(document)
    print(f"{output / 'report.html'}\n{output / 'comparison.json'}")


def _say(document: dict[str, list[dict[str, object]]]) -> None:
    """Print every column with its main figures."""
    from rich.console import Console
    from rich.table import Table

    from taggram.lab.evaluation.figures import title_of

    console = Console(highlight=False)
    for column in document["columns"]:
        models = column["models"]
        assert isinstance(models, list)
        table = Table(
            title=f"{column['dataset']}, {column['split']}: {column['n_clips']} clips", title_justify="left"
        )
        table.add_column("figure")
        for model in models:
            table.add_column(model["label"], justify="right", no_wrap=True)
        for name in models[0]["figures"]:
            table.add_row(title_of(name), *(_cell(model["figures"][name]) for model in models))
        table.add_row("tags won", *(str(model["n_wins"]) for model in models))
        console.print(table)


def _cell(figure: dict[str, object]) -> str:
    value, found = figure["value"], figure["difference"]
    if value is None:
        return "–"
    if not isinstance(found, dict):
        return f"{value:.4f}"
    low, high = found["interval"]
    return f"{value:.4f}\n{found['value']:+.4f} [{low:+.4f}, {high:+.4f}]"
