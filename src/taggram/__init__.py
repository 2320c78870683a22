"""Taggram listens to music and says what it hears, over a whole song and at every moment of it.

    from taggram import Tagger

    tagger = Tagger.load()
    result = tagger.tag("song.mp3")
    print(result.tags[0].name, result.duration)

Nothing heavy is imported until it is used, so `import taggram` is cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_EXPORTS = {
    "Outcome": "taggram.inference.result",
    "Specification": "taggram.modelfile.specification",
    "TagResult": "taggram.inference.result",
    "TagScore": "taggram.inference.result",
    "Tagger": "taggram.inference.tagger",
    "TaggramError": "taggram.errors",
}

__all__ = ["Outcome", "Specification", "TagResult", "TagScore", "Tagger", "TaggramError", "__version__"]

if TYPE_CHECKING:
    from taggram.errors import TaggramError
    from taggram.inference.result import Outcome, TagResult, TagScore
    from taggram.inference.tagger import Tagger
    from taggram.modelfile.specification import Specification


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name not in _EXPORTS:
        raise AttributeError(f"module 'taggram' has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
