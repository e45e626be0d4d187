"""The moves of a pair's states, with a house that forks nothing."""

from pathlib import Path
from random import Random
from typing import Any

import pytest

from runner.config.settings import EngineName, Mode, Pair, SupervisorSettings, Symlinks
from runner.model.states import WorkerState
from runner.supervisor.exits import Exit
from runner.supervisor.pair_process import PairProcess
from runner.supervisor.pair_worker import PairWorker
from runner.supervisor.status import pair_row
from runner.supervisor.watchdog import Pulse
from runner.wire.channel import Received


class FakeTimer:
    def __init__(self, seconds: float, callback: Any) -> None:
        self.seconds, self.callback, self.waiting = seconds, callback, True

    def cancel(self) -> None:
        self.waiting = False


class FakeLoop:
    def __init__(self) -> None:
        self.time = 0.0
        self.timers: list[FakeTimer] = []

    def now(self) -> float:
        return self.time

    def after(self, seconds: float, callback: Any) -> FakeTimer:
        self.timers.append(FakeTimer(seconds, callback))
        return self.timers[-1]

    def fire_next(self) -> float:
        timer = next(timer for timer in self.timers if timer.waiting)
        timer.waiting = False
        self.time += timer.seconds
        timer.callback()
        return timer.seconds


class FakeLink:
    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send(self, message: Any, _fds: Any = ()) -> None:
        self.sent.append(message)


class FakeHouse:
    def __init__(self) -> None:
        self.loop: Any = FakeLoop()
        self.random = Random(1)
        self.starts_allowed = self.restarts_allowed = True
        self.limits = SupervisorSettings()
        self.logged: list[str] = []
        self.started = 0
        self.no_process = False

    def log(self, level: str, _pair: str | None, message: str) -> None:
        self.logged.append(f"{level} {message}")

    def start_process(self, _worker: PairWorker) -> PairProcess:
        if self.no_process:
            raise OSError(11, "Resource temporarily unavailable")
        self.started += 1
        link: Any = FakeLink()
        nothing: Any = None
        return PairProcess(2**22 + 5, link, nothing, Pulse(0.0), 60.0, self.loop.now(), 0.0)

    def heard(self, worker: PairWorker, received: Received) -> None: ...
    def lost(self, worker: PairWorker, process: PairProcess, how: Exit) -> None: ...
    def changed(self, worker: PairWorker) -> None: ...


def made_pair(**changes: Any) -> Pair:
    fields: dict[str, Any] = {
        "name": "a",
        "bucket": "bucket",
        "folder": Path("/f"),
        "mode": Mode.PUSH,
        "engine": EngineName.AWS_CLI,
        "every": None,
        "watch": False,
        "symlinks": Symlinks.SKIP,
        "required": False,
    }
    return Pair.model_validate({**fields, **changes})


@pytest.fixture
def house() -> FakeHouse:
    return FakeHouse()


@pytest.fixture
def worker(house: FakeHouse) -> PairWorker:
    made = PairWorker(made_pair(), house)
    made.start()
    return made


def die(worker: PairWorker, code: int | None = 1) -> None:
    assert worker.process is not None
    worker.died(worker.process, Exit(code, None if code is not None else "SIGKILL", "why", 0.0))


def state_of(worker: PairWorker) -> WorkerState:
    return worker.state


def sent(worker: PairWorker) -> list[Any]:
    assert worker.process is not None
    link: Any = worker.process.link
    return list(link.sent)


def test_pair_runs_with_its_first_message_and_gets_what_waited(worker: PairWorker) -> None:
    worker.paused = True
    worker.send_when_running({"type": "sync"})
    assert (worker.state, sent(worker)) == (WorkerState.STARTING, [])
    worker.heard(Received({"type": "heartbeat"}))
    assert worker.state is WorkerState.RUNNING
    assert [message["type"] for message in sent(worker)] == ["pause", "sync"]


def test_pair_that_crashes_backs_off_and_starts_again(worker: PairWorker, house: FakeHouse) -> None:
    waits = []
    for _ in range(3):
        die(worker)
        assert worker.state is WorkerState.BACKOFF
        waits.append(house.loop.fire_next())
    assert waits == pytest.approx([1, 2, 4], rel=0.11)
    assert (worker.restarts, house.started) == (3, 4)


def test_pair_that_ends_well_unasked_is_restarted_too(worker: PairWorker) -> None:
    die(worker, 0)
    assert worker.state is WorkerState.BACKOFF


def test_pair_that_cannot_be_forked_backs_off(worker: PairWorker, house: FakeHouse) -> None:
    house.no_process = True
    die(worker)
    house.loop.fire_next()
    assert worker.state is WorkerState.BACKOFF
    assert worker.restarts == 2


def test_pair_that_failed_for_good_is_looked_at_again_and_counts_no_restart(
    worker: PairWorker, house: FakeHouse
) -> None:
    waits = []
    for _ in range(6):
        worker.heard(Received({"type": "report"}))
        die(worker, 78)
        assert (worker.state, worker.is_failed) == (WorkerState.FAILED, True)
        waits.append(house.loop.fire_next())
    assert waits == [10.0, 15.0, 20.0, 25.0, 30.0, 30.0]
    assert worker.restarts == 0
    assert len([line for line in house.logged if line.startswith("WARNING")]) == 1
    worker.heard(Received({"type": "report"}))
    assert worker.is_failed
    worker.proven()
    assert not worker.is_failed


