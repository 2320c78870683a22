"""`taggram audit`: look over a published table of results for what cannot be true."""

import json as json_module
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from taggram.lab.evaluation.audit import Finding


_MEANING = (
    "Bounds on MCC hold if all figures are means over the same tags, clips and scores, at any threshold. "
    "MCC of all pairs pooled would have to be measured against the AP of all pairs pooled."
)


def run(
    table: Annotated[
        Path, typer.Argument(metavar="TABLE.csv", help="A figure a line, or columns of metrics.")
    ],
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND=NAME", help="What a column is, such as model=System; may be repeated."),
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Column or metric to leave out; may be repeated.")
    ] = None,
    prevalence: Annotated[
        list[str] | None,
        typer.Option(metavar="DATASET=SHARE", help="Mean share of clips with a tag; may be repeated."),
    ] = None,
    positives: Annotated[int, typer.Option(min=2, help="Least number of clips that a tag has.")] = 100,
    percent: Annotated[bool, typer.Option("--percent", help="Values are in per cent.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Write JSON instead of text.")] = False,
) -> None:
    """Check a table of results: what is impossible, and what is suspicious.

    Impossible figures break a theorem if they are what they are called; see docs/evaluation.md.
    Exit status: 0 if nothing is impossible, 1 if something is, 2 if the table could not be read.
    """
    from taggram.errors import EvaluationError
    from taggram.lab.evaluation.audit import Assumptions, audit
    from taggram.lab.evaluation.audit_table import parse_assignment, read_table

    shares = {}
    for name, text in map(parse_assignment, prevalence or []):
        try:
            shares[name] = float(text)
        except ValueError as error:
            raise EvaluationError(f"prevalence of {name}: {text!r} is no number") from error
        if not 0 < shares[name] < 1:
            raise EvaluationError(f"prevalence of {name} must lie between 0 and 1, got {text}")
    columns = dict(map(parse_assignment, column or []))
    entries = read_table(table, columns=columns, ignored=ignore or (), is_percent=percent)
    findings = audit(entries, Assumptions(shares, positives))
    if json:
        document = {
            "schema": "taggram-audit/1",
            "n_figures": len(entries),
            "findings": list(map(asdict, findings)),
        }
        print(json_module.dumps(document, indent=1))
    else:
        _print(findings, len(entries))
    raise typer.Exit(1 if any(finding.severity == "impossible" for finding in findings) else 0)


def _print(findings: list["Finding"], n_figures: int) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for severity, style in (("impossible", "bold red"), ("suspicious", "yellow")):
        of_kind = [finding for finding in findings if finding.severity == severity]
        if not of_kind:
            continue
        console.print(Text(f"{severity} ({len(of_kind)})", style=style))
        for finding in of_kind:
            lines = ", ".join(map(str, finding.lines))
            head = Text(f"  {finding.rule:<15}", style="dim").append(finding.where, style="not dim bold")
            console.print(head.append(f"  {finding.message}", style="not dim").append(f"  (line {lines})"))
    if any(finding.rule.startswith("mcc") for finding in findings):
        console.print(Text(_MEANING, style="dim"))
    counts = [sum(f.severity == s for f in findings) for s in ("impossible", "suspicious")]
    console.print(f"{n_figures} figures: {counts[0]} impossible, {counts[1]} suspicious findings")
