"""The reading end of a child's stdout and stderr. Bounded work a turn; its end is never taken for the child's death,
and a grandchild that keeps it open holds nothing up."""

import os
from collections.abc import Callable

from runner.supervisor.loop import READ, Loop
from runner.supervisor.output_lines import OutputLine, OutputLines

_READ_BYTES = 64 * 1024
_DRAIN_READS = 16  # a pipe holds 64 KiB by default; whoever writes faster than we read does not get all of it
_LINGER_SECONDS = 1.0


class OutputPipe:
    """on_line gets every line. Takes over the descriptor, which must be non-blocking."""

    def __init__(self, loop: Loop, fd: int, on_line: Callable[[OutputLine], None]) -> None:
        self._loop = loop
        self._fd = fd
        self._on_line = on_line
        self._lines = OutputLines()
        self._open = True
        loop.watch(fd, READ, self._ready)

    def child_is_dead(self) -> None:
        """Takes what is there; a surviving grandchild is listened to for another second."""
        for _ in range(_DRAIN_READS):
            if not self._open or not self._read():
                break
        if self._open:
            self._loop.after(_LINGER_SECONDS, self.close)

    def close(self) -> None:
        if not self._open:
            return
        self._open = False
        self._loop.unwatch(self._fd)
        os.close(self._fd)
        self._give(self._lines.end())

    def _ready(self, _events: int) -> None:
        if self._open:
            self._read()

    def _read(self) -> bool:
        """False when there is nothing more to read now."""
        try:
            data = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self.close()
            return False
        self._give(self._lines.feed(data))
        return True

    def _give(self, lines: list[OutputLine]) -> None:
        for line in lines:
            self._on_line(line)
