"""Find the parts of one kind by name: one module in a package, or one entry point, is one part.

A package `taggram.lab.models` holds one module per part; its public module names are the part
names, and each module offers the part under one attribute name (`MODEL`, say). A third party adds a
part through an entry point group of the same name as the package. Listing imports nothing.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from inspect import signature
from pkgutil import iter_modules
from typing import Any, Generic, TypeVar

from taggram.errors import UnknownNameError

T = TypeVar("T")


@dataclass(frozen=True)
class Registry(Generic[T]):
    """Name → part, for one kind of part.

    Attributes
    ----------
    kind
        What one part is called in messages, such as "model".
    package
        Package whose public modules are the built-in parts; also the entry point group.
    attribute
        Module attribute that holds the part.
    """

    kind: str
    package: str
    attribute: str

    def names(self) -> list[str]:
        """Return every known name, sorted, without importing any part."""
        return sorted(set(self._modules()) | set(self._entry_points()))

    def get(self, name: str) -> T:
        """Import and return the part called `name`.

        Raises
        ------
        UnknownNameError
            If there is no such part; the message suggests the nearest name.
        """
        if name in self._modules():
            part: Any = getattr(import_module(f"{self.package}.{name}"), self.attribute)
        elif name in (external := self._entry_points()):
            part = external[name].load()
        else:
            raise UnknownNameError(self.kind, name, self.names())
        return part  # type: ignore[no-any-return]

    def _modules(self) -> list[str]:
        spec = find_spec(self.package)
        locations = spec.submodule_search_locations if spec else None
        return [m.name for m in iter_modules(locations) if not m.name.startswith("_")]

    def _entry_points(self) -> dict[str, Any]:
        return {point.name: point for point in entry_points(group=self.package)}


def options_of(factory: Callable[..., object], *, filled: Collection[str] = ()) -> list[str]:
    """Return the names of the parameters that a user may set: those with a default, or by keyword only.

    `filled` are parameters that the caller sets.
    """
    return [
        name
        for name, parameter in signature(factory).parameters.items()
        if name not in filled
        and (parameter.kind is parameter.KEYWORD_ONLY or parameter.default is not parameter.empty)
    ]


def check_options(
    of: str, factory: Callable[..., object], options: Iterable[str], *, filled: Collection[str] = ()
) -> None:
    """See that a part takes the options given, which a recipe names.

    Raises
    ------
    UnknownNameError
        If there is no such option; the message suggests the nearest one.
    """
    known = options_of(factory, filled=filled)
    for option in options:
        if option not in known:
            raise UnknownNameError(f"option of {of}", option, known)
