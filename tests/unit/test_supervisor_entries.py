"""What is imported before the fork is shared by all workers; what is imported after it, each pays for."""

import subprocess
import sys

_PROGRAM = """
import sys
from runner.supervisor.entries import real_entries

real_entries().preload()
known = set(sys.modules)
import runner.engine.aws_cli.engine, runner.worker.process
print(sorted(set(sys.modules) - known), "botocore" in known or "awscli" in known)
"""


def test_preload_of_the_parent_leaves_nothing_for_a_worker_to_import() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[] False\n"
