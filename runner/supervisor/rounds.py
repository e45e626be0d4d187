"""What the supervisor looks at every few seconds: who is stuck, who is too large, are log and socket in place."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from runner.supervisor import control, memory
from runner.supervisor.memory_book import MemoryBook
from runner.supervisor.pair_process import Process
from runner.supervisor.pair_worker import PairWorker
from runner.supervisor.services import PING_SECONDS
from runner.supervisor.watchdog import check_interval_seconds

if TYPE_CHECKING:
    from runner.supervisor.supervisor import Supervisor

_LOG_CHECK_SECONDS = 3.0
_MEASURED_FOR_SECONDS = 5.0  # when somebody asks
_MEASURED_ANYWAY_SECONDS = 30.0  # when nobody does, so that hundreds of pairs have a figure when somebody asks
_MEASURING_SECONDS = 1.0
_MEASURING_BUDGET_SECONDS = 0.02
_ASKED_BUDGET_SECONDS = 0.05
_SLEPT_TOO_LONG = 0.5  # share of the heartbeat time-out


class Rounds:
    """`begin` sets them going."""

    def __init__(self, supervisor: "Supervisor") -> None:
        self._supervisor = supervisor
        self._over_limit = memory.OverLimit()
        self._last_round_at = supervisor.loop.now()
        self._book = MemoryBook()

    def begin(self) -> None:
        house = self._supervisor
        self._last_round_at = house.loop.now()
        self._look_for_stuck()
        house.loop.every(PING_SECONDS, lambda: house.services.each(lambda service: service.ping()))
        house.loop.every(memory.CHECK_SECONDS, self._look_for_large)
        house.loop.every(_MEASURING_SECONDS, self._measure_some)
        house.loop.every(_LOG_CHECK_SECONDS, lambda: house.sink.check(house.wall()))
        if house.control:
            house.loop.every(control.CHECK_SECONDS, house.control.check)

    def memory_bytes(self) -> dict[str, int]:
        """Of every pair that was measured; not older than some seconds, or half a minute when there are hundreds."""
        pids = self._pids(list(self._supervisor.workers.values()))
        self._book.refresh(pids, older_than_seconds=_MEASURED_FOR_SECONDS, budget_seconds=_ASKED_BUDGET_SECONDS)
        return self._book.used(pids)

    def _measure_some(self) -> None:
        pids = self._pids(list(self._supervisor.workers.values()))
        self._book.refresh(pids, older_than_seconds=_MEASURED_ANYWAY_SECONDS, budget_seconds=_MEASURING_BUDGET_SECONDS)

    def _look_for_stuck(self) -> None:
        """Comes back by itself, as often as the least patient of all needs it; a reload may change that."""
        house = self._supervisor
        now = house.loop.now()
        gap = now - self._last_round_at
        self._last_round_at = now
        processes = list(self._processes())
        patience = [process.patience_seconds for _name, process in processes]
        least = min(patience, default=house.limits.heartbeat_timeout_seconds)
        house.loop.after(check_interval_seconds(least), self._look_for_stuck)
        for name, process in processes:
            if gap > _SLEPT_TOO_LONG * process.patience_seconds:
                process.pulse.forgive(gap)
            else:
                process.watch_over(now, partial(house.log, "ERROR", name))

    def _processes(self) -> Iterator[tuple[str | None, Process]]:
        for worker in self._supervisor.workers.values():
            if worker.process:
                yield worker.name, worker.process
        for service in self._supervisor.services.all():
            if service.process:
                yield None, service.process

    def _look_for_large(self) -> None:
        house = self._supervisor
        limited = [worker for worker in house.workers.values() if worker.pair.max_memory_bytes and worker.is_running]
        if not limited:
            return
        for name, used in memory.measure(self._pids(limited)).items():
            worker = house.workers[name]
            limit = worker.pair.max_memory_bytes or 0
            if self._over_limit.check(name, used, limit):
                reason = f"takes {used >> 20} MiB, more than max_memory of {limit >> 20} MiB, in three checks running"
                house.log("WARNING", name, f"{reason}; it may finish its file and is restarted")
                house.restart(worker, reason)

    def _pids(self, workers: list[PairWorker]) -> dict[str, list[int]]:
        return {
            worker.name: [worker.process.pid, *worker.process.runs] for worker in workers if worker.process is not None
        }
