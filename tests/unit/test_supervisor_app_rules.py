"""What `exec` decides without a process: budgets, codes, the gate, who is whose child, where a program is."""

import signal
from pathlib import Path
from typing import Any, cast

import pytest

from runner.config.settings import EngineName, Interval, Mode, Pair, Symlinks
from runner.model.errors import UserError
from runner.model.states import Wanted
from runner.supervisor import health
from runner.supervisor.app_rules import AppEnd, app_seconds, exec_exit_code, is_stop_by_terminal
from runner.supervisor.gate import FIRST_WORD_SECONDS, NEXT_WORD_SECONDS, Gate, Verdict, waiting_for
from runner.supervisor.pair_process import PairProcess
from runner.supervisor.pair_worker import PairWorker
from runner.supervisor.process_table import below
from runner.supervisor.program import Program
from runner.supervisor.watchdog import Pulse
from tests.unit.test_supervisor_pair_worker import FakeHouse


@pytest.mark.parametrize(
    ("stop", "app", "seconds"),
    [
        (25.0, 10.0, 15.0),  # the default: all but ten seconds
        (120.0, 10.0, 110.0),
        (15.0, 10.0, 10.0),
        (70.0, 60.0, 60.0),
        (12.0, 10.0, 9.0),  # short: the flush keeps a quarter
        (2.0, 10.0, 1.5),
        (0.0, 10.0, 0.0),
    ],
)
def test_app_seconds_leave_time_for_the_flush(stop: float, app: float, seconds: float) -> None:
    assert app_seconds(stop, app) == pytest.approx(seconds)
    assert app_seconds(stop, app) <= stop


@pytest.mark.parametrize(
    ("status", "stop_code", "code"),
    [
        (0, 0, 0),
        (0, 75, 75),
        (0, 143, 143),  # a second signal cut the flush
        (3 << 8, 0, 3),
        (3 << 8, 75, 3),
        (signal.SIGTERM, 0, 143),
        (signal.SIGKILL, 75, 137),
        (signal.SIGSEGV | 0x80, 0, 139),  # with a core dump
    ],
)
def test_exit_code_is_the_apps_unless_that_is_0(status: int, stop_code: int, code: int) -> None:
    assert exec_exit_code(AppEnd.of(int(status)), stop_code) == code


@pytest.mark.parametrize(("stop_code", "code"), [(0, 69), (69, 69), (1, 1), (143, 143)])
def test_exit_code_is_never_0_when_the_app_was_never_started(stop_code: int, code: int) -> None:
    assert exec_exit_code(None, stop_code) == code


def test_an_end_by_a_signal_is_named() -> None:
    assert AppEnd.of(int(signal.SIGTERM)).words == "was ended by SIGTERM"
    assert AppEnd.of(40).words == "was ended by signal 40"


def test_only_stops_by_the_terminal_stop_us_too() -> None:
    assert is_stop_by_terminal(signal.SIGTSTP)
    assert not is_stop_by_terminal(signal.SIGSTOP)


def test_gate_says_why_it_waits_every_now_and_then_and_gives_up_in_time() -> None:
    gate = Gate(begun_at=100.0, timeout_seconds=60.0)
    assert gate.look(100.0, ready=False) is Verdict.WAIT
    assert gate.look(100.0 + FIRST_WORD_SECONDS, ready=False) is Verdict.SAY
    assert gate.look(101.0 + FIRST_WORD_SECONDS, ready=False) is Verdict.WAIT
    assert gate.look(100.0 + FIRST_WORD_SECONDS + NEXT_WORD_SECONDS, ready=False) is Verdict.SAY
    assert gate.look(160.0, ready=True) is Verdict.OPEN
    assert gate.look(160.0, ready=False) is Verdict.TOO_LATE


def test_gate_without_a_timeout_waits_for_ever() -> None:
    assert Gate(begun_at=0.0, timeout_seconds=None).look(1e9, ready=False) is Verdict.SAY


def _worker(name: str, **fields: Any) -> PairWorker:
    pair = Pair(
        name=name, bucket="bucket", folder=Path("/f"), mode=Mode.PULL,
        every=Interval(min_seconds=60, max_seconds=60), engine=EngineName.AWS_CLI,
        symlinks=Symlinks.FOLLOW, watch=False, required=True,
    )  # fmt: skip
    worker = PairWorker(pair, cast(Any, FakeHouse()))
    worker.report = fields
    return worker


