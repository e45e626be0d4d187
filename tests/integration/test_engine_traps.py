"""Traps that an adversary found for aws-cli pairs: each lost something or made the status lie before it was mended."""

import json
import os
import shutil
from pathlib import Path

import pytest

from demo.seaweedfs import Server
from runner.config.settings import Mode
from runner.model.passes import Outcome
from tests.integration.aws_cli_engine import MakeWorker, services, worker
from tests.witness import delete, objects, put, put_all, s3

__all__ = ["services", "worker"]


def codes(report: object) -> set[tuple[str, str]]:
    return {(problem.path, problem.code) for problem in report.problems}  # type: ignore[attr-defined]


def test_push_of_a_folder_in_place_of_a_file_removes_the_files_object(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "x").write_text("a file")
    pushing = worker(Mode.PUSH, delete=True)
    pushing.sync()
    (tmp_path / "f" / "x").unlink()
    (tmp_path / "f" / "x").mkdir()
    (tmp_path / "f" / "x" / "y").write_text("below a folder")
    assert pushing.sync().deleted_remote == 1
    assert {key for key in objects(seaweed, bucket) if not key.startswith(".runner-trash/")} == {"x/y"}


def test_pull_through_an_excluded_symlink_writes_nothing_outside(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "d").symlink_to(outside)
    (tmp_path / "f" / "e").write_text("mine")
    put_all(seaweed, bucket, {"d/x": b"x", "e/x": b"x"})
    report = worker(Mode.PULL, exclude=("d", "e")).sync()
    assert list(outside.iterdir()) == []
    assert codes(report) == {("d/x", "behind-link"), ("e/x", "file-in-the-way")}
    assert report.hydrated


