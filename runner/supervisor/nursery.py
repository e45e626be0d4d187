"""Brings children up: forks a worker or a service, takes its channel and output into the loop, hears of its death."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from runner.supervisor.child import Forked, fork_child
from runner.supervisor.entries import Entries
from runner.supervisor.exits import read_status
from runner.supervisor.link import Link
from runner.supervisor.output_lines import OutputLine
from runner.supervisor.output_pipe import OutputPipe
from runner.supervisor.pair_process import PairProcess, Process
from runner.supervisor.pair_worker import PairWorker
from runner.supervisor.services import Service
from runner.supervisor.watchdog import Pulse
from runner.wire.channel import Received

if TYPE_CHECKING:
    from runner.supervisor.supervisor import Supervisor

_Kind = TypeVar("_Kind", bound=Process)
# A service imports much before its first word, and asks a new `aws` for its version (3 s) before the next one: a tiny
# heartbeat_timeout, meant for workers, would kill it again and again.
_SERVICE_START_SECONDS = 15.0
_SERVICE_LEAST_PATIENCE_SECONDS = 5.0


class Nursery:
    """Raises OSError when a child cannot be forked; who asked decides when to try again."""

    def __init__(self, supervisor: "Supervisor", entries: Entries) -> None:
        self._supervisor = supervisor
        self._entries = entries

    def start_process(self, worker: PairWorker) -> PairProcess:
        house = self._supervisor
        pair, settings, one_shot = worker.pair, house.settings, house.one_shot
        forked = fork_child(lambda channel: self._entries.worker(pair, settings, channel, one_shot))
        process = self._adopt(PairProcess, forked, pair.name, worker.heard, house.limits.heartbeat_timeout_seconds)
        house.table.add(forked.pid, lambda status: self._worker_died(worker, process, status))
        return process

    def start_service(self, service: Service) -> Process:
        forked = fork_child(self._entries.services[service.name])
        patience = max(_SERVICE_LEAST_PATIENCE_SECONDS, self._supervisor.limits.heartbeat_timeout_seconds)
        process = self._adopt(Process, forked, None, service.heard, patience)
        process.pulse.last_heard_at += _SERVICE_START_SECONDS
        self._supervisor.table.add(forked.pid, lambda status: self._service_died(service, process, status))
        return process

    def _adopt(
        self,
        kind: type[_Kind],
        forked: Forked,
        pair: str | None,
        heard: Callable[[Received], None],
        patience_seconds: float,
    ) -> _Kind:
        house = self._supervisor
        pulse = Pulse(house.loop.now())

        def on_message(received: Received) -> None:
            pulse.heard(house.loop.now())
            heard(received)

        def on_closed() -> None:
            process.link_closed(house.loop.now())

        def on_line(line: OutputLine) -> None:
            house.sink.record(line.level, pair, line.message, line.stream, house.wall())

        output = OutputPipe(house.loop, forked.output_fd, on_line)
        link = Link(house.loop, forked.channel, on_message, on_closed)
        process = kind(forked.pid, link, output, pulse, patience_seconds, house.loop.now(), house.wall())
        return process

    def _worker_died(self, worker: PairWorker, process: PairProcess, status: int) -> None:
        process.is_over()
        house = self._supervisor
        words = str(worker.report.get("error") or "")
        worker.died(
            process,
            read_status(status, at=house.wall(), why_we_ended_it=process.why_we_ended_it, its_own_words=words),
        )
        if worker.removed and worker.process is None:
            house.forget(worker)

    def _service_died(self, service: Service, process: Process, status: int) -> None:
        process.is_over()
        at = self._supervisor.wall()
        service.died(read_status(status, at=at, why_we_ended_it=process.why_we_ended_it))
