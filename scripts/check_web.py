"""Check that the page in `src/taggram/server/web` is exactly what `web/` builds, and its source sound.

The steps, each in `web/`: the locked packages, types against the server's OpenAPI document, svelte-check,
and a build that is compared with the committed files byte for byte. Without Node it says so and checks
nothing: neither a clone nor an install needs it.
"""

import filecmp
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "web"
BUILT = ROOT / "src" / "taggram" / "server" / "web"
TYPES = WEB / "src" / "generated" / "api.d.ts"
LEAST_NODE = (20, 19)


def main() -> int:
    """Run all steps; return how many failed."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None or _version(node) < LEAST_NODE:
        wanted = ".".join(map(str, LEAST_NODE))
        print(f"skipped: Node {wanted} or newer, with npm, is not on this machine")
        return 0
    if _run(npm, "ci", "--no-audit", "--no-fund", "--loglevel", "error"):
        print("the packages of web/package-lock.json could not be installed")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        failed = [
            *_check_types(npm, Path(folder)),
            *(["svelte-check found errors in web/src"] if _run(npm, "run", "--silent", "check") else []),
            *_check_build(npm, Path(folder) / "built"),
        ]
    print("\n".join(failed) or "the page is what web/ builds")
    return len(failed)


def _check_types(npm: str, folder: Path) -> list[str]:
    """Write the types anew from the server's OpenAPI document, and compare."""
    document, types = folder / "openapi.json", folder / "api.d.ts"
    with document.open("wb") as stream:
        subprocess.run([sys.executable, "-m", "taggram.server.openapi"], stdout=stream, cwd=ROOT, check=True)
    if _run(npm, "run", "--silent", "types", "--", str(document), "-o", str(types)):
        return ["the types could not be written"]
    if types.read_bytes() == TYPES.read_bytes():
        return []
    return [f"{TYPES.relative_to(ROOT)} is not what the server says now: python scripts/write_web_types.py"]


def _check_build(npm: str, folder: Path) -> list[str]:
    """Build, and compare with what is committed."""
    if _run(npm, "run", "--silent", "build", "--", "--outDir", str(folder), "--logLevel", "error"):
        return ["the page could not be built"]
    differing = sorted(_differences(folder, BUILT))
    if not differing:
        return []
    return [f"built anew, {name} differs: run `npm run build` in web/ and commit" for name in differing]


def _differences(built: Path, committed: Path) -> set[str]:
    """Return the files that only one folder has, or that differ."""
    names = [
        {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        for folder in (built, committed)
    ]
    _, unequal, unreadable = filecmp.cmpfiles(built, committed, names[0] & names[1], shallow=False)
    return (names[0] ^ names[1]) | set(unequal) | set(unreadable)


def _run(*command: str) -> int:
    return subprocess.run(command, cwd=WEB).returncode


def _version(node: str) -> tuple[int, ...]:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in said.strip().lstrip("v").split("-")[0].split("."))


if __name__ == "__main__":
    sys.exit(main())
