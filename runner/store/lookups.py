"""One credential look-up in a process of its own: started, read, killed when it takes too long.

A child, not a thread: its environment is its own, it can be killed when a metadata service or a helper program hangs,
and what it loaded goes with it. Forks only; what is looked up is given to it.
"""

import contextlib
import json
import os
import signal
from collections.abc import Callable, Iterable

from runner.store.credentials import CredentialRequest
from runner.wire.death import arm_parent_death_signal

_RESULT_BYTES = 256 * 1024
Resolve = Callable[[CredentialRequest], dict[str, object]]


class Lookup:
    """A running look-up. Readable (`fileno`) when there is something to `read`."""

    def __init__(
        self, request: CredentialRequest, resolve: Resolve, deadline: float, foreign_fds: Iterable[int]
    ) -> None:
        """deadline: kept for the owner. foreign_fds: the parent's, closed in the child."""
        self.deadline = deadline
        self._received = bytearray()
        self._read_end, write_end = os.pipe()
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            _run_child(parent, request, resolve, write_end, [self._read_end, *foreign_fds])
        os.close(write_end)
        os.set_blocking(self._read_end, False)

    def fileno(self) -> int:
        return self._read_end

    def read(self) -> dict[str, object] | None:
        """The result once it is whole (then `end` it), None before. A child that died gives a failure."""
        while True:
            try:
                data = os.read(self._read_end, 65536)
            except BlockingIOError:
                return None
            if not data:
                break
            self._received += data
            if len(self._received) > _RESULT_BYTES:
                break
        try:
            result = json.loads(self._received)
        except ValueError:
            result = None
        if isinstance(result, dict):
            return result
        return {"type": "credentials-failed", "reason": "the credential look-up crashed", "permanent": False}

    def end(self) -> None:
        """Kills what is left of it, helper programs included, and reaps it."""
        with contextlib.suppress(OSError):
            os.killpg(self._pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.kill(self._pid, signal.SIGKILL)  # it may not have reached setsid
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, 0)
        os.close(self._read_end)


def _run_child(parent: int, request: CredentialRequest, resolve: Resolve, write_end: int, foreign: list[int]) -> None:
    """Never returns."""
    status = 1
    try:
        arm_parent_death_signal(parent)
        os.setsid()  # a group of its own, and no terminal that a prompt could wait at
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        for fd in foreign:
            with contextlib.suppress(OSError):
                os.close(fd)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        data = json.dumps(resolve(request)).encode("ascii")
        while data:
            data = data[os.write(write_end, data) :]
        status = 0
    finally:
        os._exit(status)
