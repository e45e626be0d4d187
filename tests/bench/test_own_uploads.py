"""What a killed runner had sent, and memory was not told of, is the file's past: no conflict with what follows."""

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.brink import HISTORIES, A, at_the_brink, dies_in_pass
from tests.bench.trees import Tree
from tests.bench.world import Act


@pytest.fixture
def place() -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="fail-", dir="/dev/shm"))
    yield root
    shutil.rmtree(root, ignore_errors=True)


@pytest.mark.parametrize("history", ["new here", "changed here"])
def test_pass_killed_before_any_step_and_files_changed_since_makes_no_conflict(history: str, place: Path) -> None:
    for number in itertools.count(1):
        world = at_the_brink(place / str(number), HISTORIES[history], {})
        try:
            fired = dies_in_pass(number, world)
            for path in sorted(Tree.of(world.runners[A].path).items):
                world.act(Act("write", A, path))
            world.oracle.check()
            copies = [key for key in world.bucket.contents() if ".conflict-" in key]
            assert not copies, f"killed before step {number}"
        finally:
            world.close()
            shutil.rmtree(place / str(number))
        if not fired:
            return
