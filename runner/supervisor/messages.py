"""What workers say, and what the house does about it. The words are those of docs/architecture.md."""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from runner.model.passes import Outcome
from runner.supervisor.pair_worker import PairWorker
from runner.wire.channel import Received

if TYPE_CHECKING:
    from runner.supervisor.supervisor import Supervisor

ProgressListener = Callable[[str, Mapping[str, object]], None]


class Messages:
    """progress_listeners: get (pair, progress) of each report that has one."""

    def __init__(self, supervisor: "Supervisor") -> None:
        self._supervisor = supervisor
        self.progress_listeners: set[ProgressListener] = set()
        self._table: Mapping[str, Callable[[PairWorker, Mapping[str, object]], None]] = {
            "heartbeat": lambda _worker, _message: None,
            "report": self._report,
            "service?": self._service,
            "slot?": self._slot,
            "slot-release": lambda worker, _message: self._supervisor.release_slot(worker.name),
            "run": self._run,
            "run-ended": self._run_ended,
            "pass-done": self._pass_done,
            "stopped": self._stopped,
        }

    def take(self, worker: PairWorker, received: Received) -> None:
        handler = self._table.get(received.type)
        if handler:
            handler(worker, received.message)
        else:
            self._supervisor.log("ERROR", worker.name, f"bug: no such message: {received.type[:60]!r}")

    def _report(self, worker: PairWorker, message: Mapping[str, object]) -> None:
        worker.report = {key: value for key, value in message.items() if key != "type"}
        worker.hydrated = worker.hydrated or bool(message.get("hydrated"))
        progress = message.get("progress")
        if isinstance(progress, dict):
            for listener in tuple(self.progress_listeners):
                listener(worker.name, progress)

    def _service(self, worker: PairWorker, message: Mapping[str, object]) -> None:
        name = str(message.get("name"))
        service = self._supervisor.services.get(name)
        if service is None:
            self._supervisor.log("ERROR", worker.name, f"bug: no such service: {name[:60]!r}")
            return
        service.start()
        fd = service.connect()
        try:
            worker.send({"type": "service", "name": name}, [fd])
        finally:
            os.close(fd)

    def _slot(self, worker: PairWorker, _message: Mapping[str, object]) -> None:
        if self._supervisor.slots.request(worker.name):
            worker.send({"type": "slot"})

    def _run(self, worker: PairWorker, message: Mapping[str, object]) -> None:
        pid = message.get("pid")
        if worker.process and isinstance(pid, int) and pid > 1:
            worker.process.run_started(pid)

    def _run_ended(self, worker: PairWorker, message: Mapping[str, object]) -> None:
        pid = message.get("pid")
        if worker.process and isinstance(pid, int):
            worker.process.runs.pop(pid, None)

    def _pass_done(self, worker: PairWorker, message: Mapping[str, object]) -> None:
        report = message.get("report")
        report = report if isinstance(report, dict) else {}
        if report.get("outcome") in {Outcome.DONE, Outcome.DONE_WITH_PROBLEMS, Outcome.HALTED}:
            worker.proven()
        self._supervisor.requests.done(worker.name, str(message.get("pass_id")), report)

    def _stopped(self, worker: PairWorker, message: Mapping[str, object]) -> None:
        if worker.process:
            worker.process.said_goodbye = True
        self._supervisor.shutdown.stopped_message(worker.name, message)
