"""The client of the control socket: one request a connection, JSON lines back, the last one says how it ended.

Finds the socket without loading the settings; imports nothing heavy.
"""

import contextlib
import json
import os
import re
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from runner.model.errors import UserError
from runner.supervisor import socket_path

_PIECE_BYTES = 64 * 1024
_PEER = struct.Struct("3i")  # struct ucred: pid, uid, gid (unix(7), SO_PEERCRED)
_STUCK = "it may be suspended or stuck: see its log"
_RUNTIME_DIR = re.compile(r"^[^#\n]*?\bruntime_dir[\"']?:[ \t]+(\"[^\"\n]+\"|'[^'\n]+'|[^\s,#][^,#\n}]*)", re.MULTILINE)
_EXPANSION = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


class Connection:
    """A runner that accepted a connection. timeout_seconds: how long it may take to answer, unless `ask` says else."""

    def __init__(self, path: Path, sock: socket.socket, timeout_seconds: float) -> None:
        self.path = path
        self.timeout_seconds = timeout_seconds
        self._first: socket.socket | None = sock
        self.pid = _PEER.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))[0]

    def ask(self, request: Mapping[str, object], *, waits: bool = False) -> Iterator[dict[str, Any]]:
        """Every message of the answer, the last is `{"end": true, "exit_code", "message"}`.

        waits: the answer may take as long as it takes. Raises UserError when the runner does not answer or goes away.
        """
        sock = self._first or _connected(self.path, self.timeout_seconds)
        self._first = None
        if sock is None:
            raise UserError("the runner has stopped")
        deadline = None if waits else time.monotonic() + self.timeout_seconds
        with contextlib.closing(sock):
            try:
                sock.sendall(json.dumps(request).encode("ascii") + b"\n")
                yield from _messages(sock, deadline)
            except TimeoutError:
                raise UserError(f"the runner (process {self.pid}) does not answer", _STUCK) from None
            except OSError as error:
                raise UserError(f"the runner went away in the middle of its answer ({error.strerror})") from None

    def close(self) -> None:
        if self._first is not None:
            self._first.close()
            self._first = None

    def end_of_process(self) -> Callable[[], None]:
        """What waits until the runner's process has ended; to be taken before it is asked to stop."""
        try:
            process = os.pidfd_open(self.pid) if self.pid > 0 else -1
        except OSError:
            process = -1
        return lambda: _wait_for(process) if process >= 0 else self._wait_for_silence()

    def _wait_for_silence(self) -> None:
        """For a runner in another PID namespace: nobody listens any more."""
        while (sock := _connected(self.path, 1.0)) is not None:
            sock.close()
            time.sleep(0.1)


def connect(
    settings_path: Path,
    runtime_dir: Path | None,
    environment: Mapping[str, str],
    *,
    timeout_seconds: float = 10.0,
) -> Connection | None:
    """The runner of a config file. runtime_dir: None means what the file says, read without validating it."""
    directory = runtime_dir or runtime_dir_of(settings_path, environment)
    name = socket_path.file_name(settings_path)
    for place in socket_path.directories(directory, environment):
        if socket_path.is_trusted(place):
            sock = _connected(place / name, timeout_seconds)
            if sock is not None:
                return Connection(place / name, sock, timeout_seconds)
    return None


def connect_without_config(environment: Mapping[str, str], *, timeout_seconds: float = 10.0) -> Connection | None:
    """The one runner of this user that runs without a config file. Raises UserError when there are several."""
    found: list[Connection] = []
    for place in socket_path.directories(None, environment):
        if not socket_path.is_trusted(place):
            continue
        for path in sorted(place.glob(f"{socket_path.SEED_PREFIX}*.sock")):
            sock = _connected(path, timeout_seconds)
            if sock is not None:
                found.append(Connection(path, sock, timeout_seconds))
    if len(found) > 1:
        for connection in found:
            connection.close()
        raise UserError(
            f"{len(found)} runners without a config file are running here", "give each a config file to tell them apart"
        )
    return found[0] if found else None


def runtime_dir_of(settings_path: Path, environment: Mapping[str, str]) -> Path | None:
    """`supervisor.runtime_dir` of a config file, relative to it; None when it has none or cannot be read.

    Validates nothing: a file that has become bad must not hide the runner that still runs with it.
    """
    try:
        text = settings_path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    if "runtime_dir" not in text:
        return None
    value = _runtime_dir_in(text)
    if not value:
        return None
    expanded = _EXPANSION.sub(lambda match: environment.get(match[1]) or match[2] or "", value)
    return Path(os.path.abspath(settings_path)).parent / Path(expanded).expanduser()


def _runtime_dir_in(text: str) -> str | None:
    """Importing a YAML reader costs more than the rest of a health check: a plain value is read without one."""
    found = _RUNTIME_DIR.findall(text)
    if len(found) == 1 and found[0][0] not in "&*|>!":
        plain = str(found[0]).strip().strip("\"'")
        return None if plain in ("null", "~") else plain
    import yaml

    try:
        document: Any = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 (both are safe)
    except yaml.YAMLError:
        return None
    section = document.get("supervisor") if isinstance(document, dict) else None
    value = section.get("runtime_dir") if isinstance(section, dict) else None
    return value if isinstance(value, str) else None


def _connected(path: Path, timeout_seconds: float) -> socket.socket | None:
    """None when nobody listens there; UserError when somebody does and never accepts (its queue is full)."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout_seconds)
        try:
            with socket_path.address(path) as address:
                sock.connect(address)
        except (BlockingIOError, TimeoutError):  # EAGAIN: connect(2) on a UNIX socket whose queue is full
            sock.close()
            if time.monotonic() >= deadline:
                raise UserError("the runner does not accept connections", _STUCK) from None
            time.sleep(0.05)
        except OSError:
            sock.close()
            return None
        else:
            return sock


def _wait_for(process: int) -> None:
    with contextlib.closing(os.fdopen(process, "rb", buffering=0)) as end:
        select.select([end], [], [])


def _messages(sock: socket.socket, deadline: float | None) -> Iterator[dict[str, Any]]:
    waiting = b""
    while True:
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            sock.settimeout(left)
        else:
            sock.settimeout(None)
        piece = sock.recv(_PIECE_BYTES)
        if not piece:
            raise ConnectionResetError(0, "connection closed")
        *lines, waiting = (waiting + piece).split(b"\n")
        for line in lines:
            message: dict[str, Any] = json.loads(line)
            yield message
            if message.get("end"):
                return
