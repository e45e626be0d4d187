"""What a run and the engine's own requests must have in common, what they cost, and what a foreign order costs."""

import os
from pathlib import Path

import pytest

from demo.seaweedfs import Server
from runner.config.settings import Mode
from runner.model.passes import Outcome, Requests
from tests.integration.aws_cli_engine import MakeWorker, services, worker
from tests.integration.test_store_lies import Liar, _liar, error
from tests.witness import delete, objects, put

__all__ = ["_liar", "services", "worker"]


def test_push_into_a_bucket_of_another_owner_never_begins(worker: MakeWorker, liar: Liar, tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "secret").write_text("for the owner only")
    liar.replies = [error(403, "AccessDenied")]
    pushing = worker(Mode.PUSH, endpoint_url=liar.url, expected_bucket_owner="123456789012")
    report = pushing.sync()
    assert (report.outcome, report.uploaded, pushing.pids) == (Outcome.FAILED, 0, [])
    asked = {name.lower(): value for name, value in liar.asked[0][2].items()}
    assert asked["x-amz-expected-bucket-owner"] == "123456789012"
    assert {command for command, _path, _headers in liar.asked} == {"GET"}


def test_requests_of_the_runs_are_counted_in_both_directions(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "f").mkdir()
    for name in ("one", "two"):
        (tmp_path / "f" / name).write_text(name)
    (tmp_path / "f" / "large").write_bytes(os.urandom(17 << 20))
    pushed = worker(Mode.PUSH).sync().requests
    assert pushed.lists == 1
    assert 5 <= pushed.puts <= 7, "three files, one of them in three parts"
    pulled = worker(Mode.PULL, folder=tmp_path / "down").sync().requests
    assert 5 <= pulled.gets <= 7
    assert (pulled.lists, pulled.puts) == (2, 0)
    assert worker(Mode.PUSH, folder=tmp_path / "empty", prefix="empty/").sync().requests == Requests(lists=1)
    assert len(objects(seaweed, bucket)) == 3


def test_push_that_lists_nothing_itself_still_notices_a_server_in_another_order(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "f" / "a").mkdir(parents=True)
    for name in ("a/b", "a!", "a-"):  # SeaweedFS lists `a/b` before `a!`
        (tmp_path / "f" / name).write_text("x")
    pushing = worker(Mode.PUSH)
    assert pushing.sync().problems == ()
    again = pushing.sync()
    assert (again.outcome, [problem.code for problem in again.problems]) == (Outcome.DONE, ["unordered-listing"])


def test_push_of_files_that_vanished_from_an_ordered_bucket_is_no_complaint(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "f").mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / "f" / name).write_text("x")
        os.utime(tmp_path / "f" / name, (1_600_000_000, 1_600_000_000))  # LastModified has whole seconds
    pushing = worker(Mode.PUSH)
    pushing.sync()
    delete(seaweed, bucket, "b")
    again = pushing.sync()
    assert (again.uploaded, again.problems) == (1, ())


def test_endpoint_of_the_environment_reaches_runs_and_requests_alike(
    worker: MakeWorker, seaweed: Server, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(seaweed, bucket, "there", b"x", tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", seaweed.endpoint_url)
    pulling = worker(Mode.PULL, endpoint_url=None)
    report = pulling.sync()
    assert (report.outcome, report.downloaded) == (Outcome.DONE, 1), report
