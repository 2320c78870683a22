"""The model zoo: one architecture per file; the folder listing is the catalogue.

A module `<name>.py` defines the architecture called `<name>` under the attribute `MODEL`, a subclass
of `TaggingModel` that is built as `MODEL(n_tags=…)`. A third party adds one through an entry point
in the group `taggram.lab.models`.
"""

from taggram.lab.models._base import Architecture, TaggingModel, power_to_db
from taggram.registry import Registry

MODELS: Registry[type[TaggingModel]] = Registry("model", "taggram.lab.models", "MODEL")

__all__ = ["MODELS", "Architecture", "TaggingModel", "power_to_db"]
