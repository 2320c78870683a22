"""The report of an evaluation, for people: one self-contained page, and the same in Markdown.

    DIR/report.html   all in one file: no script, nothing fetched; light or dark as the reader's system
    DIR/report.md     the same text and tables, with the plots beside it
    DIR/plots/        every plot as SVG, for a light and a dark page

Both are written from the document (`taggram.lab.evaluation.run`) and the plots; no figure is computed here.
"""

import base64
import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure as Canvas

from taggram.lab.evaluation import plots
from taggram.lab.evaluation.figures import Figures, title_of
from taggram.lab.evaluation.protocol import Evaluation
from taggram.tags.colours import ThemeName

Document = Mapping[str, Any]
_THEMES: tuple[ThemeName, ThemeName] = ("light", "dark")
_N_NAMED = 12
_BARS = "Bars are values, thin lines 95 % intervals over clips."
_CHANCE = (
    "ROC-AUC begins at chance; the short stroke on PR-AUC is the share of clips with the tag, its chance."
)
_MEANS = "Means over tags unless said otherwise; a tag without a value is left out, never counted as 0."


@dataclass(frozen=True)
class Plot:
    """One plot of a report.

    Attributes
    ----------
    name
        Of its file.
    title, caption
        Above it, and what it shows.
    light, dark
        As SVG.
    """

    name: str
    title: str
    caption: str
    light: bytes
    dark: bytes


@dataclass(frozen=True)
class Table:
    """A table of texts; the first column is a name, the others are figures unless `is_text`."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    is_text: bool = False


def write_report(directory: Path, title: str, lead: Sequence[str], parts: Sequence[Plot | Table]) -> None:
    """Write a report of plots and tables as HTML and as Markdown.

    Parameters
    ----------
    directory
        Is made if need be.
    title, lead
        Heading, and the sentences below it.
    parts
        In their order.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for part in parts:
        if isinstance(part, Plot):
            (directory / "plots").mkdir(exist_ok=True)
            (directory / "plots" / f"{part.name}-light.svg").write_bytes(part.light)
            (directory / "plots" / f"{part.name}-dark.svg").write_bytes(part.dark)
    _write(directory / "report.md", _markdown(title, lead, parts))
    _write(directory / "report.html", _page(title, lead, parts))


def make_plot(name: str, title: str, caption: str, draw: Callable[[plots.Page], Canvas]) -> Plot:
    """Draw a plot for both pages."""
    light, dark = (plots.render(draw, theme) for theme in _THEMES)
    return Plot(name, title, caption, light, dark)


def evaluation_report(
    document: Document, evaluation: Evaluation, figures: Figures
) -> tuple[str, list[str], list[Plot | Table]]:
    """Return title, lead and parts of the report of one evaluation, for `write_report`."""
    title = f"{evaluation.model.name} on {evaluation.dataset}, {evaluation.split}"
    tables = _tables(document)
    best = _clip_table("Best clips", document["best_clips"])
    worst = _clip_table("Worst clips", document["worst_clips"])
    return title, _lead(document), [tables[0], *_plots(evaluation, figures), *tables[1:], best, worst]


def _plots(evaluation: Evaluation, figures: Figures) -> list[Plot]:
    is_class = figures.confusion is not None
    kind = "class" if is_class else "tag"
    return [
        make_plot(
            "per-tag",
            f"Every {kind}",
            _BARS if is_class else f"{_BARS} {_CHANCE}",
            lambda page: plots.draw_per_tag(evaluation, figures, page),
        ),
        make_plot(
            "curves",
            "ROC, and precision against recall",
            f"A thin line for each {kind}; the three best and worst by name; bold: all pairs pooled.",
            lambda page: plots.draw_curves(evaluation, figures, page),
        ),
        make_plot(
            "confusion",
            "Confusion",
            "Rows are true classes and add up to 100 %."
            if is_class
            else "What is heard, on average, in clips that have a tag. Off the diagonal stand both "
            "confusions and tags that really come together.",
            lambda page: plots.draw_confusion(evaluation, figures, page),
        ),
        make_plot(
            "reliability",
            "Can a score be read as a probability?",
            "On the line, a score of 0.7 is right seven times out of ten. Thin lines are 95 % margins.",
            lambda page: plots.draw_reliability(evaluation, page),
        ),
    ]


