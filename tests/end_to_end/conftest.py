"""A runner for each end-to-end test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import seaweedfs
from tests.end_to_end.harness import Runner, runner_in


@pytest.fixture
def runner(seaweed: seaweedfs.Server, tmp_path: Path) -> Iterator[Runner]:
    """An unstarted runner with an empty folder of its own."""
    with runner_in(seaweed, tmp_path) as started:
        yield started
