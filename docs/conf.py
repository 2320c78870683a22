"""How the documentation is built; the pages under `_generated` are written from the program itself."""

import os
import subprocess
import sys
from pathlib import Path

import taggram

project = "Taggram"
author = "The Taggram developers"
project_copyright = "2026, The Taggram developers"
release = version = taggram.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "Taggram"
html_static_path: list[str] = []
exclude_patterns = ["_generated/.gitignore"]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
suppress_warnings = ["myst.header"]

GENERATED = Path(__file__).parent / "_generated"
COMMANDS = ("tag", "taggram", "models", "models list", "models show", "models pull", "models import",
            "models export", "models verify", "datasets", "datasets list", "datasets show",
            "datasets validate", "datasets prepare", "datasets stats")  # fmt: skip


def _write_command_pages() -> None:
    environment = os.environ | {"COLUMNS": "96", "NO_COLOR": "1", "TERM": "dumb"}
    page = ["# Every command", ""]
    for command in COMMANDS:
        line = [sys.executable, "-m", "taggram.cli.main", *command.split(), "--help"]
        text = subprocess.run(line, env=environment, capture_output=True, text=True, check=True).stdout
        page += [
            f"## taggram {command}",
            "",
            "```text",
            text.strip().replace("python -m taggram.cli.main", "taggram"),
            "```",
            "",
        ]
    (GENERATED / "commands.md").write_text("\n".join(page), encoding="utf-8")


def _write_model_page() -> None:
    from taggram.lab.models import MODELS

    page = ["# Architectures", "", "| name | title | sample rate (Hz) | chunk (s) | parameters | paper |",
            "|---|---|---|---|---|---|"]  # fmt: skip
    for name in MODELS.names():
        model = MODELS.get(name)
        about = model.architecture
        n_parameters = sum(p.numel() for p in model(n_tags=50).parameters())
        page.append(
            f"| `{name}` | {about.title} | {about.sample_rate} | {about.chunk_duration:.2f} "
            f"| {n_parameters:,} | {about.paper} |"
        )
    page += ["", "Parameters are counted with 50 tags.", ""]
    (GENERATED / "architectures.md").write_text("\n".join(page), encoding="utf-8")


GENERATED.mkdir(exist_ok=True)
_write_command_pages()
_write_model_page()
