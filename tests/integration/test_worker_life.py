"""A real worker process: passes, triggers, crashes and what is said of them."""

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from runner.config.settings import Interval, Mode
from runner.files.folder import Folder
from runner.files.lock import Holder, PairLock, try_lock
from runner.files.private import Private
from runner.model.exit_codes import ExitCode
from runner.wire.channel import Channel
from tests.integration.worker_harness import Rig, answer_of, pair, start

Start = Callable[..., Rig]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "folder"
    path.mkdir()
    return path


@pytest.fixture
def launch(tmp_path: Path, folder: Path) -> Iterator[Start]:
    rigs: list[Rig] = []

    def launch(*script: str, one_shot: bool = False, **changes: Any) -> Rig:
        supervisor = changes.pop("supervisor", None)
        of = pair(folder, **changes)
        rigs.append(start(of, tmp_path / "journal", *script, one_shot=one_shot, supervisor=supervisor))
        return rigs[-1]

    yield launch
    for rig in rigs:
        rig.close()


def test_start_first_pass_runs_at_once_and_is_in_sync(launch: Start) -> None:
    rig = launch("changed")
    report = rig.report(health="in-sync")
    assert rig.triggers() == ["start"]
    assert report["activity"] == "waiting"
    assert report["compared_by"] == "size-time"
    assert report["totals"]["uploaded"] == 2
    assert report["next_pass_at"] > report["last_pass"]["ended_at"] + 3000
    assert rig.all("heartbeat")


def test_before_first_pass_health_is_unknown(launch: Start) -> None:
    rig = launch("slow")
    report = rig.report(activity="syncing")
    assert report["health"] == "unknown"


def test_schedule_runs_again_and_again(launch: Start) -> None:
    rig = launch("done", every=Interval(min_seconds=0.2, max_seconds=0.2))
    rig.until(lambda: rig.triggers().count("schedule") >= 3)


def test_exception_in_a_pass_is_logged_and_the_worker_lives(launch: Start) -> None:
    rig = launch("raises", "done")
    rig.report(health="failing")
    rig.report(health="in-sync")
    assert rig.triggers() == ["start", "retry"]
    assert b"ZeroDivisionError" in rig.output


def test_failed_pass_is_retried_and_counted(launch: Start) -> None:
    rig = launch("failed", "failed", "done")
    failing = rig.report(consecutive_failures=2)
    assert (failing["health"], failing["activity"], failing["error"]) == ("failing", "retrying", "no network")
    assert rig.report(health="in-sync")["consecutive_failures"] == 0


def test_problems_are_behind_sampled_and_counted(launch: Start) -> None:
    rig = launch("problems")
    report = rig.report(health="behind")
    assert report["problems_count"] == 300
    assert len(report["problems"]) == 100
    lines = answer_of(rig.client(command="problems", pair="site"))
    assert len(lines) == 301
    assert lines[0]["row"]["path"] == "p0"
    assert lines[-1] == {"end": True, "exit_code": 0, "message": ""}


def test_permanent_failure_is_reported_and_leaves_with_78(launch: Start) -> None:
    rig = launch("permanent")
    assert rig.exit_status() == 78
    assert rig.report(health="failing")["error"] == "no aws here"


def test_sync_requests_while_a_pass_runs_share_the_next_one(launch: Start) -> None:
    rig = launch("moderate", "done")
    rig.report(activity="syncing")
    for number in ("1", "2", "3"):
        rig.send("sync", reason="request", pass_id=number, outside_slots=True)
    rig.until(lambda: len(rig.all("pass-done")) == 3)
    assert rig.triggers() == ["start", "request"]
    assert {message["pass_id"] for message in rig.all("pass-done")} == {"1", "2", "3"}
    assert rig.all("pass-done")[0]["report"]["outcome"] == "done"


def test_watch_local_change_is_behind_and_pushed_soon(launch: Start, folder: Path) -> None:
    rig = launch("done", watch=True)
    assert rig.report(health="in-sync")["watching"] == "events"
    rig.forget()
    (folder / "new").write_text("x")
    rig.report(health="behind")
    rig.report(health="in-sync")
    assert rig.triggers() == ["start", "watch"]


def test_watch_on_a_pull_is_off(launch: Start) -> None:
    rig = launch("done", watch=True, mode=Mode.PULL)
    assert rig.report(health="in-sync")["watching"] == "off"


