"""One HTTP proxy between a runner and its server that does to chosen requests what networks do.

A rule says which (operation, key, from the n-th on, how often) and what: see `Fault`. Everything else goes through
untouched. Every request is noted, so that a test can count what an outage costs.
"""

import contextlib
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Literal
from urllib.parse import unquote, urlsplit

Fault = Literal[
    "reset",  # the connection breaks before the server sees the request
    "lost",  # the server carries it out, the answer never comes: the connection breaks
    "silent",  # half-open: the request is taken, and nothing ever happens
    "muted",  # the server carries it out, and nothing ever comes back
    "slow",  # the answer comes at one byte a second
    "503",
    "429",  # with Retry-After
    "cut",  # half of the answer's body, then the connection ends
    "flipped",  # one byte of the answer's body is another
    "html",  # 200 and a page of a captive portal; the server never sees the request
    "empty",  # 200 and nothing
]
Operation = Literal["list", "head", "get", "put", "create", "part", "complete", "abort", "copy", "delete", "other"]
FAULTS: tuple[Fault, ...] = (
    "reset",
    "lost",
    "silent",
    "muted",
    "slow",
    "503",
    "429",
    "cut",
    "flipped",
    "html",
    "empty",
)
RETRY_AFTER_SECONDS = 1
_HTML = b"<html><body>Please sign in to the hotel network</body></html>"
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no time: close sends RST


@dataclass
class Rule:
    """key: a regular expression of the whole key ("" for requests of the bucket); skip: so many go through first."""

    fault: Fault
    operation: Operation | None = None
    key: str = ".*"
    skip: int = 0
    times: int = 1
    fired: int = 0

    def takes(self, operation: str, key: str) -> bool:
        if self.operation not in (None, operation) or not re.fullmatch(self.key, key) or self.fired >= self.times:
            return False
        self.skip -= 1
        self.fired += self.skip < 0
        return self.skip < 0


@dataclass(frozen=True, slots=True)
class _Message:
    """A request or an answer. head: with the empty line."""

    head: bytes
    body: bytes

    @property
    def first_line(self) -> list[str]:
        return self.head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)