def _lead(document: Document) -> list[str]:
    dataset, conditions = document["dataset"], document["conditions"]
    resampling = document["bootstrap"]
    kind = "classes" if dataset["task"] == "multi_class" else "tags"
    lead = [
        f"{dataset['n_clips']} clips, {dataset['n_tags']} {kind}; "
        f"chunks of {conditions['chunk_duration']:g} s "
        f"every {conditions['chunk_hop']:g} s over the whole clip, {conditions['aggregation']} over chunks; "
        f"intervals hold {resampling['level']:.0%} of {resampling['n_replicates']} resamples of the clips "
        f"(seed {resampling['seed']}).",
        f"Weights {document['model']['weights_sha256'][:12]}…, clips and tags "
        f"{dataset['scored_fingerprint'][:12]}….",
    ]
    if conditions["deformation"]:
        lead.append(f"The sound was changed before: {conditions['deformation']}.")
    if dataset["uncovered_tags"]:
        lead.append(
            f"{len(dataset['uncovered_tags'])} tags of the dataset are unknown to the model and not scored: "
            f"{_some(dataset['uncovered_tags'])}."
        )
    if dataset["failed_clips"]:
        lead.append(
            f"{len(dataset['failed_clips'])} clips could not be heard and are left out: "
            f"{_some([f'{clip} ({why})' for clip, why in dataset['failed_clips'].items()])}."
        )
    return lead


def _tables(document: Document) -> list[Table]:
    rows = [_figure_row(name, figure) for name, figure in document["figures"].items()]
    chosen = document["thresholds"]
    note = _MEANS
    if chosen:
        note += (
            f" Chosen thresholds give the best {chosen['criterion'].upper()} on the split {chosen['split']}."
        )
        if chosen["not_chosen"]:
            note += f" No threshold could be chosen for {_some(chosen['not_chosen'])}: 0.5 stands."
    overall = Table("Figures", ["Figure", "Value", "Interval", "Chance", "Left out"], rows, note)
    names = list(document["tags"][0]["figures"])
    per_tag = [
        [tag["name"], str(tag["n_clips"]), *(number(tag["figures"][name]["value"]) for name in names)]
        for tag in document["tags"]
    ]
    return [overall, Table("Every tag in numbers", ["Tag", "Clips", *map(title_of, names)], per_tag)]


def _figure_row(name: str, figure: Mapping[str, Any]) -> list[str]:
    values = [number(figure["value"]), interval(figure["interval"]), number(figure["chance"])]
    left_out = figure["undefined"]
    named = ", ".join(left_out) if len(left_out) <= _N_NAMED // 2 else f"{len(left_out)}, see evaluation.json"
    return [title_of(name), *values, named]


def _clip_table(title: str, clips: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        [
            clip["id"],
            number(clip["quality"]),
            ", ".join(clip["true"]),
            ", ".join(f"{tag['tag']} {tag['score']:.2f}" for tag in clip["highest"]),
        ]
        for clip in clips
    ]
    return Table(title, ["Clip", "Quality", "True tags", "Heard"], rows, is_text=True)


def number(value: float | None) -> str:
    """Write a figure with four digits; what is undefined is a dash."""
    return "–" if value is None else f"{value:.4f}"


def interval(ends: Sequence[float] | None) -> str:
    """Write the ends of an interval."""
    return "–" if ends is None else f"{ends[0]:.4f} … {ends[1]:.4f}"


def _some(names: Sequence[str]) -> str:
    """List names, the first dozen in full."""
    more = f" and {len(names) - _N_NAMED} more" if len(names) > _N_NAMED else ""
    return ", ".join(names[:_N_NAMED]) + more


