"""The models that are measured: published weights where the tree has them at hand, else random ones."""

from pathlib import Path

import torch

from taggram.lab.export import export_model
from taggram.lab.models import MODELS, TaggingModel
from taggram.lab.weights.published import find_checkpoint, load_published
from taggram.modelfile.specification import Specification, Tag

N_TAGS = 50


def build_model(architecture: str, weights: tuple[str, str] | None = None) -> TaggingModel:
    """Build a model in evaluation mode.

    Parameters
    ----------
    architecture
        Name in the zoo.
    weights
        Name of a published checkpoint and its file; None for random weights.
    """
    if weights:
        name, path = weights
        return load_published(find_checkpoint(name), Path(path)).eval()
    torch.manual_seed(0)
    return MODELS.get(architecture)(n_tags=N_TAGS).eval()


def write_model(model: TaggingModel, path: Path) -> Path:
    """Export a model for the measurement."""
    about = model.architecture
    specification = Specification(
        name=about.name,
        architecture=about.name,
        sample_rate=about.sample_rate,
        chunk_duration=about.chunk_duration,
        chunk_hop=about.chunk_duration,
        front_end=about.front_end,
        embedding_dim=model.embedding_dim,
        tags=tuple(Tag(name=f"tag {i}", category="other") for i in range(model.n_tags)),
        training_data="for measurement only",
        licence="none",
        paper=about.paper,
    )
    export_model(model, specification, path)
    return path
