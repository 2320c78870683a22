r"""A plan: what would change in which file, in lines that a person can read and edit.

JSON lines. The first says what the plan is; each other is one field of one file, and the lines of a file
stand together:

    {"plan": "taggram-plan/1", "made", "program"}
    {"file", "field", "before": [values], "after": [values], "why"}

A line that is taken out is a change that is not made; `after` may be edited at will, and an empty one
removes the field. `before` must be what the file says when the plan is applied: otherwise the file has
changed since, and is left alone. Bytes of a path that are no valid text stand as lone surrogates
(`\udc80` … `\udcff`), as Python writes them.

By default a plan fills only what is empty.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, TextIO

from taggram import __version__
from taggram.audio.container import printable
from taggram.errors import FileTagError, PlanError
from taggram.inference.result import TagScore
from taggram.library.file_tags.containers import TagFile
from taggram.library.file_tags.fields import OWN_FIELDS, find_writable_field
from taggram.library.taxonomy import Proposal, Rule, Taxonomy

SCHEMA = "taggram-plan/1"
_KEYS = {"file", "field", "before", "after", "why"}

Mode = Literal["fill", "add", "replace"]


@dataclass(frozen=True)
class Change:
    """One field of one file that is to change.

    Attributes
    ----------
    file
        The sound file.
    field
        Name of the field.
    before, after
        Its values, in order; empty is a field that is not there.
    why
        For a person.
    """

    file: Path
    field: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the change as a line's object."""
        return {
            "file": str(self.file),
            "field": self.field,
            "before": list(self.before),
            "after": list(self.after),
            "why": self.why,
        }


@dataclass(frozen=True)
class Heard:
    """What a model heard in one file.

    Attributes
    ----------
    file
        The sound file.
    tags
        All tags of the model, in any order.
    model
        Its name, as it is to stand in the file.
    time
        Unix seconds.
    thresholds
        Scores from which the model's tags count, where it states them.
    """

    file: Path
    tags: tuple[TagScore, ...] = field(repr=False)
    model: str
    time: float
    thresholds: Mapping[str, float] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Policy:
    """Which changes are proposed.

    Attributes
    ----------
    mode
        "fill" writes only fields that are empty, "add" adds to what is there, "replace" replaces it where
        something was heard.
    fields
        Only these of the taxonomy's fields; empty is all of them.
    only_whitelist
        Values that a field has, and its whitelist has not, go; not with "fill".
    own
        Taggram's own fields: "changed" writes them where another field changes, "all" in every file,
        "none" never.
    """

    mode: Mode = "fill"
    fields: frozenset[str] = frozenset()
    only_whitelist: bool = False
    own: Literal["changed", "all", "none"] = "changed"


def plan_file(heard: Heard, taxonomy: Taxonomy, policy: Policy) -> tuple[Change, ...]:
    """Return what would change in one file; nothing if it is as the policy wants it.

    Raises
    ------
    FileTagError
        If its tags cannot be read, or its container holds none.
    """
    tags = TagFile.open(heard.file)
    proposals = {
        name: found
        for name, found in taxonomy.propose(heard.tags, heard.thresholds).items()
        if not policy.fields or name in policy.fields
    }
    changes = [
        change
        for name, found in proposals.items()
        if (change := _plan_field(heard, tags.get(name), found, taxonomy.rule(name), policy))
    ]
    if policy.own == "all" or (policy.own == "changed" and changes):
        values = _own_values(heard, proposals)
        changes += [
            Change(heard.file, name, found, values[name], "where the other fields come from")
            for name in OWN_FIELDS
            if (found := tags.get(name)) != values[name]
        ]
    return tuple(changes)


@dataclass(frozen=True)
class Planned:
    """What became of one file in making a plan.

    Attributes
    ----------
    file
        The sound file.
    changes
        What would change.
    problem
        Why its tags cannot be changed; None if they can.
    """

    file: Path
    changes: tuple[Change, ...] = ()
    problem: FileTagError | None = None


def plan_files(heard: Iterable[Heard], taxonomy: Taxonomy, policy: Policy) -> Iterator[Planned]:
    """Yield what would change in each file; one that cannot be read keeps no other from being planned."""
    for found in heard:
        try:
            yield Planned(found.file, plan_file(found, taxonomy, policy))
        except FileTagError as problem:
            yield Planned(found.file, problem=problem)


class State(StrEnum):
    """How a change of a plan stands to the file as it is."""

    READY = "ready"
    DONE = "done"
    CHANGED = "changed"  # the file has changed since the plan was made
    IMPOSSIBLE = "impossible"  # the file is not there, or cannot be written


@dataclass(frozen=True)
class Checked:
    """A change, the values that its field has now, and how the two stand to each other."""

    change: Change
    found: tuple[str, ...]
    state: State
    message: str = ""


def check_plan(changes: Iterable[Change]) -> Iterator[Checked]:
    """Compare a plan with the files as they are, without touching them."""
    for path, group in groupby(changes, key=lambda change: change.file):
        try:
            tags = TagFile.open(path)
        except FileTagError as problem:
            yield from (Checked(change, (), State.IMPOSSIBLE, str(problem)) for change in group)
            continue
        yield from (_check(change, tags.get(change.field)) for change in group)


