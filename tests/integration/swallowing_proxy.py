"""A TCP proxy that swallows one answer: the request reaches the server and is carried out, the client never hears."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit


class SwallowingProxy:
    """swallow: how the request begins whose answer is to be lost, b"" for none; swallowed: how many were."""

    def __init__(self, endpoint_url: str) -> None:
        parts = urlsplit(endpoint_url)
        self._server = (parts.hostname or "", parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self.swallow = b""
        self.swallowed = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                server = socket.create_connection(self._server)
                lost = threading.Event()
                threading.Thread(target=self._forward, args=(client, server, lost), daemon=True).start()
                threading.Thread(target=self._answer, args=(client, server, lost), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket, lost: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                with self._lock:
                    if self.swallow and data.startswith(self.swallow):
                        self.swallow = b""
                        lost.set()
                server.sendall(data)
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _answer(self, client: socket.socket, server: socket.socket, lost: threading.Event) -> None:
        with contextlib.suppress(OSError), client, server:
            while data := server.recv(65536):
                if lost.is_set():
                    if b"100 Continue" in data[:64]:
                        continue
                    self.swallowed += 1
                    client.shutdown(socket.SHUT_RDWR)
                    return
                client.sendall(data)


@contextlib.contextmanager
def swallowing(endpoint_url: str) -> Iterator[SwallowingProxy]:
    """Before the given server, until the block ends."""
    proxy = SwallowingProxy(endpoint_url)
    try:
        yield proxy
    finally:
        proxy.close()
