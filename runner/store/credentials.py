"""Snapshots of credentials, and the worker's way to get a fresh one from the credential process.

A snapshot is taken before each pass, never cached here: whoever changes a key sees it used in the next pass.
Never imports botocore, never shows a secret in a repr, an error or a log.
"""

import contextlib
import select
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import count

from runner.config.settings import Pair
from runner.model.errors import UserError
from runner.wire.channel import Channel

SERVICE = "credentials"
# What of a worker's environment can matter to a look-up; nothing else leaves the process.
_PASSED_PREFIX = "AWS_"


@dataclass(frozen=True, slots=True)
class CredentialRequest:
    """What decides which credentials these are. environment: the AWS_* variables; it may hold secrets."""

    profile: str | None = None
    role_arn: str | None = None
    region: str | None = None
    endpoint_url: str | None = None
    ca_bundle: str | None = None
    anonymous: bool = False  # --no-sign-request: region and endpoint only
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, pair: Pair, environment: Mapping[str, str]) -> "CredentialRequest":
        """The request of a pair in a process with this environment."""
        return cls(
            profile=pair.profile,
            role_arn=pair.role_arn,
            region=pair.region,
            endpoint_url=pair.endpoint_url,
            ca_bundle=str(pair.ca_bundle) if pair.ca_bundle else None,
            anonymous="--no-sign-request" in pair.aws_args,
            environment={name: value for name, value in environment.items() if name.startswith(_PASSED_PREFIX)},
        )

    @classmethod
    def from_message(cls, message: Mapping[str, object]) -> "CredentialRequest":
        """Reads a `credentials?` message; unknown fields are none of its business."""
        environment = message.get("environment")
        texts = {
            name: _text(message.get(name)) for name in ("profile", "role_arn", "region", "endpoint_url", "ca_bundle")
        }
        return cls(
            **texts,
            anonymous=message.get("anonymous") is True,
            environment={str(k): str(v) for k, v in environment.items()} if isinstance(environment, dict) else {},
        )


def _text(value: object) -> str | None:
    return str(value) if value else None


@dataclass(frozen=True, slots=True)
class Credentials:
    """Keys and place as resolved at one moment.

    expires_at: seconds since the epoch, None when they do not expire. endpoint_url: the configured one, None for
    Amazon's own; s3_endpoint: where requests go in either case.
    """

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(default="", repr=False)
    expires_at: float | None = None
    region: str = "us-east-1"
    endpoint_url: str | None = None
    s3_endpoint: str = ""
    ca_bundle: str | None = None
    addressing_style: str | None = None

    @property
    def anonymous(self) -> bool:
        return not self.access_key

    @property
    def endpoint(self) -> str:
        """The URL that requests go to."""
        return self.s3_endpoint or self.endpoint_url or f"https://s3.{self.region}.amazonaws.com"

    def __str__(self) -> str:
        return repr(self)


class CredentialsError(UserError):
    """No credentials. permanent: a file must be corrected first; otherwise the next pass tries again."""

    def __init__(self, message: str, hint: str = "", *, permanent: bool = False) -> None:
        super().__init__(message, hint)
        self.permanent = permanent


class CredentialClient:
    """A worker's line to the credential process; made anew when that process was replaced."""

    def __init__(self, connect: Callable[[str], Channel]) -> None:
        self._connect = connect
        self._channel: Channel | None = None
        self._ids = count(1)

    def lookup(self, request: CredentialRequest, timeout_seconds: float = 60.0, *, refused: str = "") -> Credentials:
        """Blocks until the answer. Raises CredentialsError, and what `connect` raises.

        refused: an access key that S3 did not take; it is not answered from memory.
        """
        deadline = time.monotonic() + timeout_seconds
        for attempt in (1, 2):
            answer = self._ask(request, deadline, refused)
            if answer is not None:
                return _credentials_of(answer)
            self.close()
            if attempt == 2 or time.monotonic() >= deadline:
                break
        raise CredentialsError("the credential process did not answer", "it is replaced by itself; see the log")

    def close(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            with contextlib.suppress(OSError):
                channel.close()

    def _ask(self, request: CredentialRequest, deadline: float, refused: str) -> dict[str, object] | None:
        """The answer; None when the other end is gone or silent."""
        if self._channel is None or self._channel.closed:
            self._channel = self._connect(SERVICE)
        channel, number = self._channel, next(self._ids)
        channel.send({"type": "credentials?", "id": number, "refused": refused, **asdict(request)})
        while not channel.closed and (left := deadline - time.monotonic()) > 0:
            poll = select.poll()  # not select(): a descriptor may be over 1023
            poll.register(channel, select.POLLIN | (select.POLLOUT if channel.wants_write else 0))
            poll.poll(min(left, 5.0) * 1000)
            channel.flush()
            for received in channel.receive():
                if received.message.get("id") == number:
                    return received.message
        return None


def _credentials_of(message: Mapping[str, object]) -> Credentials:
    if message.get("type") != "credentials":
        raise CredentialsError(
            str(message.get("reason") or "no credentials"),
            str(message.get("hint") or ""),
            permanent=message.get("permanent") is True,
        )
    expires_at = message.get("expires_at")
    return Credentials(
        access_key=str(message.get("access_key") or ""),
        secret_key=str(message.get("secret_key") or ""),
        token=str(message.get("token") or ""),
        expires_at=float(expires_at) if isinstance(expires_at, int | float) else None,
        region=str(message.get("region") or "us-east-1"),
        endpoint_url=_text(message.get("endpoint_url")),
        s3_endpoint=str(message.get("s3_endpoint") or ""),
        ca_bundle=_text(message.get("ca_bundle")),
        addressing_style=_text(message.get("addressing_style")),
    )
