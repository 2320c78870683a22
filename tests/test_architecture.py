"""Imports point down, the runtime stays light, and importing does nothing."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src"
RUNTIME_ORDER = [
    "errors",
    "registry",
    "modelfile",
    "audio",
    "tags",
    "inference",
    "chords",
    "library",
    "server",
    "cli",
]
LAB_ORDER = ["features", "models", "datasets", "deformations", "metrics", "classical", "weights"]
LAB_ONLY = {"torch", "onnx", "onnxscript", "scipy", "sklearn", "h5py", "librosa", "safetensors", "soundfile"}
MODULES = sorted(SOURCE.rglob("*.py"))


def imports_of(module: Path) -> set[str]:
    """Return the absolute names that a module imports anywhere."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def part_of(dotted: str) -> str:
    """Return the top-level part of the package that a dotted name lies in."""
    return [*dotted.split("."), ""][1]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_down(module: Path) -> None:
    own = part_of(".".join(module.relative_to(SOURCE).with_suffix("").parts))
    for name in imports_of(module):
        if own not in ("lab", "cli", ""):
            assert name.partition(".")[0] not in LAB_ONLY, f"the runtime imports {name}"
        if not name.startswith("taggram."):
            continue
        if own in RUNTIME_ORDER and own != "cli":
            allowed = RUNTIME_ORDER[: RUNTIME_ORDER.index(own) + 1]
            assert part_of(name) in allowed, f"{own} lies below {part_of(name)}"
        assert own == "cli" or part_of(name) != "cli", "only the command line knows the command line"


def loaded_by(code: str) -> set[str]:
    """Run code in a fresh interpreter; return the top-level modules it loaded."""
    code += "\nimport sys; print(' '.join({m.partition('.')[0] for m in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return set(done.stdout.split())


def test_importing_taggram_loads_nothing_heavy() -> None:
    heavy = {"numpy", "onnxruntime", "av", "pydantic", "rich", "PIL", "torch", "soxr"}
    assert not loaded_by("import taggram") & heavy
    assert not loaded_by("import taggram.cli.main") & (heavy - {"rich"})


def test_the_runtime_never_loads_torch() -> None:
    assert "torch" not in loaded_by(
        "import taggram; taggram.Tagger, taggram.TagResult, taggram.Specification"
    )
