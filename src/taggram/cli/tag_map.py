"""`taggram tag-map`: draw which tags a model, or a dataset, holds for alike."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from taggram.lab.metrics._tag_metric import Floats


class Method(StrEnum):
    """How the tags are laid out."""

    TSNE = "tsne"
    PCA = "pca"
    SPECTRAL = "spectral"


class Theme(StrEnum):
    """Colours of the picture."""

    LIGHT = "light"
    DARK = "dark"


def run(
    model: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="Name or file; default: the one that ships.")
    ] = None,
    output: Annotated[Path, typer.Option(help="Picture to write: PNG or SVG.")] = Path("tag-map.png"),
    method: Annotated[
        Method, typer.Option(help="t-SNE keeps small distances; PCA is fast and keeps large ones.")
    ] = Method.TSNE,
    dataset: Annotated[
        str | None, typer.Option(help="Instead of a model: what comes together in this dataset.")
    ] = None,
    root: Annotated[Path | None, typer.Option(help="Folder of your copy of the dataset.")] = None,
    split: Annotated[str, typer.Option(help="Split of the dataset.")] = "train",
    theme: Annotated[Theme, typer.Option(help="Colours of the picture.")] = Theme.LIGHT,
    seed: Annotated[int, typer.Option(help="Of t-SNE.")] = 0,
) -> None:
    """Draw tags on a plane, like ones near each other.

    Nearness comes from the weights of a model's last layer, or from which tags come together in a dataset.
    """
    from taggram.cli._lab import need_laboratory
    from taggram.errors import EvaluationError

    need_laboratory("drawing a map of tags")
    from taggram.lab.evaluation.plots import render
    from taggram.lab.evaluation.tag_map import draw_tag_map, lay_out

    suffix = output.suffix.lower()
    if suffix not in (".png", ".svg"):
        raise EvaluationError(f"{output}: the picture must end in .png or .svg")
    if dataset is None:
        title, tags, vectors = _of_model(model)
    elif model is None and root is not None:
        title, tags, vectors = _of_dataset(dataset, root, split)
    else:
        raise EvaluationError("a dataset comes with --root, the folder of your copy, and without a model")
    places = lay_out(vectors, method=method.value, seed=seed)
    picture = render(
        lambda page: draw_tag_map(tags, places, page, title=title),
        theme.value,
        format_="svg" if suffix == ".svg" else "png",
    )
    output.write_bytes(picture)
    print(output)


def _of_model(model: str | None) -> tuple[str, list[str], "Floats"]:
    """Return title, tags and their vectors."""
    from taggram.lab.evaluation.tag_map import read_tag_vectors
    from taggram.modelfile.cache import resolve_model
    from taggram.modelfile.reader import load_model_file

    model_file = load_model_file(resolve_model(model))
    tags = [tag.name for tag in model_file.specification.tags]
    return f"Tags as {model_file.specification.name} hears them", tags, read_tag_vectors(model_file)


def _of_dataset(dataset: str, root: Path, split: str) -> tuple[str, list[str], "Floats"]:
    """Return title, the tags that come with others, and their vectors."""
    from taggram.lab.datasets import label_matrix, load_dataset
    from taggram.lab.evaluation.protocol import check_split
    from taggram.lab.evaluation.tag_map import compute_co_occurrence_vectors

    data = load_dataset(dataset, allow_artist_leakage=True)
    annotations = data.annotations(root)
    y_true = label_matrix(annotations.tracks[check_split(data, split)], annotations.vocabulary)
    vectors = compute_co_occurrence_vectors(y_true)
    kept = [index for index in range(len(vectors)) if vectors[index].any()]
    tags = [annotations.vocabulary[index] for index in kept]
    return f"Tags as they come together in {dataset}, {split}", tags, vectors[kept]
