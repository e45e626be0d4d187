"""Workers that crash, hang, are stopped or killed: what the supervisor does, seen from outside."""

import os
import re
import signal
import time

from tests.integration.household import Start, household, is_alive, wait_for
from tests.witness import soon

__all__ = ["household"]


def test_worker_killed_is_replaced_within_initial_delay_and_a_second(household: Start) -> None:
    house = household({"a": "good"}, restart={"initial": 0.5}).start_and_settle()
    first = house.status()["a"]["pid"]
    os.kill(first, signal.SIGKILL)
    killed_at = time.monotonic()
    row = house.wait_until(lambda rows: rows["a"]["state"] == "running" and rows["a"]["pid"] != first)["a"]
    assert time.monotonic() - killed_at < soon(1.5)
    assert row["restarts"] == 1
    assert row["last_exit"]["signal"] == "SIGKILL"
    assert house.stop() == 0


def test_crashing_worker_waits_longer_each_time_and_others_do_not_notice(household: Start) -> None:
    house = household({"bad": "crash", "good": "good"}, restart={"initial": 0.1, "max": 0.5}).start()
    house.wait_until(lambda rows: rows["bad"]["restarts"] >= 5 and rows["good"]["state"] == "running")
    delays = [float(found) for found in re.findall(r"\[bad\] \S+ -> backoff: .*next start in ([0-9.]+) s", house.log())]
    for delay, plain in zip(delays, (0.1, 0.2, 0.4, 0.5, 0.5), strict=False):
        assert abs(delay - plain) <= 0.1 * plain + 0.05
    assert house.status()["good"]["restarts"] == 0


def test_permanent_failure_is_failed_at_once_and_recovers_by_itself(household: Start) -> None:
    house = household({"a": "permanent", "b": "good"})
    broken = house.folder("a") / "broken"
    broken.touch()
    house.start()
    row = house.wait_until(lambda rows: rows["a"]["state"] == "failed")["a"]
    assert row["error"] == "no aws on this machine"
    assert row["restarts"] == 0
    ending = house.ask("healthcheck")[-1]
    assert (ending["exit_code"], "no aws" in ending["message"]) == (1, True)
    assert "no aws" in house.ask("sync", pairs=["a"], wait=True)[0]["row"]["message"]
    broken.unlink()
    house.wait_until(lambda rows: rows["a"]["state"] == "running")
    assert house.ask("healthcheck")[-1]["exit_code"] == 1  # not proven yet
    assert house.ask("sync", pairs=["a"], wait=True)[-1]["exit_code"] == 0
    assert house.ask("healthcheck")[-1]["exit_code"] == 0
    assert house.status()["a"]["restarts"] == 0


def test_silent_worker_leaves_a_traceback_and_is_replaced(household: Start) -> None:
    house = household({"a": "hang"}, heartbeat_timeout=1.0, restart={"initial": 0.2}).start_and_settle()
    first = house.status()["a"]["pid"]
    house.wait_until(lambda rows: rows["a"]["pid"] not in {first, None})
    assert "stuck: no sign of life" in house.status()["a"]["last_exit"]["reason"]
    assert "supervisor_under_test.py" in house.log()  # faulthandler's words
    assert "Fatal Python error: Aborted" in house.log()


def test_stopped_worker_is_killed_and_replaced(household: Start) -> None:
    house = household({"a": "good"}, heartbeat_timeout=1.0, restart={"initial": 0.2}).start_and_settle()
    first = house.status()["a"]["pid"]
    os.kill(first, signal.SIGSTOP)
    row = house.wait_until(lambda rows: rows["a"]["state"] == "running" and rows["a"]["pid"] != first)["a"]
    assert row["last_exit"]["signal"] in {"SIGKILL", "SIGABRT"}
    assert not is_alive(first)


def test_supervisor_stopped_for_long_does_not_kill_its_workers(household: Start) -> None:
    house = household({"a": "good"}, heartbeat_timeout=1.0).start_and_settle()
    first = house.status()["a"]["pid"]
    house.kill(signal.SIGSTOP)
    time.sleep(2.5)
    house.kill(signal.SIGCONT)
    time.sleep(0.5)
    assert house.status()["a"]["pid"] == first


