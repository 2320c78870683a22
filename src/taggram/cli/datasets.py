"""`taggram datasets`: list, show, validate, prepare and count the datasets of the laboratory."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from taggram.lab.datasets import Annotations, Dataset, Track, Validation

app = typer.Typer(help="Describe, check, decode and count datasets.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Dataset, or dataset:variant; see `taggram datasets list`.")]
Root = Annotated[Path, typer.Argument(help="Folder of your copy, laid out as its authors distribute it.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON instead of a table.")]
Leakage = Annotated[
    bool, typer.Option("--allow-artist-leakage", help="Also accept a split with artists on both sides.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]

_SHOWN = 20  # names of files; the rest is counted


@app.command("list")
def list_(json: Json = False) -> None:
    """List every dataset and its variants; the first variant of a dataset is its default."""
    from taggram.lab.datasets import list_datasets

    if json:
        _print_json([_describe(dataset) for dataset in list_datasets()])
        return
    rows = [
        (
            dataset.name,
            dataset.title,
            dataset.task.replace("_", "-"),
            str(dataset.n_tags or "–"),
            " / ".join(str(dataset.n_tracks.get(split, "–")) for split in dataset.splits),
        )
        for dataset in list_datasets()
    ]
    _print_table(("name", "dataset", "task", "tags", "train / validation / test"), rows)


@app.command()
def show(name: Name, json: Json = False) -> None:
    """Describe a dataset: what it is, whom to cite, on what terms, where to get it, how it is laid out."""
    from taggram.lab.datasets import load_dataset

    dataset = load_dataset(name, allow_artist_leakage=True)
    description = _describe(dataset)
    if json:
        _print_json(description | {"documentation": dataset.documentation})
        return
    for key, value in description.items():
        if value:
            text = "; ".join(map(str, value)) if isinstance(value, list) else value
            typer.echo(f"{key.replace('_', ' ')}: {_inline(text)}")
    typer.echo(f"\n{dataset.documentation}")


@app.command()
def validate(
    name: Name,
    root: Root,
    sound: Annotated[bool, typer.Option(help="Open every sound file, not only look for it.")] = True,
    quiet: Quiet = False,
    json: Json = False,
    allow_artist_leakage: Leakage = False,
) -> None:
    """Compare your copy with the published dataset: files, checksums, counts.

    Exit status: 0 if it is complete, 1 if something is missing, damaged or counted differently.
    """
    from taggram.cli._progress import track
    from taggram.lab.datasets import load_dataset

    dataset = load_dataset(name, allow_artist_leakage=allow_artist_leakage)

    def watch(tracks: "Sequence[Track]") -> "Iterable[Track]":
        return track(tracks, total=len(tracks), description="Checking", quiet=quiet)

    found = dataset.validate(root, check_sound=sound, watch=watch)
    if json:
        _print_json({"dataset": dataset.name, "is_complete": found.is_complete, **vars(found)})
    else:
        _print_validation(dataset, found)
    raise typer.Exit(0 if found.is_complete else 1)


@app.command()
def prepare(
    name: Name,
    root: Root,
    cache: Annotated[Path, typer.Argument(help="Folder to write; an unfinished one is gone on with.")],
    sample_rate: Annotated[int, typer.Option(min=1000, max=192_000, help="Hz.")] = 16_000,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Files decoded at once; default: one per core.")
    ] = None,
    retry_bad: Annotated[
        bool, typer.Option("--retry-bad", help="Try files again that could not be decoded.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what room is needed, and what is free.")
    ] = False,
    quiet: Quiet = False,
    allow_artist_leakage: Leakage = False,
) -> None:
    """Decode a dataset once, so that training never waits for a decoder.

    May be stopped at any moment; run it again and it goes on.
    Exit status: 0 if every file was decoded, 1 if some are left out, which are named.
    """
    from taggram.cli._progress import track
    from taggram.lab.datasets import estimate, load_dataset
    from taggram.lab.datasets import prepare as prepare_cache

    dataset = load_dataset(name, allow_artist_leakage=allow_artist_leakage)
    tracks = list(dataset.annotations(root))
    needed = estimate(tracks, cache, sample_rate=sample_rate)
    typer.echo(
        f"{needed.n_tracks} of {len(tracks)} tracks to decode: about {needed.n_bytes / 1e9:.2f} GB, "
        f"{needed.n_free / 1e9:.2f} GB are free"
    )
    if dry_run:
        raise typer.Exit(0 if needed.fits else 1)

    def watch(ids: Iterable[str], total: int) -> Iterable[str]:
        return track(ids, total=total, description="Decoding", quiet=quiet)

    try:
        index = prepare_cache(
            tracks, cache, sample_rate=sample_rate, workers=workers, retry_bad=retry_bad, watch=watch
        )
    except KeyboardInterrupt:
        typer.echo("taggram: stopped; the same command goes on from here", err=True)
        raise typer.Exit(130) from None
    bad = {track.id: index.bad[track.id] for track in tracks if track.id in index.bad}
    typer.echo(f"{len(tracks) - len(bad)} tracks decoded, {len(bad)} left out")
    for id_, cause in bad.items():
        typer.echo(f"  {id_}: {cause.outcome}: {cause.message}")
    raise typer.Exit(1 if bad else 0)


@app.command()
def stats(
    name: Name,
    root: Root,
    json: Json = False,
    allow_artist_leakage: Leakage = False,
) -> None:
    """Count tracks, artists and tags in every split of your copy, and name the splits by fingerprint."""
    from taggram.lab.datasets import load_dataset

    dataset = load_dataset(name, allow_artist_leakage=allow_artist_leakage)
    annotations = dataset.annotations(root)
    splits = {split: _count(annotations, split) for split in dataset.splits}
    tags = _count_tags(annotations, dataset.splits)
    shared = _shared_artists(annotations)
    if json:
        content = {
            "dataset": dataset.name,
            "splits": splits,
            "tags": tags,
            "artists_in_several_splits": shared,
        }
        _print_json(content)
        return
    header = ("split", "tracks", "artists", "tags per track", "fingerprint")
    _print_table(header, [(split, *map(str, counts.values())) for split, counts in splits.items()])
    typer.echo(f"\n{_count_of(shared, 'artist')} in several splits\n")
    rows = [(tag, *map(str, counts.values())) for tag, counts in tags.items()]
    _print_table(("tag", *dataset.splits), rows)


def _count(annotations: "Annotations", split: str) -> dict[str, object]:
    tracks = annotations.tracks[split]  # type: ignore[index]
    n_labels = sum(len(track.labels) for track in tracks)
    return {
        "n_tracks": len(tracks),
        "n_artists": len({track.artist for track in tracks} - {None}),
        "tags_per_track": round(n_labels / max(len(tracks), 1), 2),
        "fingerprint": annotations.fingerprint(split),  # type: ignore[arg-type]
    }


def _count_tags(annotations: "Annotations", splits: Iterable[str]) -> dict[str, dict[str, int]]:
    counts = {tag: dict.fromkeys(splits, 0) for tag in annotations.vocabulary}
    for split, tracks in annotations.tracks.items():
        for track in tracks:
            for label in track.labels:
                counts[label][split] += 1
    return counts


def _shared_artists(annotations: "Annotations") -> int:
    artists = [{track.artist for track in tracks} - {None} for tracks in annotations.tracks.values()]
    everyone = set().union(*artists)
    return sum(sum(artist in group for group in artists) > 1 for artist in everyone)


def _describe(dataset: "Dataset") -> dict[str, object]:
    return {
        "name": dataset.name,
        "title": dataset.title,
        "description": dataset.description,
        "task": dataset.task.replace("_", "-"),
        "n_tags": dataset.n_tags,
        "n_tracks": dict(dataset.n_tracks),
        "n_tracks_together": dataset.n_tracks_together,
        "citation": dataset.citation,
        "licence": dataset.licence,
        "source": dataset.source,
        "leaks_artists": dataset.leaks_artists,
        "files": [
            file.path + (f" ({file.algorithm} {file.checksum})" if file.checksum else "")
            for file in dataset.files
        ],
    }


def _print_validation(dataset: "Dataset", found: "Validation") -> None:
    counts = ", ".join(f"{split} {count}" for split, count in found.counts.items())
    typer.echo(
        f"{dataset.name}: {'complete' if found.is_complete else 'not complete'}; {counts or 'not read'}"
    )
    for sentence in found.differences:
        typer.echo(f"  {sentence}")
    _print_files("missing", found.missing)
    _print_files("damaged", [f"{name}: {cause}" for name, cause in found.damaged.items()])
    _print_files("not of the dataset", found.extra)
    if found.missing or found.damaged:
        typer.echo(f"  where to get it: {dataset.source}")
        typer.echo(f"  how it is to lie there: taggram datasets show {dataset.name}")


def _print_files(what: str, names: Sequence[str]) -> None:
    if names:
        typer.echo(f"  {what}: {_count_of(len(names), 'file')}")
    for name in names[:_SHOWN]:
        typer.echo(f"    {name}")
    if len(names) > _SHOWN:
        typer.echo(f"    and {len(names) - _SHOWN} more; --json names all")


def _print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns, as wide as their widest field."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        typer.echo("  ".join(map(str.ljust, row, widths)).rstrip())


def _inline(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {count}" for key, count in value.items())
    return str(value)


def _count_of(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def _print_json(content: object) -> None:
    import json

    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
