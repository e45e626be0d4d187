"""Deletions of aws-cli pairs: never by the CLI, never from what is not proven, behind brakes, into a trash."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.seaweedfs import Server
from runner.config.settings import Mode, RemoteTrash, Share
from runner.model.passes import Outcome
from tests.integration.aws_cli_engine import MakeWorker, services, worker
from tests.witness import delete, objects, put

__all__ = ["services", "worker"]


def fill(folder: Path, count: int) -> None:
    folder.mkdir(exist_ok=True)
    for number in range(count):
        (folder / f"{number:02}").write_text(f"{number}")


def live(server: Server, bucket: str) -> set[str]:
    return {key for key in objects(server, bucket) if not key.startswith(".runner-trash/")}


# ── push ──


def test_push_first_pass_deletes_nothing_and_the_next_mirrors(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    put(seaweed, bucket, "theirs", b"x", tmp_path)
    fill(tmp_path / "f", 2)
    pushing = worker(Mode.PUSH, delete=True)
    assert pushing.sync().deleted_remote == 0
    assert "theirs" in objects(seaweed, bucket)
    report = pushing.sync()
    assert report.deleted_remote == 1
    assert live(seaweed, bucket) == {"00", "01"}


def test_push_from_an_empty_new_folder_never_deletes_what_it_never_pushed(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    put(seaweed, bucket, "theirs", b"x", tmp_path)
    put(seaweed, bucket, "folder/", b"", tmp_path)
    (tmp_path / "f").mkdir()
    pushing = worker(Mode.PUSH, delete=True)
    for _ in range(3):
        assert pushing.sync().outcome is Outcome.DONE
    assert set(objects(seaweed, bucket)) >= {"theirs"}


def test_push_of_an_emptied_folder_halts_until_that_very_plan_is_approved(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    fill(tmp_path / "f", 12)
    pushing = worker(Mode.PUSH, delete=True)
    pushing.sync()
    for path in (tmp_path / "f").glob("[0-9]*"):
        path.unlink()
    report = pushing.sync()
    assert report.outcome is Outcome.HALTED
    assert report.halt is not None
    assert (report.halt.brake, report.halt.count, len(report.halt.sample)) == ("emptied-folder", 12, 10)
    assert len(live(seaweed, bucket)) == 12
    pushing.token = "0" * 16
    assert pushing.sync().outcome is Outcome.HALTED
    pushing.token = report.halt.token
    (tmp_path / "f" / "00").write_text("0")  # the plan has shrunk: still a subset of what was shown
    assert pushing.sync().deleted_remote == 11
    assert live(seaweed, bucket) == {"00"}


def test_push_of_too_many_deletions_halts_and_changes_nothing(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    fill(tmp_path / "f", 20)
    pushing = worker(Mode.PUSH, delete=True)
    pushing.sync()
    for number in range(15):
        (tmp_path / "f" / f"{number:02}").unlink()
    (tmp_path / "f" / "new").write_text("x")
    report = pushing.sync()
    assert report.halt is not None
    assert report.halt.brake == "max-delete"
    assert "new" not in objects(seaweed, bucket)
    pushing.restart(approve=report.halt.token)
    assert pushing.sync().deleted_remote == 15
    assert live(seaweed, bucket) == {"15", "16", "17", "18", "19", "new"}


def test_push_of_moved_files_is_no_mass_deletion(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    fill(tmp_path / "f", 20)
    pushing = worker(Mode.PUSH, delete=True)
    pushing.sync()
    (tmp_path / "f" / "sub").mkdir()
    for path in (tmp_path / "f").glob("[0-9]*"):
        path.rename(tmp_path / "f" / "sub" / path.name)
    assert pushing.sync().deleted_remote == 20
    assert live(seaweed, bucket) == {f"sub/{number:02}" for number in range(20)}


def test_push_deletion_keeps_a_copy_that_can_be_restored_and_stays(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    fill(tmp_path / "f", 3)
    pushing = worker(Mode.PUSH, delete=True, prefix="p/")
    pushing.sync()
    (tmp_path / "f" / "01").unlink()
    assert pushing.sync().deleted_remote == 1
    items = list(pushing.engine.trash_list())
    assert [(item.side, item.path) for item in items] == [("remote", "01")]
    assert pushing.engine.trash_restore("01") == ["01"]
    report = pushing.sync()
    assert {(problem.path, problem.code) for problem in report.problems} == {("01", "restored")}
    assert set(objects(seaweed, bucket)) == {"p/00", "p/01", "p/02"}


def test_push_with_remote_trash_all_keeps_what_it_replaces(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    fill(tmp_path / "f", 1)
    pushing = worker(Mode.PUSH, remote_trash=RemoteTrash.ALL)
    pushing.sync()
    (tmp_path / "f" / "00").write_text("longer")
    pushing.sync()
    kept = [key for key in objects(seaweed, bucket) if key.startswith(".runner-trash/")]
    assert [key.rpartition("/")[2] for key in kept] == ["00"]


def test_push_with_a_link_whose_target_vanished_keeps_its_object(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    fill(tmp_path / "f", 2)
    (tmp_path / "f" / "link").symlink_to("00")
    pushing = worker(Mode.PUSH, delete=True)
    pushing.sync()
    (tmp_path / "f" / "00").unlink()
    report = pushing.sync()
    assert live(seaweed, bucket) == {"01", "link"}
    assert [(problem.path, problem.code) for problem in report.problems] == [("link", "dangling-link")]


def test_push_never_deletes_excluded_keys(worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path) -> None:
    put(seaweed, bucket, "cache/x", b"x", tmp_path)
    put(seaweed, bucket, ".runner/x", b"x", tmp_path)
    fill(tmp_path / "f", 1)
    pushing = worker(Mode.PUSH, delete=True, exclude=("cache/*",))
    pushing.sync()
    assert pushing.sync().deleted_remote == 0


def test_push_removes_the_placeholder_of_a_folder_that_is_gone_and_keeps_others(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    for name in ("gone", "stays"):
        (tmp_path / "f" / name).mkdir(parents=True)
    (tmp_path / "f" / "file").write_text("x")
    pushing = worker(Mode.PUSH, delete=True)
    pushing.sync()
    (tmp_path / "f" / "gone").rmdir()
    pushing.sync()
    assert live(seaweed, bucket) == {"stays/.s3_index", "file"}


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder that any user can reach; pytest's own is closed to others."""
    place = Path(tempfile.mkdtemp(prefix="runner-test-"))
    place.chmod(0o777)
    yield place
    shutil.rmtree(place)


