"""Run every check of the project: format, lint, types, docs, page, tests. The same locally and in CI."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
ENVIRONMENT = {
    # Processes of tests share the cores: with threads of their own they would wait for each other.
    "OMP_NUM_THREADS": "1",
    **os.environ,
    # Hundreds of tests start Taggram anew: what was compiled once is kept, whatever is set here.
    "PYTHONDONTWRITEBYTECODE": "",
}
TREES = ["src", "tests", "benchmarks", "scripts", "examples"]
QUICK: dict[str, list[str]] = {
    "types": ["mypy"],
    "docs": ["sphinx", "-W", "-q", "-b", "html", "docs", "site"],
    "page": ["scripts.check_web"],
    "format": ["ruff", "format", "--check", *TREES],
    "lint": ["ruff", "check", *TREES],
}
"""Each keeps one core busy: two at a time, the longest first."""
# For two cores: a third process works while others wait for servers and pages.
TESTS = ["pytest", "-n", "3", "--dist", "worksteal", "-q"]


def main() -> int:
    """Run all checks, even behind a failed one; return how many failed."""
    with ThreadPoolExecutor(2) as pool:
        passed = [*pool.map(lambda name: _run(name, QUICK[name], is_quiet=True), QUICK)]
    passed.append(_run("tests", TESTS))
    print(f"checks: {sum(passed)} passed, {len(passed) - sum(passed)} failed")
    return len(passed) - sum(passed)


def _run(name: str, command: list[str], *, is_quiet: bool = False) -> bool:
    """Run one check and say how it ended; a quiet one's output comes in one piece at its end."""
    if not is_quiet:
        print(f"── {name}: {' '.join(command)}", flush=True)
    begun = time.monotonic()
    done = subprocess.run(
        [PYTHON, "-m", *command],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE if is_quiet else None,
        stderr=subprocess.STDOUT if is_quiet else None,
        text=True,
    )
    verdict = "failed" if done.returncode else "passed"
    print(f"{done.stdout or ''}── {name}: {verdict} in {time.monotonic() - begun:.0f} s", flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
