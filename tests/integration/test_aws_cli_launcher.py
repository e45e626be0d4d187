"""The launcher and its runs against everything that goes wrong: fake `aws` programs, real processes, real signals."""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.engine.aws_cli.argv import sync_argv
from runner.engine.aws_cli.launched_run import LaunchedRun, LauncherSilentError
from runner.engine.aws_cli.run import RunResult, Runs
from runner.engine.aws_cli.run_request import RunRequest
from runner.engine.aws_cli.run_stop import GIVE_UP_SECONDS
from runner.engine.aws_cli.verdict import StoppedBy
from runner.engine.interface import ServiceUnavailableError
from runner.model.errors import PermanentFailureError
from runner.model.passes import Outcome
from runner.wire.channel import Channel
from tests.integration.aws_cli_launcher import (
    LauncherProcess,
    base_environment,
    is_alive,
    make_pair,
)
from tests.integration.worker_part import ROOT, surroundings_of
from tests.witness import soon

VERSION = '[ "$1" = --version ] && { echo aws-cli/2.99.1 Python/3.13; exit 0; }\n'


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@pytest.fixture
def fake(tmp_path: Path) -> Callable[[str], Path]:
    """Writes an `aws` of our making: a shell script."""

    def write(body: str) -> Path:
        path = tmp_path / "bin" / "aws"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{VERSION}{body}\n")
        path.chmod(0o755)
        return path

    return write


