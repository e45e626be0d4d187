"""However many problems there are (P35): all are counted, some are kept by name, and the rest is synced."""

from pathlib import Path

import pytest

from runner.config.settings import Mode
from runner.engine import problem_log
from tests.bench.fake_s3 import Kind
from tests.bench.histories import fake_world
from tests.bench.world import Act


def test_keys_that_are_no_paths_are_counted_and_only_some_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problem_log, "KEPT", 50)
    world = fake_world(tmp_path, Kind(), [(Mode.TWO_WAY, {"prefix": ""})])
    try:
        for number in range(300):
            world.bucket.put(f"d//f{number}", b"x")
        world.act(Act("write", 0, "a"))
        for _ in range(2):
            report = world.sync(0)
            assert report is not None
            assert (len(report.problems), report.problems_count) == (50, 300)
            assert report.message == "300 not in sync (impossible-name)"
            assert report.hydrated
        assert "a" in world.bucket.contents()
        assert [line.reason for line in world.runners[0].engine.plan()][-1] == "250 more: impossible-name"
    finally:
        world.close()
