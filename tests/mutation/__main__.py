"""`make mutation`: small changes in the planner, the brakes and the timing rules; some unit test must fail for each.

    python -m tests.mutation [FILE ...]

mutmut writes the mutants (into mutants/, a copy of the tree); what runs there is one pytest process that collects once
and forks for each of them (`forks`): a hundred times cheaper than a pytest for each.
"""

import os
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from mutmut import __main__ as mutmut
from mutmut.configuration import config

ROOT = Path(__file__).parents[2]
MUTANTS = ROOT / "mutants"
# A warning of what the parent left open is nothing that a mutant did; and each fork has its own limit of time.
_PYTEST = """-m pytest -p tests.mutation.forks -p no:xdist -p no:unraisableexception
    --rootdir=. --timeout=0 --tb=no -s -q"""


def main(files: list[str]) -> int:
    os.chdir(ROOT)
    MUTANTS.mkdir(exist_ok=True)
    with redirect_stdout(StringIO()):  # the name of every file
        mutmut.copy_src_dir()
        mutmut.copy_also_copy_files()
        mutmut.create_mutants(1)
    asked = config()
    return subprocess.run(
        [sys.executable, *_PYTEST.split(), *asked.pytest_add_cli_args, *asked.pytest_add_cli_args_test_selection],
        cwd=MUTANTS,
        env={**os.environ, "MUTATED_FILES": " ".join(files or asked.only_mutate), "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