@pytest.fixture(params=["spawned", "cold"])
def start(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["Start"]:
    started = Start(tmp_path, monkeypatch, cold=request.param == "cold")
    yield started
    started.close()


@pytest.fixture
def launched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["Start"]:
    started = Start(tmp_path, monkeypatch, cold=False)
    yield started
    started.close()


class Start:
    """Runs a fake program through the launcher, or without one."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, cold: bool) -> None:
        self.folder = tmp_path / "folder"
        self.folder.mkdir()
        monkeypatch.setenv("RUNNER_AWS", str(tmp_path / "bin" / "aws"))
        monkeypatch.setenv("OUT", str(tmp_path))
        self.launcher = None if cold else LauncherProcess(os.environ)
        self.stop = threading.Event()
        self.pids: list[int] = []
        self.lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
        self.folder_fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)

    def connect(self, name: str) -> Channel:
        if self.launcher is None:
            raise ServiceUnavailableError("no launcher")
        return self.launcher.connect(name)

    def __call__(self, **changes: object) -> RunResult:
        pair = make_pair("bucket", self.folder, **changes)  # type: ignore[arg-type]
        runs = Runs(surroundings_of(pair, self.connect, self.stop.is_set, self.pids.append), self.lock)
        try:
            return runs.run(sync_argv(pair), folder_fd=self.folder_fd)
        finally:
            runs.close()

    def close(self) -> None:
        os.close(self.lock)
        os.close(self.folder_fd)
        if self.launcher:
            self.launcher.close()


@pytest.mark.parametrize("code", [0, 1, 2, 3, 130, 252, 253, 254, 255])
def test_exit_code_arrives_as_it_was(fake: Callable[[str], Path], launched: Start, code: int) -> None:
    fake(f"exit {code}")

    result = launched()

    assert (result.status.code, result.way, result.version) == (code, "spawned", "aws-cli/2.99.1")


def test_run_sees_folder_lock_environment_and_nothing_else(
    fake: Callable[[str], Path], start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONINSPECT", "1")
    fake(
        'ls /proc/self/fd >"$OUT/fds"; touch /proc/self/fd/100/here; env >"$OUT/env"\n'
        'umask >"$OUT/umask"; pwd >"$OUT/pwd"; readlink /proc/self/fd/101 >"$OUT/lock-name"\n'
        'grep -E "^Sig(Blk|Ign)" /proc/self/status >"$OUT/sig"'
    )

    result = start(umask=0o027)

    out = start.folder.parent
    assert result.status.code == 0
    assert (start.folder / "here").exists()
    assert {"0", "1", "2", "100", "101"} >= {fd for fd in (out / "fds").read_text().split() if fd != "3"}
    assert (out / "lock-name").read_text().strip() == str(out / "lock")
    assert (out / "umask").read_text().strip() == "0027"
    assert (out / "pwd").read_text().strip() == "/"
    environment = (out / "env").read_text()
    assert "BOTO_EXPERIMENTAL__NO_EMPTY_CONTINUE=true" in environment
    assert "PYTHONINSPECT" not in environment
    assert "RUNNER_AWS" not in environment
    signals = (out / "sig").read_text()
    assert "SigBlk:\t0000000000000000" in signals
    ignored = int(signals.partition("SigIgn:\t")[2].split()[0], 16)
    assert ignored & ~(0b11 << 31) == 0  # 32 and 33 are glibc's own (signal(7)): nobody can set them back


def test_request_to_stop_interrupts_first(fake: Callable[[str], Path], start: Start) -> None:
    fake('trap "echo int >$OUT/got; exit 130" INT; touch "$OUT/ready"; while :; do sleep 0.05; done')
    thread = threading.Thread(target=_stop_when, args=(start, start.folder.parent / "ready"))
    thread.start()

    result = start()

    thread.join()
    assert (start.folder.parent / "got").read_text() == "int\n"
    assert result.status.stopped_by is StoppedBy.REQUEST
    assert result.verdict().outcome is Outcome.STOPPED
    assert result.status.seconds < soon(3)


def _stop_when(start: Start, path: Path) -> None:
    wait_until(path.exists, "the run began")
    start.stop.set()


def test_run_that_ignores_everything_is_killed_with_its_children(fake: Callable[[str], Path], start: Start) -> None:
    fake('trap "" INT TERM; sleep 1000 & echo $! >"$OUT/child"; touch "$OUT/ready"; while :; do sleep 0.05; done')
    thread = threading.Thread(target=_stop_when, args=(start, start.folder.parent / "ready"))
    thread.start()

    result = start()

    thread.join()
    assert (result.status.signal, result.status.stopped_by) == (signal.SIGKILL, StoppedBy.REQUEST)
    assert 4.5 < result.status.seconds < GIVE_UP_SECONDS
    child = int((start.folder.parent / "child").read_text())
    wait_until(lambda: not is_alive(child), "the child is killed too")


def test_silent_run_is_stopped_as_stalled(fake: Callable[[str], Path], start: Start) -> None:
    fake("exec sleep 1000")

    result = start(stall_timeout_seconds=1.0)

    assert result.status.stopped_by is StoppedBy.STALL
    assert (result.verdict().outcome, result.verdict().retry) == (Outcome.FAILED, True)
    assert not is_alive(start.pids[0])


def test_busy_run_is_not_stalled_but_times_out(fake: Callable[[str], Path], launched: Start) -> None:
    fake("while :; do :; done")

    result = launched(stall_timeout_seconds=0.5, timeout_seconds=2.0)

    assert result.status.stopped_by is StoppedBy.TIMEOUT
    assert 2 <= result.status.seconds < soon(4)


def test_stopped_process_counts_as_stalled_and_is_killed(fake: Callable[[str], Path], launched: Start) -> None:
    fake("kill -STOP $$")

    result = launched(stall_timeout_seconds=0.5)

    assert (result.status.stopped_by, result.status.signal) == (StoppedBy.STALL, signal.SIGKILL)


def test_flood_of_output_is_read_and_bounded(fake: Callable[[str], Path], start: Start) -> None:
    fake("yes 'upload: a to s3://b/a' | head -n 200000; head -c 3000000 /dev/zero; yes 'warning: x' | head -n 9000 >&2")

    result = start()

    assert (result.status.code, result.counts.uploaded, result.counts.warnings) == (0, 200_000, 9000)
    assert len(result.stderr_tail) <= 20


def test_grandchild_left_behind_is_killed_when_the_run_ends(fake: Callable[[str], Path], start: Start) -> None:
    fake('sleep 1000 & echo $! >"$OUT/child"; exit 0')

    result = start()

    child = int((start.folder.parent / "child").read_text())
    assert result.status.code == 0
    wait_until(lambda: not is_alive(child), "the grandchild is killed")


def test_missing_program_is_permanent_until_it_appears(
    fake: Callable[[str], Path], start: Start, tmp_path: Path
) -> None:
    with pytest.raises(PermanentFailureError, match="RUNNER_AWS"):
        start()
    fake("exit 0")

    assert start().status.code == 0


def test_arguments_too_long_for_the_system_are_told_plainly(fake: Callable[[str], Path], launched: Start) -> None:
    fake("exit 0")

    result = launched(exclude=("x" * 200_000,))

    assert result.verdict().permanent, result
    assert "exclusions" in result.verdict().message


def test_launcher_killed_takes_the_run_with_it(fake: Callable[[str], Path], launched: Start) -> None:
    fake('sleep 1000 & echo $! >"$OUT/child"; touch "$OUT/ready"; wait')
    assert launched.launcher is not None
    victim = launched.launcher.process

    def kill() -> None:
        wait_until((launched.folder.parent / "ready").exists, "the run began")
        victim.kill()

    thread = threading.Thread(target=kill)
    thread.start()
    result = launched()
    thread.join()

    assert result.status.stopped_by is StoppedBy.LAUNCHER
    assert (result.verdict().outcome, result.verdict().retry) == (Outcome.FAILED, True)
    child = int((launched.folder.parent / "child").read_text())
    wait_until(lambda: not is_alive(launched.pids[0]) and not is_alive(child), "run and child are dead")


_WORKER = """
import os, sys
from pathlib import Path
from runner.engine.aws_cli.argv import sync_argv
from runner.engine.aws_cli.run import Runs
from runner.wire.channel import Channel
from runner.engine.interface import ServiceUnavailableError
from tests.integration.aws_cli_launcher import make_pair
from tests.integration.worker_part import surroundings_of
def connect(name):
    if sys.argv[1] == "cold":
        raise ServiceUnavailableError("none")
    return Channel.from_fd(int(sys.argv[1]))
folder = Path(sys.argv[2])
pair = make_pair("bucket", folder)
fd = os.open(folder, os.O_RDONLY)
Runs(surroundings_of(pair, connect), os.open("/dev/null", os.O_RDONLY)).run(sync_argv(pair), folder_fd=fd)
"""


def test_worker_killed_takes_its_run_with_it(fake: Callable[[str], Path], start: Start) -> None:
    fake('echo $$ >"$OUT/pid.new"; mv "$OUT/pid.new" "$OUT/pid"; exec sleep 1000')
    arguments, passed = ["cold"], list[int]()
    if start.launcher is not None:
        channel = start.connect("launcher")
        passed = [os.dup(channel.fileno())]
        channel.close()
        arguments = [str(passed[0])]
    command = [sys.executable, "-c", _WORKER, *arguments, str(start.folder)]
    worker = subprocess.Popen(command, pass_fds=passed, cwd=ROOT)
    for fd in passed:
        os.close(fd)
    pid_file = start.folder.parent / "pid"
    wait_until(pid_file.exists, "the run began")
    pid = int(pid_file.read_text())
    assert is_alive(pid)

    worker.kill()

    worker.wait()
    wait_until(lambda: not is_alive(pid), "the run died with its worker", soon(3))


_DYING_WORKER = """
import os, signal, sys
from runner.engine.aws_cli.direct_run import DirectRun
from runner.engine.aws_cli.program import Program
from runner.engine.aws_cli.run_request import RunRequest
null = os.open(os.devnull, os.O_RDWR)
program = Program("spawned", sys.argv[1], "")
request = RunRequest((), dict(os.environ), 0o022)
run = DirectRun(program, request, stdout=null, stderr=null, folder_fd=os.open("/", os.O_RDONLY), lock_fd=os.dup(null))
os.kill(run.pid, signal.SIGSTOP)
print(run.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_run_frozen_at_its_very_start_does_not_outlive_its_worker(fake: Callable[[str], Path]) -> None:
    """It has not even asked to die with its worker: a frozen one would keep the pair's lock for ever."""
    program = fake("exec sleep 1000")
    command = [sys.executable, "-c", _DYING_WORKER, str(program)]
    worker = subprocess.run(command, stdout=subprocess.PIPE, cwd=ROOT, check=False, start_new_session=True)
    assert worker.returncode == -signal.SIGKILL
    wait_until(lambda: not is_alive(int(worker.stdout)), "the run died with its worker", soon(3))


def test_silent_launcher_is_left_and_never_starts_the_run_later(fake: Callable[[str], Path], launched: Start) -> None:
    fake('echo x >>"$OUT/runs"')
    assert launched.launcher is not None
    channel = launched.connect("launcher")
    launched.launcher.messages_until("info")
    os.kill(launched.launcher.process.pid, signal.SIGSTOP)
    null = os.open(os.devnull, os.O_RDWR)
    request = RunRequest(("s3",), dict(os.environ), 0o022)

    with pytest.raises(LauncherSilentError):
        LaunchedRun.start(
            channel, request, (null, null, launched.folder_fd, launched.lock), lambda: False, timeout_seconds=0.3
        )
    os.close(null)
    os.kill(launched.launcher.process.pid, signal.SIGCONT)

    launched.launcher.channel.send({"type": "ping", "n": 1})
    assert launched.launcher.messages_until("pong")[-1]["n"] == 1
    assert not (launched.folder.parent / "runs").exists()
    assert launched().status.code == 0
    assert (launched.folder.parent / "runs").read_text() == "x\n"


def test_garbage_from_a_worker_costs_only_its_own_connection(fake: Callable[[str], Path], launched: Start) -> None:
    fake("exit 0")
    bad = launched.connect("launcher")
    bad.send({"type": "run", "run_id": 1})
    bad.send({"type": "run", "run_id": "x"}, (0,))
    bad.send({"type": "signal", "run_id": [], "signal": "KILL"})
    bad.send({"type": "run", "run_id": 2}, (launched.folder_fd,) * 6)
    answers: list[dict[str, object]] = []
    while len(answers) < 3:
        assert select.select([bad], [], [], 10)[0]
        answers += [received.message for received in bad.receive()]
    assert [(answer["type"], answer["permanent"]) for answer in answers] == [("refused", False)] * 3
    os.write(bad.fileno(), b"no json")
    wait_until(lambda: bool(bad.receive()) or bad.closed, "the connection is dropped")
    bad.close()

    assert launched().status.code == 0


def test_info_names_the_warm_way_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNNER_AWS", raising=False)
    launcher = LauncherProcess(base_environment())
    launcher.channel.send({"type": "ping"})
    try:
        messages = launcher.messages_until("pong")
    finally:
        launcher.close()
    assert [message["type"] for message in messages] == ["info", "pong"]
    assert (messages[0]["warm"], messages[0]["way"]) == (True, "warm")
    assert str(messages[0]["version"]).startswith("aws-cli/1.")
    assert messages[0]["reason"]


def test_bad_aws_settings_of_the_user_do_not_hinder_the_warm_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bad = {"AWS_PROFILE": "none", "AWS_CONFIG_FILE": str(tmp_path / "bad"), "AWS_CA_BUNDLE": "/nonexistent"}
    (tmp_path / "bad").write_text("no section = 1\n")
    monkeypatch.delenv("RUNNER_AWS", raising=False)
    launcher = LauncherProcess(base_environment() | bad)
    try:
        assert launcher.messages_until("info")[0]["warm"] is True
    finally:
        launcher.close()


def test_broken_awscli_is_said_and_another_way_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "site" / "awscli"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise RuntimeError('half an upgrade')\n")
    monkeypatch.delenv("RUNNER_AWS", raising=False)
    launcher = LauncherProcess(base_environment() | {"PYTHONPATH": str(broken.parent)})
    try:
        info = launcher.messages_until("info")[0]
    finally:
        launcher.close()
    assert (info["warm"], info["way"]) == (False, "spawned")
    assert "half an upgrade" in str(info["reason"])


def test_stop_ends_the_launcher_and_its_runs(fake: Callable[[str], Path], launched: Start) -> None:
    fake('touch "$OUT/ready"; exec sleep 1000')
    assert launched.launcher is not None
    process, channel = launched.launcher.process, launched.launcher.channel

    def stop() -> None:
        wait_until((launched.folder.parent / "ready").exists, "the run began")
        channel.send({"type": "stop"})

    thread = threading.Thread(target=stop)
    thread.start()
    launched()
    thread.join()

    assert process.wait(5) == 0
    assert not is_alive(launched.pids[0])
