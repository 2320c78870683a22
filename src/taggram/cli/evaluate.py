"""`taggram evaluate`: let a model hear a split of a dataset, and say how good it is."""

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from taggram.inference.result import TagResult
    from taggram.lab.datasets import Dataset, Split


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
    """Evaluate a model on a dataset: figures with intervals as JSON, and a report.

    Every clip is heard whole, in chunks at the model's own hop; its scores are the mean over the chunks. On a
    dataset of chords a model of chords hears every song as `taggram chords` does.
    Exit status: 0 if everything was heard, 1 if some could not be, 2 if the command could not run.
    """
    from taggram.cli._lab import need_laboratory

    need_laboratory("evaluating")
    from taggram.lab.datasets import load_dataset
    from taggram.lab.evaluation.protocol import check_split

    data = load_dataset(dataset, allow_artist_leakage=allow_artist_leakage)
    wanted = check_split(data, split)

    def folder_of(model_name: str) -> Path:
        name = f"{model_name}-{dataset.replace(':', '-')}-{wanted}"
        return output or Path("evaluations") / name

    if data.task == "chords":
        if tag_mapping is not None or chunk_hop is not None:
            raise typer.BadParameter(f"--tag-mapping and --chunk-hop are for tags; {data.name} has chords")
        failed = _evaluate_chords(
            model, data, root, wanted, folder_of, seed=seed, n_replicates=replicates, quiet=quiet
        )
    else:
        failed = _evaluate_tags(
            model,
            data,
            root,
            wanted,
            folder_of,
            thresholds_from=thresholds_from,
            tag_mapping=tag_mapping,
            chunk_hop=chunk_hop,
            seed=seed,
            n_replicates=replicates,
            quiet=quiet,
        )
    raise typer.Exit(1 if failed else 0)


def _evaluate_tags(
    model: str,
    data: "Dataset",
    root: Path,
    split: "Split",
    folder_of: Callable[[str], Path],
    *,
    thresholds_from: str,
    tag_mapping: Path | None,
    chunk_hop: float | None,
    seed: int,
    n_replicates: int,
    quiet: bool,
) -> Mapping[str, str]:
    """Evaluate a model of tags; return the clips that could not be heard."""
    import numpy as np

    from taggram.inference.tagger import Tagger
    from taggram.lab.evaluation.cost import measure_cost
    from taggram.lab.evaluation.figures import choose_thresholds, compute_figures
    from taggram.lab.evaluation.mapping import read_tag_mapping
    from taggram.lab.evaluation.protocol import Evaluation, check_split, evaluate
    from taggram.lab.evaluation.report import evaluation_report, write_report
    from taggram.lab.evaluation.run import make_document, write_run
    from taggram.lab.metrics.bootstrap import draw_weights
    from taggram.modelfile.cache import resolve_model
    from taggram.modelfile.reader import load_model_file

    mapping = read_tag_mapping(tag_mapping) if tag_mapping else None
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

        evaluation = hear(split)
        has_thresholds = thresholds_from not in ("none", split) and data.task == "multi_label"
        thresholds = None
        if has_thresholds and (thresholds_from != "validation" or "validation" in data.splits):
            thresholds = choose_thresholds(hear(thresholds_from))
    weights = draw_weights(len(evaluation.ids), np.random.default_rng(seed), n_replicates=n_replicates)
    figures = compute_figures(evaluation, weights, thresholds=thresholds)
    cost = measure_cost(load_model_file(resolve_model(model)))
    document = make_document(evaluation, figures, seed=seed, n_replicates=n_replicates, cost=cost)
    directory = folder_of(evaluation.model.name)
    write_run(directory, evaluation, document)
    write_report(directory, *evaluation_report(document, evaluation, figures))
    _say(document, directory)
    return evaluation.failed


def _evaluate_chords(
    model: str,
    data: "Dataset",
    root: Path,
    split: "Split",
    folder_of: Callable[[str], Path],
    *,
    seed: int,
    n_replicates: int,
    quiet: bool,
) -> Mapping[str, str]:
    """Evaluate a model of chords, in every vocabulary that it knows; return the songs that were not heard."""
    from taggram.chords.recogniser import ChordRecogniser
    from taggram.cli._progress import track
    from taggram.lab.chords.document import figure_tables, make_document, write_evaluation
    from taggram.lab.chords.evaluation import judge_recordings

    with ChordRecogniser.load(model) as recogniser:
        annotations = data.annotations(root)
        judgements, failed = judge_recordings(
            recogniser,
            annotations.tracks[split],
            recogniser.vocabularies,
            seed=seed,
            n_replicates=n_replicates,
            watch=lambda tracks: track(
                tracks, total=len(tracks), description=f"Hearing {split}", quiet=quiet
            ),
        )
        about = recogniser.network.specification
    for id_, cause in failed.items():
        print(f"taggram: left out: {id_}: {cause}", file=sys.stderr)
    document = make_document(
        about, data, annotations, split, judgements, failed, seed=seed, n_replicates=n_replicates
    )
    directory = folder_of(about.name)
    write_evaluation(directory, document)
    for table in figure_tables(document):
        print(f"{table.title}\n")
        for name, *values in (table.header, *table.rows):
            print(f"{name:<18}", *(f"{value:>17}" for value in values))
        print()
    print(f"{directory / 'report.html'}\n{directory / 'evaluation.json'}")
    return failed


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
