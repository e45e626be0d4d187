"""The parent of everything: forks, listens, restarts, answers. One thread, and nothing in it ever waits for anybody."""

import gc
import os
import resource
import signal
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from random import Random

from runner import __version__
from runner.config.settings import EngineName, Pair, Settings, SupervisorSettings
from runner.model.states import WorkerState
from runner.supervisor import health, socket_path, status
from runner.supervisor.commands import Commands
from runner.supervisor.control import ControlSocket
from runner.supervisor.entries import CREDENTIALS, LAUNCHER, Entries
from runner.supervisor.exits import Exit
from runner.supervisor.guest import Guest
from runner.supervisor.log_sink import LogSink
from runner.supervisor.loop import READ, Loop
from runner.supervisor.messages import Messages
from runner.supervisor.nursery import Nursery
from runner.supervisor.pair_process import PairProcess, Process
from runner.supervisor.pair_worker import PairWorker
from runner.supervisor.pass_requests import PassRequests
from runner.supervisor.process_table import ProcessTable, kill_sessions
from runner.supervisor.reload import Reloader
from runner.supervisor.rounds import Rounds
from runner.supervisor.services import Service, Services
from runner.supervisor.shutdown import Phase, Shutdown
from runner.supervisor.signals import WakeUp
from runner.supervisor.slots import Slots, default_limit
from runner.wire.channel import Received
from runner.wire.death import become_subreaper


