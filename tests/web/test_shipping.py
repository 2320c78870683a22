"""The page ships: in the tree, in the wheel and in the sdist; and its generated parts are up to date."""

import gzip
import re
import subprocess
import sys
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from scripts import write_web_colours

from tests.conftest import ROOT

BUILT = ROOT / "src" / "taggram" / "server" / "web"
PREFIX = "taggram/server/web/"
LARGEST_PAGE = 150_000  # bytes of all scripts and styles, compressed


def built_files() -> set[str]:
    return {path.relative_to(BUILT).as_posix() for path in BUILT.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel and an sdist."""
    if find_spec("hatchling") is None:
        pytest.skip("hatchling is not installed")
    folder = tmp_path_factory.mktemp("packages")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", str(folder)], cwd=ROOT, check=True)
    return folder


def test_the_wheel_holds_the_page(packages: Path) -> None:
    (path,) = packages.glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        names = {name.removeprefix(PREFIX) for name in wheel.namelist() if name.startswith(PREFIX)}
        assert wheel.read(f"{PREFIX}index.html") == (BUILT / "index.html").read_bytes()
    assert names == built_files()


def test_the_sdist_holds_the_page_and_its_source(packages: Path) -> None:
    (path,) = packages.glob("*.tar.gz")
    with tarfile.open(path) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {f"src/{PREFIX}{name}" for name in built_files()} <= names
    assert {"web/package-lock.json", "web/src/App.svelte", "web/vite.config.ts"} <= names
    assert not any(name.startswith("web/node_modules") for name in names)


def test_the_page_needs_nothing_from_outside() -> None:
    for path in BUILT.rglob("*"):
        if path.suffix in (".html", ".css", ".js"):
            text = path.read_text(encoding="utf-8")
            addresses = re.findall(r"""(?:src|href)=["'](?:https?:)?//[^"']+|url\(["']?https?:[^)]+""", text)
            assert addresses == [], path.name


def test_the_page_is_small() -> None:
    files = [path for path in BUILT.rglob("*") if path.suffix in (".js", ".css", ".html")]
    assert sum(len(gzip.compress(path.read_bytes(), 9)) for path in files) < LARGEST_PAGE


def test_licences_ship_with_the_page() -> None:
    assert "svelte" in (BUILT / "licences.md").read_text(encoding="utf-8").lower()
    assert "SIL Open Font License" in (BUILT / "instrument-sans-licence.txt").read_text(encoding="utf-8")


def test_colours_are_those_of_the_picture() -> None:
    generated = write_web_colours.GENERATED
    assert (generated / "colours.css").read_text(encoding="utf-8") == write_web_colours.render_css()
    maps = (generated / "score_maps.json").read_text(encoding="utf-8")
    assert maps == write_web_colours.render_score_maps()