def test_what_the_gate_waits_for_is_told_with_its_reason() -> None:
    done, denied, halted = _worker("done"), _worker("denied", error="owner is 0:0, I am 5:5"), _worker("halted")
    done.hydrated = True
    halted.report = {"halt": {"reason": "60 % would go"}}
    told = waiting_for([done, denied, halted])
    assert told == "denied (owner is 0:0, I am 5:5), halted (halted: 60 % would go)"


def test_standby_is_ready_behind_a_hydrated_holder_only() -> None:
    assert not health.ready([_worker("a", holder="host pid 7")]).green
    assert health.ready([_worker("a", holder="host pid 7", holder_hydrated=True)]).green
    assert not health.ready([_worker("a", holder=None, holder_hydrated=True)]).green


def test_alive_is_red_for_a_pair_that_failed_or_is_stuck_and_for_nothing_else() -> None:
    halted, failed, stuck = _worker("halted", halt={"reason": "60 % would go"}), _worker("failed"), _worker("stuck")
    nothing = cast(Any, None)
    stuck.process = PairProcess(2**22 + 5, nothing, nothing, Pulse(0.0), 60.0, 0.0, 0.0)
    assert health.alive([halted, stuck]).green
    failed.failure = "no such bucket"
    stuck.process.pulse.aborted_at = 61.0
    assert health.alive([halted]).green
    assert health.alive([halted, failed]) == health.Answer(green=False, message="failed failed: no such bucket")
    assert health.alive([halted, stuck]) == health.Answer(green=False, message="stuck is stuck")
    failed.wanted = Wanted.DOWN
    assert health.alive([failed]).green


def test_ready_waits_for_every_required_pair_whatever_its_worker_says() -> None:
    done, waits = _worker("done"), _worker("waits")
    done.hydrated = True
    assert not health.ready([done, waits]).green
    waits.pair = waits.pair.model_copy(update={"required": False})
    assert health.ready([done, waits]).green


def test_what_is_below_the_supervisor_without_its_workers() -> None:
    parents = {2: 1, 3: 2, 4: 1, 5: 4, 6: 5, 7: 99}  # 2 is the app, 4 a worker with a run and its child
    assert below(1, parents, frozenset({4})) == {2, 3}
    assert below(1, parents, frozenset()) == {2, 3, 4, 5, 6}


def _program(*argv: str, path: str = "/usr/bin:/bin") -> Program:
    return Program.typed(argv, {"PATH": path})


def test_program_is_found_on_path_and_by_its_place(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    assert _program("tool", path=f"/nowhere:{tmp_path}").locate() == str(tool)
    assert _program(str(tool)).locate() == str(tool)


def test_program_that_is_not_there_is_127_and_one_without_rights_126(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("x")
    for argv, code, words in (
        ("nosuch", 127, "nosuch: there is no such program in PATH"),
        (str(tmp_path / "nosuch"), 127, "there is no such program"),
        (str(tmp_path / "plain"), 126, "is not executable for this user"),
        (str(tmp_path), 126, "is a directory"),
        ("plain", 126, "is not executable"),
        ("", 127, "there is no such program"),
    ):
        with pytest.raises(UserError) as raised:
            _program(argv, path=str(tmp_path)).locate()
        assert int(raised.value.exit_code) == code
        assert words in str(raised.value)
        assert "\n" not in str(raised.value)


def test_program_that_is_executable_later_on_path_is_taken(tmp_path: Path) -> None:
    for name, mode in (("one", 0o644), ("two", 0o755)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tool").write_text("#!/bin/sh\n")
        (tmp_path / name / "tool").chmod(mode)
    path = f"{tmp_path}/one:{tmp_path}/two"
    assert _program("tool", path=path).locate() == f"{tmp_path}/two/tool"


def test_program_below_a_pairs_folder_may_come_with_the_hydration(tmp_path: Path) -> None:
    assert _program(f"{tmp_path}/data/bin/app").may_arrive([tmp_path / "data"])
    assert _program("app", path=f"/bin:{tmp_path}/data/bin").may_arrive([tmp_path / "data"])
    assert not _program(f"{tmp_path}/database/app").may_arrive([tmp_path / "data"])
