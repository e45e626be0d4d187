"""One client of the control socket: lines in, lines out, within bounds. Slow, silent and garbage clients cost nothing.

A client that ends its sending side still gets its answer; one that is gone is noticed when the answer is written.
"""

import contextlib
import json
import os
import socket
from collections.abc import Callable, Mapping

from runner.model.exit_codes import ExitCode
from runner.supervisor.loop import READ, WRITE, Loop

Request = Mapping[str, object]
REQUEST_BYTES = 16 * 1024
_READ_BYTES = 16 * 1024
_ANSWER_BYTES = 16 * 1024 * 1024


class ClientConnection:
    """on_request is called for one request at a time; `end` allows the next one. on_closed: once, however it ended."""

    def __init__(
        self,
        loop: Loop,
        sock: socket.socket,
        on_request: Callable[["ClientConnection", Request], None],
        on_closed: Callable[["ClientConnection"], None],
    ) -> None:
        sock.setblocking(False)
        self._loop = loop
        self._socket = sock
        self._fd = sock.fileno()
        self._on_request = on_request
        self._on_closed = on_closed
        self._incoming = b""
        self._outgoing = bytearray()
        self._reading = True
        self._open = True
        self.busy = False  # a request is being answered
        self.last_progress_at = loop.now()
        self.when_gone: Callable[[], None] = lambda: None  # what the command must undo (a follower of the log)
        self._show_interest()

    @property
    def is_open(self) -> bool:
        return self._open

    @property
    def is_stalled(self) -> bool:
        """Nothing is going on here, or it does not take what it asked for."""
        return not self.busy or bool(self._outgoing)

    def row(self, row: Mapping[str, object]) -> None:
        self._write({"row": row})

    def end(self, exit_code: int = ExitCode.OK, message: str = "") -> None:
        """Ends the answer; idempotent for a connection that is gone."""
        self._write({"end": True, "exit_code": int(exit_code), "message": message})
        self.busy = False
        self._loop.after(0.0, self._next_request)

    def hand_over(self, give: Callable[[int], None]) -> None:
        """The connection becomes somebody else's: give(fd) duplicates it, then ours is closed without a word."""
        os.set_blocking(self._fd, True)  # what a receiver expects; the flag belongs to the shared description
        give(self._fd)
        self.close()

    def close(self) -> None:
        if not self._open:
            return
        self._open = False
        self._loop.unwatch(self._fd)
        self._socket.close()
        self.when_gone()
        self._on_closed(self)

    def _ready(self, events: int) -> None:
        if events & WRITE:
            self._flush()
        if events & READ and self._open and self._reading:
            self._read()
        self._show_interest()

    def _read(self) -> None:
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        self.last_progress_at = self._loop.now()
        self._incoming += data
        self._reading = bool(data)
        self._next_request()

    def _next_request(self) -> None:
        """One request a turn: a client that sends hundreds at once does not keep the loop from others."""
        if not self._open or self.busy:
            return
        line, found, rest = self._incoming.partition(b"\n")
        if found:
            self._incoming = rest
            if line.strip():
                self._take(line)
            else:
                self._loop.after(0.0, self._next_request)
        elif len(self._incoming) > REQUEST_BYTES:
            self._incoming, self._reading = b"", False
            self.end(ExitCode.USAGE, f"a request is one line of at most {REQUEST_BYTES} bytes")
        elif not self._reading and not self._outgoing:
            self.close()
        self._show_interest()

    def _take(self, line: bytes) -> None:
        self.busy = True
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            request = None
        if isinstance(request, dict) and isinstance(request.get("command"), str):
            self._on_request(self, request)
        else:
            self.end(ExitCode.USAGE, 'a request is one JSON object in a line: {"command": "..."}')

    def _write(self, message: Mapping[str, object]) -> None:
        if not self._open:
            return
        self._outgoing += json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"
        if len(self._outgoing) > _ANSWER_BYTES:  # it does not read: it is dropped, others go on
            self.close()
            return
        self._flush()
        self._show_interest()

    def _flush(self) -> None:
        while self._outgoing and self._open:
            try:
                sent = self._socket.send(memoryview(self._outgoing)[: 256 * 1024], socket.MSG_NOSIGNAL)
            except BlockingIOError:
                return
            except OSError:
                self.close()
                return
            del self._outgoing[:sent]
            self.last_progress_at = self._loop.now()
        if self._open:
            self._next_request()

    def _show_interest(self) -> None:
        """Nothing to do means not in the loop at all: a hang-up is reported even to those who ask for no event."""
        if not self._open:
            return
        wants_more = self._reading and len(self._incoming) <= REQUEST_BYTES
        events = (READ if wants_more else 0) | (WRITE if self._outgoing else 0)
        with contextlib.suppress(ValueError):
            if events:
                self._loop.watch(self._fd, events, self._ready)
            else:
                self._loop.unwatch(self._fd)
