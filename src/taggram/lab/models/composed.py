"""Composed models: a feature, a front end and a back end by name, with options; from a recipe, not from code.

    model: composed
    model_options:
      chunk_length: 66150
      feature: {name: cqt, hop_length: 1024}
      front_end: conv2d
      back_end: {name: auto_pool, n_units: 64}

A part is a name or a mapping of its options with the name among them. A named composition, such as
`sincnet`, is a subclass that says its parts; a recipe may change them too, and where it leaves the name
out, options are added to those of the part that is there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar

from torch import Tensor, nn

from taggram.lab.back_ends import BACK_ENDS
from taggram.lab.features import FEATURES, Feature
from taggram.lab.front_ends import FRONT_ENDS
from taggram.lab.front_ends._layers import Shape, output_shape
from taggram.lab.models._base import Architecture, TaggingModel
from taggram.modelfile.specification import Waveform
from taggram.registry import Registry, check_options, options_of

Part = str | Mapping[str, Any]
PartType = TypeVar("PartType")

TUTORIAL = (
    "Peeters, Meseguer-Brocal, Riou, Lattner, Deep learning 101 for audio-based MIR, tutorial at ISMIR 2024"
)


@dataclass(frozen=True)
class Composition:
    """The parts of a model; each a name, or a mapping of options and the name."""

    feature: Part
    front_end: Part
    back_end: Part = "auto_pool"


class ComposedModel(TaggingModel):
    """Feature → front end → back end → linear head.

    Parameters
    ----------
    n_tags
        Size of the tag vocabulary.
    feature, front_end, back_end
        What differs from the composition of the class; None is nothing.
    chunk_length
        Samples; None is that of the class.
    sample_rate
        Hz; None is that of the class. The feature is told.

    Raises
    ------
    UnknownNameError
        If there is no such part, or a part has no such option.
    ShapeError
        If the parts do not fit together or the chunk is too short for them.
    """

    architecture = Architecture(
        name="composed",
        title="Composition (by default: Conv2d on a constant-Q spectrogram)",
        paper=TUTORIAL,
        chunk_length=63 * 1024,
        front_end=Waveform(),
        sample_rate=22_050,
    )
    composition: ClassVar[Composition] = Composition({"name": "cqt", "hop_length": 1024}, "conv2d")

    def __init__(
        self,
        n_tags: int = 50,
        *,
        feature: Part | None = None,
        front_end: Part | None = None,
        back_end: Part | None = None,
        chunk_length: int | None = None,
        sample_rate: int | None = None,
    ) -> None:
        parts, default = self.composition, type(self).architecture
        chunk_length = chunk_length or default.chunk_length
        sample_rate = sample_rate or default.sample_rate
        computed = build_part(FEATURES, _merge(parts.feature, feature), sample_rate=sample_rate)
        shape: Shape = (computed.n_features, computed.n_frames(chunk_length))
        first = build_part(FRONT_ENDS, _merge(parts.front_end, front_end), shape, sample_rate=sample_rate)
        shape = output_shape(first, shape)
        last = build_part(BACK_ENDS, _merge(parts.back_end, back_end), shape, sample_rate=sample_rate)
        (embedding_dim,) = output_shape(last, shape)
        architecture = replace(
            default, chunk_length=chunk_length, sample_rate=sample_rate, front_end=computed.spec
        )
        super().__init__(n_tags, embedding_dim, architecture=architecture)
        self.feature: Feature = computed
        self.network = nn.Sequential(first, last)

    def embed_features(self, features: Tensor) -> Tensor:
        """Map the waveform or its power spectrogram to the embedding (batch, embedding_dim)."""
        embedding: Tensor = self.network(self.feature.transform(features))
        return embedding


def build_part(
    registry: Registry[Callable[..., PartType]], part: Part, *arguments: Any, sample_rate: int
) -> PartType:
    """Build a part from its description; one that takes a sample rate is told it.

    Raises
    ------
    UnknownNameError
        If there is no such part, or it has no such option.
    """
    options: dict[str, Any] = {"name": part} if isinstance(part, str) else dict(part)
    name = options.pop("name")
    factory = registry.get(name)
    check_options(f"the {registry.kind} {name!r}", factory, options)
    if "sample_rate" in options_of(factory):
        options["sample_rate"] = sample_rate
    return factory(*arguments, **options)


def _merge(default: Part, changes: Part | None) -> Part:
    """Return the part that is meant: another one, or the default one with further options."""
    if changes is None:
        return default
    if isinstance(changes, str) or "name" in changes:
        return changes
    return {**({"name": default} if isinstance(default, str) else default), **changes}


MODEL = ComposedModel
