"""The client against a server that lies, is slow, or answers with errors: nothing may be concluded from it."""

import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from runner.store.client import Client
from runner.store.credentials import Credentials
from runner.store.errors import (
    AccessDeniedError,
    ClockSkewError,
    PreconditionFailedError,
    ServerFaultError,
    StoreError,
    ThrottledError,
    UnprovenListingError,
    UnreachableError,
)
from runner.store.retry import Patience
from tests.integration.test_store_seaweedfs import make_pair
from tests.witness import soon

QUICK = Patience(total_seconds=3.0, first_delay_seconds=0.01, max_delay_seconds=0.05)


@dataclass
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False  # close without a word
    stall_seconds: float = 0.0


@dataclass
class Liar:
    """Answers the n-th request with the n-th reply, then the last one for ever."""

    server: ThreadingHTTPServer
    replies: list[Reply] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture(name="liar")
def _liar() -> Iterator[Liar]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            liar.asked.append((self.command, self.path, dict(self.headers)))
            reply = liar.replies.pop(0) if len(liar.replies) > 1 else liar.replies[0]
            if reply.stall_seconds:
                liar.released.wait(reply.stall_seconds)
            if reply.drop:
                self.close_connection = True
                self.connection.close()
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = answer  # noqa: N815 (http.server's names)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's name)
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            return  # a cancelled request is part of the play

    server = Server(("127.0.0.1", 0), Handler)
    liar = Liar(server)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield liar
    liar.released.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def client(liar: Liar) -> Iterator[Client]:
    client = Client("buck", Credentials("k", "s", endpoint_url=liar.url), pair=make_pair("buck"), patience=QUICK)
    yield client
    client.close()


def page(keys: str = "", *, truncated: bool = False, token: str = "", name: str = "buck") -> Reply:
    entries = "".join(
        f"<Contents><Key>{key}</Key><Size>1</Size><ETag>e</ETag><LastModified>2026-01-01T00:00:00Z</LastModified></Contents>"
        for key in keys
    )
    more = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    body = (
        f"<ListBucketResult><Name>{name}</Name><Prefix></Prefix><KeyCount>{len(keys)}</KeyCount>"
        f"<IsTruncated>{str(truncated).lower()}</IsTruncated>{more}{entries}</ListBucketResult>"
    )
    return Reply(body=body.encode())


def error(status: int, code: str, **headers: str) -> Reply:
    return Reply(status, f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode(), headers)


@pytest.mark.parametrize(
    "replies",
    [
        [Reply(body=b"<!DOCTYPE html><html><body>Please log in</body></html>")],
        [Reply(body=b"<html><body>Please log in</body></html>")],
        [Reply()],
        [Reply(body=page("ab").body[:-30])],
        [page("a", truncated=True)],
        [page("ab", truncated=True, token="t"), page("cd", truncated=True, token="t")],
        [page("ab", truncated=True, token="t"), page("bc")],
        [page("ab", truncated=True, token="t"), Reply()],
        [page("a", name="other")],
        [page("", truncated=True, token="t"), page("", truncated=True, token="t")],
    ],
)
def test_answer_that_is_no_listing_is_never_an_empty_bucket(client: Client, liar: Liar, replies: list[Reply]) -> None:
    liar.replies = replies
    with pytest.raises(UnprovenListingError, match="cannot be believed"):
        list(client.list())


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (error(403, "AccessDenied"), AccessDeniedError),
        (error(403, "RequestTimeTooSkewed"), ClockSkewError),
        (error(500, "InternalError"), ServerFaultError),
        (error(503, "SlowDown"), ThrottledError),
        (error(429, "TooManyRequests"), ThrottledError),
        (Reply(503, b"<html>gateway</html>"), ServerFaultError),
        (Reply(502, b""), ServerFaultError),
        (error(200, "InternalError"), ServerFaultError),
        (Reply(drop=True), UnreachableError),
    ],
)
def test_error_in_the_middle_of_a_listing_is_an_error(
    client: Client, liar: Liar, reply: Reply, kind: type[StoreError]
) -> None:
    liar.replies = [page("ab", truncated=True, token="t"), reply]
    with pytest.raises((kind, ThrottledError, ServerFaultError) if reply.status == 503 else kind):
        list(client.list())


