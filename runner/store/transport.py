"""The door to S3: one awscrt client per endpoint, any number of requests at once, nothing decided here.

Everything native is made at the first request *of this process*: an event loop made before a fork is dead after it
(its threads are not copied). The CRT's own retries are off; deadlines are ours, for it has none (facts: a silent
server costs 31 s). Bodies travel unsigned (UNSIGNED-PAYLOAD), so a body goes with its x-amz-checksum-sha256.
Proxies (HTTPS_PROXY, HTTP_PROXY, NO_PROXY) are read from the environment by the CRT itself.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping

from runner.store.certificate import certificate_complaint
from runner.store.credentials import Credentials
from runner.store.native import Native
from runner.store.request import Answer, Request

_TICK_SECONDS = 0.25
_FIRST_LOOK_SECONDS = 3.0  # of silence at a TLS endpoint that never answered yet
_SLOWEST_BYTES_PER_SECOND = 20_000
_dead: list[object] = []  # natives of a parent process: destroying them here would wait for threads that are not


class NoAnswerError(Exception):
    """The request ended without an answer.

    kind: refused | unresolved | tls | proxy | silent | broken | slow-down | fault | skewed | too-large | stopped.
    detail: the CRT's name for it. sent: false only when the server surely has not seen the request.
    """

    def __init__(self, kind: str, detail: str, *, sent: bool) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail
        self.sent = sent


class Transport:
    """Requests to one origin, from any number of threads at once."""

    def __init__(
        self, origin: str, region: str, credentials: Callable[[], Credentials], *, ca_bundle: str | None = None
    ) -> None:
        self._origin = origin
        self._host = origin.partition("://")[2]
        self._region = region
        self._credentials = credentials
        self._ca_bundle = ca_bundle
        self._native: Native | None = None
        self._lock = threading.Lock()  # of making and letting go of the natives
        self._answered = False

    def send(
        self,
        request: Request,
        target: str,
        headers: Mapping[str, str],
        should_stop: Callable[[], bool],
        deadline: float,
    ) -> Answer:
        """One attempt. target: path and query, encoded. deadline: on time.monotonic()'s scale.

        Any status is an answer; raises NoAnswerError.
        """
        exchange = _Exchange(request.max_body_bytes, is_head=request.method == "HEAD")
        why, detail = self._exchanged(exchange, request, target, headers, should_stop, deadline)
        if why:
            raise NoAnswerError(why, detail, sent=True)
        answer = exchange.answer()
        self._answered = True
        return answer

    def _exchanged(
        self,
        exchange: "_Exchange",
        request: Request,
        target: str,
        headers: Mapping[str, str],
        should_stop: Callable[[], bool],
        deadline: float,
    ) -> tuple[str, str]:
        """("", "") when it ended by itself, else why it was cancelled (kind, detail).

        A method of its own: a native object in a frame that an error's traceback keeps would never shut down.
        """
        native = self._natives()
        handle = native.client.make_request(
            type=native.default_type,
            request=native.http_request(request, target, {"Host": self._host, **headers}),
            operation_name=request.operation,
            on_headers=exchange.on_headers,
            on_body=exchange.on_body,
            on_done=exchange.on_done,
        )
        patience = request.idle_seconds + len(request.body) / _SLOWEST_BYTES_PER_SECOND
        detail = ""
        if not self._answered and self._origin.startswith("https://"):
            first_look = min(deadline, time.monotonic() + _FIRST_LOOK_SECONDS)
            if exchange.wait(patience, should_stop, first_look) == "silent":
                detail = certificate_complaint(self._origin, self._ca_bundle)
        why = "tls" if detail else exchange.wait(patience, should_stop, deadline)
        if why:
            handle.cancel()
            exchange.ended(1.0)
        return why, detail

    def close(self) -> None:
        """Ends connections and the event loop's thread; the next request makes them anew."""
        with self._lock:
            native, self._native = self._native, None
        if native is not None:
            native.close()

    def _natives(self) -> Native:
        with self._lock:
            if self._native is not None and self._native.pid != os.getpid():
                _dead.append(self._native)
                self._native = None
            if self._native is None:
                self._native = Native(self._origin, self._region, self._credentials, self._ca_bundle)
            return self._native


