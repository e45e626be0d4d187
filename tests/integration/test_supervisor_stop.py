"""How everything ends: signals, budgets, exit codes, and that nothing is left; the one-shot form too."""

import json
import signal
import subprocess
import sys
import time
from typing import Any

import psutil
import pytest

from tests.integration.household import PROJECT, Start, household, is_alive, wait_for
from tests.witness import soon

__all__ = ["household"]


def test_term_stops_all_in_parallel_and_leaves_nothing(household: Start) -> None:
    house = household(dict.fromkeys("abcdef", "good")).start_and_settle()
    family = house.family()
    assert house.stop() == 0
    assert not [pid for pid in family if is_alive(pid)]
    told = json.loads((house.folder("a") / "stopped").read_text())
    assert told["flush"] is True
    assert 2.0 < told["timeout_seconds"] < 5.0


def test_worker_that_ignores_everything_is_killed_within_the_budget(household: Start) -> None:
    house = household({"a": "deaf", "b": "good", "c": "grandchildren"}, stop_timeout=2.0).start_and_settle()
    wait_for(lambda: len((house.folder("c") / "grandchildren").read_text().split()) == 2)
    family = house.family()
    asked_at = time.monotonic()
    assert house.stop() == 75
    assert time.monotonic() - asked_at < soon(2.6)
    assert not [pid for pid in family if is_alive(pid)]


def test_worker_in_backoff_does_not_delay_the_stop(household: Start) -> None:
    house = household({"a": "crash", "b": "good"}, restart={"initial": 60}).start()
    house.wait_until(lambda rows: rows["a"]["state"] == "backoff")
    asked_at = time.monotonic()
    assert house.stop() == 75  # nobody knows what it has not pushed
    assert time.monotonic() - asked_at < soon(1.5)


@pytest.mark.parametrize(("kind", "code"), [("good", 0), ("unpushed", 75)])
def test_exit_code_says_whether_all_was_pushed(household: Start, kind: str, code: int) -> None:
    house = household({"a": kind}).start_and_settle()
    assert house.stop() == code


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_second_signal_stops_now(household: Start, number: int, code: int) -> None:
    house = household({"a": "deaf"}, stop_timeout=60.0).start_and_settle()
    house.kill(number)
    wait_for(lambda: "received SIG" in house.log())
    asked_at = time.monotonic()
    assert house.stop(number) == code
    assert time.monotonic() - asked_at < soon(5)


def test_quit_and_stop_now_do_without_the_flush(household: Start) -> None:
    house = household({"a": "good"}, stop_timeout=60.0).start_and_settle()
    assert house.stop(signal.SIGQUIT) == 0
    assert json.loads((house.folder("a") / "stopped").read_text())["flush"] is False


def test_stop_request_is_answered_before_the_end_and_can_be_hurried(household: Start) -> None:
    house = household({"a": "deaf"}, stop_timeout=60.0).start_and_settle()
    assert house.ask("stop")[-1]["exit_code"] == 0
    house.wait_until(lambda rows: rows["a"]["state"] == "stopping")
    assert house.ask("stop", now=True)[-1]["exit_code"] == 0
    assert house.wait(6) == 75


def test_term_after_a_requested_stop_does_not_cost_the_flush(household: Start) -> None:
    house = household({"a": "deaf"}, stop_timeout=3.0).start_and_settle()
    house.ask("stop")
    house.wait_until(lambda rows: rows["a"]["state"] == "stopping")
    house.kill(signal.SIGTERM)
    wait_for(lambda: "stopping already" in house.log())
    assert house.wait(6) == 75


def test_failed_pair_ends_everything_when_on_failed_is_exit(household: Start) -> None:
    house = household({"a": "permanent", "b": "good"}, on_failed="exit")
    (house.folder("a") / "broken").touch()
    house.start()
    assert house.wait() == 1
    assert (house.folder("b") / "pids").exists()


