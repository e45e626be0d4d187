"""Killed before every single step of a pass, and begun anew: nothing is lost, torn, different or restless (V1-V6)."""

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.brink import HISTORIES, A, at_the_brink
from tests.bench.failpoints import dies_at
from tests.bench.fake_s3 import FakeS3

POLICIES: dict[str, dict[str, object]] = {
    "keep-both": {},
    "local": {"conflict": "local"},
    "remote": {"conflict": "remote", "remote_trash": "all"},
}


@pytest.fixture
def place() -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="fail-", dir="/dev/shm"))
    yield root
    shutil.rmtree(root, ignore_errors=True)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("history", HISTORIES)
def test_pass_killed_before_any_step_recovers_and_loses_nothing(history: str, policy: str, place: Path) -> None:
    if policy != "keep-both" and not history.startswith("conflict"):
        pytest.skip("this history has no conflict")
    for number in itertools.count(1):
        world = at_the_brink(place / str(number), HISTORIES[history], POLICIES[policy])
        try:
            assert isinstance(world.bucket, FakeS3)
            fired = dies_at(number, world.runners[A], world.bucket)
            world.oracle.forgetful()
            world.runners[A].restart()
            try:
                world.oracle.check()
            except AssertionError as error:
                raise AssertionError(f"killed before step {number}: {error}") from None
        finally:
            world.close()
            shutil.rmtree(place / str(number))
        if not fired:
            assert number > 5, "there was nothing to be killed in"
            return