class _Exchange:
    """Collects one answer; its callbacks run on the event loop's thread."""

    def __init__(self, max_body_bytes: int, *, is_head: bool) -> None:
        self._pending = threading.Lock()  # held until the end: a waiter wakes at once, and cheaper than by an Event
        self._pending.acquire()
        self._is_head = is_head
        self._max_body_bytes = max_body_bytes
        self._heard_at = time.monotonic()
        self._status = 0
        self._headers: dict[str, str] = {}
        self._chunks: list[bytes] = []  # joined once: one chunk is not copied at all
        self._length = 0
        self._too_large = False
        self._error: BaseException | None = None

    def on_headers(self, status_code: int, headers: list[tuple[str, str]], **_kwargs: object) -> None:
        self._heard_at = time.monotonic()
        self._status = status_code
        self._headers = {name.lower(): value for name, value in headers}
        announced = self._headers.get("content-length", "")
        if status_code < 300 and announced.isdecimal() and int(announced) > self._max_body_bytes and not self._is_head:
            self._too_large = True
            raise BufferError

    def on_body(self, chunk: bytes, offset: int, **_kwargs: object) -> None:
        self._heard_at = time.monotonic()
        self._length += len(chunk)
        if self._length > self._max_body_bytes:
            self._too_large = True
            raise BufferError
        self._chunks.append(chunk)

    def on_done(
        self,
        *,
        error: BaseException | None,
        error_headers: list[tuple[str, str]] | None,
        error_body: bytes | None,
        status_code: int | None,
        **_kwargs: object,
    ) -> None:
        self._error = error
        if error is not None and status_code:
            self._status = status_code
            if error_headers:
                self._headers = {name.lower(): value for name, value in error_headers}
            self._chunks = [error_body or b""]
        self._pending.release()

    def ended(self, timeout_seconds: float) -> bool:
        """Waits for the end."""
        if not self._pending.acquire(timeout=timeout_seconds):
            return False
        self._pending.release()
        return True

    def wait(self, patience: float, should_stop: Callable[[], bool], deadline: float) -> str:
        """ "" when the exchange ended by itself, else why it must be cancelled."""
        while not self.ended(_TICK_SECONDS):
            now = time.monotonic()
            if should_stop():
                return "stopped"
            if now >= deadline or now - self._heard_at >= patience:
                return "silent"
        return ""

    def answer(self) -> Answer:
        if self._too_large:
            raise NoAnswerError("too-large", "", sent=True)
        body = b"".join(self._chunks)
        is_error_document = self._status == 200 and b"<Error" in body[:512]
        if self._error is not None and not 300 <= self._status <= 599 and not is_error_document:
            raise _no_answer(self._error)
        return Answer(self._status, self._headers, body)


# The CRT swallows status and body of four answers and gives these names (aws-c-s3, s3_util.c: SlowDown, InternalError,
# RequestTimeTooSkewed, RequestTimeout); the rest are of the network
_KINDS = (
    ("S3_SLOW_DOWN", "slow-down"),
    ("S3_INTERNAL_ERROR", "fault"),
    ("S3_REQUEST_TIMEOUT", "fault"),
    ("S3_REQUEST_TIME_TOO_SKEWED", "skewed"),
    ("PROXY", "proxy"),
    ("SOCKS5", "proxy"),
    ("CONNECTION_REFUSED", "refused"),
    ("NO_ROUTE", "refused"),
    ("NETWORK_DOWN", "refused"),
    ("DNS", "unresolved"),
    ("TLS_NEGOTIATION_TIMEOUT", "silent"),
    ("TLS_CLOSED", "broken"),
    ("TLS_ALERT_NOT_GRACEFUL", "broken"),
    ("TLS", "tls"),
    ("TIMEOUT", "silent"),
)
_UNSENT = frozenset({"refused", "unresolved"})


def _no_answer(error: BaseException) -> NoAnswerError:
    name = str(getattr(error, "name", type(error).__name__))
    kind = next((kind for word, kind in _KINDS if word in name), "broken")
    return NoAnswerError(kind, name, sent=kind not in _UNSENT)
