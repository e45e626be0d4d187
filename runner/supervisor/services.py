"""The two services, credential process and launcher: kept alive, pinged, and introduced to workers that ask for them.

A worker that asks while a service is down gets its end at once; the service finds the other end when it starts.
"""

import os
from collections.abc import Callable, Mapping
from random import Random
from typing import Protocol

from runner.config.settings import SupervisorSettings
from runner.model.states import WorkerState
from runner.supervisor.backoff import Backoff
from runner.supervisor.exits import Exit
from runner.supervisor.loop import Loop, Timer
from runner.supervisor.pair_process import Process
from runner.wire.channel import Channel, Received

PING_SECONDS = 1.5  # several times within the least patience that a service meets
_MOST_WAITING_CLIENTS = 1024


class ServiceHouse(Protocol):
    """What a service needs of the supervisor."""

    loop: Loop
    random: Random
    services_wanted: bool  # false once the workers are gone for good

    @property
    def limits(self) -> SupervisorSettings: ...
    def log(self, level: str, pair: str | None, message: str) -> None: ...
    def start_service(self, service: "Service") -> Process: ...


class Service:
    """One service process and who waits for it."""

    def __init__(self, name: str, house: ServiceHouse) -> None:
        self.name = name
        self.state = WorkerState.STOPPED
        self.restarts = 0
        self.process: Process | None = None
        self.info: Mapping[str, object] = {}
        self.last_exit: Exit | None = None
        self._house = house
        self._backoff = Backoff()
        self._timer: Timer | None = None
        self._waiting: list[int] = []

    def start(self) -> None:
        """Idempotent."""
        if self.process is not None or (self._timer and self._timer.waiting) or not self._house.services_wanted:
            return
        self.state = WorkerState.STARTING
        try:
            self.process = self._house.start_service(self)
        except OSError as error:
            self._start_later(0.0, f"could not be forked: {error.strerror}")
            return
        for fd in self._waiting:
            self.process.link.send({"type": "client"}, [fd])
            os.close(fd)
        self._waiting.clear()
        self.ping()

    def connect(self) -> int:
        """A descriptor whose other end the service has or will get; the caller closes it. Raises OSError."""
        worker_end, service_end = Channel.pair()
        try:
            if self.process:
                self.process.link.send({"type": "client"}, [service_end.fileno()])
            elif len(self._waiting) < _MOST_WAITING_CLIENTS:
                self._waiting.append(os.dup(service_end.fileno()))
            return os.dup(worker_end.fileno())
        finally:
            worker_end.close()
            service_end.close()

    def heard(self, received: Received) -> None:
        self.state = WorkerState.RUNNING if self.state is WorkerState.STARTING else self.state
        if received.type == "info":
            self.info = {key: value for key, value in received.message.items() if key != "type"}

    def ping(self) -> None:
        if self.process:
            self.process.link.send({"type": "ping"})

    def stop(self) -> None:
        if self._timer:
            self._timer.cancel()
        if self.process:
            self.state = WorkerState.STOPPING
            self.process.link.send({"type": "stop"})
        else:
            self.state = WorkerState.STOPPED

    def died(self, how: Exit) -> None:
        assert self.process is not None
        uptime = self._house.loop.now() - self.process.started_at
        self.process = None
        self.last_exit = how
        if self.state is WorkerState.STOPPING or not self._house.services_wanted:
            self.state = WorkerState.STOPPED
        else:
            self._start_later(uptime, how.reason)

    def _start_later(self, uptime_seconds: float, reason: str) -> None:
        restart = self._house.limits.restart
        self.restarts += 1
        self._backoff = self._backoff.after_crash(uptime_seconds, restart)
        delay = self._backoff.delay_seconds(restart, self._house.random.random())
        self.state = WorkerState.BACKOFF
        self._house.log("WARNING", None, f"the {self.name} service: {reason}; next start in {delay:.1f} s")
        self._timer = self._house.loop.after(delay, self.start)

    def row(self) -> dict[str, object]:
        """For `status`."""
        pid = self.process.pid if self.process else None
        return {"pid": pid, "state": str(self.state), "restarts": self.restarts, **self._way()}

    def _way(self) -> dict[str, object]:
        if not self.info:
            return {}
        way = "warm" if self.info.get("warm") else "spawned"
        return {"way": way, **{key: self.info.get(key) for key in ("version", "program", "reason")}}


class Services:
    """All of them; each is started when the first worker needs it."""

    def __init__(self, services: Mapping[str, Service]) -> None:
        self._services = services

    def get(self, name: str) -> Service | None:
        return self._services.get(name)

    def all(self) -> tuple[Service, ...]:
        return tuple(self._services.values())

    def each(self, do: Callable[[Service], None]) -> None:
        for service in self.all():
            do(service)

    @property
    def any_alive(self) -> bool:
        return any(service.process for service in self.all())

    def rows(self) -> dict[str, object]:
        return {service.name: service.row() for service in self.all()}
