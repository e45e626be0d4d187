"""What is imported before the fork is shared by all workers; what is imported after it, each pays for."""

import subprocess
import sys

import pytest

_PROGRAM = """
import sys
from pathlib import Path
from runner.config.settings import EngineName, Mode, Pair
from runner.supervisor.entries import real_entries

values = dict(name="p", bucket="b", folder=Path("/f"), mode=Mode.PUSH, engine=EngineName(sys.argv[1]))
real_entries().preload([Pair.model_construct(**values)])
known = set(sys.modules)
import runner.engine.{module}.engine, runner.worker.process
print(sorted(set(sys.modules) - known), "botocore" in known or "awscli" in known)
other = {{"runner.engine.aws_cli.engine", "runner.engine.native.engine"}} - {{"runner.engine.{module}.engine"}}
print(sorted(other & known))
"""


@pytest.mark.parametrize(("engine", "module"), [("aws-cli", "aws_cli"), ("native", "native")])
def test_preload_of_the_parent_leaves_nothing_for_a_worker_to_import(engine: str, module: str) -> None:
    program = [sys.executable, "-c", _PROGRAM.format(module=module), engine]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[] False\n[]\n"
