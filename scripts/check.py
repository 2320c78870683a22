"""Run every check of the project: format, lint, types, docs, page, tests. The same locally and in CI."""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
# Processes of tests share the cores: with threads of their own they would wait for each other.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", **os.environ}
TREES = ["src", "tests", "benchmarks", "scripts", "examples"]
CHECKS: dict[str, list[str]] = {
    "format": ["ruff", "format", "--check", *TREES],
    "lint": ["ruff", "check", *TREES],
    "types": ["mypy"],
    "docs": ["sphinx", "-W", "-q", "-b", "html", "docs", "site"],
    "page": ["scripts.check_web"],
    # For two cores: a third process works while others wait for servers and pages.
    "tests": ["pytest", "-n", "3", "--dist", "worksteal", "-q"],
}


def main() -> int:
    """Run all checks, even behind a failed one; return how many failed."""
    failed = []
    for name, command in CHECKS.items():
        print(f"── {name}: {' '.join(command)}", flush=True)
        begun = time.monotonic()
        status = subprocess.run([PYTHON, "-m", *command], cwd=ROOT, env=ENVIRONMENT).returncode
        print(
            f"── {name}: {'failed' if status else 'passed'} in {time.monotonic() - begun:.0f} s", flush=True
        )
        failed += [name] if status else []
    print(f"checks: {len(CHECKS) - len(failed)} passed, {len(failed)} failed")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
