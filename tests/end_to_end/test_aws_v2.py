"""With a real AWS CLI v2 instead of the warm v1: the same files, the same words, the same ends."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from demo import seaweedfs
from tests import aws_v2
from tests.end_to_end.harness import Runner, runner_in
from tests.end_to_end.test_main_job import AWKWARD_NAMES
from tests.witness import delete, objects, put, soon, wait_until

pytestmark = pytest.mark.aws_v2


@pytest.fixture
def runner(seaweed: seaweedfs.Server, tmp_path: Path) -> Iterator[Runner]:
    """Finds the v2 first on PATH, as on a machine where it is installed."""
    program = aws_v2.find()
    if program is None:
        pytest.skip("LOUD SKIP: there is no AWS CLI v2 on this machine")
    with runner_in(seaweed, tmp_path) as unstarted:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "aws").symlink_to(program)
        unstarted.environment["PATH"] = f"{tmp_path / 'bin'}{os.pathsep}{unstarted.environment['PATH']}"
        yield unstarted


def test_v2_moves_awkward_names_both_ways_deletes_and_keeps_copies(runner: Runner, bucket: str, tmp_path: Path) -> None:
    up, down = tmp_path / "up", tmp_path / "down"
    (up / "empty" / "deep").mkdir(parents=True)
    for number, name in enumerate(AWKWARD_NAMES):
        (up / name).write_text("x" * (number + 1))  # not empty: an old v2 waits 60 s for a Go server then
    (up / "large").write_bytes(os.urandom(20 << 20))
    (up / "dangling").symlink_to("nowhere")
    os.mkfifo(up / "fifo")
    with open(os.fsencode(up) + b"/not-utf8-\xff", "wb"):
        pass
    pushing = {"name": "up", "bucket": bucket, "folder": "up", "mode": "push", "delete": True, "concurrency": 4}
    runner.write_config([pushing])
    first = runner.run("once")
    assert (first.returncode, first.stdout.partition(" (")[0]) == (0, "up: done-with-problems: 8 uploaded"), first
    assert all(code in first.stdout for code in ("dangling-link", "impossible-name", "special-file"))
    (up / "-rf").unlink()
    (up / "$(id)").write_text("y" * 7)
    os.utime(up / "$(id)", (1e9, 1e9))  # same size, older: the CLI alone would never see it
    second = runner.run("once")
    assert "1 uploaded (7B), 1 deleted in the bucket" in second.stdout, second
    pulling = {"name": "down", "bucket": bucket, "folder": "down", "mode": "pull", "delete": True}
    runner.write_config([pulling])
    assert runner.run("once").returncode == 0
    names = {str(path.relative_to(down)) for path in down.rglob("*") if ".runner" not in path.parts}
    assert names == {*AWKWARD_NAMES, "large", "empty", "empty/deep"} - {"-rf"}
    assert (down / "$(id)").read_text() == "y" * 7
    put(runner.server, bucket, "hash#question?.txt", b"news", tmp_path)  # same size as before: --exact-timestamps
    delete(runner.server, bucket, "large")
    third = runner.run("once")
    assert "1 downloaded (4B), 1 deleted in the folder" in third.stdout, third
    assert (down / "hash#question?.txt").read_bytes() == b"news"
    assert "down: done: nothing to do" in runner.run("once").stdout


def test_v2_is_shown_and_its_run_dies_with_its_worker(runner: Runner, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "large").write_bytes(os.urandom(40 << 20))
    slow = {"name": "up", "bucket": bucket, "folder": "up", "mode": "push", "every": "1h", "bandwidth": "2MB"}
    runner.write_config([slow])
    runner.start()

    def runs() -> list[psutil.Process]:
        return [process for process in runner.processes() if _is_sync(process)]

    wait_until(lambda: (runner.pair("up").get("progress") or {}).get("bytes_done"), "progress in bytes")
    launcher = runner.status()["services"]["launcher"]
    assert (launcher["way"], launcher["version"].partition(".")[0]) == ("spawned", "aws-cli/2")
    first, worker = runs(), runner.pair("up")["pid"]
    assert len(first) == 1
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: not any(one.is_running() and _is_sync(one) for one in first), "the run's end", soon(5))
    wait_until(runs, "the next run")
    assert len(runs()) == 1
    assert runner.pair("up")["pid"] != worker


def _is_sync(process: psutil.Process) -> bool:
    try:
        return {"s3", "sync"} <= set(process.cmdline())
    except psutil.Error:
        return False


def test_v2_complaints_are_said_plainly(runner: Runner, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "up").mkdir()
    pair = {"name": "up", "bucket": bucket, "folder": "up", "mode": "push"}
    runner.write_config([pair | {"aws_args": ["--nonsense"]}])
    said = runner.run("once")
    assert (said.returncode, "the AWS CLI does not know an option" in said.stdout) == (1, True), said
    runner.write_config([pair | {"bucket": "there-is-no-such-bucket"}])
    said = runner.run("once")
    assert (said.returncode, "the bucket does not exist" in said.stdout) == (1, True), said
    runner.environment["AWS_SECRET_ACCESS_KEY"] = "wrong"
    runner.write_config([pair])
    said = runner.run("once")
    assert (said.returncode, "a wrong secret key" in said.stdout) == (1, True), said


def test_v2_sends_to_the_endpoint_that_we_compare_with(runner: Runner, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "file").write_text("x")
    config = tmp_path / "aws-config"  # a v2 before 2.13 knows no endpoint there: it would send to Amazon
    config.write_text(f"[default]\nendpoint_url = {runner.server.endpoint_url}\n")
    runner.environment["AWS_CONFIG_FILE"] = str(config)
    runner.write_config(
        [{"name": "up", "bucket": bucket, "folder": "up", "mode": "push"}], defaults={"endpoint_url": None}
    )
    done = runner.run("once")
    assert done.returncode == 0, done
    assert objects(runner.server, bucket) == {"file": 1}
