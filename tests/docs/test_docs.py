"""What the documentation tells people to type works."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CLIPS = ROOT / "examples" / "clips"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )


SESSIONS = [
    pytest.param(commands, id=f"{page.name}: {commands[0]}")
    for page in PAGES
    for block in blocks(page, "console")
    if (commands := [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")])
]
PROGRAMS = [
    pytest.param(block, id=f"{page.name} {number}")
    for page in PAGES
    for number, block in enumerate(blocks(page, "python"))
]


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A folder with the example clips, under the names that the pages use."""
    folder = tmp_path / "music"
    shutil.copytree(CLIPS, folder)
    shutil.copy(folder / "nocturne.mp3", folder / "song.mp3")
    return folder


@pytest.mark.parametrize("commands", SESSIONS)
def test_commands(music: Path, commands: list[str]) -> None:
    """The commands of one block work one after the other, in a fresh folder and with an empty library."""
    for command in commands:
        program, *arguments = shlex.split(command, comments=True)
        assert program == "taggram"
        done = subprocess.run(
            [sys.executable, "-m", "taggram.cli.main", *arguments],
            cwd=music,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        assert done.stdout or list(music.glob("*.jsonl"))


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs(music: Path, program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=music, capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_point_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", text):
        assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"
