"""The launcher: a process of its own, one thread, one selectors loop, that starts runs of `aws` for all workers.

It forks them from the warm AWS CLI or executes another program, tells how they end, and kills at once what belongs to
a worker that is gone. It decides nothing about a pass and keeps nothing on disk.
"""

import contextlib
import os
import selectors
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field

from runner.engine.aws_cli.program import WARM, Program, choose, our_version
from runner.engine.aws_cli.run_process import RunFds, fork_run
from runner.engine.aws_cli.run_request import RunRequest
from runner.engine.aws_cli.template import Template
from runner.model.errors import PermanentFailureError
from runner.model.names import printable
from runner.wire.channel import Channel, Received

_REQUEST_FDS = 6  # request, ticket, stdout, stderr, folder, lock


@dataclass(slots=True, eq=False)
class _Run:
    run_id: int
    pid: int
    worker: "_Worker"


@dataclass(slots=True, eq=False)
class _Worker:
    channel: Channel
    runs: dict[int, _Run] = field(default_factory=dict)


def serve(channel: Channel, environment: Mapping[str, str]) -> None:
    """Main loop; returns after `stop`, or when the supervisor is gone. All runs are killed on the way out.

    environment: the runner's own; PATH and RUNNER_AWS choose the program. Runs get theirs with each request.
    """
    launcher = Launcher(channel, dict(environment))
    try:
        launcher.run()
    finally:
        launcher.close()


