"""The last look of an aws-cli push at an object that it is about to delete."""

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from runner.config.settings import Mode
from runner.engine.aws_cli import orphans
from runner.engine.remote_trash import Keeper
from runner.files.scan_result import ScanResult
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


def test_object_below_what_the_scan_could_not_look_into_is_no_orphan(tmp_path: Path) -> None:
    doomed: list[str] = []
    listed = [(path, "e", 1) for path in (b"closed", b"closed/d/f", b"closed-too", b"gone")]
    one = SimpleNamespace(
        pair=make_pair("bucket", tmp_path, Mode.PUSH),
        seen=SimpleNamespace(
            rows=lambda sql, *_values: iter(listed if sql == orphans._CANDIDATES else ()),
            add_doomed=lambda _raw, key, _etag, _size: doomed.append(key),
        ),
        memory=SimpleNamespace(holds=lambda _table, _raw: False),
    )
    orphans.choose(one, ScanResult(complete=True, unknown=("closed",), files=1))  # type: ignore[arg-type]
    assert doomed == ["closed-too", "gone"]


def test_object_whose_file_cannot_be_looked_at_is_no_orphan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_asked: object, **_how: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    fd = os.open(tmp_path, os.O_RDONLY)
    one = SimpleNamespace(folder=SimpleNamespace(fd=fd))
    try:
        assert not orphans.exists(one, "k", folder=False)  # type: ignore[arg-type]
        monkeypatch.setattr(os, "stat", failing)
        assert orphans.exists(one, "k", folder=False)  # type: ignore[arg-type]
    finally:
        monkeypatch.undo()
        os.close(fd)
