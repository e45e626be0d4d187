"""The door to an SQS queue: long polls and deletions, on awscrt's HTTP, signed by awscrt (SigV4, service `sqs`).

Speaks the JSON protocol ("AWS JSON 1.0" in the SQS developer guide). Blocking, one request at a time; decides nothing,
knows nothing of what messages mean. Everything native is made at the first request of this process.
"""

import io
import json
import os
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from runner.model.errors import UserError
from runner.store.credentials import Credentials

WAIT_SECONDS = 20  # the longest that SQS allows
MESSAGES = 10  # the most that SQS hands out at once
_DEADLINE_SECONDS = WAIT_SECONDS + 15.0
_ANSWER_BYTES = 16 << 20
_HOSTS = (
    re.compile(r"sqs(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|api\.aws)"),
    re.compile(r"[a-z0-9-]+\.sqs\.([a-z0-9-]+)\.vpce\.amazonaws\.com"),
    re.compile(r"([a-z0-9-]+)\.queue\.amazonaws\.com(?:\.cn)?"),
)


class QueueError(UserError):
    """The queue cannot be read now, and why."""


@dataclass(frozen=True, slots=True)
class Message:
    body: str
    receipt: str


def region_of(url: str) -> str | None:
    """Of a queue of AWS, from its URL; None for other servers."""
    host = (urlsplit(url).hostname or "").lower()
    if host == "queue.amazonaws.com":
        return "us-east-1"
    return next((found.group(1) for pattern in _HOSTS if (found := pattern.fullmatch(host))), None)