def _write(path: Path, text: str) -> None:
    # A file name may hold what is no text.
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def _markdown(title: str, lead: Sequence[str], parts: Sequence[Plot | Table]) -> str:
    lines = [f"# {_cell(title)}", ""]
    for sentence in lead:
        lines += [_cell(sentence), ""]
    for part in parts:
        lines += [f"## {_cell(part.title)}", ""]
        lines += _markdown_plot(part) if isinstance(part, Plot) else _markdown_table(part)
    return "\n".join(lines)


def _markdown_plot(plot: Plot) -> list[str]:
    return [
        "<picture>",
        f'<source media="(prefers-color-scheme: dark)" srcset="plots/{plot.name}-dark.svg">',
        f'<img alt="{html.escape(plot.title)}" src="plots/{plot.name}-light.svg">',
        "</picture>",
        "",
        plot.caption,
        "",
    ]


def _markdown_table(table: Table) -> list[str]:
    rule = ["---"] + ["---" if table.is_text else "---:"] * (len(table.header) - 1)
    rows = [table.header, rule, *table.rows]
    lines = ["| " + " | ".join(map(_cell, row)) + " |" for row in rows]
    return [*lines, "", *([table.note, ""] if table.note else [])]


def _cell(text: str) -> str:
    """Escape what Markdown would take for markup."""
    for character in "\\|*_`<[":
        text = text.replace(character, "\\" + character)
    return text


_STYLE = """
:root { color-scheme: light dark; --page: #fff; --ink: #1c202c; --muted: #6e7586; --line: #d8dce4;
  --panel: #f6f7fa }
@media (prefers-color-scheme: dark) {
  :root { --page: #0d1017; --ink: #e8ebf2; --muted: #949cb0; --line: #303644; --panel: #161a23 } }
body { margin: 0 auto; max-width: 72rem; padding: 2rem 1.25rem 4rem;
  background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 1rem } h2 { font-size: 1.2rem; margin: 2.8rem 0 .8rem }
p { max-width: 46rem } .lead, .note { color: var(--muted) } .note { font-size: .9rem }
.wide { overflow-x: auto } img { max-width: 100%; height: auto }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums }
th, td { padding: .35rem .9rem .35rem 0; text-align: right; border-bottom: 1px solid var(--line);
  vertical-align: top }
th { color: var(--muted); font-weight: 600; position: sticky; top: 0; background: var(--page) }
th:first-child, td:first-child, table.text th, table.text td { text-align: left }
tbody tr:hover { background: var(--panel) }
"""


def _page(title: str, lead: Sequence[str], parts: Sequence[Plot | Table]) -> str:
    body = [f"<h1>{html.escape(title)}</h1>"]
    body += [f'<p class="lead">{html.escape(sentence)}</p>' for sentence in lead]
    for part in parts:
        body.append(f"<h2>{html.escape(part.title)}</h2>")
        body.append(_html_plot(part) if isinstance(part, Plot) else _html_table(part))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _html_plot(plot: Plot) -> str:
    light, dark = (
        f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}" for svg in (plot.light, plot.dark)
    )
    return (
        f'<div class="wide"><picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img alt="{html.escape(plot.title)}. {html.escape(plot.caption)}" src="{light}"></picture></div>\n'
        f'<p class="note">{html.escape(plot.caption)}</p>'
    )


def _html_table(table: Table) -> str:
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in table.header)
    rows = "\n".join(
        "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in row) + "</tr>" for row in table.rows
    )
    note = f'\n<p class="note">{html.escape(table.note)}</p>' if table.note else ""
    kind = ' class="text"' if table.is_text else ""
    table_head = f'<div class="wide"><table{kind}><thead><tr>{head}</tr></thead>'
    return f"{table_head}\n<tbody>\n{rows}\n</tbody></table></div>{note}"
