"""A control socket for tests of the CLI: canned answers, requests remembered. One thread, no process."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from runner.supervisor import socket_path

# The messages that answer a command; None: hang up. An empty list: never answer.
Answers = Mapping[str, Sequence[Mapping[str, Any] | None]]


class ControlServer:
    """Listens at `path` as a context manager."""

    def __init__(self, path: Path, answers: Answers, config: Path = Path()) -> None:
        self.path = path
        self.config = config
        self.requests: list[dict[str, Any]] = []
        self._answers = answers
        self._kept: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "ControlServer":
        with socket_path.address(self.path) as address:
            self._listener.bind(address)
        self._listener.listen()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        for sock in (self._listener, *self._kept):
            sock.close()

    def _serve(self) -> None:
        while True:
            try:
                sock, _address = self._listener.accept()
            except OSError:
                return
            self._kept.append(sock)
            with contextlib.suppress(OSError):
                self._answer(sock)

    def _answer(self, sock: socket.socket) -> None:
        line = b""
        while not line.endswith(b"\n"):
            piece = sock.recv(4096)
            if not piece:
                return
            line += piece
        request = json.loads(line)
        self.requests.append(request)
        for message in self._answers.get(request["command"], []):
            if message is None:
                sock.shutdown(socket.SHUT_RDWR)
                return
            sock.sendall(json.dumps(message).encode() + b"\n")


@contextlib.contextmanager
def control_server(folder: Path, answers: Answers) -> Iterator[ControlServer]:
    """With a config file beside it whose runner it plays."""
    config = folder / "sync.yaml"
    if not config.exists():
        config.write_text("pairs:\n  - {bucket: my-bucket, folder: f, mode: push}\nsupervisor: {runtime_dir: run}\n")
    place = folder / "run"
    place.mkdir(mode=0o700, exist_ok=True)
    with ControlServer(place / socket_path.file_name(config), answers, config) as server:
        yield server
