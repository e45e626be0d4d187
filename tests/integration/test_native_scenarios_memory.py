"""What a folder and its memory may meet: brakes, lost and foreign memory, clones, other buckets, busy files."""

import mmap
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.config.settings import OpenFiles
from runner.files.conflict_names import is_conflict_copy
from runner.model.passes import Outcome
from tests.integration.native_engine import BucketWitness, MakeRunner, Runner, credential_process, runner, there
from tests.integration.native_scenarios import World, assert_still, bucket, home, scenario_place, target, went

__all__ = ["bucket", "credential_process", "home", "runner", "scenario_place", "target", "there"]


def filled(runner: MakeRunner, count: int, name: str = "a", **keys: object) -> Runner:
    one = runner(name, accept_unsafe_server=True, **keys)
    for number in range(count):
        (one.path / f"f{number}").write_bytes(f"{number}".encode())
    went(one)
    return one


def empty_folder(one: Runner, _there: BucketWitness) -> None:
    for file in one.path.glob("f*"):
        file.unlink()


def empty_bucket(_one: Runner, there: BucketWitness) -> None:
    for key in there.keys():  # noqa: SIM118
        there.delete(key)


@pytest.mark.parametrize(("lose", "brake"), [(empty_folder, "emptied-folder"), (empty_bucket, "emptied-listing")])
@pytest.mark.parametrize("count", [9, 10])
def test_an_emptied_side_halts_from_ten_files_up(
    lose: Callable[[Runner, BucketWitness], None], brake: str, count: int, runner: MakeRunner, there: BucketWitness
) -> None:
    a = filled(runner, count)
    lose(a, there)
    if count == 9:
        went(a)
        assert (a.files(), there.files()) == ({}, {})
        return assert_still(a)
    before = (a.files(), there.files())
    halted = a.sync()
    assert halted.outcome is Outcome.HALTED
    assert halted.halt is not None
    assert halted.halt.brake == brake
    assert (a.files(), there.files()) == before
    a.token = "wrong"
    assert a.sync().outcome is Outcome.HALTED
    a.token = halted.halt.token
    went(a)
    assert (a.files(), there.files()) == ({}, {})
    return assert_still(a)


@pytest.mark.parametrize("side", ["folder", "bucket"])
def test_too_many_deletions_and_changes_halt(side: str, runner: MakeRunner, there: BucketWitness) -> None:
    a = filled(runner, 24, max_change="50%")
    for number in range(13):
        (a.path / f"f{number}").unlink() if side == "folder" else there.delete(f"f{number}")
    report = a.sync()
    assert report.halt is not None
    assert report.halt.brake == "max-delete"
    for number in range(13):
        body = f"{number}".encode()
        (a.path / f"f{number}").write_bytes(body) if side == "folder" else there.put(f"f{number}", body)
    went(a)
    for number in range(13):
        (a.path / f"f{number}").write_bytes(b"enc") if side == "folder" else there.put(f"f{number}", b"enc")
    report = a.sync()
    assert report.halt is not None
    assert report.halt.brake == "max-change"
    a.token = report.halt.token
    went(a)
    assert a.files() == there.files()
    assert_still(a)


def without_marker(private: Path) -> None:
    (private / "marker.json").unlink()


def without_state(private: Path) -> None:
    for file in private.glob("state.db*"):
        file.unlink()


def corrupt_state(private: Path) -> None:
    for file in private.glob("state.db*"):
        file.write_bytes(b"SQLite format 3\0" + os.urandom(4000))


def foreign_state(private: Path) -> None:
    without_state(private)
    with sqlite3.connect(private / "state.db") as other:
        other.execute("CREATE TABLE base (x)")
    other.close()


def no_private(private: Path) -> None:
    shutil.rmtree(private)


@pytest.mark.parametrize("damage", [without_marker, without_state, corrupt_state, foreign_state, no_private])
def test_memory_that_is_lost_deletes_nothing(
    damage: Callable[[Path], None], runner: MakeRunner, there: BucketWitness
) -> None:
    a = filled(runner, 4)
    a.close()
    damage(a.path / ".runner")
    (a.path / "f0").unlink()
    there.delete("f1")
    (a.path / "f2").write_bytes(b"edited")
    a._open()
    a.sync()
    a.sync()
    files = a.files()
    assert files == there.files()
    copies = [files.pop(name) for name in list(files) if is_conflict_copy(name)]
    assert sorted([*copies, files.pop("f2")]) == [b"2", b"edited"]
    assert files == {"f0": b"0", "f1": b"1", "f3": b"3"}
    assert_still(a)


