"""What the supervisor says to a worker, and which desk it is for. On the loop; decides nothing itself."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from runner.wire.channel import Received
from runner.worker import clocks
from runner.worker.client_desk import ClientDesk
from runner.worker.clocks import Moment
from runner.worker.departure import Departure
from runner.worker.event_desk import EventDesk
from runner.worker.opening import Opening
from runner.worker.pass_desk import PassDesk
from runner.worker.reporter import Reporter
from runner.worker.surroundings import Lending
from runner.worker.triggers import Request, Triggers

Message = Mapping[str, object]
Handler = Callable[[Message, Moment], None]


@dataclass(eq=False)
class Inbox:
    triggers: Triggers
    passes: PassDesk
    opening: Opening
    departure: Departure
    lending: Lending
    clients: ClientDesk
    events: EventDesk
    reporter: Reporter
    _handlers: Mapping[str, Handler] = field(init=False)

    def __post_init__(self) -> None:
        self._handlers = {
            "sync": self._on_sync,
            "pause": self._on_pause,
            "resume": self._on_resume,
            "stop": self._on_stop,
            "approve": self._on_approve,
            "slot": lambda _message, _moment: self.lending.slot_granted(),
        }

    def take(self, received: Received) -> None:
        """Takes over the descriptors that came along; unknown words are none of this version's business."""
        if received.type == "client":
            self._on_client(received.message, received.fds)
        elif received.type == "service":
            self.lending.service_arrived(str(received.message.get("name")), received.fds)
        else:
            for fd in received.fds:
                os.close(fd)
            if received.type in self._handlers:
                self._handlers[received.type](received.message, clocks.read())

    def _on_sync(self, message: Message, moment: Moment) -> None:
        request = Request(
            str(message.get("pass_id") or ""),
            outside_slots=bool(message.get("outside_slots")),
            wait_for_lock=bool(message.get("wait")),
        )
        self.triggers.request(request)
        if self.departure.stopping:
            self.passes.refuse("the worker stops")
        elif self.triggers.paused:
            self.passes.refuse(f"paused: `runner resume {self.passes.pair.name}` first")
        else:
            self.opening.wish(moment.now)

    def _on_pause(self, _message: Message, _moment: Moment) -> None:
        self.triggers.paused = True
        if self.passes.running and not self.departure.stopping:
            self.lending.cut()
        self.passes.refuse("paused")
        self.reporter.changed()

    def _on_resume(self, _message: Message, _moment: Moment) -> None:
        self.triggers.paused = False
        self.reporter.changed()

    def _on_approve(self, message: Message, moment: Moment) -> None:
        self.lending.token = str(message.get("token") or "")
        self.triggers.approve()
        self.opening.wish(moment.now)

    def _on_stop(self, message: Message, moment: Moment) -> None:
        timeout = message.get("timeout_seconds")
        timeout_seconds = float(timeout) if isinstance(timeout, int | float) else 0.0
        self.events.stop()
        self.departure.begin(moment, timeout_seconds, flush=bool(message.get("flush")))

    def _on_client(self, message: Message, fds: tuple[int, ...]) -> None:
        request = message.get("request")
        self.clients.take(
            request if isinstance(request, dict) else {},
            fds,
            busy=self.passes.running is not None,
            ended=self.reporter.changed,
        )
