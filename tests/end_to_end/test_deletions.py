"""Deletions: opt-in, from proven knowledge only, behind brakes, into a trash."""

import shutil
from pathlib import Path
from typing import Any

from tests.end_to_end.harness import Runner
from tests.witness import delete, objects, put


def _pair(bucket: str, mode: str, **keys: Any) -> list[dict[str, Any]]:
    return [{"name": "p", "bucket": bucket, "folder": "f", "mode": mode, "delete": True, "every": "1h", **keys}]


def _fill(folder: Path, count: int) -> None:
    folder.mkdir(exist_ok=True)
    for number in range(count):
        (folder / f"{number:02}.txt").write_text("x")


def test_push_first_pass_of_an_empty_unmarked_folder_deletes_nothing(
    runner: Runner, bucket: str, tmp_path: Path
) -> None:
    put(runner.server, bucket, "only-copy", b"precious", tmp_path)
    (tmp_path / "f").mkdir()
    runner.write_config(_pair(bucket, "push"))
    assert runner.run("once").returncode == 0
    assert "only-copy" in objects(runner.server, bucket)


def test_push_deletion_is_carried_over_into_the_buckets_trash_and_can_be_restored(
    runner: Runner, bucket: str, tmp_path: Path
) -> None:
    _fill(tmp_path / "f", 3)
    runner.write_config(_pair(bucket, "push"))
    assert runner.run("once").returncode == 0
    (tmp_path / "f" / "01.txt").unlink()
    assert runner.run("once").returncode == 0
    keys = objects(runner.server, bucket)
    assert "01.txt" not in keys
    assert any(key.startswith(".runner-trash/") and key.endswith("01.txt") for key in keys)
    assert "01.txt" in runner.run("trash", "list", "p").stdout
    assert runner.run("trash", "restore", "p", "01.txt").returncode == 0
    assert "01.txt" in objects(runner.server, bucket)


def test_push_of_an_emptied_folder_halts_until_it_is_approved(runner: Runner, bucket: str, tmp_path: Path) -> None:
    _fill(tmp_path / "f", 12)
    runner.write_config(_pair(bucket, "push"))
    assert runner.run("once").returncode == 0
    for path in (tmp_path / "f").glob("*.txt"):
        path.unlink()
    done = runner.run("once")
    assert done.returncode == 3
    assert len(objects(runner.server, bucket)) == 12
    runner.start()
    row = runner.wait_for("p", activity="halted", health="halted")
    assert row["halt"]["count"] == 12
    assert f"runner approve p {row['halt']['token']}" in done.stdout + done.stderr + runner.log_text()
    assert runner.run("healthcheck").returncode == 0
    assert runner.run("approve", "p", row["halt"]["token"]).returncode == 0
    runner.wait_for("p", health="in-sync")
    assert [key for key in objects(runner.server, bucket) if not key.startswith(".runner-trash/")] == []


def test_push_of_a_replaced_empty_folder_deletes_nothing(runner: Runner, bucket: str, tmp_path: Path) -> None:
    _fill(tmp_path / "f", 12)
    runner.write_config(_pair(bucket, "push"))
    assert runner.run("once").returncode == 0
    shutil.rmtree(tmp_path / "f")
    (tmp_path / "f").mkdir()
    for _ in range(2):
        runner.run("once")
    assert len([key for key in objects(runner.server, bucket) if not key.startswith(".runner-trash/")]) == 12


def test_pull_keeps_local_files_that_never_came_from_the_bucket(runner: Runner, bucket: str, tmp_path: Path) -> None:
    put(runner.server, bucket, "a", b"a", tmp_path)
    put(runner.server, bucket, "b", b"b", tmp_path)
    runner.write_config(_pair(bucket, "pull"))
    assert runner.run("once").returncode == 0
    (tmp_path / "f" / "mine").write_text("never uploaded")
    delete(runner.server, bucket, "b")
    assert runner.run("once").returncode == 0
    assert sorted(path.name for path in (tmp_path / "f").iterdir() if path.is_file()) == ["a", "mine"]
    assert runner.run("trash", "restore", "p", "b").returncode == 0
    assert (tmp_path / "f" / "b").read_bytes() == b"b"


def test_pull_of_an_emptied_bucket_halts(runner: Runner, bucket: str, tmp_path: Path) -> None:
    for number in range(11):
        put(runner.server, bucket, f"{number}", b"x", tmp_path)
    runner.write_config(_pair(bucket, "pull"))
    assert runner.run("once").returncode == 0
    delete(runner.server, bucket, *objects(runner.server, bucket))
    assert runner.run("once").returncode == 3
    assert len([path for path in (tmp_path / "f").iterdir() if path.is_file()]) == 11


def test_delete_is_off_unless_asked_for(runner: Runner, bucket: str, tmp_path: Path) -> None:
    _fill(tmp_path / "f", 3)
    runner.write_config(_pair(bucket, "push", delete=False))
    assert runner.run("once").returncode == 0
    (tmp_path / "f" / "01.txt").unlink()
    assert runner.run("once").returncode == 0
    assert "01.txt" in objects(runner.server, bucket)
