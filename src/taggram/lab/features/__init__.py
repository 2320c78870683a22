"""Features as differentiable torch modules: one per file; the folder listing is the catalogue.

A module `<name>.py` defines the feature called `<name>` under the attribute `FEATURE`, a subclass of
`Feature` that is built as `FEATURE(sample_rate=…, …)`. A third party adds one through an entry point in
the group `taggram.lab.features`.
"""

from collections.abc import Callable

from taggram.lab.features._base import Feature
from taggram.registry import Registry

FEATURES: Registry[Callable[..., Feature]] = Registry("feature", "taggram.lab.features", "FEATURE")

__all__ = ["FEATURES", "Feature"]
