"""A run that has been started, whoever started it: what the watching loop needs of it."""

import contextlib
import os
import signal
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class End:
    """How a run ended. wait_status: as of waitpid(2); None when its starter vanished and nobody saw it end."""

    wait_status: int | None
    cpu_seconds: float = 0.0
    memory_bytes: int = 0


class StartedRun(Protocol):
    """way: warm | spawned | cold. program: its path."""

    pid: int
    way: str
    version: str
    program: str

    def fileno(self) -> int:
        """Becomes readable when `end` may have something to say."""

    def end(self) -> End | None:
        """None while it runs. Never blocks."""

    def signal(self, number: int) -> None:
        """To the run's whole group; nothing when it is over."""

    def close(self) -> None:
        """Forgets it; a run that is still there is killed."""


def kill_session(pid: int) -> None:
    """KILL for everything in the session that the run `pid` began, when its starter can no longer do it."""
    for name in os.listdir("/proc"):
        if name.isdigit() and _session(int(name)) == pid:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(name), signal.SIGKILL)


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None