def test_pause_cuts_the_pass_refuses_requests_and_resume_goes_on(launch: Start) -> None:
    rig = launch("slow", "done")
    rig.report(activity="syncing")
    rig.send("pause")
    rig.report(activity="paused")
    rig.send("sync", pass_id="7")
    refused = rig.until(lambda: rig.all("pass-done"))[0]
    assert "resume site" in refused["report"]["message"]
    rig.send("resume")
    rig.report(health="in-sync")
    assert len(rig.triggers()) == 2


def test_approve_lets_the_halted_plan_through(launch: Start) -> None:
    rig = launch("token")
    rig.report(health="halted", activity="halted")
    rig.send("approve", token="yes")
    rig.report(health="in-sync")
    assert rig.triggers() == ["start", "approved"]


def test_approval_outlives_a_pass_that_failed(launch: Start) -> None:
    rig = launch("token", "failed", "token")
    rig.report(health="halted")
    rig.send("approve", token="yes")
    rig.report(health="in-sync")
    assert rig.triggers() == ["start", "approved", "retry"]


def test_approval_is_spent_by_the_pass_that_went_through(launch: Start) -> None:
    rig = launch("token", "token", "token")
    rig.report(health="halted")
    rig.send("approve", token="yes")
    rig.report(health="in-sync")
    rig.send("sync", pass_id="p1")
    assert rig.until(lambda: rig.all("pass-done"))[0]["report"]["outcome"] == "halted"


def test_progress_is_reported_but_not_more_than_twice_a_second(launch: Start) -> None:
    rig = launch("slow")
    rig.until(lambda: len([m for m in rig.all("report") if m["progress"]]) >= 3)
    done = [m["progress"]["bytes_done"] for m in rig.all("report") if m["progress"]]
    assert min(later - earlier for earlier, later in pairwise(done[1:])) > 10


def test_slot_blocks_until_granted_and_is_released(launch: Start) -> None:
    rig = launch("slot")
    rig.until(lambda: rig.all("slot?"))
    assert not rig.all("slot-release")
    rig.send("slot")
    rig.report(health="in-sync")
    rig.until(lambda: rig.all("slot-release"))


def test_slot_is_not_asked_for_a_waited_request(launch: Start) -> None:
    rig = launch("done", "slot")
    rig.report(health="in-sync")
    rig.send("sync", pass_id="1", outside_slots=True)
    rig.until(lambda: rig.all("pass-done"))
    assert not rig.all("slot?")


def test_service_connection_arrives_in_the_pass_thread(launch: Start) -> None:
    rig = launch("connects")
    assert rig.until(lambda: rig.all("service?"))[0]["name"] == "launcher"
    ours, theirs = Channel.pair()
    rig.send("service", (theirs.fileno(),), name="launcher")
    theirs.close()
    received = rig.until(ours.receive)
    assert received[0].type == "hello"
    ours.close()
    rig.report(health="in-sync")


def test_supervisor_gone_ends_the_worker_at_once(launch: Start) -> None:
    rig = launch("hangs")
    rig.report(activity="syncing")
    rig.forked.channel.close()
    assert rig.exit_status(seconds=5) == 1


def test_abort_writes_a_traceback_of_all_threads(launch: Start) -> None:
    rig = launch("hangs")
    rig.until(rig.triggers)
    os.kill(rig.forked.pid, signal.SIGABRT)
    assert rig.exit_status() == -signal.SIGABRT
    assert b"in run_pass" in rig.output
    assert b"worker.py" in rig.output


def test_terminal_signals_are_not_for_the_worker(launch: Start) -> None:
    rig = launch("done")
    rig.report(health="in-sync")
    os.kill(rig.forked.pid, signal.SIGTERM)
    os.kill(rig.forked.pid, signal.SIGINT)
    rig.send("sync", pass_id="1")
    rig.until(lambda: rig.all("pass-done"))


def test_plan_waits_for_the_pass_and_vanished_clients_are_harmless(launch: Start) -> None:
    rig = launch("moderate", "done")
    rig.report(activity="syncing")
    rig.client(command="plan", pair="site").close()
    lines = answer_of(rig.client(command="plan", pair="site"))
    assert rig.report(activity="waiting")
    assert [line["row"]["path"] for line in lines[:-1]] == ["f0", "f1", "f2"]
    assert answer_of(rig.client(command="verify", content=True))[0]["row"]["reason"] == "content"
    assert answer_of(rig.client(command="trash-restore", path="x"))[0]["row"]["path"] == "x"
    assert answer_of(rig.client(command="nonsense"))[0]["exit_code"] == 2


