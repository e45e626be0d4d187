"""A channel to a child, kept in the loop: messages come out as they arrive, what cannot be sent now is sent later."""

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence

from runner.supervisor.loop import READ, WRITE, Loop
from runner.wire.channel import Channel, Received

_DRAIN_TAKES = 64  # more than a socket's buffer holds


class Link:
    """on_message takes each message (descriptors that nobody took are closed); on_closed is called once, when the other
    side is gone, and never after `close`."""

    def __init__(
        self, loop: Loop, channel: Channel, on_message: Callable[[Received], None], on_closed: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._channel = channel
        self._on_message = on_message
        self._on_closed = on_closed
        self._fd = channel.fileno()
        self._over = False
        self._show_interest()

    @property
    def is_open(self) -> bool:
        return not self._over and not self._channel.closed

    def send(self, message: Mapping[str, object], fds: Sequence[int] = ()) -> None:
        """Never blocks; to a closed link it does nothing. The caller keeps its descriptors."""
        if self.is_open:
            self._channel.send(message, fds)
            self._show_interest()

    def drain(self) -> None:
        """Takes what is already there, for a child that is dead."""
        for _ in range(_DRAIN_TAKES):
            if not self._over and not self._channel.closed:
                self._take()

    def close(self) -> None:
        if not self._over:
            self._over = True
            self._loop.unwatch(self._fd)
            self._channel.close()

    def _ready(self, events: int) -> None:
        if events & WRITE:
            self._channel.flush()
        if events & READ:
            self._take()
        if self._over:
            return
        if self._channel.closed:
            self.close()
            self._on_closed()
        else:
            self._show_interest()

    def _take(self) -> None:
        for received in self._channel.receive():
            try:
                if not self._over:
                    self._on_message(received)
            finally:
                for fd in received.fds:
                    with contextlib.suppress(OSError):
                        os.close(fd)

    def _show_interest(self) -> None:
        if self.is_open:
            self._loop.watch(self._fd, READ | WRITE if self._channel.wants_write else READ, self._ready)
