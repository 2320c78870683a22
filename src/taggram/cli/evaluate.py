"""`taggram evaluate`: let a model hear a split of a dataset, and say how good it is."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from taggram.inference.result import TagResult


def run(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Name or file of a model.")],
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="Name of a dataset, or `family:variant`.")
    ],
    root: Annotated[Path, typer.Option(help="Folder of your copy of the dataset.")],
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for the result; default: evaluations/MODEL-DATASET."),
    ] = None,
    thresholds_from: Annotated[
        str,
        typer.Option(
            metavar="SPLIT", help="Split to choose thresholds on, if it is another one; `none` for 0.5 only."
        ),
    ] = "validation",
    tag_mapping: Annotated[
        Path | None, typer.Option(help="JSON file: tag of the dataset → tag of the model, or a list.")
    ] = None,
    chunk_hop: Annotated[
        float | None, typer.Option(min=0.01, help="Seconds between chunks; default: the model's.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the resampling behind the intervals.")] = 0,
    replicates: Annotated[int, typer.Option(min=100, help="Resamples behind the intervals.")] = 1000,
    allow_artist_leakage: Annotated[
        bool, typer.Option("--allow-artist-leakage", help="Accept a split that shares artists.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Evaluate a model on a dataset: figures with intervals as JSON, and a report with plots.

    Every clip is heard whole, in chunks at the model's own hop; its scores are the mean over the chunks.
    Exit status: 0 if every clip was heard, 1 if some could not be, 2 if the command could not run.
    """
    from taggram.cli._lab import need_laboratory

    need_laboratory("evaluating")
    import numpy as np

    from taggram.inference.tagger import Tagger
    from taggram.lab.datasets import load_dataset
    from taggram.lab.evaluation.cost import measure_cost
    from taggram.lab.evaluation.figures import choose_thresholds, compute_figures
    from taggram.lab.evaluation.mapping import read_tag_mapping
    from taggram.lab.evaluation.protocol import Evaluation, check_split, evaluate
    from taggram.lab.evaluation.report import evaluation_report, write_report
    from taggram.lab.evaluation.run import make_document, write_run
    from taggram.lab.metrics.bootstrap import draw_weights
    from taggram.modelfile.cache import resolve_model
    from taggram.modelfile.reader import load_model_file

    data = load_dataset(dataset, allow_artist_leakage=allow_artist_leakage)
    mapping = read_tag_mapping(tag_mapping) if tag_mapping else None
    wanted = check_split(data, split)
    with Tagger.load(model) as tagger:

        def hear(part: str) -> Evaluation:
            return evaluate(
                tagger,
                data,
                root,
                check_split(data, part),
                chunk_hop=chunk_hop,
                tag_mapping=mapping,
                watch=lambda results, total: _watch(results, total, part, quiet),
            )

        evaluation = hear(wanted)
        has_thresholds = thresholds_from not in ("none", wanted) and data.task == "multi_label"
        thresholds = None
        if has_thresholds and (thresholds_from != "validation" or "validation" in data.splits):
            thresholds = choose_thresholds(hear(thresholds_from))
    weights = draw_weights(len(evaluation.ids), np.random.default_rng(seed), n_replicates=replicates)
    figures = compute_figures(evaluation, weights, thresholds=thresholds)
    cost = measure_cost(load_model_file(resolve_model(model)))
    document = make_document(evaluation, figures, seed=seed, n_replicates=replicates, cost=cost)
    name = f"{evaluation.model.name}-{dataset.replace(':', '-')}-{wanted}"
    directory = output or Path("evaluations") / name
    write_run(directory, evaluation, document)
    write_report(directory, *evaluation_report(document, evaluation, figures))
    _say(document, directory)
    raise typer.Exit(1 if evaluation.failed else 0)


def _watch(results: Iterable["TagResult"], total: int, split: str, quiet: bool) -> Iterable["TagResult"]:
    from taggram.cli._progress import track

    return track(results, total=total, description=f"Hearing {split}", quiet=quiet)


def _say(document: dict[str, object], directory: Path) -> None:
    """Print the figures and where everything is."""
    from taggram.lab.evaluation.figures import title_of
    from taggram.lab.evaluation.report import interval, number

    figures = document["figures"]
    assert isinstance(figures, dict)
    for name, figure in figures.items():
        n_left_out = len(figure["undefined"])
        note = f"   without {n_left_out} that have no such figure" if n_left_out else ""
        print(f"{title_of(name):<40}{number(figure['value']):>8}   {interval(figure['interval'])}{note}")
    print(f"\n{directory / 'report.html'}\n{directory / 'evaluation.json'}")