def _check(change: Change, found: tuple[str, ...]) -> Checked:
    if found == change.after:
        return Checked(change, found, State.DONE)
    return Checked(change, found, State.READY if found == change.before else State.CHANGED)


def write_plan(changes: Iterable[Change], stream: TextIO) -> int:
    """Write a plan; return the number of its changes."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    stream.write(_line({"plan": SCHEMA, "made": now, "program": f"taggram {__version__}"}))
    n_changes = 0
    for change in changes:
        stream.write(_line(change.to_json()))
        n_changes += 1
    return n_changes


def read_plan(path: Path) -> Iterator[Change]:
    """Read a plan, line by line.

    Raises
    ------
    PlanError
        If the file cannot be read or a line is not what a plan has; names the line.
    """
    try:
        with path.open(encoding="utf-8-sig") as stream:
            yield from _parse_plan(printable(path), stream)
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"{printable(path)}: cannot be read as a plan: {error}") from error


def merge_values(
    before: tuple[str, ...], proposals: Iterable[Proposal], rule: Rule, policy: Policy
) -> tuple[str, ...]:
    """Return the values that a field should have, given those that it has."""
    if policy.mode == "fill" and before:
        return before
    proposals = tuple(proposals)
    kept = before
    if policy.only_whitelist:
        kept = tuple(value for value in before if rule.is_listed(value))
    if policy.mode == "replace" and proposals:
        kept = ()
    known = {rule.normal_form(value) for value in kept}
    new = [p.value for p in proposals if rule.normal_form(p.value) not in known]
    return kept + tuple(new[: max(0, rule.count - len(kept))])


def _plan_field(
    heard: Heard,
    before: tuple[str, ...],
    proposals: tuple[Proposal, ...],
    rule: Rule,
    policy: Policy,
) -> Change | None:
    after = merge_values(before, proposals, rule, policy)
    if after == before:
        return None
    return Change(heard.file, rule.name, before, after, _why(before, after, proposals, policy))


def _why(
    before: tuple[str, ...], after: tuple[str, ...], proposals: Iterable[Proposal], policy: Policy
) -> str:
    is_replaced = policy.mode == "replace"
    new = [p.why for p in proposals if p.value in after and (is_replaced or p.value not in before)]
    gone = [value for value in before if value not in after]
    parts = [f"heard {', '.join(new)}"] if new else []
    if not before:
        parts.append("was empty")
    elif gone:
        parts.append(
            "replaces what was there" if new and is_replaced else f"not in the whitelist: {', '.join(gone)}"
        )
    return "; ".join(parts)


def _own_values(heard: Heard, proposals: Mapping[str, tuple[Proposal, ...]]) -> dict[str, tuple[str, ...]]:
    scores = {why.tag: why.score for found in proposals.values() for p in found for why in p.sources}
    strongest = sorted(scores.items(), key=lambda item: -item[1])
    text = "; ".join(f"{tag}={score:.2f}" for tag, score in strongest)
    time = datetime.fromtimestamp(int(heard.time), UTC).isoformat().replace("+00:00", "Z")
    return dict(zip(OWN_FIELDS, ((text,) if text else (), (heard.model,), (time,)), strict=True))


def _line(content: Mapping[str, Any]) -> str:
    """Serialise one line; ASCII only where a path is no valid text, so that people can read the others."""
    try:
        text = json.dumps(content, ensure_ascii=False)
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(content)
    return text + "\n"


def _parse_plan(name: str, lines: Iterable[str]) -> Iterator[Change]:
    has_begun = False
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        where = f"{name}, line {number}"
        try:
            line = json.loads(text)
        except ValueError as error:
            raise PlanError(f"{where}: is no JSON ({error}); a change is one object on one line") from error
        if has_begun:
            yield _parse_change(where, line)
        elif not isinstance(line, dict) or line.get("plan") != SCHEMA:
            raise PlanError(
                f'{where}: a plan begins with a line that has "plan": {SCHEMA!r}, got {text[:60]!r}'
            )
        has_begun = True
    if not has_begun:
        raise PlanError(f"{name}: is empty; `taggram write plan` makes a plan")


def _parse_change(where: str, line: Any) -> Change:
    if not isinstance(line, dict) or not _KEYS - {"why"} <= line.keys() <= _KEYS:
        raise PlanError(f"{where}: a change has the keys {', '.join(sorted(_KEYS))}, got {str(line)[:80]}")
    if not isinstance(line["file"], str) or not isinstance(line.get("why", ""), str):
        raise PlanError(f"{where}: file and why are texts")
    for key in ("before", "after"):
        if not isinstance(line[key], list) or not all(isinstance(v, str) and v for v in line[key]):
            raise PlanError(
                f"{where}: {key} is a list of texts that are not empty, got {str(line[key])[:80]}"
            )
        if any("\0" in value for value in line[key]):
            raise PlanError(f"{where}: {key} holds a zero byte, which divides values in many containers")
    if len(set(line["after"])) != len(line["after"]):
        raise PlanError(f"{where}: after names a value twice")
    try:
        name = find_writable_field(line["field"]).name
    except (FileTagError, TypeError) as error:
        raise PlanError(f"{where}: {error}") from error
    return Change(Path(line["file"]), name, tuple(line["before"]), tuple(line["after"]), line.get("why", ""))