def test_pull_of_a_name_too_long_for_the_clis_temporary_is_a_lasting_problem(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    wide, long = "é" * 127, "a" * 255
    put_all(seaweed, bucket, {wide: b"x", long: b"x"})
    report = worker(Mode.PULL).sync()
    assert codes(report) == {(wide, "name-too-long")}
    assert report.hydrated
    assert (tmp_path / "f" / long).exists()


def test_pull_of_many_twins_that_are_gone_is_no_move_to_one_new_twin(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    put_all(seaweed, bucket, {f"{number}": b"same" for number in range(12)})
    pulling = worker(Mode.PULL, delete=True)
    pulling.sync()
    delete(seaweed, bucket, *objects(seaweed, bucket))
    put(seaweed, bucket, "new", b"same", tmp_path)
    report = pulling.sync()
    assert report.outcome is Outcome.HALTED
    assert report.halt
    assert report.halt.brake == "max-delete"


def test_pull_over_an_edit_of_the_same_size_and_second_keeps_the_edit(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    put(seaweed, bucket, "a", b"theirs", tmp_path)
    pulling = worker(Mode.PULL)
    pulling.sync()
    file = tmp_path / "f" / "a"
    second = file.stat().st_mtime_ns // 1_000_000_000 * 1_000_000_000
    file.write_bytes(b"edited")
    os.utime(file, ns=(second, second + 999_000_000))
    pulling.sync()
    assert file.read_bytes() == b"theirs"
    file.unlink()
    assert pulling.engine.trash_restore("a") == ["a"]
    assert file.read_bytes() == b"edited"


def test_pull_leaves_archived_objects_where_they_are_and_says_so(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    put(seaweed, bucket, "plain", b"x", tmp_path)
    put(seaweed, bucket, "cold", b"x", StorageClass="GLACIER")
    report = worker(Mode.PULL).sync()
    assert codes(report) == {("cold", "archived")}
    assert report.downloaded == 1
    assert report.hydrated


@pytest.mark.parametrize("mode", [Mode.PUSH, Mode.PULL])
def test_a_pass_beside_links_in_a_circle_in_an_excluded_folder_ends(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path, mode: Mode
) -> None:
    modules = tmp_path / "f" / "node_modules" / "p"
    modules.mkdir(parents=True)
    for name in "abc":  # the CLI alone would walk 3^40 ways, though all of them are excluded
        (modules / name).symlink_to("..")
    (tmp_path / "f" / "here").write_text("x")
    put(seaweed, bucket, "there", b"x", tmp_path)
    report = worker(mode, exclude=("node_modules/*",), timeout=20).sync()
    assert report.outcome is Outcome.DONE
    assert report.uploaded + report.downloaded == 1


def test_push_with_a_refused_key_beside_a_file_that_changes_is_not_in_sync(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    deny = {"Effect": "Deny", "Principal": "*", "Action": ["s3:PutObject"], "Resource": [f"arn:aws:s3:::{bucket}/no"]}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    s3(seaweed.endpoint_url).put_bucket_policy(Bucket=bucket, Policy=policy)
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "no").write_text("never accepted")
    changing = tmp_path / "f" / "changing"
    changing.write_text("0")
    pushing = worker(Mode.PUSH)
    pushing.on_run = lambda: changing.write_text("1") if changing.read_text() == "0" else None
    report = pushing.sync()
    assert report.outcome is Outcome.DONE_WITH_PROBLEMS
    assert codes(report) == {("", "transfer-failed")}


def test_push_of_an_emptied_read_only_source_halts_however_few_files_it_had(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "only").write_text("x")
    pushing = worker(Mode.PUSH, delete=True)
    pushing.sync()
    (tmp_path / "f" / "only").unlink()
    pushing.private.read_only_source = True  # an unmounted volume leaves no marker behind that could be missed
    report = pushing.sync()
    assert report.outcome is Outcome.HALTED
    assert report.halt
    assert report.halt.brake == "emptied-folder"
    assert "only" in objects(seaweed, bucket)


def test_push_to_another_endpoint_of_the_environment_deletes_nothing(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "mine").write_text("x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", seaweed.endpoint_url.replace("127.0.0.1", "localhost"))
    pushing = worker(Mode.PUSH, delete=True, endpoint_url=None)
    pushing.sync()
    put(seaweed, bucket, "theirs", b"x", tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", seaweed.endpoint_url)
    report = pushing.sync()
    assert report.deleted_remote == 0
    assert "localhost" in report.message
    assert pushing.sync().deleted_remote == 1


def test_pull_without_room_makes_some_by_what_the_bucket_has_no_more(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(seaweed, bucket, "old", b"x", tmp_path)
    pulling = worker(Mode.PULL, delete=True)
    pulling.sync()
    put(seaweed, bucket, "new", b"x")
    delete(seaweed, bucket, "old")
    with monkeypatch.context() as full:
        full.setattr("runner.engine.aws_cli.pull.has_room", lambda _one, _size: False)
        report = pulling.sync()
    assert codes(report) == {("", "no-room")}
    assert report.deleted_local == 1
    assert pulling.sync().hydrated
    assert (tmp_path / "f" / "new").exists()


def test_a_folder_that_lost_its_private_place_syncs_again_once_it_is_approved(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "a").write_text("x")
    pushing = worker(Mode.PUSH, delete=True)
    pushing.sync()
    shutil.rmtree(tmp_path / "f" / ".runner")
    halted = pushing.sync()
    assert halted.halt
    assert halted.halt.brake == "marker-missing"
    assert not (tmp_path / "f" / ".runner").exists()
    pushing.token = halted.halt.token
    assert pushing.sync().outcome is Outcome.DONE
    (tmp_path / "f" / "a").rename(tmp_path / "f" / "b")
    assert pushing.sync().deleted_remote == 1


def test_verify_names_objects_that_cannot_be_files_here(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    put_all(seaweed, bucket, {"a": b"x", ".runner/x": b"x"})
    pulling = worker(Mode.PULL)
    pulling.sync()
    assert [(found.path, found.reason) for found in pulling.engine.verify(content=False)] == [
        (".runner/x", "only-remote")
    ]


def test_an_approval_that_stays_in_the_config_lets_one_plan_through_and_no_other(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    def fill() -> None:
        for number in range(12):
            (tmp_path / "f" / f"{number}").write_text("x")

    def empty() -> None:
        for number in range(12):
            (tmp_path / "f" / f"{number}").unlink()

    (tmp_path / "f").mkdir()
    fill()
    pushing = worker(Mode.PUSH, delete=True)
    pushing.sync()
    empty()
    halted = pushing.sync()
    assert halted.halt
    pushing.restart(approve=halted.halt.token)
    assert pushing.sync().deleted_remote == 12
    fill()
    filled = pushing.sync()
    assert (filled.outcome, filled.uploaded) == (Outcome.DONE, 12), filled
    empty()
    again = pushing.sync()
    assert again.outcome is Outcome.HALTED
    assert again.halt
    assert again.halt.token != halted.halt.token


def test_push_of_a_read_only_source_whose_mount_is_gone_makes_nothing_there_and_goes_on_when_it_is_back(
    worker: MakeWorker, tmp_path: Path
) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "a").write_text("x")
    pushing = worker(Mode.PUSH, delete=True)
    pushing.sync()
    pushing.private.read_only_source = True
    (tmp_path / "f").rename(tmp_path / "away")
    (tmp_path / "f").mkdir()  # the bare mount point can be written
    halted = pushing.sync()
    assert halted.halt
    assert halted.halt.brake == "marker-missing"
    assert list((tmp_path / "f").iterdir()) == []
    (tmp_path / "f").rmdir()
    (tmp_path / "away").rename(tmp_path / "f")
    assert pushing.sync().outcome is Outcome.DONE
