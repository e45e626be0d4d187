"""Asking S3 until it answers: addressing, the pair's common headers, retries, region redirects and the count.

The client says what to ask, the transport sends it once; here is everything between. Never decides what an answer
means for a file.
"""

import re
import threading
import time
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote

from runner.config.settings import Pair
from runner.model.passes import Requests
from runner.store.address import Address, address_of, style_of
from runner.store.credentials import Credentials
from runner.store.errors import (
    Asked,
    CertificateError,
    ClockSkewError,
    ErrorAnswer,
    ObjectTooLargeError,
    ServerFaultError,
    StoppedError,
    StoreError,
    ThrottledError,
    UnreachableError,
    WrongRegionError,
    error_of,
    parse_error,
)
from runner.store.pace import TokenBucket
from runner.store.price import is_aws
from runner.store.request import Answer, Request
from runner.store.retry import Patience, delay_before_retry
from runner.store.transport import NoAnswerError, Transport

_SLEEP_SECONDS = 0.2
_SHORTEST_SECRET = 8
_SIGNATURE = re.compile(rb"(Signature=)[0-9A-Za-z%+/=]+")


class _Opened(NamedTuple):
    """Where requests go for one set of credentials (compared by identity: a new snapshot is a new object)."""

    credentials: Credentials
    moved_to: str
    address: Address
    transport: Transport


class Conversation:
    """For any number of threads at once; nothing of one call is seen by another but the counters."""

    def __init__(
        self,
        bucket: str,
        credentials: Callable[[], Credentials],
        pair: Pair,
        should_stop: Callable[[], bool],
        patience: Patience,
        random: Callable[[], float],
    ) -> None:
        self._bucket = bucket
        self._credentials = credentials
        self._pair = pair
        self.should_stop = should_stop
        self._patience = patience
        self._random = random
        self._lock = threading.Lock()  # of everything below
        self._opened: _Opened | None = None
        self._transport: Transport | None = None
        self._place: tuple[str, ...] = ()
        self._moved_to = ""  # region that S3 told us
        self._requests = Requests()
        rate = pair.bandwidth_bytes_per_second
        self._pace = TokenBucket(rate, time.monotonic()) if rate else None
        self._common = _common(pair)

    @property
    def requests(self) -> Requests:
        """All so far, retries included."""
        return self._requests

    @property
    def endpoint_url(self) -> str | None:
        """The configured endpoint; None for Amazon's own."""
        return self._credentials().endpoint_url

    def ask(self, request: Request, should_stop: Callable[[], bool] | None = None) -> Answer:
        """The answer with a 2xx status or one that the request accepts. Raises StoreError.

        should_stop: instead of the one given at construction. The error's `lost` counts the attempts of this call that
        may have been carried out though no answer came.
        """
        stop = should_stop or self.should_stop
        self._pay(len(request.body), stop)
        deadline = time.monotonic() + self._patience.total_seconds + len(request.body) / 20_000
        attempt, redirected, lost = 1, False, 0
        while True:
            try:
                answer = self._once(request, stop, deadline)
                break
            except WrongRegionError as error:
                if redirected or not self._can_follow(error):
                    raise
                redirected, self._moved_to = True, error.region
            except StoreError as error:
                lost = error.lost = lost + error.lost
                asked_for = _retry_after(error)
                left = deadline - time.monotonic()
                delay = delay_before_retry(error, attempt, left, asked_for, self._patience, self._random())
                if delay is None:
                    raise
                self._sleep(delay, stop)
                attempt += 1
        if request.method == "GET":
            self._pay(len(answer.body), stop)
        return answer

    def sleep(self, seconds: float) -> None:
        """Raises StoppedError."""
        self._sleep(seconds, self.should_stop)

    def close(self) -> None:
        with self._lock:
            transport, self._transport, self._opened = self._transport, None, None
        if transport is not None:
            transport.close()

    def _once(self, request: Request, should_stop: Callable[[], bool], deadline: float) -> Answer:
        if should_stop():
            raise StoppedError("asked to stop")
        opened = self._open(self._credentials())
        target = opened.address.target(request.key, request.query)
        with self._lock:
            self._requests += request.price_class
        try:
            headers = {**self._common, **request.headers} if self._common else request.headers
            answer = opened.transport.send(request, target, headers, should_stop, deadline)
        except NoAnswerError as error:
            told = _unanswered(error, self._asked(request, opened))
            told.lost = int(error.sent and not isinstance(told, ClockSkewError))  # that is an answer, and it says no
            raise told from error
        if answer.status in request.accept or (200 <= answer.status < 300 and b"<Error" not in answer.body[:200]):
            return answer
        return self._refused(request, answer, opened)

    def _asked(self, request: Request, opened: _Opened) -> Asked:
        return Asked(request.operation, self._bucket, opened.credentials.endpoint, request.key)

    def _refused(self, request: Request, answer: Answer, opened: _Opened) -> Answer:
        if request.operation == "GetObject" and 200 <= answer.status < 300:
            return answer  # a file may well begin with "<Error"
        body = _without_secrets(answer.body, opened.credentials)
        error = error_of(parse_error(answer.status, answer.headers, body), self._asked(request, opened))
        error.lost = int(isinstance(error, ServerFaultError))
        error.retry_after = answer.headers.get("retry-after", "")
        raise error

    def _open(self, now: Credentials) -> _Opened:
        opened = self._opened
        if opened is not None and opened.credentials is now and opened.moved_to == self._moved_to:
            return opened
        with self._lock:
            return self._reopen(now)

    def _reopen(self, now: Credentials) -> _Opened:
        """One transport for one origin, region and kind of credentials; another one when the settings moved."""
        moved_to = self._moved_to
        region = moved_to or now.region
        endpoint = f"https://s3.{region}.amazonaws.com" if moved_to and is_aws(now.endpoint_url) else now.endpoint
        address = address_of(endpoint, self._bucket, self._pair.addressing_style or style_of(now.addressing_style))
        bundle = str(self._pair.ca_bundle) if self._pair.ca_bundle else now.ca_bundle
        place = (address.origin, region, bundle or "", str(now.anonymous))
        if self._transport is None or place != self._place:
            if self._transport is not None:
                self._transport.close()
            self._transport = Transport(address.origin, region, self._credentials, ca_bundle=bundle)
            self._place = place
        self._opened = _Opened(now, moved_to, address, self._transport)
        return self._opened

    def _can_follow(self, error: WrongRegionError) -> bool:
        return bool(error.region) and error.region != (self._moved_to or self._credentials().region)

    def _pay(self, count: int, should_stop: Callable[[], bool]) -> None:
        """Waits as long as the pair's bandwidth asks for these bytes."""
        if self._pace is not None and count:
            self._sleep(self._pace.take(count, time.monotonic()), should_stop)

    def _sleep(self, seconds: float, should_stop: Callable[[], bool]) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if should_stop():
                raise StoppedError("asked to stop")
            time.sleep(min(left, _SLEEP_SECONDS))