def test_blip_in_the_middle_of_a_listing_is_ridden_out(client: Client, liar: Liar) -> None:
    liar.replies = [
        page("ab", truncated=True, token="t"), Reply(drop=True), error(503, "SlowDown"),
        error(500, "InternalError"), page("c"),
    ]  # fmt: skip
    assert [info.key for info in client.list()] == ["a", "b", "c"]
    assert client.requests.lists == 5


def test_silent_server_is_left_at_the_deadline(client: Client, liar: Liar) -> None:
    liar.replies = [Reply(stall_seconds=60)]
    started = time.monotonic()
    with pytest.raises(UnreachableError, match="no answer in time"):
        list(client.list())
    assert time.monotonic() - started < soon(8)


def test_forbidden_head_is_not_absence(client: Client, liar: Liar) -> None:
    liar.replies = [Reply(403)]
    with pytest.raises(AccessDeniedError, match="s3:GetObject"):
        client.head("k")


def test_bare_404_of_something_that_is_not_s3_is_not_absence(client: Client, liar: Liar) -> None:
    liar.replies = [Reply(404, b"<html>not here</html>")]
    with pytest.raises(StoreError, match="404"):
        client.head("k")


def test_object_that_comes_into_being_between_two_looks_is_seen(client: Client, liar: Liar) -> None:
    there = {"ETag": '"d41d8cd98f00b204e9800998ecf8427e"'}
    liar.replies = [Reply(404), Reply(206, b"x", there), Reply(200, b"", there)]
    assert client.head("k") is not None


def test_deletion_answered_with_anybodys_200_is_believed_only_after_a_look(client: Client, liar: Liar) -> None:
    page, there = Reply(200, b"<html>please sign in</html>"), Reply(200, b"", {"ETag": '"e"'})
    liar.replies = [page, there]
    with pytest.raises(ServerFaultError, match="still there"):
        client.delete("k", if_match="e")
    liar.replies, liar.asked = [page, Reply(200, b"", {"ETag": '"other"'})], []
    assert client.delete("k", if_match="e") == "changed"


def test_put_whose_answer_was_lost_is_settled_by_looking(client: Client, liar: Liar) -> None:
    etag = "d41d8cd98f00b204e9800998ecf8427e"
    stored = Reply(200, b"", {"ETag": f'"{etag}"', "x-amz-meta-runner-token": "t"})
    liar.replies = [Reply(drop=True), error(412, "PreconditionFailed"), stored]
    assert client.put("k", b"", if_none_match=True, metadata={"runner-token": "t"}) == etag
    liar.replies = [Reply(drop=True), error(412, "PreconditionFailed"), stored]
    with pytest.raises(PreconditionFailedError):
        client.put("k", b"", if_none_match=True, metadata={"runner-token": "mine"})


def test_delete_whose_answer_was_lost_counts_as_deleted(client: Client, liar: Liar) -> None:
    liar.replies = [Reply(drop=True), error(404, "NoSuchKey")]
    assert client.delete("k", if_match="e") == "deleted"


def test_right_etag_refused_in_quotes_is_sent_without_them(client: Client, liar: Liar) -> None:
    liar.replies = [error(412, "PreconditionFailed"), Reply(200, b"", {"ETag": '"e"'}), Reply(204)]
    assert client.delete("k", if_match="e") == "deleted"
    assert [headers.get("If-Match") for method, _path, headers in liar.asked if method == "DELETE"] == ['"e"', "e"]


def test_copy_and_put_without_an_etag_are_not_believed(client: Client, liar: Liar) -> None:
    for reply in (Reply(body=b"<html>"), error(200, "InternalError"), Reply()):
        liar.replies = [reply]
        with pytest.raises(ServerFaultError):
            client.copy("a", "b", source_etag="e", expected=None)
    liar.replies = [Reply(body=b"<html>fine</html>")]
    with pytest.raises(ServerFaultError, match="no ETag"):
        client.put("k", b"x")


