"""The last look of an aws-cli push at an object that it is about to delete."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from runner.config.settings import Mode
from runner.engine.aws_cli import orphans
from runner.engine.remote_trash import Keeper
from tests.bench.fake_door import Door
from tests.bench.fake_s3 import Clock, FakeS3, Kind
from tests.integration.native_engine import make_pair

NOW = 1_800_000_000.0


class Unconditional(Door):
    """Deletes whatever is there, as servers do that ignore If-Match."""

    def delete(self, key: str, *, if_match: str) -> str:  # type: ignore[override]
        self._bucket.remove(key)
        return "deleted"


@pytest.mark.parametrize(("changes", "left"), [(False, set()), (True, {"k"})])
def test_object_that_changed_after_the_listing_stays_on_a_server_without_conditions(
    tmp_path: Path, changes: bool, left: set[str]
) -> None:
    bucket = FakeS3(Kind(keeps=frozenset()), Clock(NOW))
    listed = bucket.put("k", b"listed").etag
    if changes:
        bucket.put("k", b"newer")
    door = Unconditional(bucket, lambda: False)
    told: list[str] = []
    fd = os.open(tmp_path, os.O_RDONLY)
    one = SimpleNamespace(
        pair=make_pair("bucket", tmp_path, Mode.PUSH),
        client=door,
        folder=SimpleNamespace(fd=fd),
        tally=SimpleNamespace(deleted_remote=0),
        problem=lambda _side, _path, code, _reason: told.append(code),
    )
    try:
        orphans._remove_one(one, Keeper(door, "", NOW, active=False), "k", "k", listed)  # type: ignore[arg-type]
    finally:
        os.close(fd)
    assert set(bucket.objects) == left
    assert told == (["changed-there"] if changes else [])
