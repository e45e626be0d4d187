"""Every part is killed or frozen; the rest goes on and the part comes back."""

import contextlib
import os
import signal
import time
from pathlib import Path

import psutil

from tests.end_to_end.harness import Runner
from tests.witness import objects, soon, wait_until

SLOW_AWS = """#!/bin/sh
# an `aws` that takes its time and minds no polite signal
trap '' INT TERM
echo $$ >> "{log}"
while :; do sleep 0.2; done
"""


def _one_push_pair(runner: Runner, bucket: str, tmp_path: Path, **supervisor: str) -> None:
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "file").write_text("x")
    pair = {"name": "up", "bucket": bucket, "folder": "up", "mode": "push", "every": "1s"}
    runner.write_config([pair], supervisor=supervisor)


def _slow_aws(runner: Runner, tmp_path: Path) -> Path:
    program, log = tmp_path / "slow" / "aws", tmp_path / "aws.pids"
    program.parent.mkdir()
    program.write_text(SLOW_AWS.format(log=log))
    program.chmod(0o755)
    runner.environment["RUNNER_AWS"] = str(program)
    return log


def _run_pids(log: Path) -> list[int]:
    return [int(line) for line in log.read_text().split()] if log.exists() else []


def _alive(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def test_a_worker_killed_with_sigkill_is_replaced_and_syncing_within_initial_delay_and_a_second(
    runner: Runner, bucket: str, tmp_path: Path
) -> None:
    _one_push_pair(runner, bucket, tmp_path)
    runner.start()
    pid = runner.wait_for("up", health="in-sync")["pid"]
    (tmp_path / "up" / "late").write_text("x")
    os.kill(pid, signal.SIGKILL)
    killed_at = time.monotonic()
    wait_until(lambda: runner.pair("up").get("pid") not in (None, 0, pid), "a new worker")
    runner.wait_for("up", health="in-sync", state="running")
    assert runner.pair("up")["restarts"] == 1
    assert time.monotonic() - killed_at < soon(5)
    assert "late" in objects(runner.server, bucket)


def test_the_runs_of_a_killed_worker_end_and_the_next_one_is_alone(runner: Runner, bucket: str, tmp_path: Path) -> None:
    _one_push_pair(runner, bucket, tmp_path)
    log = _slow_aws(runner, tmp_path)
    runner.start()
    wait_until(lambda: len(_run_pids(log)) == 1, "the first run")
    worker = runner.pair("up")["pid"]
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: len(_run_pids(log)) == 2, "the second run")
    first, second = _run_pids(log)
    assert not _alive(first)
    assert _alive(second)


def test_nothing_of_a_killed_supervisor_runs_two_seconds_later(runner: Runner, bucket: str, tmp_path: Path) -> None:
    _one_push_pair(runner, bucket, tmp_path)
    log = _slow_aws(runner, tmp_path)
    process = runner.start()
    wait_until(lambda: _run_pids(log), "a run")
    family = [member.pid for member in runner.processes()]
    assert len(family) >= 4
    process.kill()
    process.wait()
    wait_until(lambda: not any(_alive(pid) for pid in family), "the end of all", soon(2))


def test_a_stop_ends_within_its_budget_though_a_run_ignores_term(runner: Runner, bucket: str, tmp_path: Path) -> None:
    _one_push_pair(runner, bucket, tmp_path, stop_timeout="6s")
    log = _slow_aws(runner, tmp_path)
    runner.start()
    wait_until(lambda: _run_pids(log), "a run")
    family = [member.pid for member in runner.processes()]
    started = time.monotonic()
    code = runner.stop()
    assert time.monotonic() - started < 6 + soon(1.5)
    assert code in (0, 75)
    assert not any(_alive(pid) for pid in [*family, *_run_pids(log)])


def test_frozen_parts_are_found_killed_and_replaced(runner: Runner, bucket: str, tmp_path: Path) -> None:
    _one_push_pair(runner, bucket, tmp_path, heartbeat_timeout="2s")
    runner.start()
    first = runner.wait_for("up", health="in-sync")["pid"]
    os.kill(first, signal.SIGSTOP)
    wait_until(lambda: runner.pair("up").get("pid") not in (None, 0, first), "a new worker")
    for service in ("launcher", "credentials"):
        runner.wait_for("up", health="in-sync")
        frozen = runner.status()["services"][service]["pid"]
        os.kill(frozen, signal.SIGSTOP)

        def replaced(name: str = service, pid: int = frozen) -> bool:
            return runner.status().get("services", {}).get(name, {}).get("pid") not in (None, 0, pid)

        wait_until(replaced, f"a new {service}")
        (tmp_path / "up" / service).write_text("x")
        wait_until(lambda name=service: name in objects(runner.server, bucket), f"{service} synced")  # type: ignore[misc]


def test_killed_services_are_replaced_and_passes_go_on(runner: Runner, bucket: str, tmp_path: Path) -> None:
    _one_push_pair(runner, bucket, tmp_path)
    runner.start()
    runner.wait_for("up", health="in-sync")
    for service in ("launcher", "credentials"):
        os.kill(runner.status()["services"][service]["pid"], signal.SIGKILL)
        (tmp_path / "up" / service).write_text("x")
        wait_until(lambda name=service: name in objects(runner.server, bucket), f"{service} synced")  # type: ignore[misc]
    assert runner.stop() == 0


def test_a_second_runner_waits_in_standby_and_takes_over(runner: Runner, bucket: str, tmp_path: Path) -> None:
    from tests.end_to_end.harness import runner_in

    _one_push_pair(runner, bucket, tmp_path)
    process = runner.start()
    runner.wait_for("up", health="in-sync")
    other_home = tmp_path / "other"
    other_home.mkdir()
    with runner_in(runner.server, other_home) as other:
        pair = {"name": "up", "bucket": bucket, "folder": str(tmp_path / "up"), "mode": "push", "every": "1s"}
        other.write_config([pair])
        other.start()
        row = other.wait_for("up", activity="standby")
        assert str(runner.pair("up")["pid"]) in row["holder"]
        process.kill()
        process.wait()
        other.wait_for("up", health="in-sync", activity="waiting")
        assert other.stop() == 0


def test_a_missing_aws_is_failed_at_once_and_recovers_when_it_appears(
    runner: Runner, bucket: str, tmp_path: Path
) -> None:
    _one_push_pair(runner, bucket, tmp_path)
    program = tmp_path / "later" / "aws"
    runner.environment["RUNNER_AWS"] = str(program)
    runner.start()
    runner.wait_for("up", state="failed")
    assert runner.run("healthcheck").returncode == 1
    program.parent.mkdir()
    real = Path(runner.environment["PATH"].split(os.pathsep)[0]) / "aws"
    program.write_text(f'#!/bin/sh\nexec {real} "$@"\n')
    program.chmod(0o755)
    runner.wait_for("up", health="in-sync", state="running")