def test_pair_that_is_stopped_stays_down(worker: PairWorker, house: FakeHouse) -> None:
    worker.heard(Received({"type": "heartbeat"}))
    worker.bring_down("asked", timeout_seconds=5.0)
    assert state_of(worker) is WorkerState.STOPPING
    assert sent(worker)[-1] == {"type": "stop", "timeout_seconds": 5.0, "flush": True}
    die(worker, 1)
    assert state_of(worker) is WorkerState.STOPPED
    worker.start()
    assert (worker.state, house.started) == (WorkerState.STOPPED, 1)
    worker.bring_up()
    assert state_of(worker) is WorkerState.STARTING


def test_pair_in_backoff_is_stopped_at_once(worker: PairWorker, house: FakeHouse) -> None:
    die(worker)
    worker.bring_down("asked", timeout_seconds=5.0)
    assert worker.state is WorkerState.STOPPED
    assert not [timer for timer in house.loop.timers if timer.waiting]


def test_pair_that_is_restarted_comes_back_without_a_delay_or_a_count(worker: PairWorker) -> None:
    worker.heard(Received({"type": "heartbeat"}))
    worker.restart("config", timeout_seconds=5.0)
    worker.send_when_running({"type": "sync", "pass_id": "7"})
    assert worker.kept_requests == {"7"}
    die(worker, 0)
    assert (worker.state, worker.restarts) == (WorkerState.STARTING, 0)


def test_pair_that_is_brought_down_while_it_restarts_stays_down(worker: PairWorker) -> None:
    worker.restart("config", timeout_seconds=5.0)
    worker.bring_down("asked", timeout_seconds=5.0)
    die(worker, 0)
    assert worker.state is WorkerState.STOPPED


def test_pair_that_dies_while_everything_stops_is_not_restarted(worker: PairWorker, house: FakeHouse) -> None:
    house.starts_allowed = house.restarts_allowed = False
    die(worker)
    assert worker.state is WorkerState.STOPPED


def test_pair_that_is_not_enabled_is_wanted_down(house: FakeHouse) -> None:
    worker = PairWorker(made_pair(enabled=False), house)
    worker.start()
    assert (worker.state, str(worker.wanted), house.started) == (WorkerState.STOPPED, "down", 0)


def test_pair_makes_no_illegal_move(worker: PairWorker, house: FakeHouse) -> None:
    worker.heard(Received({"type": "heartbeat"}))
    die(worker)
    house.loop.fire_next()
    worker.restart("a", timeout_seconds=1.0)
    worker.restart("b", timeout_seconds=1.0)
    die(worker, 78)
    worker.bring_up()
    die(worker, 78)
    worker.bring_up()
    assert not [line for line in house.logged if "bug" in line]


def test_row_of_a_silent_worker_no_longer_says_what_was_true_when_it_last_spoke(worker: PairWorker) -> None:
    worker.report = {"health": "in-sync", "error": ""}
    assert worker.process is not None
    rows = [pair_row(worker, now=now, now_wall=0.0, memory_bytes=None) for now in (29.0, 31.0)]
    assert [row["health"] for row in rows] == ["in-sync", "unknown"]
    assert rows[1]["error"] == "no sign of life for 31 s"
    worker.process.pulse.heard(40.0)
    assert pair_row(worker, now=60.0, now_wall=0.0, memory_bytes=None)["health"] == "in-sync"


def test_pair_that_does_not_stop_in_its_time_is_killed(worker: PairWorker, house: FakeHouse) -> None:
    worker.heard(Received({"type": "report"}))
    process = worker.process
    assert process is not None
    worker.stop("enough", timeout_seconds=5.0, flush=True)
    assert not process.pulse.killed
    assert 5.0 < house.loop.fire_next() <= 6.0
    assert process.pulse.killed
    assert process.why_we_ended_it == "did not stop within 5 s"


def _row(worker: PairWorker) -> tuple[object, object]:
    row = pair_row(worker, now=0.0, now_wall=0.0, memory_bytes=None)
    return row["health"], row["error"]


def test_row_of_a_dead_worker_says_nothing_of_what_it_reported(worker: PairWorker) -> None:
    worker.report = {"health": "in-sync", "error": ""}
    assert _row(worker) == ("in-sync", "")
    die(worker)
    assert _row(worker) == ("unknown", "")


def test_row_of_a_pair_that_failed_for_good_says_so_until_a_process_has_proven_itself(
    worker: PairWorker, house: FakeHouse
) -> None:
    die(worker, 78)
    assert _row(worker) == ("failing", "why")
    house.loop.fire_next()
    worker.heard(Received({"type": "report"}))
    worker.report = {"health": "in-sync", "error": ""}
    assert _row(worker) == ("failing", "why")
    worker.proven()
    assert _row(worker) == ("in-sync", "")
