"""Networks that hear chords: one architecture per module, offered as `MODEL`."""

from taggram.lab.chords.models._base import ChordModel
from taggram.registry import Registry

MODELS: Registry[type[ChordModel]] = Registry("chord model", "taggram.lab.chords.models", "MODEL")

__all__ = ["MODELS", "ChordModel"]