def test_heartbeat_timeout_made_shorter_by_reload_kills_nobody_and_still_watches(household: Start) -> None:
    """Who was started with more patience paces its heartbeats by that."""
    house = household({"a": "slow-beats", "b": "good"}, heartbeat_timeout=60.0).start_and_settle()
    before = {name: row["pid"] for name, row in house.status().items()}
    house.limits["heartbeat_timeout"] = 1.0
    house.write()
    assert house.ask("reload")[-1]["exit_code"] == 0
    time.sleep(2.5)
    assert {name: row["pid"] for name, row in house.status().items()} == before
    assert house.whole_status()["services"]["credentials"]["restarts"] == 0
    house.ask("restart", pairs=["b"])
    house.wait_until(lambda rows: rows["b"]["state"] == "running" and rows["b"]["pid"] != before["b"])
    frozen = house.status()["b"]["pid"]
    os.kill(frozen, signal.SIGSTOP)
    house.wait_until(lambda rows: rows["b"]["pid"] not in {None, frozen})


def test_dead_workers_session_and_runs_die_with_it(household: Start) -> None:
    house = household({"a": "grandchildren", "b": "runs"}, restart={"initial": 5}).start_and_settle()
    grandchildren = wait_for(lambda: (house.folder("a") / "grandchildren").read_text().split())
    run = int(wait_for((house.folder("b") / "run").read_text))
    of_its_session = int((house.folder("b") / "group").read_text())
    rows = house.status()
    for name in ("a", "b"):
        os.kill(rows[name]["pid"], signal.SIGKILL)
    wait_for(lambda: not is_alive(run))  # in a session of its own, and nobody else would end it
    wait_for(lambda: not is_alive(of_its_session))  # in a group of its own
    wait_for(lambda: not all(is_alive(int(pid)) for pid in grandchildren))
    house.stop()
    assert not [pid for pid in map(int, grandchildren) if is_alive(pid)]


def test_supervisor_killed_leaves_nothing_behind(household: Start) -> None:
    house = household({"a": "good", "b": "deaf"}).start_and_settle()
    family = house.family()
    assert len(family) == 4
    house.kill(signal.SIGKILL)
    wait_for(lambda: not [pid for pid in family if is_alive(pid)], seconds=soon(2))


def test_strangers_orphan_is_reaped_and_nothing_else_happens(household: Start) -> None:
    house = household({"a": "grandchildren"}).start_and_settle()
    listed = house.folder("a") / "grandchildren"
    wait_for(lambda: listed.exists() and len(listed.read_text().split()) == 2)
    pids = [int(pid) for pid in listed.read_text().split()]
    orphan = next(pid for pid in pids if os.getsid(pid) != house.status()["a"]["pid"])
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not os.path.exists(f"/proc/{orphan}"))
    assert house.status()["a"]["restarts"] == 0


def test_early_closed_stdout_costs_nothing(household: Start) -> None:
    house = household({"a": "closes-stdout", "b": "keeps-stdout"}, restart={"initial": 30}).start()
    house.wait_until(lambda rows: rows["a"]["state"] == "running" and rows["b"]["state"] == "backoff")
    assert _cpu_seconds(house.pid, during=3.0) < 0.03


def test_grandchild_that_keeps_stdout_does_not_hold_up_restarts(household: Start) -> None:
    house = household({"a": "keeps-stdout"}, restart={"initial": 0.1, "max": 0.1}).start()
    house.wait_until(lambda rows: rows["a"]["restarts"] >= 4, seconds=60)


def test_garbage_on_stdout_is_logged_harmlessly(household: Start) -> None:
    house = household({"a": "garbage"}).start_and_settle()
    wait_for(lambda: "[a] proper" in house.log())
    assert "\x1b" not in house.log()
    assert "cut)" in house.log()


def test_memory_over_the_limit_in_three_checks_restarts_gracefully(household: Start) -> None:
    house = household({"a": "large"})
    house.extra["a"] = {"max_memory": 32 << 20}
    house.write()
    house.start_and_settle()
    wait_for((house.folder("a") / "stopped").exists)
    wait_for(lambda: len((house.folder("a") / "pids").read_text().split()) >= 2)
    assert "max_memory" in house.log()


def _cpu_seconds(pid: int, *, during: float) -> float:
    import psutil

    process = psutil.Process(pid)
    before = process.cpu_times()
    time.sleep(during)
    after = process.cpu_times()
    return after.user + after.system - before.user - before.system
