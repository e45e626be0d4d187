"""The two ways from a worker to its supervisor, kept in the loop: the channel for messages, the pipe for the log."""

from collections.abc import Callable

from runner.wire.channel import Channel, Received
from runner.worker.logging import WorkerLog
from runner.worker.loop import READ, WRITE, Loop


class SupervisorLine:
    """on_message takes each message and its descriptors. `show_interest` after anything may have been said."""

    def __init__(self, loop: Loop, channel: Channel, log: WorkerLog, on_message: Callable[[Received], None]) -> None:
        self._loop = loop
        self._channel = channel
        self._log = log
        self._on_message = on_message
        log.on_backlog = lambda: loop.post(lambda: None)

    @property
    def is_gone(self) -> bool:
        """The supervisor is dead."""
        return self._channel.closed

    @property
    def is_drained(self) -> bool:
        """Everything said has been taken by the kernel."""
        return not self._channel.wants_write and not self._log.wants_write

    def send(self, message: dict[str, object]) -> None:
        """On the loop."""
        self._channel.send(message)

    def send_from_anywhere(self, message: dict[str, object]) -> None:
        """From any thread; sent by the loop."""
        self._loop.post(lambda: self._channel.send(message))

    def show_interest(self) -> None:
        """Wakes the loop for what can be read, and for writing only where something waits."""
        if self._channel.closed:
            self._loop.unwatch(self._channel.fileno())
            return
        events = READ | WRITE if self._channel.wants_write else READ
        self._loop.watch(self._channel.fileno(), events, self._ready)
        if self._log.wants_write:
            self._loop.watch(self._log.fd, WRITE, lambda _events: self._log.flush())
        else:
            self._loop.unwatch(self._log.fd)

    def _ready(self, events: int) -> None:
        if events & WRITE:
            self._channel.flush()
        for received in self._channel.receive():
            self._on_message(received)
