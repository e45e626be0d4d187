"""What a worker says goes to descriptor 2, a pipe to the supervisor, as records: 0x1e, a JSON object, a line feed.

Any thread may say something and none ever waits for the pipe: what it does not take now is kept (a bounded amount)
and sent when the loop finds it writable. Never touches a file.
"""

import json
import os
import select
import threading
from collections import deque
from collections.abc import Callable

from runner.model.names import printable

_LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
_KEPT_PIECES = 1000
_MESSAGE_CHARACTERS = 12 * 1024


class WorkerLog:
    """level: the least that is sent. A pipe that is gone swallows everything: then the supervisor is, too.
    on_backlog: called, from any thread, when something has to wait."""

    def __init__(self, fd: int, level: str, pair: str) -> None:
        self.fd = fd
        self._least = _LEVELS.get(level, 20)
        self._pair = pair
        self._lock = threading.Lock()
        self._waiting: deque[bytes] = deque()
        self._dropped = 0
        self.on_backlog: Callable[[], None] = lambda: None

    @property
    def wants_write(self) -> bool:
        return bool(self._waiting)

    def log(self, level: str, message: str) -> None:
        if _LEVELS.get(level, 20) < self._least:
            return
        lines = (printable(line) for line in message[:_MESSAGE_CHARACTERS].rstrip("\n").split("\n"))
        record = {"level": level, "message": "\n".join(lines), "pair": self._pair}
        self._send(b"\x1e" + json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n")

    def flush(self) -> None:
        with self._lock:
            self._write_waiting()

    def _send(self, record: bytes) -> None:
        with self._lock:
            if len(self._waiting) >= _KEPT_PIECES:
                self._dropped += 1
                return
            if self._dropped:
                note = {"level": "WARNING", "message": f"{self._dropped} log messages were dropped: the pipe was full"}
                self._queue(b"\x1e" + json.dumps(note).encode("ascii") + b"\n")
                self._dropped = 0
            self._queue(record)
            self._write_waiting()
        if self.wants_write:
            self.on_backlog()

    def _queue(self, record: bytes) -> None:
        # A write of at most PIPE_BUF to a pipe that polls writable neither blocks nor is split (pipe(7)).
        self._waiting.extend(record[at : at + select.PIPE_BUF] for at in range(0, len(record), select.PIPE_BUF))

    def _write_waiting(self) -> None:
        poll = select.poll()
        poll.register(self.fd, select.POLLOUT)
        while self._waiting:
            ready = poll.poll(0)
            if not ready or not ready[0][1] & (select.POLLOUT | select.POLLERR | select.POLLHUP):
                return
            try:
                os.write(self.fd, self._waiting[0])
            except OSError:
                self._waiting.clear()
                return
            self._waiting.popleft()
