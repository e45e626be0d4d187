"""`check --online` against a real server: what it proves, and that it leaves nothing behind."""

import dataclasses
from pathlib import Path

from demo.seaweedfs import Server
from runner.config.settings import Mode
from runner.engine.interface import Finding
from runner.engine.registry import inspect
from tests.integration.aws_cli_engine import MakeWorker, Worker, services, worker
from tests.witness import objects, put

__all__ = ["services", "worker"]


def findings(subject: Worker, **changes: object) -> dict[str, Finding]:
    surroundings = subject.surroundings()
    pair = surroundings.pair.model_copy(update=changes)
    return {found.item: found for found in inspect(dataclasses.replace(surroundings, pair=pair))}


def verdicts(found: dict[str, Finding]) -> dict[str, str]:
    return {item: finding.verdict for item, finding in found.items()}


def test_inspection_of_a_push_proves_every_right_and_leaves_nothing(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    put(seaweed, bucket, "p/there", b"x" * 5000, tmp_path)
    (tmp_path / "f" / "sub").mkdir(parents=True)
    for name in ("a", "b", "sub/c"):
        (tmp_path / "f" / name).write_text("1")
    found = findings(worker(Mode.PUSH, prefix="p/", watch=True))
    names = ("credentials", "bucket", "list", "read", "write", "delete", "versioning", "folder", "files", "events")
    assert verdicts(found) == dict.fromkeys((*names, "requests"), "ok")
    assert (found["list"].text, found["list"].count) == ("1 object below p/", 5000)
    assert found["files"].text == "3 files in 2 folders"
    assert found["requests"].count == 3
    assert objects(seaweed, bucket) == {"p/there": 5000}
    assert seaweed.environment["AWS_SECRET_ACCESS_KEY"] not in str(found)


def test_inspection_of_a_pull_writes_nothing_and_makes_no_folder(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    found = findings(worker(Mode.PULL), folder=tmp_path / "not-there")
    assert "write" not in found
    assert found["read"].verdict == "note"
    assert "first pass makes it" in found["folder"].text
    assert not (tmp_path / "not-there").exists()


def test_inspection_of_a_missing_bucket_says_so_once_and_still_looks_at_the_folder(worker: MakeWorker) -> None:
    found = findings(worker(Mode.PUSH, bucket="no-such-bucket-here"))
    assert found["bucket"].verdict == "failed"
    assert "does not exist" in found["bucket"].text
    assert not {"list", "read", "write", "requests"} & found.keys()
    assert found["folder"].verdict == "ok"


def test_inspection_without_credentials_fails_with_the_reason(worker: MakeWorker) -> None:
    found = findings(worker(Mode.PUSH), profile="nobody")
    assert verdicts(found)["credentials"] == "failed"
    assert "nobody" in found["credentials"].text
    assert "bucket" not in found
