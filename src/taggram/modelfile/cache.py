"""Where model files live: in the package, in the user's cache, or where a path says.

    <package>/models/default.onnx      the model that ships with Taggram
    <cache>/models/NAME.onnx           what `taggram models pull` and `import` made
    <cache>/downloads/                 published weights as they came from their origin

`<cache>` is the platform's cache directory for this user, or what the environment variable
`TAGGRAM_CACHE` names. A model is asked for by name (`musicnn-mtat`) or by path: a text with a path
separator or the suffix `.onnx` is a path, anything else a name, whatever the working directory holds.
"""

import os
import re
from difflib import get_close_matches
from pathlib import Path

from taggram.errors import ModelFileError

CACHE_VARIABLE = "TAGGRAM_CACHE"
SUFFIX = ".onnx"
SHIPPED_MODELS = Path(__file__).resolve().parent.parent / "models"
DEFAULT_MODEL = SHIPPED_MODELS / f"default{SUFFIX}"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


def cache_directory() -> Path:
    """Return the directory of everything Taggram keeps for this user; it need not exist yet."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen).expanduser().resolve()
    from platformdirs import user_cache_path

    return user_cache_path("taggram", appauthor=False)


def models_directory() -> Path:
    """Return the directory of the model files pulled or imported by this user."""
    return cache_directory() / "models"


def downloads_directory() -> Path:
    """Return the directory of the published weights fetched by this user."""
    return cache_directory() / "downloads"


def cached_model_path(name: str) -> Path:
    """Return where the model file of this name is kept in the cache; it need not exist yet.

    Raises
    ------
    ModelFileError
        If `name` could not be a file name on every platform.
    """
    if not _NAME.fullmatch(name) or name.endswith("."):
        raise ModelFileError(
            f"{name!r} is no model name: letters, digits and . _ + - are accepted, "
            "beginning with a letter or digit"
        )
    return models_directory() / f"{name}{SUFFIX}"


def list_model_files() -> dict[str, Path]:
    """Return name → path of every model file on this machine, the shipped ones first.

    A shipped name hides a cached one, so that the default is always the one that ships.
    """
    found: dict[str, Path] = {}
    for directory in (SHIPPED_MODELS, models_directory()):
        for path in sorted(directory.glob(f"*{SUFFIX}")):
            found.setdefault(path.name.removesuffix(SUFFIX), path)
    return found


def resolve_model(name_or_path: str | os.PathLike[str] | None = None) -> Path:
    """Return the path of the model file that a user means.

    Parameters
    ----------
    name_or_path
        Name of a shipped or cached model, path of a model file, or None for the shipped default.

    Raises
    ------
    ModelFileError
        If there is no such file; the message says how to get one.
    """
    if name_or_path is None:
        return _existing(
            DEFAULT_MODEL, "this installation of Taggram ships no default model; install it again"
        )
    if isinstance(name_or_path, os.PathLike) or _is_path(name_or_path):
        return _existing(Path(name_or_path), "give the path of a model file, or a name")
    known = list_model_files()
    if name_or_path not in known:
        raise ModelFileError(_unknown(name_or_path, list(known)))
    return known[name_or_path]


def _is_path(text: str) -> bool:
    return text.endswith(SUFFIX) or "/" in text or os.sep in text


def _existing(path: Path, remedy: str) -> Path:
    if not path.is_file():
        what = "is no regular file" if path.exists() else "does not exist"
        raise ModelFileError(
            f"model file {str(path)!r} {what}: {remedy}; `taggram models list` shows the names"
        )
    return path


def _unknown(name: str, known: list[str]) -> str:
    nearest = get_close_matches(name, known, n=1)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    here = f"here are {', '.join(known)}" if known else "here is none yet"
    return (
        f"no model {name!r} on this machine: {hint}{here}. `taggram models list` shows the published ones, "
        f"`taggram models pull NAME` fetches one"
    )
