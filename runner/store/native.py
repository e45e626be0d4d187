"""The CRT's objects of one process: event loop, resolver, client, signing. Made late, let go of at once.

Everything native belongs to the process that made it: its threads are not copied by a fork.
"""

import base64
import hashlib
import io
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from runner.store.credentials import Credentials
from runner.store.errors import StoreError
from runner.store.request import Request

CONNECT_TIMEOUT_MILLISECONDS = 10_000
_CLOSE_SECONDS = 2.0


class Native:
    """The CRT objects of one process."""

    def __init__(self, origin: str, region: str, credentials: Callable[[], Credentials], ca_bundle: str | None) -> None:
        from awscrt import http, s3
        from awscrt import io as crt_io

        self._http = http
        self.pid = os.getpid()
        self.default_type = s3.S3RequestType.DEFAULT
        secure = origin.startswith("https://")
        self._group = crt_io.EventLoopGroup(1)
        self._bootstrap = crt_io.ClientBootstrap(self._group, crt_io.DefaultHostResolver(self._group))
        self.client: Any = s3.S3Client(
            bootstrap=self._bootstrap,
            region=region,
            tls_mode=s3.S3RequestTlsMode.ENABLED if secure else s3.S3RequestTlsMode.DISABLED,
            tls_connection_options=_tls(ca_bundle) if secure and ca_bundle else None,
            signing_config=_signing(region, credentials),
            throughput_target_gbps=1.0,
            retry_config=s3.S3RetryConfig(retry_mode=s3.S3RetryMode.NONE),
            connect_timeout_ms=CONNECT_TIMEOUT_MILLISECONDS,
        )

    def http_request(self, request: Request, target: str, headers: Mapping[str, str]) -> Any:
        fields = {"Accept": "*/*", "User-Agent": "mountless-s3-syncer", **headers}
        if request.method in ("PUT", "POST"):
            fields["Content-Length"] = str(len(request.body))
        stream = None
        if request.body:
            # a POST's (Complete) would be taken for the checksum of the object, not of the body
            if request.method == "PUT" and "x-amz-checksum-sha256" not in headers and "Content-MD5" not in headers:
                fields["x-amz-checksum-sha256"] = base64.b64encode(hashlib.sha256(request.body).digest()).decode()
            stream = io.BytesIO(request.body)
        given = self._http.HttpHeaders(list(fields.items()))
        return self._http.HttpRequest(request.method, target, given, stream)

    def close(self) -> None:
        events = [self.client.shutdown_event, self._bootstrap.shutdown_event, self._group.shutdown_event]
        self.client = self._bootstrap = self._group = None
        deadline = time.monotonic() + _CLOSE_SECONDS
        for event in events:
            event.wait(max(0.0, deadline - time.monotonic()))


def _tls(ca_bundle: str) -> Any:
    from awscrt import io as crt_io

    options = crt_io.TlsContextOptions()
    try:
        options.override_default_trust_store_from_path(ca_filepath=ca_bundle)
        return crt_io.ClientTlsContext(options).new_connection_options()
    except Exception as error:
        raise StoreError(
            f"the CA bundle {ca_bundle} cannot be read", "it must be a readable PEM file", permanent=True
        ) from error


def _signing(region: str, credentials: Callable[[], Credentials]) -> Any:
    """None (unsigned requests) for anonymous credentials."""
    from awscrt import auth, s3

    if credentials().anonymous:
        return None

    def snapshot() -> Any:  # called on the event loop's thread for every request: must not block
        now = credentials()
        return auth.AwsCredentials(now.access_key, now.secret_key, now.token or None)

    provider = auth.AwsCredentialsProvider.new_delegate(snapshot)
    return s3.create_default_s3_signing_config(region=region, credential_provider=provider)
