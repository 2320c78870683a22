"""Choose who listens to a library: the model asked for, or the one that has listened so far."""

import os

from taggram.errors import LibraryError, ModelFileError
from taggram.inference.tagger import Tagger
from taggram.library.store import Library


def load_tagger(
    library: Library, model: str | os.PathLike[str] | None = None, *, n_threads: int | None = None
) -> Tagger:
    """Load a model by name or from a file; None is the library's own, or the one that ships.

    A library stays with its model until another one is asked for, because scores and embeddings of
    different models cannot be compared.

    Raises
    ------
    LibraryError
        If the library's own model is not on this machine.
    ModelFileError
        If there is no such model, or its file cannot be used.
    """
    if model is not None or not library.models():
        return Tagger.load(model, n_threads=n_threads)
    own = library.default_model()
    try:
        return Tagger.load(own.name, n_threads=n_threads)
    except ModelFileError as error:
        raise LibraryError(
            f"{library.path}: the model {own.name!r} has listened so far, but cannot be loaded by this name: "
            f"{error}; name the model, or its file"
        ) from error
