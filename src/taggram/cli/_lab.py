"""Commands that need the laboratory say so in one sentence where it is not installed."""

from importlib.util import find_spec

from taggram.errors import MissingExtraError

_MARKS = ("torch", "sklearn", "matplotlib")
"""Packages that only the optional part `train` brings."""


def need_laboratory(what: str) -> None:
    """Raise `MissingExtraError` if the packages of the laboratory are not here."""
    if any(find_spec(name) is None for name in _MARKS):
        raise MissingExtraError(what, "train")
