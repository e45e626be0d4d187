"""What holds a single safeguard of the engine, each by the smallest history that needs it; no server, no process."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from runner.config.settings import Mode, Share
from runner.engine.native import uploading
from runner.engine.native.reconciliation import Reconciliation
from runner.engine.remote_trash import PLACE
from runner.files.open_file import OpenFile, Quiet
from runner.model.passes import Halt, Outcome, PassReport, Scope, Work
from runner.store.door import ObjectInfo, Written
from runner.store.errors import AccessDeniedError, PreconditionFailedError, ServerFaultError
from tests.bench.fake_door import Door
from tests.bench.fake_s3 import FakeS3, Kind
from tests.bench.histories import fake_world
from tests.bench.runners import BenchRunner
from tests.bench.world import Act, World

NAMES = [f"f{number:02}" for number in range(12)]


class One:
    """One two-way runner whose twelve files are in the bucket."""

    def __init__(self, world: World) -> None:
        assert isinstance(world.bucket, FakeS3)
        self.world, self.there, self.runner = world, world.bucket, world.runners[0]
        for name in NAMES:
            world.act(Act("write", 0, name))
        self.pass_(Outcome.DONE)
        self.before = self.runner.files()
        world.clock.sleep(60.0)

    def pass_(self, expected: Outcome, work: Work | None = None) -> PassReport:
        """The halts are not approved."""
        report = self.world.sync(0, work) if work else self.world.sync(0)
        assert report is not None
        assert report.outcome is expected, report.message
        self.runner.token = ""
        return report

    def objects(self) -> set[str]:
        return {key for key in self.there.objects if not key.startswith(PLACE)}


@pytest.fixture
def one() -> Iterator[One]:
    with tempfile.TemporaryDirectory(prefix="safe-", dir="/dev/shm") as root:
        world = fake_world(Path(root), Kind(), [(Mode.TWO_WAY, {"prefix": ""})])
        yield One(world)
        world.close()


def test_two_way_on_a_server_that_ignores_conditions_never_begins(tmp_path: Path) -> None:
    world = fake_world(tmp_path, Kind(keeps=frozenset()), [(Mode.TWO_WAY, {})])
    try:
        world.act(Act("write", 0, "f"))
        report = world.sync(0)
        assert report is not None
        assert report.outcome is Outcome.FAILED
        assert "ignores write conditions" in report.message
        assert isinstance(world.bucket, FakeS3)
        assert not world.bucket.objects
    finally:
        world.close()


def _halt(report: PassReport) -> Halt:
    assert report.halt is not None
    return report.halt


@pytest.mark.parametrize("scope", [Scope.FULL, Scope.LOCAL])
def test_emptied_folder_halts_and_deletes_nothing(one: One, scope: Scope) -> None:
    for name in NAMES:
        (one.runner.path / name).unlink()
    assert _halt(one.pass_(Outcome.HALTED, Work(scope))).brake == "emptied-folder"
    assert one.objects() == set(NAMES)


@pytest.mark.parametrize("scope", [Scope.FULL, Scope.LOCAL])
def test_new_filter_forgets_and_deletes_nothing(one: One, scope: Scope) -> None:
    one.runner.restart(exclude=("f00", "f01"))
    (one.runner.path / "f01").unlink()
    one.pass_(Outcome.DONE, Work(scope))
    assert one.objects() == set(NAMES)
    assert one.runner.files().keys() == set(NAMES) - {"f01"}


def test_event_of_a_deleted_object_deletes_nothing_here(one: One) -> None:
    one.there.remove("f00")
    report = one.pass_(Outcome.DONE, Work(Scope.KEYS, keys=frozenset({"f00"})))
    assert one.runner.files() == one.before
    assert report.deferred_deletions == 1


def test_event_of_what_only_a_listing_can_settle_asks_for_one(one: One) -> None:
    keys = ("a//b", "empty/.s3_index", "other/")
    for key in keys:
        one.there.put(key, b"")
    report = one.pass_(Outcome.DONE, Work(Scope.KEYS, keys=frozenset(keys)))
    assert report.deferred_deletions == 3
    assert one.runner.files() == one.before
    one.pass_(Outcome.DONE_WITH_PROBLEMS)
    assert (one.runner.path / "empty").is_dir()
    report = one.pass_(Outcome.DONE, Work(Scope.KEYS, keys=frozenset(keys[1:])))
    assert report.deferred_deletions == 0  # memory knows them


def test_event_of_a_deleted_file_leaves_it_to_the_scan(one: One) -> None:
    (one.runner.path / "f00").unlink()
    report = one.pass_(Outcome.DONE, Work(Scope.PATHS, paths=frozenset({"f00"})))
    assert one.objects() == set(NAMES)
    assert report.deferred_deletions == 1


def test_listing_that_leaves_an_object_out_deletes_nothing(one: One, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Door.list

    def lacking(door: Door, prefix: str = "") -> Iterator[ObjectInfo]:
        return (info for info in real(door, prefix) if info.key != "f00")

    monkeypatch.setattr(Door, "list", lacking)
    one.world.sync(0)
    assert one.runner.files() == one.before


def test_listing_that_is_forbidden_fails_the_pass_and_is_not_guessed_from_memory(
    one: One, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_arguments: object) -> Iterator[ObjectInfo]:
        raise AccessDeniedError("no s3:ListBucket", status=403)

    (one.runner.path / "f00").unlink()
    monkeypatch.setattr(Door, "list", forbidden)
    assert "ListBucket" in one.pass_(Outcome.FAILED).message
    assert one.objects() == set(NAMES)


def test_file_that_comes_back_after_the_scan_keeps_its_object(one: One, monkeypatch: pytest.MonkeyPatch) -> None:
    (one.runner.path / "f00").unlink()
    real = Reconciliation._act

    def act(reconciliation: Reconciliation) -> None:
        one.world.act(Act("write", 0, "f00"))
        real(reconciliation)

    monkeypatch.setattr(Reconciliation, "_act", act)
    one.world.sync(0)
    assert one.objects() == set(NAMES)
    assert one.there.objects["f00"].body == (one.runner.path / "f00").read_bytes()


def test_rename_whose_copy_fails_keeps_the_old_object(one: One, monkeypatch: pytest.MonkeyPatch) -> None:
    (one.runner.path / "f00").rename(one.runner.path / "new")
    monkeypatch.setattr(Door, "copy", _copy_fails_but_to_the_trash(Door.copy))
    one.world.sync(0)
    assert one.objects() == set(NAMES)
    monkeypatch.undo()
    one.pass_(Outcome.DONE)
    assert one.objects() == {*NAMES, "new"} - {"f00"}


def _copy_fails_but_to_the_trash(real: Any) -> Any:
    def copy(door: Door, source: str, target: str, **options: Any) -> Written:
        if target.startswith(PLACE):
            return real(door, source, target, **options)  # type: ignore[no-any-return]
        raise AccessDeniedError("not this one", status=403)

    return copy


def test_deletion_in_the_bucket_leaves_a_copy_in_its_trash(one: One) -> None:
    (one.runner.path / "f00").unlink()
    one.pass_(Outcome.DONE)
    assert one.objects() == set(NAMES) - {"f00"}
    assert [stored.body for key, stored in one.there.objects.items() if key.startswith(PLACE)] == [one.before["f00"]]


def test_body_that_does_not_fit_its_hash_is_not_put_in_place(one: One, monkeypatch: pytest.MonkeyPatch) -> None:
    one.there.put("f00", b"of the bucket")
    real = Door.get_small

    def flipped(door: Door, key: str, **options: Any) -> tuple[ObjectInfo, bytes]:
        info, body = real(door, key, **options)
        return info, body[:-1] + bytes([body[-1] ^ 1])

    monkeypatch.setattr(Door, "get_small", flipped)
    one.world.sync(0)
    assert one.runner.files() == one.before


def test_upload_that_failed_is_not_remembered(one: One, monkeypatch: pytest.MonkeyPatch) -> None:
    one.world.act(Act("write", 0, "f00"))
    monkeypatch.setattr(Door, "put_small", _fails)
    one.world.sync(0)
    monkeypatch.undo()
    one.pass_(Outcome.DONE)
    assert one.there.objects["f00"].body == (one.runner.path / "f00").read_bytes()


def _fails(*_arguments: object, **_options: object) -> Written:
    raise ServerFaultError("no answer came", status=500)


def _moves_on(*_arguments: object, **_options: object) -> Written:
    raise PreconditionFailedError("changed")


def test_memory_that_was_lost_deletes_nothing(one: One) -> None:
    (one.runner.path / "f00").unlink()
    one.there.remove("f01")
    runner: BenchRunner = one.runner
    runner.restore_memory({})
    one.pass_(Outcome.DONE)
    assert one.objects() == set(NAMES)
    assert one.runner.files() == one.before


def test_download_that_would_leave_less_than_min_free_is_not_begun(one: One) -> None:
    one.there.put("new", b"of the bucket")
    one.runner.restart(min_free=Share(share=1.0))
    report = one.pass_(Outcome.DONE_WITH_PROBLEMS)
    assert [(problem.path, problem.code) for problem in report.problems] == [("new", "no-room")]
    assert not report.hydrated
    assert one.runner.files() == one.before
    one.runner.restart(min_free=Share(share=0.0))
    one.pass_(Outcome.DONE)
    assert one.runner.files() == {**one.before, "new": b"of the bucket"}


def test_download_that_failed_leaves_the_pair_unready(one: One, monkeypatch: pytest.MonkeyPatch) -> None:
    one.there.put("new", b"of the bucket")
    with monkeypatch.context() as patch:
        patch.setattr(Door, "get_small", _moves_on)
        assert not one.pass_(Outcome.DONE_WITH_PROBLEMS).hydrated
    assert one.pass_(Outcome.DONE).hydrated


def test_file_that_vanishes_before_its_upload_keeps_its_object_until_the_brakes_have_seen_that(
    one: One, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.world.act(Act("write", 0, "f00"))
    real = Reconciliation._act

    def act(reconciliation: Reconciliation) -> None:
        one.world.act(Act("remove", 0, "f00"))
        real(reconciliation)

    monkeypatch.setattr(Reconciliation, "_act", act)
    one.world.sync(0)
    assert one.objects() == set(NAMES)
    monkeypatch.undo()
    one.pass_(Outcome.DONE)
    assert one.objects() == set(NAMES) - {"f00"}


def test_conflict_copy_of_the_same_size_is_not_taken_for_the_version_that_has_to_step_aside(one: One) -> None:
    one.there.put("f00", b"theirs")
    for name, text in (("f00", b"mine 1"), ("f00.conflict-20260101T000000Z-host", b"mine 0")):
        (one.runner.path / name).write_bytes(text)
    one.pass_(Outcome.DONE)
    assert {b"theirs", b"mine 1", b"mine 0"} <= set(one.runner.files().values())
    assert one.objects() == set(one.runner.files())


def test_version_in_the_bucket_that_lost_by_policy_lies_in_its_trash(one: One) -> None:
    one.runner.restart(conflict="local")
    one.there.put("f00", b"theirs")
    (one.runner.path / "f00").write_bytes(b"mine")
    one.pass_(Outcome.DONE)
    assert one.there.objects["f00"].body == b"mine"
    assert [stored.body for key, stored in one.there.objects.items() if key.startswith(PLACE)] == [b"theirs"]


def test_file_that_is_opened_for_writing_while_it_is_read_is_not_published(
    one: One, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = OpenFile.read_whole

    def opened_since(file: OpenFile, max_bytes: int) -> bytes:
        body = real(file, max_bytes)
        file.read_quiet = Quiet.BUSY
        writers.append((one.runner.path / "f00").open("r+b"))
        return body

    writers: list[BinaryIO] = []
    one.world.act(Act("write", 0, "f00"))
    monkeypatch.setattr(OpenFile, "read_whole", opened_since)
    report = one.world.sync(0)
    assert report is not None
    assert [(problem.path, problem.code) for problem in report.problems] == [("f00", "busy")]
    assert one.there.objects["f00"].body == one.before["f00"]
    for writer in writers:
        writer.close()


def test_large_file_that_changes_while_its_parts_are_sent_is_not_published(
    one: One, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Door.put_file

    def edited(door: Door, key: str, *, read_at: Callable[[int, int], bytes], **options: Any) -> Written:
        def read_and_edit(offset: int, length: int) -> bytes:
            body = read_at(offset, length)
            (one.runner.path / "f00").write_bytes(b"an edit in the midst of it")
            return body

        return real(door, key, read_at=read_and_edit, **options)

    one.world.act(Act("write", 0, "f00"))
    monkeypatch.setattr(uploading, "GULP_BYTES", 0)
    monkeypatch.setattr(Door, "put_file", edited)
    one.world.sync(0)
    assert one.there.objects["f00"].body == one.before["f00"]
