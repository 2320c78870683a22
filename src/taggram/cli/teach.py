"""`taggram teach`: own tags from examples, and corrections of the model's tags."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from taggram.cli._library import LibraryFile, ModelOfLibrary, open_library

if TYPE_CHECKING:
    from taggram.library import Library, ModelRow
    from taggram.library.own_tags import Taught
    from taggram.library.teach import Quality

app = typer.Typer(
    help="Teach your own tags from examples, and correct those of the model.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(metavar="TAG", help="Name of the tag.")]
Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files of the library.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]


@app.command()
def accept(
    name: Name,
    files: Files,
    category: Annotated[
        str | None, typer.Option(help="genre, mood, instrument, voice, decade or other.")
    ] = None,
    library: LibraryFile = None,
    model: ModelOfLibrary = None,
) -> None:
    """Say that a tag fits these files; a new name makes a new tag, one of the model's is corrected.

    The tag is learned as soon as there are five examples, accepted and rejected.
    """
    _mark(name, files, library, model, accepted=True, category=category)


@app.command()
def reject(name: Name, files: Files, library: LibraryFile = None, model: ModelOfLibrary = None) -> None:
    """Say that a tag does not fit these files."""
    _mark(name, files, library, model, accepted=False)


@app.command()
def forget(name: Name, files: Files, library: LibraryFile = None, model: ModelOfLibrary = None) -> None:
    """Take back what was said about these files."""
    _mark(name, files, library, model, accepted=None)


@app.command("list")
def list_(library: LibraryFile = None, model: ModelOfLibrary = None, json: Json = False) -> None:
    """List the tags with their examples and quality."""
    from taggram.inference.report import to_json
    from taggram.library.own_tags import OwnTags

    with open_library(library) as opened:
        tags = OwnTags(opened)
        taught = tags.taught(opened.default_model(model))
        entries = [
            {
                "name": tag.name,
                "category": tag.category,
                "accepted": tag.n_accepted,
                "rejected": tag.n_rejected,
                "quality": _quality_entry(taught[tag.name].quality) if tag.name in taught else None,
            }
            for tag in tags.tags()
        ]
    if json:
        typer.echo(to_json({"schema": "taggram-own-tags/1", "tags": entries}))
        return
    for entry in entries:
        quality = taught[str(entry["name"])].quality if entry["name"] in taught else None
        said = "not learned yet" if quality is None else _in_words(quality)
        typer.echo(
            f"{entry['name']}  ({entry['category']})  {entry['accepted']} accepted, "
            f"{entry['rejected']} rejected: {said}"
        )


@app.command()
def show(name: Name, library: LibraryFile = None, model: ModelOfLibrary = None, json: Json = False) -> None:
    """Show a tag's examples, and what it is worth."""
    from taggram.cli._tracks import track_entry, track_line
    from taggram.inference.report import to_json
    from taggram.library.own_tags import OwnTags

    with open_library(library) as opened:
        tags = OwnTags(opened)
        tag, examples = tags.get(name), tags.examples(name)
        taught = tags.taught(opened.default_model(model)).get(tag.name)
        files = opened.files_of(
            (e.recording_id for e in examples if e.recording_id is not None), include_missing=True
        )
        answers = [(e, files[e.recording_id][0] if e.recording_id in files else None) for e in examples]
        if json:
            document = {
                "schema": "taggram-own-tag-quality/1",
                "name": tag.name,
                "category": tag.category,
                "quality": _quality_entry(taught.quality) if taught else None,
                "examples": [
                    {"accepted": example.is_accepted, **(track_entry(file) if file else {"path": None})}
                    for example, file in answers
                ],
            }
            typer.echo(to_json(document))
            return
        for example, file in sorted(answers, key=lambda answer: not answer[0].is_accepted):
            sign = "+" if example.is_accepted else "-"
            typer.echo(track_line(file, sign) if file else f"{sign}  (not in this library)")
        _say(opened, tag.name, opened.default_model(model), taught)