@dataclass
class FaultProxy:
    """rules: the first that takes a request decides. asked: (monotonic seconds, operation, key) of every request."""

    server: tuple[str, int]
    rules: list[Rule] = field(default_factory=list)
    asked: list[tuple[float, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.endpoint_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Ends every silence too."""
        self._closed.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def lose(self, operation: Operation, key: str = ".*") -> None:
        """The next such request is carried out, and its answer lost."""
        self.rules.append(Rule("lost", operation, key))

    def fired(self) -> int:
        return sum(rule.fired for rule in self.rules)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), client, socket.create_connection(self.server) as server:
            incoming, answers = client.makefile("rb"), server.makefile("rb")
            while (request := _read(incoming, client)) is not None:
                fault = self._judge(request)
                if not self._pass_on(request, fault, client, server, answers):
                    return

    def _judge(self, request: _Message) -> Fault | None:
        operation, key = asked_for(request.head)
        with self._lock:
            self.asked.append((time.monotonic(), operation, key))
            return next((rule.fault for rule in self.rules if rule.takes(operation, key)), None)

    def _pass_on(
        self, request: _Message, fault: Fault | None, client: socket.socket, server: socket.socket, answers: BinaryIO
    ) -> bool:
        """False: the connection is over."""
        if fault == "reset":
            return _break(client)
        if fault == "silent":
            self._closed.wait()
            return False
        made_up = _made_up(fault, request)
        if made_up:
            client.sendall(made_up)
            return True
        server.sendall(request.head + request.body)
        is_head = request.first_line[0] == "HEAD"
        answer = _read(answers, None, without_body=is_head)
        if answer is None or fault == "lost":
            return _break(client)
        if fault == "muted":
            self._closed.wait()
            return False
        return self._give(answer, fault, client)

    def _give(self, answer: _Message, fault: Fault | None, client: socket.socket) -> bool:
        body = answer.body
        if fault == "slow":
            for byte in answer.head + body:
                client.sendall(bytes([byte]))
                if self._closed.wait(1.0):
                    return False
            return True
        if fault == "flipped" and body:
            middle = len(body) // 2
            body = body[:middle] + bytes([body[middle] ^ 0x20]) + body[middle + 1 :]
        if fault == "cut":
            client.sendall(answer.head + body[: len(body) // 2])
            return False
        client.sendall(answer.head + body)
        return True


@contextlib.contextmanager
def faults_before(endpoint_url: str) -> Iterator[FaultProxy]:
    """A proxy before that server, until the block ends."""
    parts = urlsplit(endpoint_url)
    proxy = FaultProxy((parts.hostname or "", parts.port or 80))
    try:
        yield proxy
    finally:
        proxy.close()


def asked_for(head: bytes) -> tuple[Operation, str]:
    """What S3 is asked for, and the key, path style. Pure."""
    method, target = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")[:2]
    parts = urlsplit(target)
    key = unquote(parts.path).lstrip("/").partition("/")[2]
    query = {name.partition("=")[0] for name in parts.query.split("&")}
    if not key:
        return ("list" if "list-type" in query else "other"), key
    if method == "PUT" and b"\r\nx-amz-copy-source:" in head.lower():
        return "copy", key
    if "uploadId" in query:
        return {"PUT": "part", "POST": "complete", "DELETE": "abort"}.get(method, "other"), key  # type: ignore[return-value]
    if "uploads" in query:
        return "create", key
    names: dict[str, Operation] = {"GET": "get", "HEAD": "head", "PUT": "put", "DELETE": "delete"}
    return names.get(method, "other"), key


def _made_up(fault: Fault | None, request: _Message) -> bytes:
    """An answer that no server gave; b"" for faults that need a real one."""
    is_head = request.first_line[0] == "HEAD"
    if fault in {"503", "429"}:
        reason = "Slow Down" if fault == "503" else "Too Many Requests"
        body = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
        return _answer(f"{fault} {reason}", body, is_head, f"Retry-After: {RETRY_AFTER_SECONDS}\r\n")
    if fault in {"html", "empty"}:
        return _answer("200 OK", _HTML if fault == "html" else b"", is_head, "Content-Type: text/html\r\n")
    return b""


def _answer(status: str, body: bytes, is_head: bool, headers: str) -> bytes:
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + (b"" if is_head else body)


def _read(stream: BinaryIO, client: socket.socket | None, *, without_body: bool = False) -> _Message | None:
    """A whole request (client: who may wait for `100 Continue`) or answer; None at the end of the stream."""
    lines = []
    while (line := stream.readline()) not in (b"\r\n", b""):
        lines.append(line)
    if not lines or not line:
        return None
    if lines[0].startswith(b"HTTP/1.1 100"):
        return _read(stream, client, without_body=without_body)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
    if client is not None and headers.get(b"expect", b"").lower() == b"100-continue":
        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        lines = [line for line in lines if not line.lower().startswith(b"expect:")]
    status = lines[0].split()[1:2] if lines[0].startswith(b"HTTP/") else []
    head = b"".join(lines) + b"\r\n"
    if without_body or status in ([b"204"], [b"304"]):
        return _Message(head, b"")
    if headers.get(b"transfer-encoding", b"").lower() == b"chunked":
        return _Message(head, _chunks(stream))
    return _Message(head, stream.read(int(headers.get(b"content-length", b"0"))))


def _chunks(stream: BinaryIO) -> bytes:
    """As they came, framing included."""
    taken = b""
    while True:
        line = stream.readline()
        size = int(line.split(b";")[0], 16)
        taken += line + stream.read(size + 2)
        if not size:
            return taken


def _break(client: socket.socket) -> bool:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    return False
