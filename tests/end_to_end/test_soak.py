"""Seconds of random mishaps. `make soak` is the long form."""

from pathlib import Path

import pytest

from benchmarks.soak import Soak
from benchmarks.two_way_soak import TwoWaySoak
from demo.seaweedfs import Server
from tests.end_to_end.harness import Runner

SECONDS = 10.0


@pytest.mark.timeout(300)  # settling takes its time on a busy machine
def test_everything_killed_and_frozen_at_random_ends_equal_and_leaves_nothing(runner: Runner) -> None:
    soak = Soak(runner, runner.server, seed=1)
    soak.prepare()
    soak.work(SECONDS)
    assert not soak.findings(), soak.summary() + runner.log_text()[-5000:]


@pytest.mark.timeout(400)
def test_two_way_runners_killed_and_frozen_at_random_lose_nothing(seaweed: Server, tmp_path: Path) -> None:
    soak = TwoWaySoak(seaweed, tmp_path, 1, 2, {})
    try:
        soak.prepare()
        soak.work(SECONDS)
        assert not soak.findings(), soak.summary()
    finally:
        soak.close()