@app.command()
def suggest(
    name: Name,
    number: Annotated[int, typer.Option("--number", "-n", min=1, help="How many.")] = 10,
    library: LibraryFile = None,
    model: ModelOfLibrary = None,
    paths: Annotated[bool, typer.Option("--paths", help="Only the paths, one per line.")] = False,
) -> None:
    """Name files that are worth labelling next: those that the tag is unsure of, no two alike."""
    from taggram.cli._tracks import track_line
    from taggram.library.own_tags import OwnTags

    with open_library(library) as opened:
        suggestions = OwnTags(opened).suggest(name, opened.default_model(model), number)
    for file, score in suggestions:
        typer.echo(str(file.path) if paths else track_line(file, f"{score:.2f}"))


@app.command()
def remove(name: Name, library: LibraryFile = None) -> None:
    """Remove a tag with its examples; `export` keeps a copy."""
    from taggram.library.own_tags import OwnTags

    with open_library(library) as opened:
        tags = OwnTags(opened)
        tag = tags.get(name)
        tags.remove(name)
    typer.echo(f"{tag.name}: removed, with {tag.n_accepted + tag.n_rejected} examples")


@app.command()
def export(
    name: Name,
    output: Annotated[Path, typer.Argument(metavar="FILE", help="JSON file to write.")],
    library: LibraryFile = None,
) -> None:
    """Write a tag with its examples and what was learned, to be imported elsewhere."""
    from taggram.inference.report import to_json
    from taggram.library.own_tags import OwnTags

    with open_library(library) as opened:
        document = OwnTags(opened).export(name)
    part = output.with_name(output.name + ".part")
    part.write_text(to_json(document) + "\n", encoding="utf-8")
    part.replace(output)
    typer.echo(f"{document['name']}: {len(document['examples'])} examples written to {output}")


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="What `export` wrote.")],
    merge: Annotated[
        bool, typer.Option("--merge", help="Add to a tag of the same name; your own answers stay.")
    ] = False,
    library: LibraryFile = None,
) -> None:
    """Take a tag that was exported, here or elsewhere."""
    from taggram.library.own_tags import OwnTags

    with open_library(library) as opened:
        done = OwnTags(opened).import_(source.read_bytes(), source=str(source), merge=merge)
    ready = (
        f"ready for {', '.join(done.models)}" if done.models else "to be learned from examples that are here"
    )
    typer.echo(f"{done.tag.name}: {done.n_examples} examples, {done.n_here} of them in this library; {ready}")


def _mark(
    name: str,
    files: list[Path],
    library: Path | None,
    model: str | None,
    *,
    accepted: bool | None,
    category: str | None = None,
) -> None:
    from taggram.cli._tracks import recording_ids
    from taggram.library.own_tags import OwnTags
    from taggram.modelfile.specification import CATEGORIES

    known = {str(value): value for value in CATEGORIES}
    if category is not None and category not in known:
        raise typer.BadParameter(f"{category!r} is no category; known are {', '.join(CATEGORIES)}")
    with open_library(library) as opened:
        tags, row = OwnTags(opened), opened.default_model(model)
        tag = tags.mark(
            name,
            recording_ids(opened, files),
            accepted=accepted,
            category=known[category] if category else None,
        )
        _say(opened, tag.name, row, tags.taught(row).get(tag.name))


def _say(library: "Library", name: str, model: "ModelRow", taught: "Taught | None") -> None:
    """Print what a tag is worth, and what speaks against it."""
    from taggram.library.own_tags import OwnTags

    if taught is None:
        typer.echo(f"{name}: not learned yet; it needs {OwnTags(library).missing(name, model)}")
        return
    quality = taught.quality
    typer.echo(f"{name}: {quality.n_accepted} accepted, {quality.n_rejected} rejected: {_in_words(quality)}")
    for warning in quality.warnings:
        print(f"taggram: {name}: {warning}", file=sys.stderr)


def _in_words(quality: "Quality") -> str:
    if quality.roc_auc is None or quality.interval is None:
        return "learned, but not checked"
    low, high = quality.interval
    said = f"ROC-AUC {quality.roc_auc:.2f} on held-out examples (90 %: {low:.2f} to {high:.2f})"
    if quality.model_roc_auc is not None:
        said += f", the model alone {quality.model_roc_auc:.2f}"
    return said if quality.is_trustworthy else f"{said}; not to be trusted"


def _quality_entry(quality: "Quality") -> dict[str, object]:
    from dataclasses import asdict

    return {**asdict(quality), "trustworthy": quality.is_trustworthy}