def _common(pair: Pair) -> dict[str, str]:
    headers = {}
    if pair.request_payer:
        headers["x-amz-request-payer"] = pair.request_payer
    if pair.expected_bucket_owner:
        headers["x-amz-expected-bucket-owner"] = pair.expected_bucket_owner
    return headers


def _without_secrets(body: bytes, credentials: Credentials) -> bytes:
    """A refusal may tell what it was sent (S3 itself names refused tokens); its sentence ends up in front of people."""
    for secret in (credentials.token, credentials.secret_key):
        if len(secret) >= _SHORTEST_SECRET:  # a shorter one would blank out words
            body = body.replace(secret.encode(), b"***").replace(quote(secret, safe="").encode(), b"***")
    return _SIGNATURE.sub(rb"\1***", body)


def _retry_after(error: StoreError) -> float:
    """Seconds; the date form of the header is not worth a second clock."""
    return float(error.retry_after) if error.retry_after.isdecimal() else 0.0


_SENTENCES = {
    "refused": "the connection was refused",
    "unresolved": "no such host, or no name service",
    "tls": "TLS failed: the certificate is not trusted, or it is no TLS port",
    "proxy": "the proxy refused",
    "silent": "no answer in time",
    "broken": "the connection broke",
}


def _unanswered(error: NoAnswerError, asked: Asked) -> StoreError:
    if error.kind == "stopped":
        return StoppedError("asked to stop")
    if error.kind == "too-large":
        return ObjectTooLargeError(f"the answer to {asked.operation} of {asked.place} is larger than expected")
    if error.kind == "slow-down":
        return ThrottledError(f"{asked.endpoint} asks to slow down ({asked.operation} on {asked.bucket})")
    if error.kind == "fault":
        return ServerFaultError(f"{asked.endpoint} failed on {asked.operation} of {asked.bucket} ({error.detail})")
    if error.kind == "skewed":
        return error_of(ErrorAnswer(403, "RequestTimeTooSkewed"), asked)
    hints = {"tls": "set ca_bundle, or http:// where there is no TLS", "refused": "is the server up?"}
    detail = f" ({error.detail})" if error.detail else ""
    message = f"cannot connect to {asked.endpoint}: {_SENTENCES.get(error.kind, error.kind)}{detail}"
    kind = CertificateError if error.kind == "tls" else UnreachableError
    return kind(message, hints.get(error.kind, ""))