class Launcher:
    """See `serve`. Messages: docs/architecture.md."""

    def __init__(self, channel: Channel, environment: dict[str, str]) -> None:
        self._channel = channel
        self._environment = environment
        self._template = Template()
        self._warm_failure = ""
        self._program: Program | None = None
        self._told: dict[str, object] = {}
        self._workers: dict[int, _Worker] = {}
        self._runs: dict[int, _Run] = {}
        self._selector = selectors.DefaultSelector()
        self._over = False
        self._wake_read, self._wake_write = os.pipe()
        for fd in (self._wake_read, self._wake_write):
            os.set_blocking(fd, False)

    def run(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: the supervisor decides when this ends
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        self._selector.register(self._channel, selectors.EVENT_READ, self._channel)
        self._tell(self._choose_quietly())
        while not self._over and not self._channel.closed:
            self._turn()

    def close(self) -> None:
        """Kills and reaps every run."""
        for run in list(self._runs.values()):
            _kill_group(run.pid, signal.SIGKILL)
        for pid in list(self._runs):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        signal.set_wakeup_fd(-1)
        for worker in self._workers.values():
            worker.channel.close()
        self._selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _turn(self) -> None:
        for key, events in self._selector.select():
            if key.data is None:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_read, 4096)
            elif key.data is self._channel:
                self._from_supervisor(events)
            else:
                self._from_worker(key.data, events)
        self._reap()
        self._show_interest(self._channel, self._channel)
        for worker in list(self._workers.values()):
            self._show_interest(worker.channel, worker)

    def _show_interest(self, channel: Channel, data: object) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if channel.wants_write else 0)
        if not channel.closed and self._selector.get_key(channel).events != events:
            self._selector.modify(channel, events, data)

    def _from_supervisor(self, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._channel.flush()
        try:
            received = self._channel.receive()
        except ValueError:  # not JSON: nothing that could be answered
            return
        for message in received:
            if message.type == "ping":
                self._channel.send({**message.message, "type": "pong"})
            elif message.type == "client" and message.fds:
                self._welcome(message)
                continue
            elif message.type == "stop":
                self._over = True
            _close_all(message.fds)

    def _welcome(self, message: Received) -> None:
        """A worker's connection arrives as a descriptor."""
        _close_all(message.fds[1:])
        try:
            worker = _Worker(Channel.from_fd(message.fds[0]))
        except OSError:
            _close_all(message.fds[:1])
            return
        self._workers[worker.channel.fileno()] = worker
        self._selector.register(worker.channel, selectors.EVENT_READ, worker)

    def _from_worker(self, worker: _Worker, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            worker.channel.flush()
        received: list[Received] = []
        try:
            received = worker.channel.receive()
        except ValueError:
            worker.channel.closed = True
        for message in received:
            try:
                if worker.channel.closed:
                    continue  # it is gone, so nothing of this is wanted any more
                if message.type == "run":
                    self._start(worker, message)
                elif message.type == "signal":
                    _signal_run(worker, message.message)
            finally:
                _close_all(message.fds)
        if worker.channel.closed:
            self._farewell(worker)

    def _farewell(self, worker: _Worker) -> None:
        fd = worker.channel.fileno()
        for run in worker.runs.values():
            _kill_group(run.pid, signal.SIGKILL)
        self._selector.unregister(worker.channel)
        self._workers.pop(fd, None)
        worker.channel.close()

    def _start(self, worker: _Worker, message: Received) -> None:
        run_id = message.message.get("run_id")
        if not isinstance(run_id, int) or len(message.fds) != _REQUEST_FDS or run_id in worker.runs:
            _refuse(worker, run_id, "not a request for a run")
            return
        try:
            request = RunRequest.from_fd(message.fds[0])
            program = self._choose()
            fds = RunFds(*message.fds[1:])
            warm = self._template.main if program.way == WARM else None
            pid = fork_run(request, fds, warm_main=warm, command=program.command)
        except PermanentFailureError as error:
            _refuse(worker, run_id, str(error), permanent=True)
            return
        except (OSError, ValueError) as error:
            _refuse(worker, run_id, f"the launcher could not start a run: {error}")
            return
        run = _Run(run_id, pid, worker)
        worker.runs[run_id] = self._runs[pid] = run
        _tell_started(run, program)
        self._tell(program)

    def _choose_quietly(self) -> Program | None:
        try:
            return self._choose()
        except PermanentFailureError as error:
            self._channel.send(
                {"type": "info", "warm": False, "way": "", "version": "", "program": "", "reason": str(error)}
            )
            return None

    def _choose(self) -> Program:
        """Looked up for each run: an `aws` that was missing may have come, another may be first on PATH now."""
        program = choose(self._environment)
        if program.way != WARM:
            return program
        self._warm_up()
        if self._warm_failure:
            return program.as_spawned(self._warm_failure)
        if our_version() != self._template.version:
            return program.as_spawned("awscli was replaced on disk since the launcher started")
        return program

    def _warm_up(self) -> None:
        if self._template.version or self._warm_failure:
            return
        try:
            self._template.warm()
        except Exception as error:  # noqa: BLE001 (a broken installation raises anything at import)
            self._template.version = ""
            self._warm_failure = printable(f"awscli could not be warmed up: {type(error).__name__}: {error}")

    def _tell(self, program: Program | None) -> None:
        """`info` when it is news."""
        if program is None:
            return
        info: dict[str, object] = {
            "type": "info", "warm": program.way == WARM, "way": program.way, "version": program.version,
            "program": printable(program.path), "reason": program.reason,
        }  # fmt: skip
        if info != self._told:
            self._told = info
            self._channel.send(info)

    def _reap(self) -> None:
        """Looks first and reaps after: until then the pid, and so the group's number, cannot belong to a stranger."""
        for pid, run in list(self._runs.items()):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            _kill_group(pid, signal.SIGKILL)  # what the program left behind in its session
            _, status, usage = os.wait4(pid, 0)
            del self._runs[pid]
            run.worker.runs.pop(run.run_id, None)
            run.worker.channel.send(
                {
                    "type": "ended",
                    "run_id": run.run_id,
                    "status": status,
                    "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 4),
                    "memory_bytes": usage.ru_maxrss * 1024,
                }
            )


def _tell_started(run: _Run, program: Program) -> None:
    message = {
        "type": "started", "run_id": run.run_id, "pid": run.pid,
        "way": program.way, "version": program.version, "program": printable(program.path),
    }  # fmt: skip
    try:
        pidfd = os.pidfd_open(run.pid)
    except OSError:  # an old or restricted kernel: the worker does without
        run.worker.channel.send(message)
        return
    run.worker.channel.send(message, (pidfd,))
    os.close(pidfd)


def _signal_run(worker: _Worker, message: dict[str, object]) -> None:
    run_id, number = message.get("run_id"), message.get("signal")
    run = worker.runs.get(run_id) if isinstance(run_id, int) else None
    if run is not None and isinstance(number, int) and number in signal.valid_signals():
        _kill_group(run.pid, number)


def _refuse(worker: _Worker, run_id: object, reason: str, *, permanent: bool = False) -> None:
    worker.channel.send(
        {"type": "refused", "run_id": run_id, "reason": printable(reason)[:1000], "permanent": permanent}
    )


def _kill_group(pid: int, number: int) -> None:
    """The whole session's first group, and the process itself in the instant before its setsid."""
    for send in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            send(pid, number)
            return


def _close_all(fds: tuple[int, ...]) -> None:
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)
