"""`taggram finetune`: teach a finished model new tags, by a new last layer on its embedding."""

from pathlib import Path
from typing import Annotated

import typer


def run(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Name or file of a model.")],
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="Name of a dataset, or `family:variant`.")
    ],
    root: Annotated[Path, typer.Option(help="Folder of your copy of the dataset.")],
    cache: Annotated[
        Path, typer.Option(help="What `taggram datasets prepare` made of it, at the model's sample rate.")
    ],
    output: Annotated[Path, typer.Option(help="Model file to write.")],
    allow_artist_leakage: Annotated[
        bool, typer.Option("--allow-artist-leakage", help="Accept a split that shares artists.")
    ] = False,
) -> None:
    """Teach a model new tags: its network stays as it is, its last layer is learned anew.

    The strength of regularisation is chosen on the validation split. To train the whole network from
    published weights, use `taggram train` with `initial_weights` in the recipe.
    """
    from taggram.cli._lab import need_laboratory

    need_laboratory("fine-tuning")
    from taggram.lab.training.transfer import finetune
    from taggram.modelfile.cache import resolve_model
    from taggram.modelfile.reader import load_model_file

    specification = finetune(
        load_model_file(resolve_model(model)),
        dataset,
        root=root,
        cache=cache,
        output=output,
        allow_artist_leakage=allow_artist_leakage,
    )
    (metric,) = specification.metrics
    print(f"{output}: {specification.n_tags} tags, {metric.name} {metric.value:.3f} on validation")
