"""One end of a socket pair between two processes of one runner.

SOCK_SEQPACKET keeps messages whole and each message's descriptors with it (unix(7)). A message is one JSON object of
at most MESSAGE_BYTES; larger answers go to a client's own connection instead, whose descriptor is handed over.
Sending never blocks: what the kernel does not take now waits here until `flush` (call it when `wants_write`).
"""

import array
import contextlib
import json
import os
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MESSAGE_BYTES = 128 * 1024
MAX_DESCRIPTORS = 8
MESSAGES_A_CALL = 64  # a flood from one side must not keep the other from its other work


@dataclass(frozen=True, slots=True)
class Received:
    """One message and the descriptors that came with it; whoever takes it closes them."""

    message: dict[str, object]
    fds: tuple[int, ...] = ()

    @property
    def type(self) -> str:
        return str(self.message.get("type", ""))


class Channel:
    """Non-blocking message end. `closed` turns true when the other side is gone and its last words have been taken."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(0.0)
        self._socket = sock
        self._waiting: deque[tuple[bytes, tuple[int, ...]]] = deque()
        self._nobody_listens = self._was_reset = False
        self.closed = False

    @staticmethod
    def pair() -> tuple["Channel", "Channel"]:
        """Two connected ends; descriptors are close-on-exec (PEP 446)."""
        left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return Channel(left), Channel(right)

    @staticmethod
    def from_fd(fd: int) -> "Channel":
        """Takes over a descriptor that arrived in a message."""
        return Channel(socket.socket(fileno=fd))

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def wants_write(self) -> bool:
        return bool(self._waiting)

    def send(self, message: Mapping[str, object], fds: Sequence[int] = ()) -> None:
        """Queues and sends what the kernel takes now. The descriptors are duplicated: the caller keeps its own.

        Raises ValueError for a message over MESSAGE_BYTES (a mistake of ours).
        """
        if self.closed or self._nobody_listens:
            return
        data = json.dumps(message, separators=(",", ":")).encode("ascii")
        if len(data) > MESSAGE_BYTES:
            raise ValueError(f"message of {len(data)} bytes, type {message.get('type')!r}")
        self._waiting.append((data, tuple(os.dup(fd) for fd in fds)))
        self.flush()

    def flush(self) -> None:
        """Sends waiting messages until the kernel's buffer is full. To somebody who is gone nothing can be sent, but
        what it has said before is still there to be received."""
        while self._waiting and not self.closed:
            data, fds = self._waiting[0]
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
            try:
                self._socket.sendmsg([data], ancillary, socket.MSG_NOSIGNAL)
            except BlockingIOError:
                return
            except ConnectionError:
                self._nobody_listens = True
                self._drop_waiting()
                return
            except OSError:  # no memory, too many descriptors on their way: half a conversation is worse than none
                self.closed = True
                return
            self._waiting.popleft()
            _close_all(fds)

    def receive(self) -> list[Received]:
        """The messages that have arrived, oldest first, MESSAGES_A_CALL at most (the descriptor stays readable for the
        rest); empty when there is none. Sets `closed` at end of file."""
        messages: list[Received] = []
        while not self.closed and len(messages) < MESSAGES_A_CALL:
            try:
                data, fds, _flags, _address = socket.recv_fds(self._socket, MESSAGE_BYTES, MAX_DESCRIPTORS)
            except BlockingIOError:
                break
            except ConnectionResetError:
                # Said once, before the messages that are still in the queue: it left without reading all of ours.
                self.closed, self._was_reset = self._was_reset, True
                continue
            except OSError:
                self.closed = True
                break
            if not data:
                _close_all(fds)
                self.closed = True
                break
            messages.append(Received(json.loads(data), tuple(fds)))
        return messages

    def close(self) -> None:
        """Drops what is still waiting."""
        self.closed = True
        self._drop_waiting()
        self._socket.close()

    def _drop_waiting(self) -> None:
        for _data, fds in self._waiting:
            _close_all(fds)
        self._waiting.clear()


def _close_all(fds: Sequence[int]) -> None:
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)