def test_push_of_an_unreadable_folder_keeps_its_objects(
    worker: MakeWorker, seaweed: Server, bucket: str, open_place: Path
) -> None:
    """Root reads everything, so this process is somebody else for the pass; the run's own rights do not matter here."""
    folder = open_place / "f"
    fill(folder, 1)
    (folder / "closed").mkdir()
    (folder / "closed" / "file").write_text("x")
    pushing = worker(Mode.PUSH, delete=True, folder=folder)
    pushing.sync()
    (folder / "closed").chmod(0)
    before = os.geteuid()
    if before == 0:
        for root, _directories, names in os.walk(folder):
            os.chown(root, 65534, 65534)
            for name in names:
                os.chown(Path(root) / name, 65534, 65534)
        os.seteuid(65534)
    try:
        report = pushing.sync()
    finally:
        os.seteuid(before)
    assert {(problem.path, problem.code) for problem in report.problems} == {("closed", "unreadable-folder")}
    assert report.deleted_remote == 0
    assert "closed/file" in objects(seaweed, bucket)


# ── pull ──


def test_pull_deletes_only_what_came_from_the_bucket_and_was_not_edited(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    for key in ("gone", "d/gone", "edited", "stays"):
        put(seaweed, bucket, key, b"x", tmp_path)
    pulling = worker(Mode.PULL, delete=True)
    assert pulling.sync().downloaded == 4
    (tmp_path / "f" / "local").write_text("never there")
    (tmp_path / "f" / "edited").write_text("changed here")
    delete(seaweed, bucket, "gone", "d/gone", "edited")
    report = pulling.sync()
    assert report.deleted_local == 2
    assert {(problem.path, problem.code) for problem in report.problems} == {("edited", "edited-here")}
    assert {path.name for path in (tmp_path / "f").iterdir()} == {".runner", "local", "edited", "stays"}
    assert {item.path for item in pulling.engine.trash_list() if item.side == "local"} == {"gone", "d/gone"}
    assert pulling.engine.trash_restore("gone") == ["gone"]
    assert (tmp_path / "f" / "gone").read_text() == "x"


def test_pull_of_an_emptied_bucket_halts(worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path) -> None:
    for number in range(12):
        put(seaweed, bucket, f"{number:02}", b"x")
    pulling = worker(Mode.PULL, delete=True)
    pulling.sync()
    delete(seaweed, bucket, *objects(seaweed, bucket))
    report = pulling.sync()
    assert report.halt is not None
    assert (report.halt.brake, report.halt.count) == ("emptied-listing", 12)
    assert len(list((tmp_path / "f").glob("[0-9]*"))) == 12
    pulling.restart(max_delete=Share(share=1.0))
    assert pulling.sync().deleted_local == 12


def test_pull_after_memory_was_lost_deletes_nothing(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    put(seaweed, bucket, "gone", b"x", tmp_path)
    pulling = worker(Mode.PULL, delete=True)
    pulling.sync()
    delete(seaweed, bucket, "gone")
    (tmp_path / "f" / ".runner" / "state.db").write_bytes(b"no database" * 1000)
    report = pulling.sync()
    assert report.outcome is Outcome.DONE
    assert "set aside" in report.message
    assert (tmp_path / "f" / "gone").exists()


# ── the folder itself ──


def test_a_marker_that_vanishes_halts_and_heals_when_it_is_back(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    fill(tmp_path / "f", 3)
    pushing = worker(Mode.PUSH, delete=True)
    pushing.sync()
    (tmp_path / "f").rename(tmp_path / "away")
    (tmp_path / "f").mkdir()
    report = pushing.sync()
    assert report.halt is not None
    assert report.halt.brake == "marker-missing"
    assert list((tmp_path / "f").iterdir()) == []
    (tmp_path / "f").rmdir()
    (tmp_path / "away").rename(tmp_path / "f")
    assert pushing.sync().outcome is Outcome.DONE
    assert live(seaweed, bucket) == {"00", "01", "02"}


def test_a_folder_that_was_replaced_is_taken_as_new_after_approval(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    fill(tmp_path / "f", 3)
    pushing = worker(Mode.PUSH, delete=True)
    pushing.sync()
    shutil.rmtree(tmp_path / "f")
    fill(tmp_path / "f", 1)
    report = pushing.sync()
    assert report.halt is not None
    pushing.token = report.halt.token
    report = pushing.sync()
    assert (report.outcome, report.deleted_remote) == (Outcome.DONE, 0)
    assert live(seaweed, bucket) == {"00", "01", "02"}
    assert (tmp_path / "f" / ".runner" / "marker.json").exists()


def test_another_folders_marker_halts(worker: MakeWorker, tmp_path: Path) -> None:
    fill(tmp_path / "f", 1)
    pushing = worker(Mode.PUSH, delete=True)
    pushing.sync()
    other = worker(Mode.PUSH, folder=tmp_path / "other")
    other.sync()
    (tmp_path / "f").rename(tmp_path / "away")
    shutil.copytree(tmp_path / "other", tmp_path / "f")
    report = pushing.sync()
    assert report.halt is not None
    assert report.halt.brake == "marker-foreign"


def test_another_bucket_in_the_config_is_a_new_pair_whose_first_pass_deletes_nothing(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    put(seaweed, bucket, "other/theirs", b"x", tmp_path)
    fill(tmp_path / "f", 2)
    pushing = worker(Mode.PUSH, delete=True, prefix="one/")
    pushing.sync()
    pushing.restart(prefix="other/")
    report = pushing.sync()
    assert report.outcome is Outcome.DONE
    assert "synced with" in report.message
    assert "other/theirs" in objects(seaweed, bucket)


@pytest.mark.parametrize("mode", [Mode.PUSH, Mode.PULL])
def test_an_endpoint_that_is_away_fails_and_deletes_nothing(worker: MakeWorker, tmp_path: Path, mode: Mode) -> None:
    fill(tmp_path / "f", 2)
    away = worker(mode, delete=True, endpoint_url="http://127.0.0.1:9")
    report = away.sync()
    assert (report.outcome, report.retry) == (Outcome.FAILED, True)
    assert len(list((tmp_path / "f").glob("[0-9]*"))) == 2


def test_another_folder_with_a_memory_of_its_own_is_new_after_approval(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    fill(tmp_path / "f", 3)
    pushing = worker(Mode.PUSH, delete=True)
    pushing.sync()
    fill(tmp_path / "other", 1)
    worker(Mode.PUSH, folder=tmp_path / "other").sync()
    (tmp_path / "f").rename(tmp_path / "away")
    shutil.copytree(tmp_path / "other", tmp_path / "f")
    halted = pushing.sync()
    assert halted.halt is not None
    pushing.token = halted.halt.token
    report = pushing.sync()
    assert (report.outcome, report.deleted_remote) == (Outcome.DONE, 0)
    assert live(seaweed, bucket) == {"00", "01", "02"}


def test_an_unreadable_marker_halts_until_it_is_approved(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    fill(tmp_path / "f", 2)
    pushing = worker(Mode.PUSH, delete=True)
    pushing.sync()
    (tmp_path / "f" / "00").unlink()
    (tmp_path / "f" / ".runner" / "marker.json").write_text("{")
    halted = pushing.sync()
    assert halted.halt is not None
    assert halted.halt.brake == "folder-unreadable"
    pushing.token = halted.halt.token
    report = pushing.sync()
    assert (report.outcome, report.deleted_remote) == (Outcome.DONE, 0)
    assert live(seaweed, bucket) == {"00", "01"}


def test_memory_kept_elsewhere_is_not_used_for_an_empty_new_folder(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    fill(tmp_path / "f", 3)
    pushing = worker(Mode.PUSH, delete=True, state_dir=tmp_path / "state")
    pushing.sync()
    shutil.rmtree(tmp_path / "f")
    (tmp_path / "f").mkdir()
    pushing.restart()
    for _ in range(2):
        assert pushing.sync().outcome is Outcome.DONE
    assert live(seaweed, bucket) == {"00", "01", "02"}