class QueueClient:
    """One connection to one queue, for one thread; `close` may come from any."""

    def __init__(self, url: str, *, ca_bundle: str | None = None) -> None:
        self._url = url
        self._parts = urlsplit(url)
        self._ca_bundle = ca_bundle
        self._lock = threading.Lock()
        self._connection: Any = None
        self._bootstrap: Any = None
        self._closed = False

    def receive(self, credentials: Credentials) -> list[Message]:
        """Waits up to WAIT_SECONDS for messages. Raises QueueError."""
        answer = self._call("ReceiveMessage", credentials, MaxNumberOfMessages=MESSAGES, WaitTimeSeconds=WAIT_SECONDS)
        return messages_of(answer)

    def delete(self, credentials: Credentials, receipts: Sequence[str]) -> None:
        """At most MESSAGES. A receipt that is too old is not deleted: its message comes again. Raises QueueError."""
        entries = [{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(receipts)]
        self._call("DeleteMessageBatch", credentials, Entries=entries)

    def close(self) -> None:
        """Ends what is being waited for, for good."""
        self._closed = True
        self.disconnect()

    def disconnect(self) -> None:
        """The next request makes a connection anew."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _call(self, action: str, credentials: Credentials, **fields: object) -> Mapping[str, object]:
        body = json.dumps({"QueueUrl": self._url, **fields}).encode("ascii")
        try:
            status, answer = self._exchange(self._request(action, body), credentials)
        except QueueError:
            raise
        except Exception as error:  # noqa: BLE001 (AwsCrtError, TimeoutError: whatever a network does)
            self.disconnect()
            name = str(getattr(error, "name", "") or type(error).__name__)
            raise QueueError(f"the queue {self._url} cannot be reached: {name}") from None
        return parsed(status, answer, self._url)

    def _exchange(self, request: Any, credentials: Credentials) -> tuple[int, bytes]:
        from awscrt import auth

        if not credentials.anonymous:
            provider = auth.AwsCredentialsProvider.new_static(
                credentials.access_key, credentials.secret_key, credentials.token or None
            )
            config = auth.AwsSigningConfig(
                credentials_provider=provider, region=region_of(self._url) or credentials.region, service="sqs"
            )
            auth.aws_sign_request(request, config).result(_DEADLINE_SECONDS)
        answer = bytearray()

        def on_body(http_stream: object, chunk: bytes, **_kwargs: object) -> None:
            if len(answer) + len(chunk) > _ANSWER_BYTES:
                raise BufferError
            answer.extend(chunk)

        stream = self._connected().request(request, lambda **_kwargs: None, on_body)
        stream.activate()
        return int(stream.completion_future.result(_DEADLINE_SECONDS)), bytes(answer)

    def _request(self, action: str, body: bytes) -> Any:
        from awscrt import http

        fields = [
            ("Host", self._parts.netloc.rpartition("@")[2]),
            ("User-Agent", "mountless-s3-syncer"),
            ("Content-Type", "application/x-amz-json-1.0"),
            ("X-Amz-Target", f"AmazonSQS.{action}"),
            ("Content-Length", str(len(body))),
        ]
        return http.HttpRequest("POST", "/", http.HttpHeaders(fields), io.BytesIO(body))

    def _connected(self) -> Any:
        """An open connection, the one before if it still is. Raises what awscrt raises."""
        with self._lock:
            if self._closed:
                raise QueueError("the worker stops")
            if self._connection is not None and self._connection.is_open():
                return self._connection
        connection = self._connect()
        with self._lock:
            self._connection = connection
        if self._closed:
            self.disconnect()
            raise QueueError("the worker stops")
        return connection

    def _connect(self) -> Any:
        from awscrt import http
        from awscrt import io as crt_io

        if self._bootstrap is None:
            group = crt_io.EventLoopGroup(1)
            self._bootstrap = crt_io.ClientBootstrap(group, crt_io.DefaultHostResolver(group))
        secure, host = self._parts.scheme == "https", self._parts.hostname or ""
        options = crt_io.SocketOptions()
        options.connect_timeout_ms = 10_000
        return http.HttpClientConnection.new(
            host,
            self._parts.port or (443 if secure else 80),
            self._bootstrap,
            options,
            self._tls(host) if secure else None,
            self._proxy(host, secure=secure),
        ).result(_DEADLINE_SECONDS)

    def _tls(self, host: str) -> Any:
        from awscrt import io as crt_io

        options = crt_io.TlsContextOptions()
        if self._ca_bundle:
            options.override_default_trust_store_from_path(ca_filepath=self._ca_bundle)
        connection = crt_io.ClientTlsContext(options).new_connection_options()
        connection.set_server_name(host)
        return connection

    def _proxy(self, host: str, *, secure: bool) -> Any:
        url = proxy_for(host, os.environ, secure=secure)
        if url is None:
            return None
        from awscrt import http

        parts = urlsplit(url)
        named = parts.username is not None
        return http.HttpProxyOptions(
            parts.hostname or "",
            parts.port or 80,
            auth_type=http.HttpProxyAuthenticationType.Basic if named else http.HttpProxyAuthenticationType.Nothing,
            auth_username=unquote(parts.username or "") if named else None,
            auth_password=unquote(parts.password or "") if named else None,
        )


def messages_of(answer: Mapping[str, object]) -> list[Message]:
    """What has both a body and a receipt; the rest cannot be used."""
    found = answer.get("Messages")
    return [
        Message(str(message["Body"]), str(message["ReceiptHandle"]))
        for message in (found if isinstance(found, list) else [])
        if isinstance(message, dict) and "Body" in message and "ReceiptHandle" in message
    ]


def parsed(status: int, body: bytes, url: str) -> Mapping[str, object]:
    """The answer of a call that went through. Raises QueueError with what a person can do."""
    try:
        answer = json.loads(body) if body else {}
    except ValueError:
        answer = None
    if status == 200 and isinstance(answer, dict):
        return answer
    told = answer if isinstance(answer, dict) else {}
    code = str(told.get("__type") or "").rpartition("#")[2] or f"status {status}"
    said = str(told.get("message") or told.get("Message") or "")[:300]
    raise QueueError(f"the queue {url} answers {code}{f': {said}' if said else ''}", _hint(code))


def _hint(code: str) -> str:
    if "AccessDenied" in code:
        return "the role needs sqs:ReceiveMessage and sqs:DeleteMessage on it"
    if "NonExistentQueue" in code or "QueueDoesNotExist" in code:
        return "check `events`"
    return ""


def proxy_for(host: str, environment: Mapping[str, str], *, secure: bool) -> str | None:
    """As the S3 client's: HTTPS_PROXY or HTTP_PROXY, unless NO_PROXY names the host or a domain above it."""
    name = "https_proxy" if secure else "http_proxy"
    url = environment.get(name) or environment.get(name.upper())
    spared = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    for domain in (part.strip().lstrip(".").lower() for part in spared.split(",")):
        if domain == "*" or (domain and (host.lower() == domain or host.lower().endswith(f".{domain}"))):
            return None
    return url or None