def test_other_region_is_followed_once(client: Client, liar: Liar) -> None:
    liar.replies = [error(301, "PermanentRedirect", **{"x-amz-bucket-region": "eu-west-1"}), page("a")]
    assert [info.key for info in client.list()] == ["a"]
    assert "eu-west-1/s3" in liar.asked[1][2]["Authorization"]
    liar.replies = [error(400, "AuthorizationHeaderMalformed", **{"x-amz-bucket-region": "eu-west-2"})]
    with pytest.raises(StoreError, match="the bucket buck is in eu-west-2"):
        list(client.list())


def test_endless_body_is_cut(client: Client, liar: Liar) -> None:
    liar.replies = [Reply(body=b"x" * 100_000)]
    with pytest.raises(StoreError, match="larger than expected"):
        client.get_bytes("k", 10)


def test_pair_options_travel_as_headers(liar: Liar) -> None:
    pair = make_pair(
        "buck", request_payer="requester", expected_bucket_owner="1" * 12, sse="aws:kms", sse_kms_key_id="k1",
        storage_class="STANDARD_IA", acl="private",
    )  # fmt: skip
    client = Client("buck", Credentials("k", "s", "token", endpoint_url=liar.url), pair=pair, patience=QUICK)
    liar.replies = [Reply(200, b"", {"ETag": '"e"'})]
    client.put("k", b"x")
    client.close()
    sent = {name.lower(): value for name, value in liar.asked[0][2].items()}
    assert sent["x-amz-request-payer"] == "requester"
    assert sent["x-amz-expected-bucket-owner"] == "1" * 12
    assert sent["x-amz-server-side-encryption"] == "aws:kms"
    assert sent["x-amz-server-side-encryption-aws-kms-key-id"] == "k1"
    assert (sent["x-amz-storage-class"], sent["x-amz-acl"]) == ("STANDARD_IA", "private")
    assert sent["x-amz-security-token"] == "token"
    assert sent["x-amz-checksum-sha256"]


def test_anonymous_credentials_sign_nothing(liar: Liar) -> None:
    client = Client("buck", Credentials("", "", endpoint_url=liar.url), pair=make_pair("buck"), patience=QUICK)
    liar.replies = [page("a")]
    assert [info.key for info in client.list()] == ["a"]
    client.close()
    assert "Authorization" not in liar.asked[0][2]


def test_http_proxy_and_no_proxy_are_obeyed(liar: Liar, monkeypatch: pytest.MonkeyPatch) -> None:
    def listed() -> list[str]:
        client = Client(
            "buck", Credentials("k", "s", endpoint_url="http://s3.invalid"), pair=make_pair("buck"), patience=QUICK
        )
        try:
            return [info.key for info in client.list()]
        finally:
            client.close()

    liar.replies = [page("a")]
    monkeypatch.setenv("HTTP_PROXY", liar.url)
    assert listed() == ["a"]
    monkeypatch.setenv("NO_PROXY", "s3.invalid")
    with pytest.raises(UnreachableError):
        listed()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key, by the openssl program."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    return key, cert


def test_https_trusts_only_the_ca_bundle(liar: Liar, certificate: tuple[Path, Path]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate[1], certificate[0])
    liar.server.socket = context.wrap_socket(liar.server.socket, server_side=True, do_handshake_on_connect=False)
    url = f"https://localhost:{liar.server.server_port}"
    liar.replies = [page("a")]

    def listed(ca_bundle: Path | None) -> Callable[[], list[str]]:
        client = Client(
            "buck", Credentials("k", "s", endpoint_url=url), pair=make_pair("buck", ca_bundle=ca_bundle), patience=QUICK
        )

        def ask() -> list[str]:
            try:
                return [info.key for info in client.list()]
            finally:
                client.close()

        return ask

    assert listed(certificate[1])() == ["a"]
    with pytest.raises(UnreachableError, match="TLS failed"):
        listed(None)()
    with pytest.raises(StoreError, match="CA bundle") as caught:
        listed(Path("/no/such/bundle.pem"))()
    assert caught.value.permanent
