"""Pull passes through the real AWS CLI on a real server: what comes, what is kept out, what a killed run leaves."""

import contextlib
import errno
import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from demo.seaweedfs import Server
from runner.config.settings import Mode, Share
from runner.engine.aws_cli import arrivals
from runner.model.passes import Outcome, PassReport, Progress
from tests.integration.aws_cli_engine import MakeWorker, services, worker
from tests.witness import delete, objects, put, soon

__all__ = ["services", "worker"]
AWKWARD = ["a space", "emoji-🦊", "plus+and&and%25", "hash#q?", "[set]*", "-dash", "d/with space/x"]


def problems(report: PassReport) -> set[tuple[str, str]]:
    return {(problem.path, problem.code) for problem in report.problems}


def test_pull_brings_everything_and_the_second_pass_nothing(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    for key in AWKWARD:
        put(seaweed, bucket, f"p/{key}", key.encode(), tmp_path)
    pulling = worker(Mode.PULL, prefix="p/")
    report = pulling.sync()
    assert (report.outcome, report.hydrated, report.downloaded) == (Outcome.DONE, True, len(AWKWARD))
    assert report.bytes_down == sum(len(key.encode()) for key in AWKWARD)
    assert {key: (tmp_path / "f" / key).read_text() for key in AWKWARD} == {key: key for key in AWKWARD}
    again = pulling.sync()
    assert (again.outcome, again.downloaded, again.hydrated) == (Outcome.DONE, 0, True)


def test_pull_of_a_newer_object_of_the_same_size_is_downloaded_and_the_old_one_kept(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    put(seaweed, bucket, "file", b"one", tmp_path)
    pulling = worker(Mode.PULL)
    pulling.sync()
    time.sleep(1.1)  # LastModified is in whole seconds
    put(seaweed, bucket, "file", b"two", tmp_path)
    assert pulling.sync().downloaded == 1
    assert (tmp_path / "f" / "file").read_bytes() == b"two"
    kept = [item.stored_as for item in pulling.engine.trash_list()]
    assert [(tmp_path / "f" / ".runner" / "trash" / name).read_bytes() for name in kept] == [b"one"]


def test_pull_never_leaves_the_folder_nor_follows_its_links(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "link").symlink_to(outside)
    (tmp_path / "f" / "file-link").symlink_to(outside / "planted")
    for key in ("good", "link/evil", "file-link", ".runner/state.db"):
        put(seaweed, bucket, key, b"x", tmp_path)
    report = worker(Mode.PULL).sync()
    assert list(outside.iterdir()) == []
    assert (tmp_path / "f" / "good").exists()
    assert problems(report) == {
        ("link/evil", "behind-link"),
        ("file-link", "behind-link"),
        (".runner/state.db", "forbidden-key"),
    }
    assert (report.outcome, report.hydrated) == (Outcome.DONE_WITH_PROBLEMS, True)


def test_pull_beside_a_link_to_the_root_of_the_machine_ends_soon(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "root").symlink_to("/")
    put(seaweed, bucket, "good", b"x", tmp_path)
    pulling = worker(Mode.PULL)
    started = time.monotonic()
    assert pulling.sync().downloaded == 1
    assert pulling.sync().downloaded == 0
    assert time.monotonic() - started < soon(30)


def test_pull_where_files_and_folders_collide_goes_on_with_the_rest(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    folder = tmp_path / "f"
    (folder / "x").mkdir(parents=True)
    (folder / "x" / "mine").write_text("local")
    (folder / "y").write_text("local")
    for key in ("x", "y/below", "good"):
        put(seaweed, bucket, key, b"x", tmp_path)
    pulling = worker(Mode.PULL, delete=True)
    for _ in range(2):
        report = pulling.sync()
        assert problems(report) == {("x", "folder-in-the-way"), ("y/below", "file-in-the-way")}
        assert report.outcome is Outcome.DONE_WITH_PROBLEMS
    assert (folder / "x" / "mine").read_text() == "local"
    assert (folder / "y").read_text() == "local"
    assert (folder / "good").exists()


def test_pull_makes_folders_for_placeholders_of_both_kinds(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    put(seaweed, bucket, "a/.s3_index", b"", tmp_path)
    put(seaweed, bucket, "b/", b"")
    pulling = worker(Mode.PULL, delete=True)
    assert pulling.sync().hydrated is True
    assert sorted(path.name for path in (tmp_path / "f").iterdir()) == [".runner", "a", "b"]
    assert list((tmp_path / "f" / "a").iterdir()) == []
    delete(seaweed, bucket, "a/.s3_index")
    pulling.sync()
    assert not (tmp_path / "f" / "a").exists()


def test_pull_without_room_waits_as_a_problem(worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path) -> None:
    put(seaweed, bucket, "file", b"x", tmp_path)
    pulling = worker(Mode.PULL, min_free=Share(share=1.0))
    report = pulling.sync()
    assert (report.outcome, report.hydrated, report.downloaded) == (Outcome.DONE_WITH_PROBLEMS, False, 0)
    assert problems(report) == {("", "no-room")}
    pulling.restart(min_free=Share(share=0.0))
    assert pulling.sync().hydrated is True


@pytest.mark.parametrize("was_listed", [True, False])
def test_a_killed_pull_leaves_its_temporary_to_the_trash_and_a_users_file_alone(
    was_listed: bool, worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    """not was_listed: the object came between our listing and the CLI's own."""
    put(seaweed, bucket, "dump", b"x" * 60_000_000, tmp_path)
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / "dump.20261123").write_text("a user's file")
    pulling = worker(Mode.PULL, bandwidth_bytes_per_second=4_000_000)

    def temporaries() -> list[str]:
        return [path.name for path in folder.glob("dump.*") if path.name != "dump.20261123"]

    def kill(_progress: Progress) -> None:
        if temporaries():
            os.kill(pulling.pids.pop(), signal.SIGKILL)
            pulling.on_progress = lambda _progress: None

    pulling.on_progress = kill
    report = pulling.sync()
    assert report.outcome is Outcome.FAILED
    assert len(temporaries()) == 1
    if not was_listed:
        with contextlib.closing(sqlite3.connect(folder / ".runner" / "state.db", isolation_level=None)) as memory:
            assert memory.execute("DELETE FROM run_objects").rowcount == 1
    pulling.restart(mode=Mode.PUSH, bandwidth_bytes_per_second=None)
    assert pulling.sync().outcome is Outcome.DONE
    assert temporaries() == []
    assert set(objects(seaweed, bucket)) == {"dump", "dump.20261123"}


def test_pull_that_ended_before_it_was_remembered_still_knows_what_came_from_the_bucket(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("stays", "changes"):
        put(seaweed, bucket, key, b"x", tmp_path)
    folder = tmp_path / "f"
    pulling = worker(Mode.PULL, delete=True)
    assert pulling.sync().outcome is Outcome.DONE
    (folder / "users").write_text("never in the bucket")
    for key in ("new", "changes"):
        put(seaweed, bucket, key, b"newer", tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr(arrivals, "remember", refuse)
        assert pulling.sync().outcome is Outcome.FAILED
    assert (folder / "new").read_bytes() == (folder / "changes").read_bytes() == b"newer"
    for key in ("new", "changes"):
        delete(seaweed, bucket, key)
    report = pulling.sync()
    assert (report.outcome, report.deleted_local, problems(report)) == (Outcome.DONE, 2, set())
    assert {path.name for path in folder.iterdir()} == {".runner", "stays", "users"}
    (folder / "new").write_bytes(b"newer")  # a user brings it back: now it is the user's
    assert (pulling.sync().deleted_local, (folder / "new").exists()) == (0, True)


def refuse(*_arguments: object) -> None:
    raise OSError(errno.EIO, "refused")


def test_stop_of_a_pull_ends_soon_and_is_no_failure(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    put(seaweed, bucket, "big", b"x" * 60_000_000, tmp_path)
    pulling = worker(Mode.PULL, bandwidth_bytes_per_second=2_000_000)

    def stop(progress: Progress) -> None:
        pulling.stop = pulling.stop or progress.stage == "transferring"

    pulling.on_progress = stop
    started = time.monotonic()
    assert pulling.sync().outcome is Outcome.STOPPED
    assert time.monotonic() - started < soon(15)
    pulling.stop, pulling.on_progress = False, lambda _progress: None
    pulling.restart(bandwidth_bytes_per_second=None)
    assert pulling.sync().outcome is Outcome.DONE
    # on a slow machine the run may have needed more than its INT, and has left a temporary: swept by now
    assert {path.name for path in (tmp_path / "f").iterdir()} == {".runner", "big"}


def test_plan_of_a_pull_names_downloads_deletions_and_what_is_left_out(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    for key in ("stays", "goes"):
        put(seaweed, bucket, key, b"x", tmp_path)
    pulling = worker(Mode.PULL, delete=True)
    pulling.sync()
    delete(seaweed, bucket, "goes")
    put(seaweed, bucket, "new", b"x", tmp_path)
    put(seaweed, bucket, ".runner/x", b"x", tmp_path)
    put(seaweed, bucket, "empty/.s3_index", b"", tmp_path)
    actions = {(action.verb, action.path) for action in pulling.engine.plan()}
    assert actions == {
        ("download", "new"),
        ("delete-local", "goes"),
        ("skip", ".runner/x"),
        ("make-folder", "empty"),
    }
    assert (tmp_path / "f" / "goes").exists()


@pytest.mark.radosgw
def test_pull_of_keys_that_cannot_be_paths_lists_them_and_brings_the_rest(
    worker: MakeWorker, ceph: Server, ceph_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ceph.environment.items():
        monkeypatch.setenv(name, value)
    impossible = ["../x", "/absolute", "a//b", "d/./e", "f/../../g", "n" * 300]
    for key in (*impossible, "good", "a", "a/b"):
        put(ceph, ceph_bucket, key, b"x", tmp_path)
    pulling = worker(Mode.PULL, endpoint_url=ceph.endpoint_url, bucket=ceph_bucket)
    report = pulling.sync()
    assert {path for path, _code in problems(report)} == {*impossible, "a"}
    assert (report.outcome, report.hydrated) == (Outcome.DONE_WITH_PROBLEMS, True)
    found = {str(path.relative_to(tmp_path / "f")) for path in (tmp_path / "f").rglob("*") if path.is_file()}
    assert {path for path in found if not path.startswith(".runner")} == {"good", "a/b"}
    assert not (tmp_path / "x").exists()
    again = pulling.sync()
    assert again.downloaded == 0
