"""Asking S3 until it answers: addressing, the pair's common headers, retries, region redirects and the count.

The client says what to ask, the transport sends it once; here is everything between. Never decides what an answer
means for a file.
"""

import time
from collections.abc import Callable

from runner.config.settings import Pair
from runner.model.passes import Requests
from runner.store.address import Address, address_of, style_of
from runner.store.credentials import Credentials
from runner.store.errors import (
    Asked,
    CertificateError,
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
from runner.store.price import is_aws
from runner.store.request import Answer, Request
from runner.store.retry import Patience, delay_before_retry
from runner.store.transport import NoAnswerError, Transport

_SLEEP_SECONDS = 0.2


class Conversation:
    """lost_answers: how many requests so far may have been carried out though no answer came."""

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
        self._should_stop = should_stop
        self._patience = patience
        self._random = random
        self._transport: Transport | None = None
        self._place: tuple[str, ...] = ()
        self._moved_to = ""  # region that S3 told us
        self.requests = Requests()
        self.lost_answers = 0

    def ask(self, request: Request) -> Answer:
        """The answer with a 2xx status or one that the request accepts. Raises StoreError."""
        deadline = time.monotonic() + self._patience.total_seconds + len(request.body) / 20_000
        attempt, redirected = 1, False
        while True:
            try:
                return self._once(request, deadline)
            except WrongRegionError as error:
                if redirected or not self._can_follow(error):
                    raise
                redirected, self._moved_to = True, error.region
            except StoreError as error:
                asked_for = _retry_after(error)
                left = deadline - time.monotonic()
                delay = delay_before_retry(error, attempt, left, asked_for, self._patience, self._random())
                if delay is None:
                    raise
                self._sleep(delay)
                attempt += 1

    def close(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    def _once(self, request: Request, deadline: float) -> Answer:
        if self._should_stop():
            raise StoppedError("asked to stop")
        now = self._credentials()
        address, transport = self._open(now)
        asked = Asked(request.operation, self._bucket, now.endpoint, request.key)
        target = address.target(request.key, request.query)
        self.requests += request.price_class
        try:
            answer = transport.send(
                request, target, self._common() | dict(request.headers), self._should_stop, deadline
            )
        except NoAnswerError as error:
            self.lost_answers += error.sent
            raise _unanswered(error, asked) from error
        if answer.status in request.accept or (200 <= answer.status < 300 and b"<Error" not in answer.body[:200]):
            return answer
        return self._refused(request, answer, asked)

    def _refused(self, request: Request, answer: Answer, asked: Asked) -> Answer:
        if request.operation == "GetObject" and 200 <= answer.status < 300:
            return answer  # a file may well begin with "<Error"
        error = error_of(parse_error(answer.status, answer.headers, answer.body), asked)
        self.lost_answers += isinstance(error, ServerFaultError)
        error.retry_after = answer.headers.get("retry-after", "")
        raise error

    def _open(self, now: Credentials) -> tuple[Address, Transport]:
        """One transport for one origin, region and kind of credentials; another one when the settings moved."""
        region = self._moved_to or now.region
        endpoint = f"https://s3.{region}.amazonaws.com" if self._moved_to and is_aws(now.endpoint_url) else now.endpoint
        address = address_of(endpoint, self._bucket, self._pair.addressing_style or style_of(now.addressing_style))
        bundle = str(self._pair.ca_bundle) if self._pair.ca_bundle else now.ca_bundle
        place = (address.origin, region, bundle or "", str(now.anonymous))
        if self._transport is None or place != self._place:
            self.close()
            self._transport = Transport(address.origin, region, self._credentials, ca_bundle=bundle)
            self._place = place
        return address, self._transport

    def _can_follow(self, error: WrongRegionError) -> bool:
        return bool(error.region) and error.region != (self._moved_to or self._credentials().region)

    def _common(self) -> dict[str, str]:
        headers = {}
        if self._pair.request_payer:
            headers["x-amz-request-payer"] = self._pair.request_payer
        if self._pair.expected_bucket_owner:
            headers["x-amz-expected-bucket-owner"] = self._pair.expected_bucket_owner
        return headers

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self._should_stop():
                raise StoppedError("asked to stop")
            time.sleep(min(left, _SLEEP_SECONDS))


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