def test_client_that_leaves_a_long_plan_sets_the_passes_free(launch: Start) -> None:
    rig = launch("done", "done", "plan-is-long")
    rig.report(health="in-sync")
    client = rig.client(command="plan", pair="site")
    rig.send("sync", pass_id="1")
    rig.pump(0.5)
    assert not rig.all("pass-done")
    client.close()
    rig.until(lambda: rig.all("pass-done"))


def test_plan_that_hangs_ends_the_worker_to_be_replaced(launch: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.worker.hang_guard.PATIENCE_SECONDS", 0.0)
    rig = launch("done", "plan-hangs", stall_timeout_seconds=1.0)
    rig.report(health="in-sync")
    client = rig.client(command="plan", pair="site")
    assert rig.exit_status() == ExitCode.SOFTWARE
    assert b"in _hangs" in rig.output
    client.close()


def test_client_that_never_reads_does_not_hold_up_passes(launch: Start) -> None:
    rig = launch("problems")
    rig.report(health="behind")
    deaf = rig.client(command="problems")
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    rig.send("sync", pass_id="1")
    rig.until(lambda: rig.all("pass-done"))
    deaf.close()


def test_lock_of_another_runner_is_standby_until_it_is_free(launch: Start, folder: Path) -> None:
    lock = _hold(folder)
    rig = launch("done")
    standby = rig.report(activity="standby")
    assert standby["holder"].startswith("elsewhere pid 77")
    assert standby["health"] == "unknown"
    lock.close()
    rig.report(health="in-sync")


def test_one_shot_held_pair_fails_at_once_without_wait(launch: Start, folder: Path) -> None:
    lock = _hold(folder)
    rig = launch("done", one_shot=True)
    rig.send("sync", pass_id="1", wait=False)
    refused = rig.until(lambda: rig.all("pass-done"))[0]["report"]
    assert refused["outcome"] == "failed"
    assert "elsewhere pid 77" in refused["message"]
    lock.close()


def test_one_shot_held_pair_queues_with_wait(launch: Start, folder: Path) -> None:
    lock = _hold(folder)
    rig = launch("done", one_shot=True)
    rig.send("sync", pass_id="1", wait=True)
    rig.report(activity="standby")
    assert not rig.all("pass-done")
    lock.close()
    assert rig.until(lambda: rig.all("pass-done"))[0]["report"]["outcome"] == "done"
    rig.send("stop", timeout_seconds=5, flush=True)
    assert rig.exit_status() == 0
    assert rig.triggers() == ["request"]


def test_one_shot_plan_leaves_no_trace(launch: Start, folder: Path) -> None:
    folder.rmdir()
    rig = launch("done", one_shot=True)
    assert len(answer_of(rig.client(command="plan"))) == 4
    rig.send("stop", timeout_seconds=5, flush=True)
    assert rig.exit_status() == 0
    assert not folder.exists()
    assert not rig.triggers()


def test_missing_mount_point_is_failing_and_cured_without_restart(launch: Start, folder: Path) -> None:
    folder.rmdir()
    folder.write_text("in the way")
    rig = launch("done")
    report = rig.report(health="failing")
    assert "not a directory" in report["error"]
    folder.unlink()
    rig.report(health="in-sync", error="")


def test_on_change_program_gets_the_facts(launch: Start, tmp_path: Path) -> None:
    told = tmp_path / "told"
    rig = launch("changed", on_change=("sh", "-c", f"cat > {told}.new && mv {told}.new {told}"))
    rig.until(told.exists)
    assert json.loads(told.read_text())["uploaded"] == 2


def test_on_change_failure_is_logged_only(launch: Start) -> None:
    rig = launch("changed", on_change=("/nowhere/at/all",))
    rig.until(lambda: b"on_change failed" in rig.output)
    rig.report(health="in-sync")


def test_full_log_pipe_does_not_stop_the_worker(launch: Start) -> None:
    rig = launch("raises", every=Interval(min_seconds=0.01, max_seconds=0.01))
    # Nobody reads descriptor 2 here; a traceback is 1 KB and a pipe takes 64.
    channel = rig.forked.channel

    def passes() -> int:
        rig.messages += [received.message for received in channel.receive()]
        return max((message["totals"]["passes"] for message in rig.all("report")), default=0)

    _until(lambda: passes() > 200)
    rig.send("stop", timeout_seconds=3, flush=False)
    _until(lambda: passes() >= 0 and rig.all("stopped"))


def _until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def _hold(folder: Path) -> PairLock:
    opened = Folder.open(folder, create=False, mountpoint=False)
    private = Private.open(opened, pair(folder), None)
    lock = try_lock(private, Holder("elsewhere", 77, 0.0))
    assert isinstance(lock, PairLock)
    private.close()
    opened.close()
    return lock
