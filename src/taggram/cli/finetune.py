"""`taggram finetune`: teach a finished model new tags, by a new last layer or by training on as a whole."""

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
    output: Annotated[Path, typer.Option(help="Model file to write; with --whole the folder of the run.")],
    changes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE...]", help="With --whole: changes of the recipe, as for `train`."),
    ] = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="Train the whole network on, not only a new last layer.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="With --whole: continue the run in the folder.")
    ] = False,
    allow_artist_leakage: Annotated[
        bool, typer.Option("--allow-artist-leakage", help="Accept a split that shares artists.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no line per epoch.")] = False,
) -> None:
    """Teach a model new tags: a new last layer is learned on its network, which stays as it is.

    The strength of regularisation is chosen on the validation split. With --whole the network is trained on,
    at a low rate: a run like those of `taggram train`, with all its settings.
    """
    from taggram.cli._lab import need_laboratory
    from taggram.modelfile.cache import resolve_model
    from taggram.modelfile.reader import load_model_file

    need_laboratory("fine-tuning")
    path = resolve_model(model)
    if whole:
        from taggram.cli.train import train_and_report
        from taggram.lab.training.transfer import make_whole_recipe

        train_and_report(
            make_whole_recipe(path, dataset, changes or ()),
            root=root,
            cache=cache,
            output=output,
            resume=resume,
            allow_artist_leakage=allow_artist_leakage,
            quiet=quiet,
        )
        return
    if changes or resume:
        raise typer.BadParameter("KEY=VALUE and --resume go with --whole: a last layer is learned at once")
    from taggram.lab.training.transfer import finetune

    specification = finetune(
        load_model_file(path),
        dataset,
        root=root,
        cache=cache,
        output=output,
        allow_artist_leakage=allow_artist_leakage,
    )
    (metric,) = specification.metrics
    print(f"{output}: {specification.n_tags} tags, {metric.name} {metric.value:.3f} on validation")