class Supervisor:
    """stop_timeout_seconds: the whole budget of a stop. one_shot: no control socket, no restarts."""

    def __init__(
        self,
        settings: Settings,
        *,
        entries: Entries,
        sink: LogSink,
        read_settings: Callable[[], Settings],
        environment: Mapping[str, str],
        stop_timeout_seconds: float | None = None,
        one_shot: bool = False,
    ) -> None:
        self.settings = settings
        self.sink = sink
        self.one_shot = one_shot
        self.random = Random()  # noqa: S311 (jitter)
        self.loop = Loop(self._mistake)
        self.table = ProcessTable(self._stranger_died)
        self.workers: dict[str, PairWorker] = {}
        self.starts_allowed = True
        self.restarts_allowed = not one_shot
        self.services_wanted = True
        self.services = Services({name: Service(name, self) for name in entries.services})
        self.slots = Slots(self._slot_limit())
        self.requests = PassRequests()
        self.messages = Messages(self)
        self.shutdown = Shutdown(self)
        self.reloader = Reloader(self, read_settings)
        self.guest: Guest | None = None  # `exec`'s app
        self.control: ControlSocket | None = None
        if not one_shot:
            places = lambda: socket_path.candidates(self.settings, environment)  # noqa: E731
            self.control = ControlSocket(self.loop, places, Commands(self).answer, self._log_own)
        self.rounds = Rounds(self)
        self._entries = entries
        self._nursery = Nursery(self, entries)
        self._stop_timeout_override = stop_timeout_seconds
        self.wake = WakeUp()
        self.open_files = resource.getrlimit(resource.RLIMIT_NOFILE)  # as we found it
        self._to_start: deque[PairWorker] = deque()
        self._started_wall = self.wall()
        self._was_ready = False

    def run(self) -> int:
        """Until everything has stopped; returns the exit code."""
        self.wake.install()
        try:
            self._settle_in()
            for pair in self.settings.pairs:
                self.add(pair)
            self.rounds.begin()
            self.loop.run(lambda: self.shutdown.is_over)
            return self.shutdown.exit_code
        except BaseException:  # said in the log, then raised: our children die with us
            self.log("CRITICAL", None, f"the supervisor ends by a mistake of ours:\n{traceback.format_exc()}")
            raise
        finally:
            if self.control:
                self.control.close()
            self.loop.unwatch(self.wake.fileno())
            self.wake.restore()
            self.loop.close()

    @property
    def limits(self) -> SupervisorSettings:
        return self.settings.supervisor

    @property
    def stop_timeout_seconds(self) -> float:
        if self._stop_timeout_override is not None:
            return self._stop_timeout_override
        return self.limits.stop_timeout_seconds

    def wall(self) -> float:
        """Seconds since the epoch, for people; nothing is decided by it."""
        return time.time()

    def log(self, level: str, pair: str | None, message: str) -> None:
        self.sink.record(level, pair, message, "", self.wall())

    def add(self, pair: Pair) -> None:
        """A pair of the config; one that is just being removed comes back."""
        self._start_services_for(pair)
        worker = self.workers.get(pair.name)
        if worker is None:
            worker = self.workers[pair.name] = PairWorker(pair, self)
            self._start_soon(worker)
            return
        worker.pair, worker.removed = pair, False
        if pair.enabled:
            worker.bring_up()

    def remove(self, name: str) -> None:
        """Stopped in the background; nobody waits for it."""
        worker = self.workers.get(name)
        if worker is None:
            return
        worker.removed = True
        worker.stop("no longer in the config", timeout_seconds=self.stop_timeout_seconds, flush=True)
        if worker.process is None:
            self.forget(worker)

    def restart(self, worker: PairWorker, reason: str) -> None:
        self._start_services_for(worker.pair)
        worker.restart(reason, timeout_seconds=self.stop_timeout_seconds)

    def bring_down(self, worker: PairWorker, *, flush: bool) -> None:
        worker.bring_down("a person wants it down", timeout_seconds=self.stop_timeout_seconds, flush=flush)

    def take_settings(self, settings: Settings, *, logging_changed: bool) -> None:
        """After a reload; pairs are taken over one by one."""
        self.settings = settings
        if logging_changed:
            self.sink.reconfigure(settings.logging)
        self._grant(self.slots.resize(self._slot_limit()))

    def release_slot(self, name: str) -> None:
        self._grant(self.slots.release(name))

    def ready(self) -> health.Answer:
        """Green once, green for the life of this process."""
        answer = health.ready(worker for worker in self.workers.values() if not worker.removed)
        self._was_ready = self._was_ready or answer.green
        return health.Answer(green=True, message="ready") if self._was_ready else answer

    def status(self) -> dict[str, object]:
        """The whole of `status --json`."""
        used = self.rounds.memory_bytes()
        now, wall = self.loop.now(), self.wall()
        return {
            "version": __version__,
            "pid": os.getpid(),
            "started_at": self._started_wall,
            "config": str(self.settings.path) if self.settings.path else None,
            "last_reload": self.reloader.last,
            "services": self.services.rows(),
            "log_dropped": self.sink.dropped,
            "pairs": [
                status.pair_row(worker, now=now, now_wall=wall, memory_bytes=used.get(worker.name))
                for worker in self.workers.values()
            ],
        }

    # What pairs and services ask of the house

    def start_process(self, worker: PairWorker) -> PairProcess:
        return self._nursery.start_process(worker)

    def start_service(self, service: Service) -> Process:
        return self._nursery.start_service(service)

    def heard(self, worker: PairWorker, received: Received) -> None:
        self.messages.take(worker, received)

    def lost(self, worker: PairWorker, process: PairProcess, how: Exit) -> None:
        """A worker's process is gone: what it held goes to others, who waited for it is told."""
        process.kill_runs()
        if not how.is_clean and self.shutdown.phase is Phase.UP:
            kill_sessions(frozenset({process.pid}))
        self.release_slot(worker.name)
        kept = worker.kept_requests
        if not kept:
            worker.drop_waiting()
        self.requests.give_up(worker.name, f"the worker ended before the pass was over: {how.reason}", kept)
        self.shutdown.worker_ended(worker, said_goodbye=process.said_goodbye)

    def changed(self, worker: PairWorker) -> None:
        """A pair has moved to another state."""
        if worker.state in {WorkerState.STOPPED, WorkerState.FAILED}:
            worker.drop_waiting()
            self.requests.give_up(worker.name, worker.failure or f"the pair is {worker.state}")
        leaves = self.limits.on_failed == "exit" and not self.one_shot and not (self.guest and self.guest.is_here)
        if worker.state is WorkerState.FAILED and leaves:
            self.shutdown.begin(f"{worker.name} failed and on_failed is exit", flush=True, code=1)

    # What the kernel tells

    def _settle_in(self) -> None:
        _allow_descriptors()
        if os.getpid() != 1:
            become_subreaper()
        self.loop.watch(self.wake.fileno(), READ, self._signalled)
        if self.control:
            self.control.open()
        self._entries.preload(self.settings.pairs)
        gc.collect()
        gc.freeze()  # pages of what exists now stay shared with the children

    def _signalled(self, _events: int) -> None:
        for number in self.wake.received():
            if number == signal.SIGCHLD:
                self._reap()
            elif self.guest and self.guest.takes(number):
                continue
            elif number in {signal.SIGTERM, signal.SIGINT}:
                self.shutdown.signalled(number)
            elif number == signal.SIGQUIT:
                self.shutdown.begin("received SIGQUIT", flush=False)
            elif number == signal.SIGHUP and self.shutdown.phase is Phase.UP and not self.one_shot:
                self.reloader.reload()
            elif number == signal.SIGUSR1:
                self.sink.reopen()
            elif number == signal.SIGUSR2:
                self._log_status()

    def _reap(self) -> None:
        if self.guest:
            self.guest.child_changed()
        if self.table.reap():
            self.loop.after(0.0, self._reap)
        self.shutdown.advance()

    def _stranger_died(self, pid: int, wait_status: int) -> None:
        self.log("DEBUG", None, f"reaped process {pid}, which is not ours (wait status {wait_status})")

    # The rest of the household

    def _start_services_for(self, pair: Pair) -> None:
        if not pair.enabled:
            return
        names = {CREDENTIALS, LAUNCHER} if pair.engine is EngineName.AWS_CLI else {CREDENTIALS}
        for service in self.services.all():
            if service.name in names:
                service.start()

    def _start_soon(self, worker: PairWorker) -> None:
        """One fork a turn, so that questions are answered while hundreds are started."""
        self._to_start.append(worker)
        if len(self._to_start) == 1:
            self.loop.after(0.0, self._start_next)

    def _start_next(self) -> None:
        worker = self._to_start.popleft()
        if self._to_start:
            self.loop.after(0.0, self._start_next)
        if self.shutdown.phase is Phase.UP:
            worker.start()

    def _grant(self, names: list[str]) -> None:
        for name in names:
            if name in self.workers:
                self.workers[name].send({"type": "slot"})

    def _slot_limit(self) -> int:
        return self.limits.max_concurrent_passes or default_limit(os.cpu_count())

    def forget(self, worker: PairWorker) -> None:
        """A removed pair has ended."""
        self.workers.pop(worker.name, None)
        self.sink.forget(worker.name)

    def _log_own(self, level: str, message: str) -> None:
        self.log(level, None, message)

    def _log_status(self) -> None:
        self.log("INFO", None, status.summary(list(self.workers.values())))
        for worker in self.workers.values():
            report = worker.report
            words = f"{worker.state}, {report.get('activity') or '-'}, {report.get('health') or 'unknown'}"
            self.log("INFO", worker.name, f"{words}, restarts {worker.restarts}")

    def _mistake(self, error: Exception) -> None:
        text = "".join(traceback.format_exception(error))
        self.log("ERROR", None, f"a mistake of ours; supervision goes on:\n{text}")


def _allow_descriptors() -> None:
    """Four descriptors a pair: 200 pairs do not fit into the usual soft limit of 1024 with much to spare."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, 65536) if hard != resource.RLIM_INFINITY else 65536
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(_soft, wanted), hard))
