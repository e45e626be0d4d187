"""Clocks that jump: the runners' wall clock goes a day on and two days back between what users and passes do (P28)."""

from pathlib import Path

import pytest

from runner.config.settings import Mode
from tests.bench.fake_s3 import Kind
from tests.bench.histories import fake_world
from tests.bench.world import BUCKET, Act

DAY = 86400.0
ACTS = (
    (Act("write", 0, "a"), Act("write", BUCKET, "b"), Act("write", 1, "d/c")),
    (Act("append", 0, "a"), Act("write", 1, "b"), Act("remove", BUCKET, "d/c")),
    (Act("write", 0, "b"), Act("write", 1, "b"), Act("rename", 0, "a", "n")),
    (Act("chmod", 1, "b"), Act("write", BUCKET, "n"), Act("write", 0, "d/c")),
)


@pytest.mark.parametrize("jumps", [(DAY, -2 * DAY, DAY), (-DAY, -DAY, 3 * DAY), (0.0, -1.0, -0.5)])
def test_clock_that_jumps_changes_nothing_in_the_end(jumps: tuple[float, ...], tmp_path: Path) -> None:
    values: dict[str, object] = {"prefix": "", "accept_unsafe_server": True}
    world = fake_world(tmp_path, Kind(), [(Mode.TWO_WAY, values), (Mode.TWO_WAY, values)])
    try:
        for acts, jump in zip(ACTS, (*jumps, 0.0), strict=True):
            for act in acts:
                world.act(act)
            world.clock.sleep(jump)
            world.sync(0)
            world.sync(1)
        world.oracle.check()
    finally:
        world.close()
