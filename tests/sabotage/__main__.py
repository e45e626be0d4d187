"""`make sabotage`: takes each safeguard away in a copy of the source tree and requires a test to fail.

    python -m tests.sabotage [--side-by-side 2] [NAME ...]

A safeguard counts as seen when one of its tests fails without it, and all of them pass with it (the control run). The
table is printed as docs/guarantees.md has it; the exit code is 1 when a safeguard is seen by nobody.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.sabotage.safeguards import Safeguard, safeguards

ROOT = Path(__file__).parents[2]
_COPIED = ("runner", "tests", "demo", "pyproject.toml")
_SECONDS = 600
_FAILED = re.compile(r"^FAILED (tests/[\w/]+\.py::\w+)", re.MULTILINE)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sabotage")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of the table; all of them when none is given")
    parser.add_argument("--side-by-side", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    chosen = [one for one in safeguards() if not asked.names or one.name in asked.names]
    if unknown := set(asked.names) - {one.name for one in chosen}:
        parser.error(f"no such safeguard: {', '.join(sorted(unknown))}")
    if broken := failures(None, dict.fromkeys(test for one in chosen for test in one.tests)):
        print(f"not sabotaged, and yet {broken} fails")
        return 1
    unseen = 0
    print("| safeguard | taken away | the test that notices |\n|---|---|---|", flush=True)
    with ThreadPoolExecutor(asked.side_by_side) as pool:
        for one, noticed in zip(chosen, pool.map(lambda one: failures(one, one.tests), chosen), strict=True):
            unseen += not noticed
            print(f"| {one.name} | {one.removed} | {f'`{noticed}`' if noticed else '**none**'} |", flush=True)
    print(f"\n{len(chosen)} safeguards, {unseen} of them seen by no test")
    return 1 if unseen else 0


def failures(sabotaged: Safeguard | None, tests: Iterable[str]) -> str:
    """The first test that fails in a copy of the tree, "" when all pass. Raises LookupError (a stale entry),
    RuntimeError (the tests could not be run)."""
    with tempfile.TemporaryDirectory(prefix="sabotage-") as place:
        copy = Path(place)
        for name in _COPIED:
            source = ROOT / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, copy / name)
        if sabotaged is not None:
            target = copy / sabotaged.file
            target.write_text(sabotaged.without(target.read_text(encoding="utf-8")), encoding="utf-8")
        ran = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-x",
                "-q",
                "-p",
                "no:cacheprovider",
                "-o",
                "timeout_method=signal",
                *tests,
            ],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": place, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
    failed = _FAILED.search(ran.stdout)
    if ran.returncode != (1 if failed else 0):
        name = sabotaged.name if sabotaged else "control"
        raise RuntimeError(f"{name}: pytest ended with {ran.returncode}\n{ran.stdout[-3000:]}{ran.stderr[-1000:]}")
    return failed[1] if failed else ""


if __name__ == "__main__":
    sys.exit(main())
