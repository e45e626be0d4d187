"""The control socket: bound, guarded, found again when somebody removes it. What requests mean is in `commands`.

Only this user and root get in. A living supervisor's socket is never taken away; a dead one's is.
"""

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path

from runner.supervisor import socket_path
from runner.supervisor.client_connection import ClientConnection, Request
from runner.supervisor.loop import READ, Loop

CHECK_SECONDS = 2.0
_MOST_CLIENTS = 128
_STALLED_SECONDS = 30.0
_PAUSE_WITHOUT_DESCRIPTORS_SECONDS = 1.0
_PEER = struct.Struct("3i")  # struct ucred (unix(7))


class ControlSocket:
    """candidates: where the socket may be now, best first. on_request gets every request of a peer that may ask."""

    def __init__(
        self,
        loop: Loop,
        candidates: Callable[[], list[Path]],
        on_request: Callable[[ClientConnection, Request], None],
        log: Callable[[str, str], None],
    ) -> None:
        self._loop = loop
        self._candidates = candidates
        self._on_request = on_request
        self._log = log
        self._listener: socket.socket | None = None
        self._path: Path | None = None
        self._identity: tuple[int, int] | None = None
        self._clients: set[ClientConnection] = set()
        self._said = ""

    @property
    def path(self) -> Path | None:
        """Where it listens; None while another supervisor has the place."""
        return self._path

    @property
    def clients(self) -> frozenset[ClientConnection]:
        return frozenset(self._clients)

    def open(self) -> None:
        """Binds now if possible; `check` tries again."""
        candidates = self._candidates()
        for path in candidates:
            if not socket_path.prepared(path.parent):
                continue
            if _is_answered(path):
                self._say(
                    "INFO", f"another runner has the control socket {path}; this one takes it over when that ends"
                )
                return
            if self._bind(path):
                return
        self._say("WARNING", f"no control socket: none of {', '.join(str(path.parent) for path in candidates)} works")

    def check(self) -> None:
        """Every few seconds: is our socket still at its path, and is that where clients look now? Has the other
        supervisor gone? Who is stalled?"""
        if self._path is not None and (not self._is_at_its_path() or self._path not in self._candidates()):
            self._leave()
        if self._listener is None:
            self.open()
        now = self._loop.now()
        for client in self.clients:
            if client.is_stalled and now - client.last_progress_at > _STALLED_SECONDS:
                client.close()

    def close(self) -> None:
        """Removes the path if it is still ours; what clients were told went as far as the kernel took it."""
        self._leave()
        for client in self.clients:
            client.close()

    def _bind(self, path: Path) -> bool:
        """Bound under a name of its own, then renamed: there is never a moment without a socket or with half of one."""
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            fresh.unlink(missing_ok=True)
            with socket_path.address(fresh) as address:
                listener.bind(address)
            fresh.chmod(0o600)
            listener.listen(_MOST_CLIENTS)
            fresh.rename(path)
        except OSError as error:
            listener.close()
            with contextlib.suppress(OSError):
                fresh.unlink()
            self._say("WARNING", f"control socket {path}: {error.strerror}")
            return False
        listener.setblocking(False)
        self._listener, self._path, self._identity = listener, path, _identity(path)
        self._loop.watch(listener.fileno(), READ, self._accept)
        self._say("INFO", f"control socket {path}")
        return True

    def _accept(self, _events: int) -> None:
        assert self._listener is not None
        for _ in range(_MOST_CLIENTS):
            try:
                sock, _address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}:
                    self._pause()
                return
            self._welcome(sock)

    def _welcome(self, sock: socket.socket) -> None:
        _pid, uid, _gid = _PEER.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
        if uid not in {0, os.getuid()}:
            self._log("WARNING", f"control socket: refused uid {uid}")
            sock.close()
            return
        if len(self._clients) >= _MOST_CLIENTS:
            self._make_room()
        self._clients.add(ClientConnection(self._loop, sock, self._on_request, self._clients.discard))

    def _make_room(self) -> None:
        """The one that has done nothing for longest goes; one that waits for a pass only if there is no other."""
        oldest = min(self._clients, key=lambda client: (not client.is_stalled, client.last_progress_at))
        oldest.close()

    def _pause(self) -> None:
        """Out of descriptors: the waiting connection would wake the loop again and again."""
        listener = self._listener
        assert listener is not None
        self._loop.unwatch(listener.fileno())

        def resume() -> None:
            if self._listener is listener:
                self._loop.watch(listener.fileno(), READ, self._accept)

        self._loop.after(_PAUSE_WITHOUT_DESCRIPTORS_SECONDS, resume)

    def _is_at_its_path(self) -> bool:
        return self._path is not None and _identity(self._path) == self._identity

    def _leave(self) -> None:
        if self._path is not None and self._is_at_its_path():
            with contextlib.suppress(OSError):
                self._path.unlink()
        if self._listener is not None:
            self._loop.unwatch(self._listener.fileno())
            self._listener.close()
        self._listener = self._path = self._identity = None

    def _say(self, level: str, message: str) -> None:
        """Once, not every two seconds."""
        if message != self._said:
            self._said = message
            self._log(level, message)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_answered(path: Path) -> bool:
    """Somebody listens there. Does not wait: a full queue counts as an answer."""
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    probe.setblocking(False)
    try:
        with socket_path.address(path) as address:
            probe.connect(address)
    except (BlockingIOError, PermissionError):
        return True
    except OSError:
        return False
    else:
        return True
    finally:
        probe.close()
