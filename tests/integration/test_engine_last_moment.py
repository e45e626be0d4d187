"""Deletions in the bucket at the last moment: what has changed stays, what could not be copied stays."""

from pathlib import Path

import pytest

from demo.seaweedfs import Server
from runner.config.settings import Mode, Pair
from runner.engine import remote_trash
from runner.model.passes import Outcome
from runner.store.client import Client
from runner.store.door import ObjectStore, Written
from runner.store.errors import StoreError
from tests.integration.aws_cli_engine import MakeWorker, Worker, services, worker
from tests.witness import objects, put

__all__ = ["services", "worker"]


def _pushed_and_one_gone(worker: MakeWorker, folder: Path) -> Worker:
    folder.mkdir()
    for name in ("kept", "gone"):
        (folder / name).write_text(name)
    pushing = worker(Mode.PUSH, delete=True)
    pushing.sync()
    (folder / "gone").unlink()
    return pushing


def test_push_deletion_of_an_object_that_changes_after_the_listing_is_left_out(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushing = _pushed_and_one_gone(worker, tmp_path / "f")
    keeper = remote_trash.keeper

    def change_first(client: ObjectStore, pair: Pair, now: float) -> remote_trash.Keeper:
        put(seaweed, bucket, "gone", b"somebody's new version", tmp_path)
        return keeper(client, pair, now)

    monkeypatch.setattr(remote_trash, "keeper", change_first)
    report = pushing.sync()
    assert (report.outcome, report.deleted_remote) == (Outcome.DONE_WITH_PROBLEMS, 0)
    assert [(problem.path, problem.code) for problem in report.problems] == [("gone", "changed-there")]
    assert objects(seaweed, bucket)["gone"] == len(b"somebody's new version")


def test_push_deletion_of_an_object_that_cannot_be_copied_to_the_trash_is_left_out(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushing = _pushed_and_one_gone(worker, tmp_path / "f")

    def too_large(_client: Client, _source: str, _target: str, *, source_etag: str, expected: None) -> Written:
        raise StoreError("the source is larger than 5 GB", status=400, code="InvalidRequest")

    monkeypatch.setattr(Client, "copy", too_large)
    report = pushing.sync()
    assert (report.outcome, report.deleted_remote) == (Outcome.DONE_WITH_PROBLEMS, 0)
    assert [(problem.path, problem.code) for problem in report.problems] == [("gone", "trash-failed")]
    monkeypatch.undo()
    assert pushing.sync().deleted_remote == 1, "as soon as it can be kept, it goes"
    assert "kept" in objects(seaweed, bucket)