def test_a_marker_that_vanishes_while_running_halts(runner: MakeRunner, there: BucketWitness) -> None:
    a = filled(runner, 3)
    (a.path / ".runner" / "marker.json").unlink()
    (a.path / "f0").unlink()
    report = a.sync()
    assert report.halt is not None
    assert report.halt.brake == "marker-missing"
    assert len(there.files()) == 3
    a.token = report.halt.token
    went(a)
    assert a.files() == there.files()
    assert len(a.files()) == 3


@pytest.mark.each_server
@pytest.mark.parametrize("change", ["bucket", "prefix"])
def test_another_target_under_a_marker_deletes_nothing(
    change: str, runner: MakeRunner, there: BucketWitness, target: object
) -> None:
    a = filled(runner, 12)
    other = f"{there.bucket}-2"
    if change == "bucket":
        there.s3.create_bucket(Bucket=other)
    a.restart(**({"bucket": other} if change == "bucket" else {"prefix": "p/"}))
    went(a)
    assert len(a.files()) == 12
    assert "set aside" in "\n".join(a.log)
    went(a)
    a.restart(bucket=there.bucket, prefix="")
    went(a)
    assert len(a.files()) >= 12
    assert {f"f{number}" for number in range(12)} <= set(there.keys())


@pytest.mark.each_server
def test_a_bucket_made_anew_is_an_emptied_listing(runner: MakeRunner, there: BucketWitness) -> None:
    a = filled(runner, 12)
    empty_bucket(a, there)
    there.s3.delete_bucket(Bucket=there.bucket)
    assert a.sync().outcome is Outcome.FAILED
    there.s3.create_bucket(Bucket=there.bucket)
    assert a.sync().outcome is Outcome.HALTED
    assert len(a.files()) == 12


def test_a_clone_of_the_volume_is_a_merge_base(runner: MakeRunner, there: BucketWitness, home: Path) -> None:
    a = filled(runner, 5)
    a.close()
    shutil.copytree(a.path, home / "b", symlinks=True, ignore=lambda _d, names: {n for n in names if n == "lock"})
    a._open()
    (a.path / "f0").write_bytes(b"edited")
    (a.path / "f1").unlink()
    went(a)
    b = runner("b", accept_unsafe_server=True)
    (b.path / "f2").write_bytes(b"edited in the clone")
    (b.path / "f3").unlink()
    went(b)
    went(a)
    assert a.files() == b.files() == there.files()
    assert a.files() == {"f0": b"edited", "f2": b"edited in the clone", "f4": b"4"}
    assert_still(a, b)


def test_an_older_folder_with_its_memory_loses_nothing_newer(
    runner: MakeRunner, there: BucketWitness, home: Path
) -> None:
    a = filled(runner, 4)
    a.close()
    shutil.copytree(a.path, home / "backup")
    a._open()
    (a.path / "f0").write_bytes(b"newer")
    (a.path / "new").write_bytes(b"new")
    went(a)
    a.close()
    shutil.rmtree(a.path)
    (home / "backup").rename(a.path)
    a._open()
    went(a)
    assert a.files()["f0"] == there.get("f0") == b"newer"
    assert a.files()["new"] == b"new"
    assert_still(a)


def test_busy_files_wait_and_databases_always_do(runner: MakeRunner, there: BucketWitness) -> None:
    wait = OpenFiles.model_validate({"after": "1h", "then": "wait"}) if hasattr(OpenFiles, "model_validate") else None
    a = runner("a", accept_unsafe_server=True, **({"open_files": wait} if wait else {}))
    for name in ("open", "mapped", "app.sqlite", "quiet"):
        (a.path / name).write_bytes(b"x" * 4096)
    with (a.path / "open").open("r+b"), (a.path / "app.sqlite").open("r+b"), (a.path / "mapped").open("r+b") as file:
        mapped = mmap.mmap(file.fileno(), 4096)
        file.close()
        report = a.sync()
        assert sorted(there.files()) == ["quiet"]
        assert {problem.path for problem in report.problems if problem.code == "busy"} == {
            "open",
            "mapped",
            "app.sqlite",
        }
        mapped[0:1] = b"y"
        mapped.close()
    went(a)
    assert there.files() == a.files()
    assert there.get("mapped")[:1] == b"y"
    assert_still(a)


def test_a_file_that_is_open_here_is_not_replaced(runner: MakeRunner, there: BucketWitness) -> None:
    world = World(runner, there)
    world.side("a").write("f", b"base")
    world.settle()
    with (world.b.path / "f").open("r+b") as file:
        world.side("a").write("f", b"edited by a")
        went(world.a)
        world.b.sync()
        assert (world.b.path / "f").read_bytes() == b"base"
        file.write(b"late")
    world.settle()
    files = world.check()
    assert sorted(files.values()) == [b"edited by a", b"late"]
