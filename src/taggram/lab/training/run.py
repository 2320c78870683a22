"""The folder of a training run: everything needed to continue, judge and repeat it.

    recipe.yaml       the recipe with every default written out
    run.json          versions, git state, command, dataset, split fingerprints
    epochs.jsonl      one line per epoch: losses, metrics, share of time in data, forward and backward
    last.pt, best.pt  the state after the last epoch; the weights of the best one
    model.onnx        the best model, through the door
    tensorboard/      the same figures for TensorBoard

Every file is replaced in one step, so a run that is killed continues from its last whole epoch.
"""

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from taggram.errors import RecipeError
from taggram.lab.training.processes import process_share, wait_for_all
from taggram.lab.training.recipe import StrictRecipe

_PACKAGES = ("taggram", "torch", "numpy", "scipy", "scikit-learn", "onnx", "onnxruntime", "av", "soxr")


class RunFolder:
    """Reads and writes the files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, recipe: StrictRecipe, facts: dict[str, Any], *, resume: bool) -> None:
        """Create the folder, or check that it holds a run of the same recipe and data.

        Of the processes of a distributed run the first one does; the others wait.

        Raises
        ------
        RecipeError
            If there is a run already and it is not to be resumed, or it is a run of something else.
        """
        if process_share()[0] == 0:
            self._begin(recipe, facts, resume=resume)
        wait_for_all()

    def _begin(self, recipe: StrictRecipe, facts: dict[str, Any], *, resume: bool) -> None:
        known = self.path / "recipe.yaml"
        if not known.exists():
            self.path.mkdir(parents=True, exist_ok=True)
            self._write_text("run.json", json.dumps({**facts, **describe_environment()}, indent=1) + "\n")
            self._write_text("recipe.yaml", recipe.to_yaml())
            return
        if not resume:
            raise RecipeError(
                f"{self.path}: holds a run already; continue it with --resume, or name another folder"
            )
        if type(recipe).load(known) != recipe:
            raise RecipeError(f"{known}: the run to resume has another recipe than the one given")
        before = json.loads((self.path / "run.json").read_text(encoding="utf-8"))
        if any(before.get(key) != value for key, value in facts.items()):
            raise RecipeError(f"{self.path}: the data are not those that the run began with")

    @property
    def has_state(self) -> bool:
        """Whether an epoch has ended."""
        return (self.path / "last.pt").exists()

    def save(self, name: str, state: dict[str, Any]) -> None:
        """Write tensors and plain values under `name`."""
        part = self.path / f"{name}.part"
        torch.save(state, part)
        part.replace(self.path / name)

    def load(self, name: str) -> dict[str, Any] | None:
        """Read what `save` wrote, as data only; None if it is not there."""
        path = self.path / name
        if not path.exists():
            return None
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return state

    def log_epoch(self, figures: dict[str, Any]) -> None:
        """Add an epoch's line, in place of lines of that epoch and later ones from before a kill."""
        path = self.path / "epochs.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        kept = [line for line in lines if json.loads(line)["epoch"] < figures["epoch"]]
        self._write_text("epochs.jsonl", "\n".join([*kept, json.dumps(figures)]) + "\n")

    def _write_text(self, name: str, text: str) -> None:
        part = self.path / f"{name}.part"
        part.write_text(text, encoding="utf-8")
        part.replace(self.path / name)


def describe_environment() -> dict[str, Any]:
    """Return what a reader needs to repeat a run: command, versions, git state."""
    return {
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {package: found for package in _PACKAGES if (found := _version(package))},
        "git": _git("rev-parse", "HEAD"),
        "git_is_clean": _git("status", "--porcelain") == "",
        "processes": int(os.environ.get("WORLD_SIZE", "1")),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    """Ask git about the source that runs; None where it is not in a repository."""
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


class TensorBoardLog:
    """Writes every epoch's figures for TensorBoard."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: Any = None

    def add(self, figures: dict[str, Any]) -> None:
        """Add the figures of one epoch."""
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self._folder))
        flat = figures | {f"time/{kind}": share for kind, share in figures["time"].items()}
        for name, value in flat.items():
            if isinstance(value, float):
                self._writer.add_scalar(name, value, figures["epoch"])
        self._writer.flush()
