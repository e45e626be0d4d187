"""Where a server keeps no conditions, a look goes before each write; and each piece of a read names its version."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from runner.store import conversation
from runner.store.capabilities import AWS, NOTHING
from runner.store.client import Client
from runner.store.door import ContentHeaders
from runner.store.errors import PreconditionFailedError, ServerFaultError
from runner.store.request import Answer
from tests.bench.fake_s3 import CARELESS
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
