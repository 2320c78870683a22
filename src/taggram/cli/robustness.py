"""`taggram robustness`: how a model's figures change when the sound is deformed."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from taggram.inference.result import TagResult
    from taggram.lab.evaluation.protocol import Watch
    from taggram.lab.evaluation.robustness import Study, WatchCondition


def run(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Name or file of a model.")],
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="Name of a dataset, or `family:variant`.")
    ],
    root: Annotated[Path, typer.Option(help="Folder of your copy of the dataset.")],
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for the result; default: robustness/MODEL-DATASET."),
    ] = None,
    deformation: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=STRENGTH,…]", help="Study these only, such as pitch_shift=-1,1; may be repeated."
        ),
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Only the strengths of the published study.")
    ] = False,
    tag_mapping: Annotated[
        Path | None, typer.Option(help="JSON file: tag of the dataset → tag of the model, or a list.")
    ] = None,
    chunk_hop: Annotated[
        float | None, typer.Option(min=0.01, help="Seconds between chunks; default: the model's.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of what deformations draw, and of the resampling.")] = 0,
    replicates: Annotated[int, typer.Option(min=100, help="Resamples behind the intervals.")] = 1000,
    allow_artist_leakage: Annotated[
        bool, typer.Option("--allow-artist-leakage", help="Accept a split that shares artists.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Evaluate a model on deformed sound: figures against strength, with intervals, plots and a table.

    Deformations are pitch shift, time stretch, dynamic range compression, white noise, mp3, gain,
    equalisation and a low sample rate.
    """
    from taggram.cli._lab import need_laboratory

    need_laboratory("studying robustness")
    from taggram.inference.tagger import Tagger
    from taggram.lab.datasets import load_dataset
    from taggram.lab.evaluation.mapping import read_tag_mapping
    from taggram.lab.evaluation.protocol import check_split
    from taggram.lab.evaluation.robustness import (
        list_selection,
        parse_selection,
        study_robustness,
        write_study,
    )

    if deformation and published:
        raise typer.BadParameter("choose --published or --deformation, not both")
    selection = (
        dict(parse_selection(text) for text in deformation)
        if deformation
        else list_selection(only_published=published)
    )
    data = load_dataset(dataset, allow_artist_leakage=allow_artist_leakage)
    n_conditions = 1 + sum(map(len, selection.values()))
    with Tagger.load(model) as tagger, _watching(n_conditions, quiet=quiet) as watch:
        study = study_robustness(
            tagger,
            data,
            root,
            check_split(data, split),
            selection=selection,
            seed=seed,
            n_replicates=replicates,
            tag_mapping=read_tag_mapping(tag_mapping) if tag_mapping else None,
            chunk_hop=chunk_hop,
            watch=watch,
        )
    name = f"{study.clean.evaluation.model.name}-{dataset.replace(':', '-')}-{split}"
    directory = output or Path("robustness") / name
    write_study(directory, study)
    _say(study)
    print(f"\n{directory / 'report.html'}\n{directory / 'robustness.json'}")


@contextmanager
def _watching(n_conditions: int, *, quiet: bool) -> "Iterator[WatchCondition]":
    """Give what moves one bar through all conditions, each of which has the same clips."""
    from taggram.cli._progress import count_bar

    advance: Callable[[str], None] | None = None
    with ExitStack() as stack:

        def watch_condition(name: str) -> "Watch":
            def watch(results: "Iterable[TagResult]", total: int) -> "Iterable[TagResult]":
                nonlocal advance
                if advance is None:
                    advance = stack.enter_context(count_bar("Hearing", total * n_conditions, quiet=quiet))
                for result in results:
                    advance(name)
                    yield result

            return watch

        yield watch_condition


def _say(study: "Study") -> None:
    """Print the main figures of every condition."""
    from taggram.lab.evaluation.figures import title_of
    from taggram.lab.evaluation.report import number

    names = study.main_figures
    print(f"{'':<44}" + "".join(f"{title_of(name):>20}" for name in names))
    for condition in (study.clean, *study.conditions):
        cells = []
        for name in names:
            found = None if condition is study.clean else study.difference(condition, name)
            change = "" if found is None else f" ({found.value:+.4f})"
            cells.append(f"{number(condition.figure(name).value)}{change:>10}")
        print(f"{condition.name:<44}" + "".join(f"{cell:>20}" for cell in cells))
