"""The oracle can see: with a safeguard taken away, the history that needs it fails by the promise it breaks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.config.settings import Mode
from tests.bench.fake_door import Door
from tests.bench.fake_s3 import FakeS3, Kind
from tests.bench.faults import Fault
from tests.bench.histories import fake_world
from tests.bench.world import BUCKET, Act, World

A, B = 0, 1


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Two runners that agree on one file."""
    made = fake_world(tmp_path, Kind(), [(Mode.TWO_WAY, {}), (Mode.TWO_WAY, {})])
    made.act(Act("write", A, "a"))
    for number in (A, B):
        made.sync(number)
    yield made
    made.close()


def write_while_a_uploads(world: World) -> None:
    """A stranger's value over the one that A's runner has listed: nobody but its writer has seen it."""
    world.act(Act("write", A, "a"))
    world.bucket.arm(Fault("at-put", 0, lambda: world.act(Act("write", BUCKET, "a"))))
    world.sync(A)


def test_oracle_of_a_write_between_look_and_upload_holds(world: World) -> None:
    write_while_a_uploads(world)
    world.oracle.check()


def test_oracle_of_a_store_that_ignores_conditions_sees_the_lost_value(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Door, "_expect", lambda *_: None)
    write_while_a_uploads(world)
    with pytest.raises(AssertionError, match="V1"):
        world.oracle.check()


def test_oracle_of_a_torn_object_sees_the_invented_value(world: World) -> None:
    world.bucket.put("a", b"v000")
    with pytest.raises(AssertionError, match="V2"):
        world.oracle.check()


def test_oracle_of_a_deletion_that_is_undone_sees_the_value_come_back(world: World) -> None:
    world.act(Act("remove", A, "a"))
    world.sync(A)
    world.bucket.put("a", world.oracle.last)
    with pytest.raises(AssertionError, match="V5"):
        world.oracle.check()


def test_oracle_of_an_object_that_memory_never_met_sees_the_untrue_row(world: World) -> None:
    world.bucket.version = lambda key, etag: None  # type: ignore[method-assign]
    with pytest.raises(AssertionError, match="V6"):
        world.oracle.check()


def test_oracle_of_a_side_that_never_rests_sees_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = World.sync

    def restless(one: World, number: int) -> object:
        one.act(Act("write", BUCKET, "a"))
        return real(one, number)

    monkeypatch.setattr(World, "sync", restless)
    with pytest.raises(AssertionError, match="V4"):
        world.oracle.check()


def test_oracle_of_two_versions_that_nobody_tells_apart_asks_for_no_mode(world: World) -> None:
    """Same bytes, same second, another mode: who knows the one by ETag and LastModified cannot see the other."""
    assert isinstance(world.bucket, FakeS3)
    seen = world.bucket.objects["a"]
    octal = {"file-permissions": "0100600"}
    world.bucket.put("a", seen.body, dict(seen.metadata) | octal)
    world.oracle.check()
    world.clock.sleep(1.0)
    world.bucket.put("a", seen.body, dict(seen.metadata) | octal)
    world.sync(A)
    assert (world.runners[A].path / "a").stat().st_mode & 0o777 == 0o600
