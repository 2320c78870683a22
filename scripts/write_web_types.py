"""Write the types of the REST interface for the page: web/src/generated/api.d.ts. Needs Node and `npm ci`."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TYPES = ROOT / "web" / "src" / "generated" / "api.d.ts"


def main() -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm is not on this machine: install Node 20.19 or newer")
    with tempfile.NamedTemporaryFile(suffix=".json") as document:
        subprocess.run(
            [sys.executable, "-m", "taggram.server.openapi"], stdout=document, cwd=ROOT, check=True
        )
        command = [npm, "run", "--silent", "types", "--", document.name, "-o", str(TYPES)]
        subprocess.run(command, cwd=ROOT / "web", check=True)


if __name__ == "__main__":
    main()
