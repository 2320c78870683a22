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


def _list_commands() -> list[str]:
    """Return every command of the program, groups before their members."""
    from typer.main import get_command

    from taggram.cli.main import app

    commands: list[str] = []
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        commands.append(name)
        commands += [f"{name} {member}" for member in getattr(command, "commands", {})]
    return commands


def _write_command_pages() -> None:
    environment = os.environ | {"COLUMNS": "96", "NO_COLOR": "1", "TERM": "dumb"}
    page = ["# Every command", ""]
    for command in _list_commands():
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


def _write_merge_page() -> None:
    from taggram.lab.datasets import MERGES

    page = ["# Merged tags", "", "What `taggram.lab.datasets.merge_tags` merges by itself.", "",
            "| merged tag | stands for |", "|---|---|"]  # fmt: skip
    page += [f"| {merged} | {', '.join(tags)} |" for merged, tags in MERGES.items()]
    (GENERATED / "merges.md").write_text("\n".join([*page, ""]), encoding="utf-8")


GENERATED.mkdir(exist_ok=True)
_write_command_pages()
_write_model_page()
_write_merge_page()
