"""Where a server keeps no conditions, a look goes before each write; each piece of a read names its version; and what
was damaged or changed on its way is not published.
"""

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from runner.store import conversation
from runner.store.capabilities import AWS, NOTHING, Capabilities
from runner.store.client import Client
from runner.store.door import ContentHeaders
from runner.store.errors import (
    PreconditionFailedError,
    ServerFaultError,
    SourceChangedError,
    StoreError,
    WrongRegionError,
)
from runner.store.request import Answer
from tests.bench.fake_s3 import CARELESS, Kind
from tests.bench.fake_web import CREDENTIALS, WebS3
from tests.integration.test_store_seaweedfs import make_pair

PIECE = 8 << 20


@dataclass(eq=False)
class NotingS3(WebS3):
    """Keeps what each GET carried. cut: how many bytes are missing at the end of an answer."""

    given: list[Mapping[str, str]] = field(default_factory=list)
    cut: int = 0

    def _GetObject(self, key: str, *asked: Any) -> Answer:  # noqa: N802
        self.given.append(asked[1])
        whole = super()._GetObject(key, *asked)
        return replace(whole, body=whole.body[: len(whole.body) - self.cut])


@pytest.fixture
def server() -> NotingS3:
    return NotingS3(CARELESS)


@pytest.fixture
def client(server: NotingS3, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setattr(conversation, "Transport", server.transport)
    client = Client("bkt", CREDENTIALS, pair=make_pair("bkt"))
    client.capabilities = NOTHING
    yield client
    client.close()


@pytest.mark.parametrize("expected", [None, "0" * 32])
def test_write_to_a_server_without_conditions_looks_first(
    client: Client, server: NotingS3, expected: str | None
) -> None:
    server.put("k", b"theirs")
    digest = hashlib.sha256(b"ours").digest()
    with pytest.raises(PreconditionFailedError):
        client.put_small("k", b"ours", expected=expected, metadata={}, content=ContentHeaders(), sha256=digest)
    assert server.objects["k"].body == b"theirs"


def test_complete_on_a_server_that_ignores_its_if_match_looks_first(client: Client, server: NotingS3) -> None:
    client.capabilities = AWS
    etag = server.put("k", b"seen").etag

    def read_at(offset: int, length: int) -> bytes:
        if offset:
            server.put("k", b"theirs")  # while parts are sent
        return bytes(length)

    with pytest.raises(PreconditionFailedError):
        client.put_file(
            "k", size=PIECE + 1, read_at=read_at, expected=etag, metadata={}, content=ContentHeaders(),
            still_same=lambda: True, on_bytes=lambda _count: None,
        )  # fmt: skip
    assert server.objects["k"].body == b"theirs"


def test_deletion_on_a_server_without_conditions_looks_first(client: Client, server: NotingS3) -> None:
    server.put("k", b"theirs")
    assert client.delete("k", if_match="0" * 32) == "changed"
    assert client.delete("k", if_match=server.objects["k"].etag) == "deleted"


def test_pieces_of_an_object_are_asked_for_by_their_version(client: Client, server: NotingS3) -> None:
    body = bytes(PIECE) + b"end"
    etag = server.put("k", body).etag
    came = bytearray(len(body))

    def write_at(offset: int, piece: bytes) -> None:
        came[offset : offset + len(piece)] = piece

    client.get_file("k", size=len(body), etag=etag, write_at=write_at, on_bytes=lambda _count: None)
    assert came == body
    assert [given.get("if-match") for given in server.given] == [f'"{etag}"'] * 2


def test_body_of_another_size_than_told_is_no_object(client: Client, server: NotingS3) -> None:
    etag = server.put("k", b"content").etag
    assert client.get_small("k", max_bytes=100, etag=etag)[1] == b"content"
    server.cut = 1
    with pytest.raises(ServerFaultError):
        client.get_small("k", max_bytes=100, etag=etag)


class DamagingS3(WebS3):
    """Bytes change on their way to it, and of an upload it loses the last one."""

    def _PutObject(self, key: str, query: Any, given: Any, body: bytes) -> Answer:  # noqa: N802
        return super()._PutObject(key, query, given, b"!" + body[1:])

    def _UploadPart(self, key: str, query: Any, given: Any, body: bytes) -> Answer:  # noqa: N802
        assert base64.b64decode(given["x-amz-checksum-sha256"]) == hashlib.sha256(body).digest()
        return super()._UploadPart(key, query, given, body)

    def _CompleteMultipartUpload(self, key: str, query: Any, given: Any, body: bytes) -> Answer:  # noqa: N802
        answer = super()._CompleteMultipartUpload(key, query, given, body)
        self.objects[key] = replace(self.objects[key], body=self.objects[key].body[:-1])
        return answer


@pytest.fixture
def damaging(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Client, DamagingS3]]:
    server = DamagingS3(Kind())
    monkeypatch.setattr(conversation, "Transport", server.transport)
    client = Client("bkt", CREDENTIALS, pair=make_pair("bkt"))
    yield client, server
    client.close()


@pytest.mark.parametrize("capabilities", [AWS, replace(AWS, checksums=False)])
def test_body_that_is_damaged_on_its_way_is_refused_by_its_checksum(
    damaging: tuple[Client, DamagingS3], capabilities: Capabilities
) -> None:
    client, server = damaging
    client.capabilities = capabilities
    digest = hashlib.sha256(b"ours").digest()
    with pytest.raises(StoreError):
        client.put_small("k", b"ours", expected=None, metadata={}, content=ContentHeaders(), sha256=digest)
    assert not server.objects


def _sent(client: Client, read_at: Callable[[int, int], bytes], *, same: bool = True) -> None:
    client.put_file(
        "k", size=PIECE + 1, read_at=read_at, expected=None, metadata={}, content=ContentHeaders(),
        still_same=lambda: same, on_bytes=lambda _count: None,
    )  # fmt: skip


def test_parts_have_checksums_and_an_upload_that_lacks_a_byte_is_no_success(
    damaging: tuple[Client, DamagingS3],
) -> None:
    client, _server = damaging
    client.capabilities = AWS
    with pytest.raises(ServerFaultError, match=f"has {PIECE} bytes, sent were {PIECE + 1}"):
        _sent(client, lambda _offset, length: bytes(length))


@pytest.mark.parametrize("same", [True, False])
def test_upload_of_a_file_that_has_become_shorter_or_another_is_aborted(
    client: Client, server: NotingS3, same: bool
) -> None:
    with pytest.raises(SourceChangedError):
        _sent(client, lambda offset, length: b"" if same and offset else bytes(length), same=same)
    assert not server.objects
    assert not server.uploads


def test_empty_object_that_has_content_by_now_is_another_version(client: Client, server: NotingS3) -> None:
    server.put("k", b"theirs")
    with pytest.raises(PreconditionFailedError):
        client.get_file("k", size=0, etag="0" * 32, write_at=lambda *_: None, on_bytes=lambda _count: None)


def test_bucket_that_is_said_to_be_elsewhere_again_and_again_is_followed_once(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def elsewhere(*_request: object) -> Answer:
        asked.append("x")
        error = WrongRegionError("it is elsewhere")
        error.region = f"region-{len(asked) % 2}"
        raise error if len(asked) < 9 else AssertionError("it would go on for ever")

    monkeypatch.setattr(conversation.Conversation, "_once", elsewhere)
    with pytest.raises(WrongRegionError):
        client.head("k")
    assert len(asked) == 2
