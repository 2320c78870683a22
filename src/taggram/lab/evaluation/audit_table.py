"""Tables of published results, in CSV: one figure a line, or one model a line with a column for every metric.

Columns are found by their usual names, or as the caller says; a column or metric that is not understood is an
error and never left out silently.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from taggram.errors import EvaluationError, UnknownNameError

METRIC_NAMES: Mapping[str, tuple[str, ...]] = {
    "roc_auc": ("rocauc", "auroc", "auc", "aucroc", "rocaucmacro", "macrorocauc"),
    "pr_auc": ("prauc", "auprc", "aucpr", "praucmacro", "macroprauc"),
    "ap": ("ap", "averageprecision", "map", "meanaverageprecision", "avgprec", "avgprecision"),
    "mcc": ("mcc", "matthews", "matthewscorrcoef", "matthewscorrelationcoefficient"),
    "f1": ("f1", "f1score", "fscore", "macrof1", "f1macro"),
    "precision": ("precision", "macroprecision", "precisionmacro"),
    "recall": ("recall", "macrorecall", "recallmacro", "sensitivity"),
    "accuracy": ("accuracy", "acc"),
}
"""Metric → its spellings in small letters without anything else."""
COLUMN_NAMES: Mapping[str, tuple[str, ...]] = {
    "source": ("source", "paper", "origin", "reference"),
    "dataset": ("dataset", "data", "corpus"),
    "model": ("model", "system", "method", "name", "architecture"),
    "metric": ("metric", "measure"),
    "value": ("value", "score", "result"),
}
"""Column → its spellings; needed are `model`, and either `metric` and `value` or columns of metrics."""


@dataclass(frozen=True)
class Entry:
    """One figure of a table.

    Attributes
    ----------
    line
        Of the file, from 1.
    metric
        A key of `METRIC_NAMES`.
    value
        As printed, as a share of 1.
    unit
        Of its last digit: the true value lies within half of it.
    """

    line: int
    source: str
    dataset: str
    model: str
    metric: str
    value: float
    unit: float

    @property
    def low(self) -> float:
        """Least value that is printed like this."""
        return self.value - self.unit / 2

    @property
    def high(self) -> float:
        """Greatest value that is printed like this."""
        return self.value + self.unit / 2


def read_table(
    path: Path,
    *,
    columns: Mapping[str, str] | None = None,
    ignored: Iterable[str] = (),
    is_percent: bool = False,
) -> list[Entry]:
    """Read a table in CSV: a figure a line (`metric`, `value`), or a model a line with columns of metrics.

    Parameters
    ----------
    columns
        Column (`model`, `dataset`, `source`, `metric`, `value`, or a metric) → its name in the file, where
        that is none of the usual ones.
    ignored
        Columns of the file to leave out, and metrics of a long table.
    is_percent
        Values are in per cent.

    Raises
    ------
    EvaluationError
        If the file cannot be read, a column is missing or unknown, or a value is no number.
    UnknownNameError
        If a metric is unknown.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [line for line in csv.reader(file) if any(cell.strip() for cell in line)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise EvaluationError(f"{path}: the table cannot be read: {error}") from error
    if len(lines) < 2:
        raise EvaluationError(f"{path}: a table has a line of column names and at least one line of figures")
    header = [cell.strip() for cell in lines[0]]
    known = _find_columns(path, header, columns or {}, set(ignored))
    entries: list[Entry] = []
    for number, cells in enumerate(lines[1:], start=2):
        if len(cells) != len(header):
            raise EvaluationError(
                f"{path}, line {number}: {len(cells)} cells under {len(header)} column names"
            )
        values = dict(zip(header, (cell.strip() for cell in cells), strict=True))
        entries += _read_line(path, number, values, known, set(ignored), is_percent)
    return entries


def parse_assignment(text: str) -> tuple[str, str]:
    """Split `name=value`.

    Raises
    ------
    EvaluationError
        If there is no `=` or nothing on one of its sides.
    """
    name, mark, value = text.rpartition("=")
    if not mark or not name.strip() or not value.strip():
        raise EvaluationError(f"{text!r}: expected NAME=VALUE")
    return name.strip(), value.strip()


def plain_name(text: str) -> str:
    """Return the small letters and digits of a name: what is left when spelling does not matter."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _metric_of(text: str) -> str | None:
    return next((metric for metric, names in METRIC_NAMES.items() if plain_name(text) in names), None)


def _find_columns(
    path: Path, header: Sequence[str], given: Mapping[str, str], ignored: set[str]
) -> dict[str, str]:
    """Return what each column of the file is: its name there → one of COLUMN_NAMES or METRIC_NAMES."""
    if len(set(header)) < len(header):
        raise EvaluationError(f"{path}: a column name stands twice: {', '.join(header)}")
    kinds = [*COLUMN_NAMES, *METRIC_NAMES]
    for kind, name in given.items():
        if kind not in kinds:
            raise UnknownNameError("kind of column", kind, kinds)
        if name not in header:
            raise UnknownNameError(f"column of {path}", name, header)
    known = {name: kind for kind, name in given.items()}
    for name in header:
        if name in known or name in ignored:
            continue
        found = kind_of(name)
        if found is None:
            raise EvaluationError(
                f"{path}: what is the column {name!r}? Say it (--column KIND={name}; kinds are "
                f"{', '.join(kinds)}), or leave it out (--ignore {name!r})"
            )
        if found in known.values():
            other = next(n for n, kind in known.items() if kind == found)
            raise EvaluationError(
                f"{path}: both {other!r} and {name!r} look like {found}: say which (--column), and leave the "
                "other out (--ignore)"
            )
        known[name] = found
    _require_form(path, set(known.values()))
    return known


def _require_form(path: Path, kinds: set[str]) -> None:
    """A table is long (metric and value) or wide (a column for every metric), and never both."""
    is_long, is_wide = {"metric", "value"} <= kinds, bool(kinds & METRIC_NAMES.keys())
    has_half = bool(kinds & {"metric", "value"}) and not is_long
    if "model" not in kinds or is_long == is_wide or has_half:
        raise EvaluationError(
            f"{path}: a table needs a column `model`, and either the columns `metric` and `value` or one for "
            f"every metric; found {', '.join(sorted(kinds)) or 'none of them'}"
        )


def kind_of(name: str) -> str | None:
    """Return what a column of this name holds: a key of COLUMN_NAMES or METRIC_NAMES, or None."""
    kinds = (kind for kind, names in COLUMN_NAMES.items() if plain_name(name) in names)
    return next(kinds, None) or _metric_of(name)


def _read_line(
    path: Path,
    number: int,
    values: Mapping[str, str],
    known: Mapping[str, str],
    ignored: set[str],
    is_percent: bool,
) -> Iterator[Entry]:
    cells = {role: values[name] for name, role in known.items()}
    names = (cells.get("source", ""), cells.get("dataset", ""), cells["model"])
    if "metric" in cells:
        if cells["metric"] in ignored:
            return
        metric = _metric_of(cells["metric"])
        if metric is None:
            raise UnknownNameError(f"metric ({path}, line {number})", cells["metric"], METRIC_NAMES)
        figures = {metric: cells["value"]}
    else:
        figures = {
            role: text for role, text in cells.items() if role in METRIC_NAMES and text not in ("", "-", "–")
        }
    for metric, text in figures.items():
        value, unit = _read_number(path, number, text)
        scale = 0.01 if is_percent or text.rstrip().endswith("%") else 1.0
        yield Entry(number, *names, metric, value * scale, unit * scale)


def _read_number(path: Path, number: int, text: str) -> tuple[float, float]:
    """Return a value and the unit of its last digit."""
    found = re.fullmatch(r"([+-]?\d*)(?:\.(\d+))?\s*%?", text.strip())
    if not found or not any(found.groups()):
        raise EvaluationError(f"{path}, line {number}: {text!r} is no figure such as 0.4129")
    return float(text.strip().rstrip("%")), 10.0 ** -len(found.group(2) or "")