def test_environment_overrides_the_stop_timeout(household: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNNER_STOP_TIMEOUT", "1s")
    house = household({"a": "deaf"}, stop_timeout=60.0).start_and_settle()
    asked_at = time.monotonic()
    assert house.stop() == 75
    assert time.monotonic() - asked_at < soon(3)


def _one_shot(house: Any, **request: object) -> tuple[int, list[dict[str, Any]], str]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.supervisor_under_test", str(house.spec), json.dumps(request)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_once_makes_one_pass_of_each_pair_and_ends(household: Start) -> None:
    house = household({"a": "good", "b": "good", "off": "good"})
    house.extra["off"] = {"enabled": False}
    house.write()
    code, rows, _log = _one_shot(house, command="once")
    outcomes = {row["pair"]: row["outcome"] for row in rows if "outcome" in row}
    assert (code, outcomes) == (0, {"a": "done", "b": "done"})
    assert any("progress" in row for row in rows)
    assert (house.folder("a") / "one-shot").exists()
    assert not (house.folder("off") / "pids").exists()
    assert not house.runtime_dir.exists()


@pytest.mark.parametrize(
    ("kinds", "code"),
    [
        ({"a": "fails", "b": "good"}, 1),
        ({"a": "halts", "b": "fails"}, 3),
        ({"a": "dies-in-pass"}, 1),
        ({"a": "crash"}, 1),
    ],
)
def test_once_tells_the_worst_outcome(household: Start, kinds: dict[str, str], code: int) -> None:
    found, rows, _log = _one_shot(household(kinds), command="once", options={"wait": True})
    assert found == code
    assert {row["pair"] for row in rows if "outcome" in row} == set(kinds)


def test_plan_without_a_daemon_is_answered_by_a_worker(household: Start) -> None:
    house = household({"a": "good", "b": "good"})
    code, rows, _log = _one_shot(house, command="plan", pairs=["a"], options={"deep": True})
    assert code == 1  # the worker's own word
    assert rows == [{"pair": "a", "path": "a", "asked": {"command": "plan", "pair": "a", "deep": True}}]


def test_plan_of_a_pair_that_cannot_run_fails_and_says_why(household: Start) -> None:
    house = household({"a": "permanent"})
    (house.folder("a") / "broken").touch()
    code, rows, log = _one_shot(house, command="plan")
    assert (code, rows) == (1, [])
    assert "no aws on this machine" in log


def test_once_interrupted_ends_with_130(household: Start) -> None:
    house = household({"a": "hang"}, stop_timeout=1.0).start(json.dumps({"command": "once"}))
    wait_for((house.folder("a") / "pids").exists)
    assert house.stop(signal.SIGINT) == 130


def test_supervisor_as_pid_1_reaps_strangers_and_obeys_term(household: Start) -> None:
    """In a PID namespace of its own, as in a container; needs the right to make one."""
    unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no right to make a PID namespace here")
    house = household({"a": "grandchildren"})
    program = [sys.executable, "-m", "tests.integration.supervisor_under_test", str(house.spec)]
    with house.log_path.open("ab") as log:
        outer = subprocess.Popen([*unshare, *program], cwd=PROJECT, stdout=log, stderr=log)
    house.process = outer
    house.wait_until(lambda rows: rows["a"]["state"] == "running")
    inner = wait_for(lambda: [child.pid for child in psutil.Process(outer.pid).children()])[0]
    assert house.whole_status()["pid"] == 1
    orphan = wait_for(lambda: _youngest_orphan(inner))
    orphan.kill()
    wait_for(lambda: not orphan.is_running())
    assert house.status()["a"]["restarts"] == 0
    psutil.Process(inner).terminate()
    assert outer.wait(10) == 0


def _youngest_orphan(init: int) -> psutil.Process | None:
    """A direct child that is neither a worker nor a service: it came here when its parent ended."""
    children = psutil.Process(init).children()
    return max(children, key=lambda child: child.pid) if len(children) == 4 else None
