"""The bucket's trash without a bucket: where copies go, and which days are over."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from runner.config.settings import EngineName, Mode, Pair, RemoteTrash, Symlinks
from runner.engine.remote_trash import Keeper, expire, keeper, restore, trash_key
from runner.store.door import Written
from runner.store.errors import PreconditionFailedError
from runner.store.listing import ObjectInfo

DAY = 86400.0
NOW = 1_767_225_600.0 + 10 * DAY + 3600  # 2026-01-11 01:00 UTC


class Bucket:
    """Keys and ETags; changes go by the rules of the door."""

    def __init__(self, **objects: str) -> None:
        self.objects = dict(objects)
        self.modified = 0.0
        self.keeps_versions = "off"

    def versioning(self) -> str:
        return self.keeps_versions

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        return iter(
            [ObjectInfo(key, 1, etag, self.modified) for key, etag in self.objects.items() if key.startswith(prefix)]
        )

    def head(self, key: str) -> ObjectInfo | None:
        return ObjectInfo(key, 1, self.objects[key], NOW) if key in self.objects else None

    def copy(self, source: str, target: str, *, source_etag: str, expected: str | None) -> Written:
        if self.objects.get(source) != source_etag or self.objects.get(target) != expected:
            raise PreconditionFailedError("changed")
        self.objects[target] = source_etag
        return Written(source_etag, NOW)

    def delete(self, key: str, *, if_match: str) -> Literal["deleted", "changed", "gone"]:
        if self.objects.get(key) != if_match:
            return "changed"
        del self.objects[key]
        return "deleted"


def _keeper(bucket: Any, *, active: bool = True) -> Keeper:
    return Keeper(bucket, "p/", NOW, active=active)


def test_copy_goes_under_the_day_and_a_second_one_under_the_second() -> None:
    bucket = Bucket(**{"p/d/a": "one"})
    _keeper(bucket).keep("p/d/a", "one", "d/a")
    bucket.objects["p/d/a"] = "two"
    _keeper(bucket).keep("p/d/a", "two", "d/a")
    assert bucket.objects["p/.runner-trash/2026-01-11/d/a"] == "one"
    assert bucket.objects["p/.runner-trash/2026-01-11T010000Z/d/a"] == "two"
    bucket.objects["p/d/a"] = "three, of the same second"
    _keeper(bucket).keep("p/d/a", "three, of the same second", "d/a")
    assert bucket.objects["p/.runner-trash/2026-01-11T010001Z/d/a"] == "three, of the same second"


def test_version_that_an_attempt_has_kept_already_is_not_kept_again() -> None:
    bucket = Bucket(**{"p/a": "one"})
    for _ in range(3):  # the deletion after it failed
        _keeper(bucket).keep("p/a", "one", "a")
    assert sorted(bucket.objects) == ["p/.runner-trash/2026-01-11/a", "p/a"]


def test_copy_of_another_version_or_over_another_copy_is_refused() -> None:
    taken = {trash_key("p/", "a", NOW): "1"} | {trash_key("p/", "a", NOW + n, exact=True): "2" for n in range(10)}
    for etag, there in (("old", {}), ("new", taken)):
        bucket = Bucket(**{"p/a": "new", **there})
        with pytest.raises(PreconditionFailedError):
            _keeper(bucket).keep("p/a", etag, "a")
        assert bucket.objects == {"p/a": "new", **there}


def test_nothing_is_copied_when_it_is_off_or_for_a_placeholder() -> None:
    bucket = Bucket(**{"p/a": "1", "p/d/": "2"})
    _keeper(bucket, active=False).keep("p/a", "1", "a")
    _keeper(bucket).keep("p/d/", "2", "d/")
    assert len(bucket.objects) == 2


@pytest.mark.parametrize(
    ("folder", "goes"),
    [
        ("2026-01-03", True),
        ("2026-01-04", False),  # its last copy may be of 23:59, six days and two hours ago
        ("2026-01-04T005959Z", True),
        ("2026-01-04T010001Z", False),
        ("2027-01-01", False),
        ("notes", False),
        ("2026-01-03x", False),
        ("", False),
    ],
)
def test_expiry_removes_days_that_are_over_and_nothing_else(folder: str, goes: bool) -> None:
    bucket: Any = Bucket(**{f"p/.runner-trash/{folder}/a": "1", "p/2020-01-01/a": "2"})
    assert expire(bucket, "p/", 7 * DAY, NOW) == int(goes)
    assert len(bucket.objects) == 2 - goes


def test_copy_that_was_kept_by_a_clock_of_the_past_lives_as_long_as_the_server_says() -> None:
    bucket: Any = Bucket(**{"p/.runner-trash/1970-01-01/a": "1"})
    bucket.modified = NOW - DAY
    assert expire(bucket, "p/", 7 * DAY, NOW) == 0
    assert expire(bucket, "p/", 7 * DAY, NOW + 6 * DAY) == 1


def _pair(remote_trash: RemoteTrash = RemoteTrash.AUTO) -> Pair:
    return Pair(
        name="a", bucket="bucket", prefix="p/", folder=Path("/f"), mode=Mode.TWO_WAY, engine=EngineName.NATIVE,
        every=None, watch=False, symlinks=Symlinks.SKIP, required=False, remote_trash=remote_trash,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "versioning", "active"),
    [
        (RemoteTrash.AUTO, "enabled", False),
        (RemoteTrash.AUTO, "off", True),
        (RemoteTrash.AUTO, "suspended", True),
        (RemoteTrash.AUTO, "unknown", True),  # asking is forbidden: a copy too many, and never one too few
        (RemoteTrash.ALL, "enabled", True),
        (RemoteTrash.OFF, "off", False),
    ],
)
def test_copies_are_kept_unless_the_bucket_is_known_to_keep_versions(
    setting: RemoteTrash, versioning: str, active: bool
) -> None:
    bucket: Any = Bucket()
    bucket.keeps_versions = versioning
    assert keeper(bucket, _pair(setting), NOW).active is active


def test_restore_whose_copy_fails_leaves_the_copy_in_the_trash(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {"p/.runner-trash/2026-01-11/a": "1"}
    bucket: Any = Bucket(**kept)

    def refused(*_asked: object, **_conditions: object) -> Written:
        raise PreconditionFailedError("changed")

    with monkeypatch.context() as patch:
        patch.setattr(bucket, "copy", refused)
        with pytest.raises(PreconditionFailedError):
            restore(bucket, _pair(), "a")
    assert bucket.objects == kept
    assert restore(bucket, _pair(), "a") == ["a"]
    assert bucket.objects == {"p/a": "1"}
